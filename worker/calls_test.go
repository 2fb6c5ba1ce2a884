package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/worker"
)

// modelKey opens the provider; it must show nowhere.
const modelKey = "sk-secret-of-the-firm"

// model is the agent's model at a server that speaks a format: anthropic, openai, stored
// for the latter with a list of its answers, or background for OpenAI's Responses.
func model(t *testing.T, server *modelserver.Server, format, more string) *llm.Model {
	t.Helper()
	address, stored := server.URL+"/v1", false
	if format == "anthropic" {
		address = server.URL
	}
	if format == "stored" {
		format, stored = "openai", true
	}
	if format == "background" {
		format, more = "openai", `, "background": true`+more
	}
	file, key := filepath.Join(t.TempDir(), "models.json"), filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(modelKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`{
		"providers": {"played": {"format": %q, "url": %q, "key_file": %q, "stored": %t, "stall_seconds": 0.3, "timeout_seconds": 3%s}},
		"agents": {"test-asks": {"provider": "played", "model": "small-1"}},
		"prices": [{"model": "small-1", "from": "2026-01-01", "input": 3, "output": 15}]}`, format, address, key, stored, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config := llm.Config{ModelsFile: file}
	models, err := config.Open()
	if err != nil {
		t.Fatal(err)
	}
	m := models.For(testagents.AsksName)
	m.Backoff = 20 * time.Millisecond
	return m
}

// asking is a rig with a worker whose agent asks the model.
func asking(t *testing.T, m *llm.Model) *rig {
	t.Helper()
	r, start := askers(t, m)
	start()
	return r
}

// askers is a rig that starts such workers; each may be stopped, and soon.
func askers(t *testing.T, m *llm.Model) (r *rig, start func() (stop func() error)) {
	t.Helper()
	r = newRig(t)
	var err error
	if r.catalogue, err = testagents.WithAsks(r.catalogue); err != nil {
		t.Fatal(err)
	}
	return r, func() func() error {
		_, stop := r.start(func(cfg *worker.Config) {
			cfg.Drain = time.Millisecond
			cfg.Agents = map[string]agents.Agent{testagents.AsksName: testagents.Asks{Model: m}}
		})
		return stop
	}
}

func says(a modelserver.Asked) string {
	if a.Schema != nil {
		return `{"said": "an answer that is long enough to be sent in more than one piece of a stream"}`
	}
	return "an answer that is long enough to be sent in more than one piece of a stream"
}

// ledger is an execution's calls, as step, state and how often each was sent.
func (r *rig) ledger(id string) string {
	r.t.Helper()
	var text string
	err := r.pool.QueryRow(r.t.Context(), `
		SELECT coalesce(string_agg(format('%s %s %s', step, state, sends), ', ' ORDER BY step, reserved_at), '') FROM ciclo.llm_calls WHERE execution_id = $1`, id).Scan(&text)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// Every way in which a provider misbehaves, in both formats.
func TestAModelThatMisbehaves(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"anthropic", "openai", "stored", "background"} {
		for _, c := range []struct {
			name   string
			object bool
			faults []modelserver.Fault
			status execution.Status
			ledger string
			asked  int
			paid   int
			says   string // in the error, or the result
			// background says that it happens there alone.
			background bool
		}{
			{name: "well", status: execution.Completed, ledger: "ask 1 answered 1", asked: 1, paid: 1, says: "an answer"},
			{name: "well, with an object", object: true, status: execution.Completed, ledger: "ask 1 answered 1", asked: 1, paid: 1, says: `{\"said\": \"an answer`},
			{name: "429", faults: []modelserver.Fault{modelserver.Busy}, status: execution.Completed, ledger: "ask 1 answered 2", asked: 2, paid: 1, says: "an answer"},
			{name: "529", faults: []modelserver.Fault{modelserver.Overloaded}, status: execution.Completed, ledger: "ask 1 answered 2", asked: 2, paid: 1, says: "an answer"},
			{name: "500", faults: []modelserver.Fault{modelserver.Broken}, status: execution.Completed, ledger: "ask 1 answered 2", asked: 2, paid: 1, says: "an answer"},
			{name: "404", faults: []modelserver.Fault{modelserver.Unknown}, status: execution.Failed, ledger: "ask 1 not_done 1", asked: 1, says: "not_found_error"},
			{name: "too long", faults: []modelserver.Fault{modelserver.TooLong}, status: execution.Failed, ledger: "ask 1 not_done 1", asked: 1, says: "too_long"},
			{name: "malformed", object: true, faults: []modelserver.Fault{modelserver.Malformed}, status: execution.Completed, ledger: "ask 1 answered 1, ask 1 answered 1", asked: 2, paid: 2, says: "an answer"},
			{name: "malformed twice", object: true, faults: []modelserver.Fault{modelserver.Malformed, modelserver.Malformed}, status: execution.Failed, ledger: "ask 1 answered 1, ask 1 answered 1", asked: 2, paid: 2, says: "doesn't fit the schema"},
			{name: "another object", object: true, faults: []modelserver.Fault{modelserver.Misfit}, status: execution.Completed, ledger: "ask 1 answered 1, ask 1 answered 1", asked: 2, paid: 2, says: "an answer"},
			{name: "truncated", object: true, faults: []modelserver.Fault{modelserver.Truncated}, status: execution.Completed, ledger: "ask 1 answered 1, ask 1 answered 1", asked: 2, paid: 2, says: "an answer"},
			{name: "stalls", faults: []modelserver.Fault{modelserver.Stall}, status: execution.Completed, ledger: "ask 1 unknown 1", asked: 1, says: `"lost": 1`},
			{name: "breaks off", faults: []modelserver.Fault{modelserver.Cut}, status: execution.Completed, ledger: "ask 1 unknown 1", asked: 1, says: `"lost": 1`},
			{name: "says garbage", faults: []modelserver.Fault{modelserver.Garbage}, status: execution.Completed, ledger: "ask 1 unknown 1", asked: 1, says: `"lost": 1`},
			{name: "is slow", faults: []modelserver.Fault{modelserver.Slow}, status: execution.Completed, ledger: "ask 1 answered 1", asked: 1, paid: 1, says: "an answer", background: true},
			{name: "begins and fails", faults: []modelserver.Fault{modelserver.Fails}, status: execution.Completed, ledger: "ask 1 answered 2", asked: 2, paid: 1, says: "an answer", background: true},
			{name: "is late", faults: []modelserver.Fault{modelserver.Late}, status: execution.Completed, ledger: "ask 1 answered 1", asked: 1, paid: 1, says: "an answer", background: true},
			{name: "begins and is cancelled", faults: []modelserver.Fault{modelserver.Cancelled}, status: execution.Completed, ledger: "ask 1 unknown 1", asked: 1, says: `"lost": 1`, background: true},
			{name: "begins and forgets", faults: []modelserver.Fault{modelserver.Forgotten}, status: execution.Completed, ledger: "ask 1 unknown 1", asked: 1, says: `"lost": 1`, background: true},
		} {
			if c.background && format != "background" {
				continue
			}
			t.Run(format+" "+c.name, func(t *testing.T) {
				t.Parallel()
				server := modelserver.Start(says)
				server.Token, server.Pause = modelKey, 270*time.Millisecond // the latest are in time, just before the time-out
				t.Cleanup(server.Close)
				server.Misbehave(c.faults...)
				m := model(t, server, format, "")
				if format == "stored" && strings.Contains(c.says, "lost") {
					// It is asked whether it answered, and when that can't be any more
					// the call is made again.
					m.Timeout = -9 * time.Second
					c.ledger, c.asked, c.paid, c.says = "ask 1 answered 2", 2, 1, "an answer"
				}
				r := asking(t, m)
				id := r.accept(testagents.AsksName, fmt.Sprintf(`{"object": %t}`, c.object))
				e := r.await(id, func(e execution.Execution) bool { return e.Status.Final() })
				if e.Status != c.status {
					t.Errorf("it is %s: %+v", e.Status, e.Error)
				}
				shown := string(e.Result)
				if e.Error != nil {
					shown = e.Error.Text
				}
				if !strings.Contains(shown, c.says) || strings.Contains(shown, modelKey) {
					t.Errorf("it says %s, want %q", shown, c.says)
				}
				if got := r.ledger(id); got != c.ledger {
					t.Errorf("the ledger has %q, want %q", got, c.ledger)
				}
				if asked, paid := len(server.Asked()), len(server.Paid()); asked != c.asked || paid != c.paid {
					t.Errorf("the server was asked %d times and is paid %d times, want %d and %d", asked, paid, c.asked, c.paid)
				}
			})
		}
	}
}

func TestWhatAModelCosts(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	t.Cleanup(server.Close)
	r := asking(t, model(t, server, "anthropic", ""))
	id := r.accept(testagents.AsksName, `{"calls": 3}`)
	e := r.await(id, func(e execution.Execution) bool { return e.Status.Final() })
	if e.Status != execution.Completed {
		t.Fatalf("%+v", e.Error)
	}
	var input, output int64
	for _, c := range server.Paid() {
		input, output = input+c.Input, output+c.Output
	}
	var got [2]int64
	var cost, spent float64
	err := r.pool.QueryRow(t.Context(), `SELECT sum(input_tokens), sum(output_tokens), sum(cost)::float8 FROM dashboard.llm_calls WHERE execution_id = $1`, id).Scan(&got[0], &got[1], &cost)
	if err != nil || got != [2]int64{input, output} {
		t.Errorf("the ledger has %v tokens, the server %d and %d: %v", got, input, output, err)
	}
	if want := float64(input)*3e-6 + float64(output)*15e-6; cost < want-1e-9 || cost > want+1e-9 {
		t.Errorf("it cost %v dollars, want %v", cost, want)
	}
	for _, scope := range []string{"execution", "agent", "day"} {
		if err := r.pool.QueryRow(t.Context(), `SELECT cost::float8 FROM ciclo.llm_spent WHERE scope = $1`, scope).Scan(&spent); err != nil || spent != cost {
			t.Errorf("%s has taken %v dollars, want %v: %v", scope, spent, cost, err)
		}
	}
	var kept int
	if err := r.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.llm_calls WHERE request IS NOT NULL OR answer IS NOT NULL`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d texts are kept without being asked for: %v", kept, err)
	}
}

func TestABudgetFailsTheExecution(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	t.Cleanup(server.Close)
	m := model(t, server, "openai", "")
	m.Budgets = []agents.Budget{{Scope: agents.BudgetExecution, Cost: 20_000_000}} // a call reserves a cent and a half
	r := asking(t, m)
	id := r.accept(testagents.AsksName, `{"calls": 30}`)
	e := r.await(id, func(e execution.Execution) bool { return e.Status.Final() })
	if e.Status != execution.Failed || !strings.Contains(e.Error.Text, "over budget: the budget of execution") || e.Attempt != 1 {
		t.Errorf("attempt %d is %s: %+v", e.Attempt, e.Status, e.Error)
	}
	if n := len(server.Asked()); n < 3 || n == 30 {
		t.Errorf("the server was asked %d times", n)
	}
	var cost float64
	if err := r.pool.QueryRow(t.Context(), `SELECT sum(cost)::float8 FROM ciclo.llm_calls`).Scan(&cost); err != nil || cost > .02 {
		t.Errorf("it cost %v dollars: %v", cost, err)
	}
}

func TestADryRunAsksNoModel(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	t.Cleanup(server.Close)
	r := asking(t, model(t, server, "openai", ""))
	id := r.acceptDry(testagents.AsksName, `{}`)
	e := r.await(id, func(e execution.Execution) bool { return e.Status.Final() })
	if len(server.Asked()) != 0 {
		t.Errorf("a dry run asked a model")
	}
	if e.Status != execution.Failed || !strings.Contains(e.Error.Text, "no model is asked here") {
		t.Errorf("it is %s: %+v", e.Status, e.Error)
	}
}

// What an attempt was told, the next one knows.
func TestTheNextAttemptKnowsTheAnswers(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	t.Cleanup(server.Close)
	m := model(t, server, "openai", "")
	r, start := askers(t, m)
	stop := start()
	id := r.accept(testagents.AsksName, `{"calls": 40, "millis": 30}`)
	r.await(id, func(execution.Execution) bool { return len(server.Paid()) > 5 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	start()
	e := r.await(id, func(e execution.Execution) bool { return e.Status.Final() })
	var result testagents.Asked
	if err := json.Unmarshal(e.Result, &result); err != nil || e.Status != execution.Completed || e.Attempt < 2 {
		t.Fatalf("attempt %d is %s: %+v: %v", e.Attempt, e.Status, e.Error, err)
	}
	if len(result.Answers)+result.Lost != 40 || result.Lost > 1 {
		t.Errorf("%d answers and %d lost", len(result.Answers), result.Lost)
	}
	seen := map[string]bool{}
	for _, c := range server.Paid() {
		if seen[c.Messages[0].Text] {
			t.Errorf("%s was paid twice", c.Messages[0].Text)
		}
		seen[c.Messages[0].Text] = true
	}
}

// A call that works in the background goes on while no worker is there; the next attempt
// waits for the same one, and pays nothing again.
func TestACallInTheBackgroundOutlivesItsAttempt(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	server.Pause = 300 * time.Millisecond
	server.Fault = func(modelserver.Asked) modelserver.Fault { return modelserver.Slow }
	t.Cleanup(server.Close)
	m := model(t, server, "background", "")
	r, start := askers(t, m)
	id := r.accept(testagents.AsksName, `{"calls": 6}`)
	for attempt := range 3 {
		stop := start()
		r.await(id, func(execution.Execution) bool { return len(server.Asked()) > 2*attempt+1 })
		var attached int
		for attached == 0 { // its id is stored before it is waited for
			err := r.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.llm_calls WHERE execution_id = $1 AND state = 'reserved' AND provider_id LIKE 'resp_%'`, id).Scan(&attached)
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	start()
	e := r.await(id, func(e execution.Execution) bool { return e.Status.Final() })
	var result testagents.Asked
	if err := json.Unmarshal(e.Result, &result); err != nil || e.Status != execution.Completed || e.Attempt != 4 || len(result.Answers) != 6 || result.Lost != 0 {
		t.Fatalf("attempt %d is %s, %d answers, %d lost: %+v: %v", e.Attempt, e.Status, len(result.Answers), result.Lost, e.Error, err)
	}
	if asked, paid := len(server.Asked()), len(server.Paid()); asked != 6 || paid != 6 {
		t.Errorf("it was asked %d times and is paid %d times", asked, paid)
	}
}

