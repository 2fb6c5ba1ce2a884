package orchestrator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// told is one event of a stream.
type told struct{ id, kind, data string }

// stream reads at most n events after the last one, or all, and tells of each.
func stream(t *testing.T, url, last string, n int, tell ...func(told)) (events []told) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("answered %s, %s", resp.Status, kind)
	}
	var e told
	for lines := bufio.NewScanner(resp.Body); len(events) < n && lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.kind != "" {
				events = append(events, e)
				for _, f := range tell {
					f(e)
				}
			}
			e = told{}
		}
	}
	return events
}

// lasting are the events that are not only of their instant, as short texts.
func lasting(events []told) (texts []string) {
	for _, e := range events {
		var data struct{ To, Name string }
		if err := json.Unmarshal([]byte(e.data), &data); err != nil {
			texts = append(texts, err.Error())
		}
		if e.kind != "progress" {
			texts = append(texts, e.kind+" "+data.To+data.Name)
		}
	}
	return texts
}

// live takes an execution through two attempts of some steps each; the first makes
// progress until it was told, for a while.
func (a *api) live(id string, progressed <-chan struct{}) {
	a.t.Helper()
	store, ctx := a.store(), a.t.Context()
	must := func(err error) {
		if err != nil {
			a.t.Error(err)
		}
	}
	worker := uuid.NewString()
	must(store.Register(ctx, postgres.Worker{ID: worker, Host: "h", PID: 1, Concurrency: map[string]int{"test-steps": 1}}, time.Minute))
	claim := func() *postgres.Attempt {
		var job int64
		must(a.pool.QueryRow(ctx, `SELECT river_job_id FROM ciclo.executions WHERE id = $1`, id).Scan(&job))
		attempts, err := store.Claim(ctx, []postgres.Delivery{{ExecutionID: id, JobID: job}}, worker, time.Minute)
		must(err)
		return attempts[0]
	}
	step := func(of *postgres.Attempt, name string) {
		must(store.SaveProgress(ctx, of, execution.Progress{Done: 1, Total: 2, Text: name}))
		must(store.RecordStep(ctx, of, name, time.Now(), false, false, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`1`), nil }))
		time.Sleep(30 * time.Millisecond) // so that streams have something to wait for
	}
	first := claim()
	must(store.SaveProgress(ctx, first, execution.Progress{Done: 0, Total: 2, Text: "begins"}))
	select {
	case <-progressed:
	case <-time.After(20 * time.Second):
	}
	step(first, "one")
	step(first, "two")
	must(store.Interrupt(ctx, first))
	second := claim()
	step(second, "three")
	step(second, "four")
	answers, err := store.Complete(ctx, []postgres.Completion{{Attempt: second, Result: []byte(`{}`)}})
	must(err)
	must(answers[0])
}

var story = []string{
	"transition started", "transition running", "step one", "step two", "transition started",
	"transition running", "step three", "step four", "transition completed",
}

func TestEventsMissNothingAndRepeatNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	id := a.run("test-steps", "")
	url := server.URL + prefix + "/executions/" + id + "/events"

	whole, pieces := make(chan []told), make(chan []told)
	progressed := make(chan struct{})
	once := sync.OnceFunc(func() { close(progressed) })
	go func() {
		whole <- stream(t, url, "", 1000, func(e told) {
			if e.kind == "progress" {
				once()
			}
		})
	}()
	go func() { // comes back after each event
		var all []told
		last := ""
		for {
			next := stream(t, url, last, 1)
			if len(next) == 0 {
				break
			}
			all = append(all, next...)
			last = next[0].id
		}
		pieces <- all
	}()
	a.live(id, progressed)
	all := <-whole
	if got := lasting(all); !slices.Equal(got, story) {
		t.Errorf("told was %q", got)
	}
	if got := lasting(<-pieces); !slices.Equal(got, story) {
		t.Errorf("told in pieces was %q", got)
	}
	if !slices.ContainsFunc(all, func(e told) bool { return e.kind == "progress" }) {
		t.Error("no progress was told")
	}
	if r := a.send("GET", prefix+"/executions/"+id+"/events", "", "Last-Event-ID", all[len(all)-1].id); r.status != http.StatusNoContent {
		t.Errorf("with nothing to come: %d", r.status)
	}
	// Whoever comes back afterwards gets the rest, from wherever it was.
	for i, e := range all {
		if got, want := lasting(stream(t, url, e.id, 1000)), lasting(all[i+1:]); !slices.Equal(got, want) {
			t.Errorf("after %s: %q, want %q", e.id, got, want)
		}
	}
	for name, last := range map[string]string{"another's id": "17", "no number": "a.b.c", "a negative one": "-1.0.0", "a fraction": "1.5"} {
		if got := lasting(stream(t, url, last, 1000)); !slices.Equal(got, story) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if r := a.send("GET", prefix+"/executions/"+id+"/events?from=1", ""); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a query: %d", r.status)
	}
	if r := a.send("GET", prefix+"/executions/steps_nobody/events", ""); r.status != http.StatusNotFound {
		t.Errorf("of nobody's: %d", r.status)
	}
}
