// Package agenttest runs one agent as the worker runs it, on a database of the test's own,
// with a model that is played. Tests of agents embed its Rig.
package agenttest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/agents/llm"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/modelserver"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/worker"
)

// Rig is a database, the agent's name, and the provider of its model.
type Rig struct {
	*postgres.Store
	Pool      *pgxpool.Pool
	Catalogue agents.Catalogue
	Server    *modelserver.Server

	t    *testing.T
	name string
}

// New makes a rig for the agent of that name; its model answers what answer says.
func New(t *testing.T, name string, answer func(modelserver.Asked) string) *Rig {
	t.Helper()
	pool := connect(t, testdatabase.New(t))
	t.Cleanup(pool.Close)
	return On(t, pool, name, answer)
}

// On is New on a database that is there.
func On(t *testing.T, pool *pgxpool.Pool, name string, answer func(modelserver.Asked) string) *Rig {
	t.Helper()
	r := &Rig{t: t, name: name, Pool: pool, Server: modelserver.Start(answer)}
	t.Cleanup(r.Server.Close)
	var err error
	if r.Store, err = postgres.New(r.Pool); err != nil {
		t.Fatal(err)
	}
	if r.Catalogue, err = agents.Embedded(); err != nil {
		t.Fatal(err)
	}
	return r
}

func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Connect(context.Background(), postgres.PoolConfig{URL: url, Name: "agenttest", MaxConns: 10})
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// Exec runs a statement, or several without parameters.
func (r *Rig) Exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.Pool.Exec(context.Background(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// Format is one in which a provider is asked, another for each n. What stalls, stalls a
// stream.
func Format(n int, fault modelserver.Fault) string {
	if formats := []string{"anthropic", "openai", "background"}; fault != modelserver.Stall {
		return formats[n%len(formats)]
	}
	return []string{"anthropic", "openai"}[n%2]
}

// Model is the agent's, small-1 of the provider "played" which speaks a format, by more
// fields of the agent's and of the file, each beginning with a comma; either may be empty.
func (r *Rig) Model(format, ofAgent, ofFile string) *llm.Model {
	r.t.Helper()
	return r.ModelNamed("small-1", format, ofAgent, ofFile)
}

// ModelNamed is the same by another name.
func (r *Rig) ModelNamed(model, format, ofAgent, ofFile string) *llm.Model {
	r.t.Helper()
	address, more := r.Server.URL+"/v1", ""
	switch format {
	case "anthropic":
		address, more = r.Server.URL, `, "key_variable": "PATH"` // some key is set, and none is asked for
	case "background":
		format, more = "openai", `, "background": true`
	}
	file := filepath.Join(r.t.TempDir(), "models.json")
	text := fmt.Sprintf(`{
		"providers": {"played": {"format": %q, "url": %q, "stall_seconds": 2, "timeout_seconds": 20%s}},
		"agents": {%q: {"provider": "played", "model": %q%s}},
		"prices": [{"model": %[5]q, "from": "2026-01-01", "input": 3, "output": 15}]%[7]s}`, format, address, more, r.name, model, ofAgent, ofFile)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	models, err := (&llm.Config{ModelsFile: file, Askers: []string{r.name}}).Open()
	if err != nil {
		r.t.Fatal(err)
	}
	m := models.For(r.name)
	m.Backoff = 10 * time.Millisecond
	return m
}

// Start runs a worker with the agent; stop has it give up what it is at, and waits for it.
func (r *Rig) Start(agent agents.Agent) (stop func()) {
	r.t.Helper()
	pool := connect(r.t, r.Pool.Config().ConnString())
	w, err := worker.New(worker.Config{
		Pool: pool, BeatPool: pool, Catalogue: r.Catalogue, Agents: map[string]agents.Agent{r.name: agent},
		Beat: 100 * time.Millisecond, Drain: time.Millisecond, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("the worker ended with %v", err)
		}
		pool.Close()
	}
	r.t.Cleanup(stop)
	return stop
}

// AcceptAs accepts an execution and returns its id.
func (r *Rig) AcceptAs(parameters string, dry bool) string {
	r.t.Helper()
	m := r.Catalogue.Find(r.name)
	checked, err := m.CheckParameters([]byte(parameters))
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := r.Accept(context.Background(), postgres.Acceptance{
		Agent: r.name, IDPrefix: m.IDPrefix, Parameters: checked, Tries: m.Tries, TimeoutSeconds: m.TimeoutSeconds, Priority: m.Priority, Reason: "test", DryRun: dry,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// Await polls until the execution is as wanted, and sets due ones going meanwhile.
func (r *Rig) Await(id string, want func(execution.Execution) bool) execution.Execution {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := r.Enqueue(ctx); err != nil {
			r.t.Fatal(err)
		}
		e, _, err := r.Get(ctx, id)
		if err != nil {
			r.t.Fatalf("it did not become as wanted: %+v: %v", e, err)
		}
		if want(e) {
			return e
		}
		<-tick.C
	}
}

// Final says that an execution has ended.
func Final(e execution.Execution) bool { return e.Status.Final() }

// Ends runs an execution to its end, whatever that is.
func (r *Rig) Ends(agent agents.Agent, parameters string, dry bool) execution.Execution {
	r.t.Helper()
	stop := r.Start(agent)
	defer stop()
	return r.Await(r.AcceptAs(parameters, dry), Final)
}

// Decode reads the result of an execution that must have completed.
func Decode[T any](t *testing.T, e execution.Execution) (result T) {
	t.Helper()
	if e.Status != execution.Completed {
		t.Fatalf("it is %s: %+v", e.Status, e.Error)
	}
	if err := json.Unmarshal(e.Result, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// Replay runs the agent of an execution that has ended once more, by the answers that were
// kept (keep_days of the models' file).
func (r *Rig) Replay(agent agents.Agent, id string) worker.Replayed {
	r.t.Helper()
	replayed, err := worker.Replay(context.Background(), r.Store, map[string]agents.Agent{r.name: agent}, id, false, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	return replayed
}

// PaidOnce reports calls that the provider is paid for twice.
func (r *Rig) PaidOnce() {
	r.t.Helper()
	seen := map[string]bool{}
	for _, c := range r.Server.Paid() {
		if seen[c.Key] || c.Key == "" {
			r.t.Errorf("%q was paid twice", c.Key)
		}
		seen[c.Key] = true
	}
}