// Where an answer doesn't say what it took, what was reserved counts: a budget bites.
func TestAProviderThatCountsNothing(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"openai", "background"} {
		server := modelserver.Start(says)
		server.Uncounted = true
		t.Cleanup(server.Close)
		r := asking(t, model(t, server, format, ""))
		id := r.accept(testagents.AsksName, `{}`)
		if e := r.await(id, final); e.Status != execution.Completed {
			t.Fatalf("%s: it is %s: %+v", format, e.Status, e.Error)
		}
		var reserved, took int64
		err := r.pool.QueryRow(t.Context(), `SELECT reserved_tokens, input_tokens + output_tokens FROM ciclo.llm_calls WHERE state = 'answered' AND cost = reserved_cost`).Scan(&reserved, &took)
		if err != nil || reserved == 0 || reserved != took {
			t.Errorf("%s: %d are reserved and %d are booked: %v", format, reserved, took, err)
		}
	}
}

// A call that was cut off is looked for, and the database breaks just then: what the
// attempt knows to be sent is not fresh to it because it asks again.
func TestACutOffCallAndABrokenDatabase(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	server.Pause = 900 * time.Millisecond
	server.Misbehave(modelserver.Late)
	t.Cleanup(server.Close)
	r := newRig(t)
	var broken atomic.Int64
	var once sync.Once
	inner := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodGet { // it is looked for: from now on who waits for its row is ended
			once.Do(func() { go r.endWhoWaits(8*time.Second, &broken) })
		}
		inner.ServeHTTP(w, q)
	})
	m := model(t, server, "stored", "")
	var err error
	if r.catalogue, err = testagents.WithAsks(r.catalogue); err != nil {
		t.Fatal(err)
	}
	pool := r.connect(r.pool.Config().ConnString())
	r.start(func(cfg *worker.Config) {
		cfg.Pool = pool
		cfg.Agents = map[string]agents.Agent{testagents.AsksName: testagents.Asks{Model: m}}
	})
	id := r.accept(testagents.AsksName, `{}`)
	e := r.await(id, final)
	if paid := len(server.Paid()); e.Status != execution.Completed || paid != 1 || broken.Load() == 0 {
		t.Errorf("it is %s, %d are paid, %d sessions were broken: %+v", e.Status, paid, broken.Load(), e.Error)
	}
}

