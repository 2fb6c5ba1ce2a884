package orchestrator

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/graph"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
)

// What a decoder takes it writes again as it is, and what it refuses is the
// client's: 400 or 422 with its fields.

func FuzzPosition(f *testing.F) {
	for _, seed := range []string{"", "1.2.3", "0.0.0", "-1.0.0", "9223372036854775807.1.1", "1.2.3.4", "+1.2.3", "01.2.3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := parsePosition(text)
		if p.transitions < 0 || p.steps < 0 || p.progress < 0 || parsePosition(p.String()) != p {
			t.Errorf("%q is %+v, and that is %+v", text, p, parsePosition(p.String()))
		}
	})
}

func FuzzVersion(f *testing.F) {
	for _, seed := range []string{"", `W/"1"`, `"1"`, `W/"1", W/"2"`, `W/"`, `W/""`, "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if version := versionOf(header); version != "" && etag(version) != header {
			t.Errorf("%q is the version %q, which is %q", header, version, etag(version))
		}
		if version := versionOf(etag(header)); version != "" && version != header {
			t.Errorf("%q comes back as %q", header, version)
		}
	})
}

func FuzzGraphCursor(f *testing.F) {
	place := graph.MentionPlace{SentAt: time.Now().UTC(), MessageID: "m", Start: 1, End: 2, Extractor: "x"}
	for _, seed := range []string{"", "x", "e30", *graphCursor("mentions", place), *graphCursor("other", place), *graphCursor("mentions", nil), *graphCursor("mentions", map[string]any{"s": 1 << 40})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q := &graphQuery{}
		place := readGraphCursor[graph.MentionPlace](q, text, "mentions")
		if (place == nil) != (q.err() != nil || text == "") {
			t.Errorf("%q is %v, and %v is wrong", text, place, q.wrong)
		}
		refused(t, q.err(), http.StatusUnprocessableEntity)
		if place == nil {
			return
		}
		if again := readGraphCursor[graph.MentionPlace](q, *graphCursor("mentions", place), "mentions"); again == nil || !again.SentAt.Equal(place.SentAt) || again.MessageID != place.MessageID || again.Start != place.Start {
			t.Errorf("%q is %+v, and that is %+v", text, place, again)
		}
	})
}

