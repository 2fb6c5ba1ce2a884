package outside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// knowledge is a database with the demo's firm, the shipped services on it, and the
// graph that they build.
type knowledge struct {
	*system
	pool *pgxpool.Pool
}

func newKnowledge(t *testing.T, extra ...string) *knowledge {
	t.Helper()
	url := testdatabase.New(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := demo.Seed(t.Context(), pool, demo.DefaultTruth, 1, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	// A fifth of it is enough here.
	execute(t, pool, `DELETE FROM crm.messages WHERE abs(hashtext(conversation_id)) % 5 <> 0`)
	return &knowledge{newSystemOf(t, "", url, append(extra, "CICLO_LEASE=2s", "CICLO_BEAT=500ms")...), pool}
}

// graph is all of it, without when rows were written and by which run.
func (k *knowledge) graph() string {
	k.t.Helper()
	rows, err := k.pool.Query(context.Background(), `
		SELECT (to_jsonb(e) - 'created_at')::text FROM ciclo.entities e WHERE expired_at IS NULL
		UNION ALL SELECT (to_jsonb(a) - 'words' - 'trigrams')::text FROM ciclo.entity_aliases a
		UNION ALL SELECT (to_jsonb(e) - 'created_at' - 'expired_at')::text FROM ciclo.edges e WHERE expired_at IS NULL OR invalid_at IS NOT NULL
		UNION ALL SELECT to_jsonb(r)::text FROM ciclo.graph_records r
		UNION ALL SELECT to_jsonb(m)::text FROM ciclo.mentions m
		UNION ALL SELECT to_jsonb(e)::text FROM ciclo.edge_evidence e
		UNION ALL SELECT (to_jsonb(r) - 'created_at')::text FROM ciclo.entity_reviews r WHERE status <> 'obsolete' ORDER BY 1`)
	if err != nil {
		k.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		k.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func (k *knowledge) steps(id, like string) (n int) {
	k.t.Helper()
	if err := k.pool.QueryRow(context.Background(), `SELECT count(*) FROM ciclo.steps WHERE execution_id = $1 AND name LIKE $2`, id, like).Scan(&n); err != nil {
		k.t.Fatal(err)
	}
	return n
}

// TestKilledWhileTheGraphIsBuilt kills the worker with -9 when it has read some, and
// when it has resolved: the graph and the result are those of a run that nobody
// disturbed.
func TestKilledWhileTheGraphIsBuilt(t *testing.T) {
	t.Parallel()
	year := map[string]any{"days_back": 365}
	completed := func(e client.Execution) bool { return e.Status == "completed" || e.Status == "failed" }
	undisturbed := newKnowledge(t)
	undisturbed.worker()
	whole := undisturbed.await(undisturbed.run("knowledge-graph-builder", year), 2*time.Minute, "the run completes", completed)
	want := undisturbed.graph()
	if whole.Status != "completed" || len(want) < 100_000 {
		t.Fatalf("%s: %.2000s", whole.Status, whole.Raw)
	}

	k := newKnowledge(t)
	id := k.run("knowledge-graph-builder", year)
	for _, step := range []string{"read %", "resolve %"} {
		worker := k.worker()
		eventually(t, time.Minute, "the step "+step+" is finished", func() bool { return k.steps(id, step) > 0 })
		worker.signal(syscall.SIGKILL)
		<-worker.done
	}
	k.worker()
	e := k.await(id, 2*time.Minute, "the run completes", completed)
	if e.Status != "completed" {
		t.Fatalf("%s", e.Raw)
	}
	if got := k.graph(); got != want {
		t.Errorf("it is another graph: %.3000s", cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
	}
	if string(e.Result) != string(whole.Result) {
		t.Errorf("it is another result: %s", cmp.Diff(string(whole.Result), string(e.Result)))
	}
}

// TestKilledWhileAModelReads kills the worker with -9 between and within calls: the
// run completes, nothing is paid twice, and what was paid for is in the graph.
func TestKilledWhileAModelReads(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(func(a modelserver.Asked) string { // each message names Zenith Trading
		var q struct{ Messages []struct{ Message int } }
		if err := json.Unmarshal([]byte(a.Messages[0].Text), &q); err != nil {
			return err.Error()
		}
		var names []string
		for _, m := range q.Messages {
			names = append(names, fmt.Sprintf(`{"message": %d, "type": "company", "text": "Zenith Trading"}`, m.Message))
		}
		return `{"names": [` + strings.Join(names, ", ") + `], "relations": []}`
	})
	t.Cleanup(server.Close)
	server.Token, server.Pause = modelKey, 100*time.Millisecond
	server.Fault = func(modelserver.Asked) modelserver.Fault { return modelserver.Slow }
	k := newKnowledge(t, modelsOf(t, server, "anthropic", false, "knowledge-graph-builder", ""))
	execute(t, k.pool, `UPDATE crm.messages SET body = body || ' Zenith Trading.'`)
	id := k.run("knowledge-graph-builder", map[string]any{"days_back": 365, "max_calls": 20})
	for _, paid := range []int{3, 9} {
		worker := k.worker()
		eventually(t, time.Minute, "calls are paid", func() bool { return len(server.Paid()) >= paid })
		worker.signal(syscall.SIGKILL)
		<-worker.done
	}
	k.worker()
	e := k.await(id, 2*time.Minute, "the run completes", func(e client.Execution) bool { return e.Status == "completed" || e.Status == "failed" })
	var r struct {
		Said struct {
			Calls, Messages, Names, Waiting int
			Engine                          string
			Fallbacks                       []struct{ Messages int }
		} `json:"language_model"`
	}
	if err := json.Unmarshal(e.Result, &r); err != nil || e.Status != "completed" {
		t.Fatalf("%v: %s", err, e.Raw)
	}
	if r.Said.Engine != "played/small-1" || r.Said.Calls != 20 || len(r.Said.Fallbacks) > 1 || r.Said.Waiting == 0 || r.Said.Names != r.Said.Messages || r.Said.Names == 0 {
		t.Errorf("%+v", r.Said)
	}
	seen := map[string]bool{}
	for _, call := range server.Paid() {
		if seen[call.Key] {
			t.Errorf("%s is paid twice", call.Key)
		}
		seen[call.Key] = true
	}
	var names, calls int
	if err := k.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM ciclo.mentions WHERE extractor = 'model played/small-1'), (SELECT count(*) FROM ciclo.llm_calls)`).Scan(&names, &calls); err != nil {
		t.Fatal(err)
	}
	// A call may have been cut off before it left.
	if names != r.Said.Names || calls != 20 || len(seen) < 18 || len(seen) > 20 {
		t.Errorf("%d names of %d, %d calls in the ledger, %d paid", names, r.Said.Names, calls, len(seen))
	}
}

func TestFromZeroByAdminsAlone(t *testing.T) {
	t.Parallel()
	s := newSystemOf(t, "", testdatabase.New(t))
	c := commandLine(s)
	out, said, code := c.ciclo("token", "create", "runner", "--scope", "run")
	if code != 0 {
		t.Fatalf("%d %s", code, said)
	}
	runner := &client.Client{URL: s.api.URL, Token: strings.TrimSpace(out)}
	zero := map[string]any{"init_schema": true}
	var refused *client.Problem
	if _, err := runner.Run(t.Context(), "knowledge-graph-builder", zero); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("a token of scope run: %v", err)
	}
	if _, err := runner.Run(t.Context(), "knowledge-graph-builder", map[string]any{"init_schema": false}); err != nil {
		t.Errorf("without init_schema: %v", err)
	}
	id := s.run("knowledge-graph-builder", zero)
	s.worker()
	s.await(id, time.Minute, "the admin's run completes", func(e client.Execution) bool { return e.Status == "completed" })
	if _, err := runner.Retry(t.Context(), id, "", false); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("a retry of it by a token of scope run: %v", err)
	}
	file := c.file("zero.json", `{"parameters": {"init_schema": true}}`)
	if _, said, code := c.ciclo("schedules", "create", "zero", "--agent", "knowledge-graph-builder", "--cron", "@daily", "--from-file", file); code == 0 || !strings.Contains(said, "init_schema is set by an admin for a single run") {
		t.Errorf("a schedule with init_schema: %d %s", code, said)
	}
}