// endWhoWaits holds the executions' rows for a while, and ends the sessions that wait for
// one.
func (r *rig) endWhoWaits(d time.Duration, ended *atomic.Int64) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM ciclo.executions FOR UPDATE`); err != nil {
			return err
		}
		for ctx.Err() == nil {
			var n int64 // not by the transaction, which would see one state of sessions
			err := r.pool.QueryRow(ctx, `
				SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%progress_at = now()%'`).Scan(&n)
			if err != nil {
				return err
			}
			ended.Add(n)
			if _, err := tx.Exec(ctx, `SELECT`); err != nil { // not silent for so long that it is ended
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		r.t.Errorf("hold the executions: %v", err)
	}
}

// Calls that a killed worker left say nothing of their provider's health.
func TestAKilledWorkerMakesNoProviderIll(t *testing.T) {
	t.Parallel()
	server := modelserver.Start(says)
	server.Pause = 2 * time.Second
	for range 8 {
		server.Misbehave(modelserver.Slow)
	}
	t.Cleanup(server.Close)
	m := model(t, server, "anthropic", `, "stall_seconds": 10, "timeout_seconds": 20`) // none of them is slow to it
	r, start := askers(t, m)
	stop := start()
	var ids []string
	for range 8 {
		ids = append(ids, r.accept(testagents.AsksName, `{}`))
	}
	r.await(ids[0], func(execution.Execution) bool { return len(server.Asked()) == 8 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// As kill -9 leaves them.
	r.exec(`SET session_replication_role = replica; UPDATE ciclo.llm_calls SET state = 'reserved', settled_at = NULL, error_text = NULL; RESET session_replication_role;
		UPDATE ciclo.llm_providers SET failures = 0, probe_after = NULL`)
	start()
	for _, id := range ids {
		if e := r.await(id, final); e.Status != execution.Completed || !strings.Contains(string(e.Result), `"lost": 1`) {
			t.Errorf("it is %s %s: %+v", e.Status, e.Result, e.Error)
		}
	}
	var failures int
	if err := r.pool.QueryRow(t.Context(), `SELECT failures FROM ciclo.llm_providers WHERE probe_after IS NULL`).Scan(&failures); err != nil || failures != 0 {
		t.Errorf("the provider has failed %d times: %v", failures, err)
	}
}

// The connection breaks when the provider has worked and said nothing yet: nobody, and no
// HTTP client, sends the request once more by itself.
func TestAnAnswerOfWhichNothingArrives(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"anthropic", "openai", "background"} {
		server := modelserver.Start(says)
		t.Cleanup(server.Close)
		server.Misbehave("", modelserver.Vanish, "", modelserver.Vanish) // on connections that were used before
		r := asking(t, model(t, server, format, ""))
		e := r.await(r.accept(testagents.AsksName, `{"calls": 5}`), final)
		if e.Status != execution.Completed || !strings.Contains(string(e.Result), `"lost": 2`) {
			t.Errorf("%s: it is %s %s: %+v", format, e.Status, e.Result, e.Error)
		}
		if asked, paid := len(server.Asked()), len(server.Paid()); asked != 5 || paid != 5 {
			t.Errorf("%s: it was asked %d times and is paid %d times", format, asked, paid)
		}
	}
}
