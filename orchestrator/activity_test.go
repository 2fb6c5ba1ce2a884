package orchestrator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestActivity(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	store := a.store()
	for _, agent := range []string{"test-noop", "test-slow"} {
		if r := a.send("POST", prefix+"/"+agent+"/run", `{}`); r.status != http.StatusAccepted {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if _, err := a.pool.Exec(t.Context(), `
		INSERT INTO ciclo.uncounted_moves SELECT now() - interval '2 hours', 'test-noop', 'running', 'completed', now() - interval '2 hours' - s * interval '1 second' FROM generate_series(1, 100) s`); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	c := &client.Client{URL: server.URL, Token: token}
	for _, counted := range []bool{false, true} {
		if counted {
			if n, err := store.CountMoves(t.Context()); err != nil || n != 102 {
				t.Fatalf("counted %d, %v", n, err)
			}
		}
		for name, q := range map[string]struct {
			query                     url.Values
			by                        string
			accepted, completed, most int
		}{
			"by default":       {nil, "hour", 2, 100, 25},
			"an agent's":       {url.Values{"agent": {"test-slow"}}, "hour", 1, 0, 25},
			"by day":           {url.Values{"by": {"day"}}, "day", 2, 100, 31},
			"by minute":        {url.Values{"by": {"minute"}}, "minute", 2, 0, 61},
			"before now":       {url.Values{"until": {time.Now().Add(-time.Hour).Format(time.RFC3339)}}, "hour", 0, 100, 25},
			"nothing yet":      {url.Values{"since": {time.Now().Add(24 * time.Hour).Format(time.RFC3339)}, "until": {time.Now().Add(48 * time.Hour).Format(time.RFC3339)}}, "hour", 0, 0, 25},
			"in another zone":  {url.Values{"since": {time.Now().Add(-5 * time.Hour).In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339)}}, "hour", 2, 100, 6},
			"two years of day": {url.Values{"by": {"day"}, "since": {time.Now().Add(-749 * 24 * time.Hour).Format(time.RFC3339)}}, "day", 2, 100, 750},
		} {
			got, err := c.Activity(t.Context(), q.query)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var accepted, completed int
			for i, p := range got.Points {
				accepted, completed = accepted+int(p.Accepted), completed+int(p.Completed)
				if i > 0 && p.At.Before(got.Points[i-1].At) || p.At.Before(got.Since) || !p.At.Before(got.Until) {
					t.Errorf("%s: the point at %s is out of place", name, p.At)
				}
				if p.Completed == 100 && (*p.MeanSeconds != 50.5 || *p.P50Seconds < 50/1.087 || *p.P50Seconds > 50*1.087 || *p.P95Seconds < 95/1.087 || *p.P95Seconds > 95*1.087) {
					t.Errorf("%s: durations %v, %v, %v", name, *p.MeanSeconds, *p.P50Seconds, *p.P95Seconds)
				}
				if p.Completed == 0 && p.MeanSeconds != nil {
					t.Errorf("%s: a duration of nothing: %v", name, *p.MeanSeconds)
				}
			}
			length := postgres.Grain(q.by).Length()
			if periods := int(got.Until.Sub(got.Since)/length) + 1; accepted != q.accepted || completed != q.completed || got.By != q.by || periods > q.most || got.Since.Truncate(length) != got.Since {
				t.Errorf("%s, counted %v: %d accepted, %d completed by %s in %d periods from %s", name, counted, accepted, completed, got.By, periods, got.Since)
			}
		}
	}
}

func TestActivityRefuses(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ago := func(d time.Duration) string { return url.QueryEscape(time.Now().Add(-d).Format(time.RFC3339)) }
	const day = 24 * time.Hour
	for query, field := range map[string]string{
		"by=week":                           "by",
		"by=":                               "by",
		"by=hour&by=day":                    "by",
		"since=yesterday":                   "since",
		"until=2026-01-01":                  "until",
		"until=9999-12-31T23:59:59-23:59":   "until",
		"since=0000-01-01T00:00:00Z":        "since",
		"since=0001-01-01T00:00:00Z&by=day": "since",
		"agent=nobody":                      "agent",
		"agent=":                            "agent",
		"limit=3":                           "limit",
		"since=" + ago(time.Hour) + "&until=" + ago(2*time.Hour):                              "until",
		"by=minute&since=" + ago(13*time.Hour):                                                "since",
		"by=hour&since=" + ago(33*day):                                                        "since",
		"by=day&since=" + ago(751*day):                                                        "since",
		"by=minute&since=" + ago(49*time.Hour) + "&until=" + ago(48*time.Hour+30*time.Minute): "since",
		"by=hour&since=" + ago(92*day) + "&until=" + ago(91*day):                              "since",
		"until=9999-12-31T23:59:59Z&since=" + ago(0):                                          "since",
	} {
		r := a.send("GET", prefix+"/activity?"+query, "")
		var p client.Problem
		if err := json.Unmarshal(r.body, &p); err != nil || r.status != http.StatusUnprocessableEntity || len(p.Fields) == 0 || p.Fields[0].Field != field {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
}