func FuzzPatternCursor(f *testing.F) {
	f.Add(encodePatternCursor(execution.NewID("conv_trainer_", time.Now()), 20))
	for _, seed := range []string{"", "x", encodePatternCursor("", 1), encodePatternCursor("a.b", 0), encodePatternCursor("a", -1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, rank, ok := decodePatternCursor(text); ok {
			sameID, sameRank, ok := decodePatternCursor(encodePatternCursor(id, rank))
			if !ok || sameID != id || sameRank != rank || rank < 1 || !execution.ValidID(id) {
				t.Errorf("%q is %q %d", text, id, rank)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	id := execution.NewID("noop_", time.Now())
	f.Add(encodeCursor(postgres.Position{StartedAt: time.Now(), ID: id}), int64(1700000000000000))
	f.Add("", int64(-1))
	f.Add("abc", int64(1)<<62)
	f.Fuzz(func(t *testing.T, text string, micros int64) {
		if p, ok := decodeCursor(text); ok {
			again, ok := decodeCursor(encodeCursor(p))
			if !ok || again != p || !execution.ValidID(p.ID) {
				t.Errorf("%q is %v, and that is %v", text, p, again)
			}
		}
		p := postgres.Position{StartedAt: time.UnixMicro(micros).UTC(), ID: id}
		again, ok := decodeCursor(encodeCursor(p))
		if within := p.StartedAt.Year() >= 1 && p.StartedAt.Year() <= 9999; ok != within || ok && again != p {
			t.Errorf("%v comes back as %v, %t", p, again, ok)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	f.Add("key", false)
	f.Add("", true)
	f.Add("a\x00b", false)
	f.Fuzz(func(t *testing.T, value string, twice bool) {
		header := http.Header{"Idempotency-Key": {value}}
		if twice {
			header.Add("Idempotency-Key", value)
		}
		key, err := idempotencyKey(header)
		refused(t, err, http.StatusUnprocessableEntity)
		if err == nil && (twice || key != value || key == "" || len(key) > maxKey) {
			t.Errorf("%q is taken as %q", header, key)
		}
	})
}

func FuzzWait(f *testing.F) {
	for _, seed := range []string{"30s", "1m", "1m1ns", "-1s", "", "1e9s", "9223372036854775807ns", ".5s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		wait, ok := waitOf(url.Values{"wait": {text}})
		if ok && (wait < 0 || wait > maxWait) {
			t.Errorf("%q is %s", text, wait)
		}
		if again, ok := waitOf(url.Values{"wait": {wait.String()}}); wait >= 0 && wait <= maxWait && (!ok || again != wait) {
			t.Errorf("%s comes back as %s", wait, again)
		}
		if _, ok := waitOf(url.Values{"wait": {text, text}}); ok {
			t.Errorf("%q is taken twice", text)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"", "limit=1&status=started&status=failed&agent=test-noop&since=2026-01-31T10:00:00Z", "cursor=eyJ9", "limit=201", "until=0000-01-01T00:00:00Z", "since=9999-12-31T23:59:59-23:59", "limit=1&limit=2", "cycle=a", "a=b&%00=1", "status=",
	} {
		f.Add(seed)
	}
	catalogue, err := testagents.Catalogue()
	if err != nil {
		f.Fatal(err)
	}
	o := &Orchestrator{cfg: Config{Catalogue: catalogue}}
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			t.Skip() // refused before
		}
		filter, err := o.readFilter(query, "")
		if refused(t, err, http.StatusUnprocessableEntity); err != nil {
			return
		}
		switch {
		case filter.Limit < 1 || filter.Limit > maxLimit,
			filter.Agent != "" && catalogue.Find(filter.Agent) == nil,
			filter.Cycle != "" && !execution.ValidID(filter.Cycle),
			len(filter.Statuses) != len(query["status"]):
			t.Errorf("%q is taken as %+v", text, filter)
		}
		for _, s := range filter.Statuses {
			if !slices.Contains(execution.Statuses, s) {
				t.Errorf("%q is taken with the status %q", text, s)
			}
		}
		for name := range query {
			if len(query[name]) > 1 && name != "status" {
				t.Errorf("%q is taken with %s twice", text, name)
			}
		}
	})
}

// FuzzBodies decodes a body as each request that the API takes.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"reason": "x"}`, `{"REASON": "x"}`, `{"from_step": "a", "resume": true}`, `{"reason": "\u0000\ud800"}`, `{"reason": 1e999}`, `{"reason":"a","reason":"b"}`,
		`{"name": "a", "cron": "@daily", "agents": ["x"], "parameters": {"a": [1]}, "starts_at": "2026-01-31T10:00:00Z", "interval_seconds": null}`, `{"from": "2026-01-31T10:00:00Z", "to": "2026-01-31T10:00:00+01:00"}`,
		`{"url": "http://x", "statuses": ["failed"]}`, `{"max_parallel": 1.5}`, `{"max_parallel": 99999999999999999999}`, `{} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range []reflect.Type{
			reflect.TypeFor[retryRequest](), reflect.TypeFor[pauseRequest](), reflect.TypeFor[scheduleRequest](),
			reflect.TypeFor[backfillRequest](), reflect.TypeFor[cycleRequest](), reflect.TypeFor[webhookRequest](),
		} {
			request, again := reflect.New(kind).Interface(), reflect.New(kind).Interface()
			err := decodeJSON(body, request)
			if refused(t, err, http.StatusBadRequest, http.StatusUnprocessableEntity); err != nil || len(body) == 0 {
				continue
			}
			var object map[string]json.RawMessage
			if err := json.Unmarshal(body, &object); err != nil || object == nil {
				t.Errorf("%s takes %q", kind, body)
			}
			written, err := json.Marshal(request)
			if err != nil {
				t.Fatalf("%s takes %q, and can't write it: %v", kind, body, err)
			}
			if err := decodeJSON(written, again); err != nil {
				t.Fatalf("%s takes %q, and not %q: %v", kind, body, written, err)
			}
			if same, err := json.Marshal(again); err != nil || string(same) != string(written) {
				t.Errorf("%s takes %q as %s, and that as %s", kind, body, written, same)
			}
		}
	})
}

// refused fails where an error is no problem of these statuses, or says nothing.
func refused(t *testing.T, err error, statuses ...int) {
	t.Helper()
	var p *problem
	if err != nil && (!errors.As(err, &p) || !slices.Contains(statuses, p.Status) || p.Status == http.StatusUnprocessableEntity && len(p.Fields) == 0) {
		t.Errorf("refused by %v", err)
	}
}
