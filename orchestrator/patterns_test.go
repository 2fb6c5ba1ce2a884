package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// trained makes a completed execution of the trainer with patterns by their names,
// the strongest first; those that begin with + are confirmed.
func (a *api) trained(ended time.Time, dry bool, names ...string) (id string) {
	a.t.Helper()
	id = execution.NewID("conv_trainer_", ended)
	do := func(sql string, args ...any) {
		a.t.Helper()
		if _, err := a.pool.Exec(a.t.Context(), sql, args...); err != nil {
			a.t.Fatal(err)
		}
	}
	do(`ALTER TABLE ciclo.executions DISABLE TRIGGER USER`) // nobody ran it
	do(`INSERT INTO ciclo.executions (id, agent, status, parameters, tries, timeout_seconds, attempt, started_at, running_at, ended_at, status_at, result, dry_run)
		VALUES ($1, 'conversation-trainer', 'completed', '{}', 1, 60, 1, $2, $2, $2, $2, '{}', $3)`, id, ended, dry)
	for i, name := range names {
		confirmed := strings.HasPrefix(name, "+")
		kind := "ngram"
		if strings.Contains(name, "_") {
			kind = "length"
		}
		do(`INSERT INTO ciclo.patterns VALUES ($1, $2, $3, $4, NULL, 10, 5, 10, 5, .2, .1, .3, 2, 1, 3, .01, .05, 1.5, $5, 10, 5, 10, 5, .2, .1, .3, '{x}', '{c1}')`,
			id, kind, strings.TrimPrefix(name, "+"), i+1, confirmed)
	}
	return id
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if r := a.send("GET", prefix+"/patterns", ""); r.status != http.StatusOK || !strings.Contains(string(r.body), `"execution_id":null`) {
		t.Errorf("before any run: %d %s", r.status, r.body)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	first := a.trained(now.Add(-3*time.Hour), false, "+a", "b")
	last := a.trained(now.Add(-2*time.Hour), false, "b", "+a", "turn_length", "+c")
	dry := a.trained(now.Add(-time.Hour), true, "d")
	type page struct {
		ExecutionID *string            `json:"execution_id"`
		Patterns    []postgres.Pattern `json:"patterns"`
		NextCursor  *string            `json:"next_cursor"`
	}
	list := func(query string) (text string, p page) {
		t.Helper()
		r := a.send("GET", prefix+"/patterns"+query, "")
		if err := json.Unmarshal(r.body, &p); err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, r.status, r.body)
		}
		for _, one := range p.Patterns {
			text += fmt.Sprintf("%s %d; ", one.Feature, one.Runs)
		}
		return text, p
	}
	for query, want := range map[string]string{
		"":                                  "b 2; a 2; turn_length 1; c 1; ",
		"?confirmed=true":                   "a 2; c 1; ",
		"?confirmed=false":                  "b 2; turn_length 1; ",
		"?kind=length":                      "turn_length 1; ",
		"?kind=money":                       "",
		"?execution=" + first:               "a 2; b 2; ",
		"?execution=" + dry:                 "d 0; ",
		"?kind=ngram&confirmed=true":        "a 2; c 1; ",
		"?limit=2":                          "b 2; a 2; ",
		"?limit=4&execution=" + last:        "b 2; a 2; turn_length 1; c 1; ",
		"?confirmed=true&execution=" + last: "a 2; c 1; ",
	} {
		if got, _ := list(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	_, p := list("?limit=3")
	if p.NextCursor == nil || *p.ExecutionID != last {
		t.Fatalf("%+v", p)
	}
	// A run that completes meanwhile doesn't move the page.
	a.trained(now, false, "e")
	if got, rest := list("?limit=3&cursor=" + *p.NextCursor); got != "c 1; " || rest.NextCursor != nil {
		t.Errorf("the second page: %q %+v", got, rest)
	}
	if got, _ := list(""); got != "e 1; " {
		t.Errorf("the new run: %q", got)
	}

	var history struct {
		Runs []postgres.PatternRun `json:"runs"`
	}
	r := a.send("GET", prefix+"/patterns/history?feature=a", "")
	if err := json.Unmarshal(r.body, &history); err != nil || len(history.Runs) != 3 || history.Runs[0].Found || !history.Runs[1].Found || history.Runs[2].Pattern.Rank != 1 ||
		!history.Runs[2].Pattern.FirstSeenAt.Equal(now.Add(-3*time.Hour)) {
		t.Errorf("%v: %s", err, r.body)
	}
	other := a.run("test-noop", "")
	for query, status := range map[string]int{
		"?execution=nobody":        http.StatusNotFound,
		"?execution=" + other:      http.StatusNotFound,
		"?execution=%00":           http.StatusNotFound,
		"?execution=":              http.StatusUnprocessableEntity,
		"?execution=a&execution=b": http.StatusUnprocessableEntity,
		"?confirmed=yes":           http.StatusUnprocessableEntity,
		"?confirmed=":              http.StatusUnprocessableEntity,
		"?kind=verb":               http.StatusUnprocessableEntity,
		"?limit=0":                 http.StatusUnprocessableEntity,
		"?limit=-1":                http.StatusUnprocessableEntity,
		"?cursor=x":                http.StatusUnprocessableEntity,
		"?cursor=" + *p.NextCursor + "&execution=" + first: http.StatusUnprocessableEntity,
		"?color=red":                   http.StatusUnprocessableEntity,
		"/history":                     http.StatusUnprocessableEntity,
		"/history?feature=":            http.StatusUnprocessableEntity,
		"/history?feature=%00":         http.StatusUnprocessableEntity,
		"/history?feature=%ff":         http.StatusUnprocessableEntity,
		"/history?feature=a&feature=b": http.StatusUnprocessableEntity,
		"/history?feature=a&cursor=x":  http.StatusUnprocessableEntity,
		"/history?feature=nobody":      http.StatusOK,
	} {
		if r := a.send("GET", prefix+"/patterns"+query, ""); r.status != status {
			t.Errorf("%s: %d, want %d: %s", query, r.status, status, r.body)
		}
	}
}

func TestRatings(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if _, err := a.pool.Exec(t.Context(), `INSERT INTO crm.conversations (id, started_at) VALUES ('c', now()), ('50%25 a/b', now()), ('50% a', now())`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id, body string
		status   int
		query    string
	}{
		{"c", `{"rating": 1}`, http.StatusOK, ""},
		{"c", `{"rating": 5}`, http.StatusOK, ""},
		{"50%2525%20a%2Fb", `{"rating": 3}`, http.StatusOK, ""},
		{"50%25%20a", `{"rating": 2}`, http.StatusOK, ""},
		{"c", `{"rating": 0}`, http.StatusUnprocessableEntity, ""},
		{"c", `{"rating": 6}`, http.StatusUnprocessableEntity, ""},
		{"c", `{"rating": 2.5}`, http.StatusUnprocessableEntity, ""},
		{"c", `{"rating": "5"}`, http.StatusUnprocessableEntity, ""},
		{"c", `{"rating": null}`, http.StatusUnprocessableEntity, ""},
		{"c", `{"rating": 5, "text": "x"}`, http.StatusUnprocessableEntity, ""},
		{"c", `{}`, http.StatusUnprocessableEntity, ""},
		{"c", ``, http.StatusUnprocessableEntity, ""},
		{"c", `five`, http.StatusBadRequest, ""},
		{"c", `{"rating": 5}`, http.StatusUnprocessableEntity, "?x=1"},
		{"nobody", `{"rating": 5}`, http.StatusNotFound, ""},
		{"%00", `{"rating": 5}`, http.StatusNotFound, ""},
		{"%ff", `{"rating": 5}`, http.StatusNotFound, ""},
	} {
		if r := a.send("POST", prefix+"/conversations/"+c.id+"/rating"+c.query, c.body); r.status != c.status {
			t.Errorf("%s %s: %d, want %d: %s", c.id, c.body, r.status, c.status, r.body)
		}
	}
	var all string
	if err := a.pool.QueryRow(t.Context(), `SELECT string_agg(id || '=' || rating, ', ' ORDER BY id COLLATE "C") FROM source.conversations`).Scan(&all); err != nil || all != "50% a=2, 50%25 a/b=3, c=5" {
		t.Errorf("%q, %v", all, err)
	}
}
