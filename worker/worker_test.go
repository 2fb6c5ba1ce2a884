package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/worker"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

// rig is a store on a database of the test's own and workers that run on it.
type rig struct {
	*postgres.Store
	t         *testing.T
	pool      *pgxpool.Pool
	catalogue agents.Catalogue
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t}
	r.pool = r.connect(testdatabase.New(t))
	var err error
	if r.Store, err = postgres.New(r.pool); err != nil {
		t.Fatal(err)
	}
	if r.catalogue, err = testagents.Catalogue(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) connect(url string) *pgxpool.Pool {
	r.t.Helper()
	return r.connectStalling(url, 5*time.Second)
}

func (r *rig) connectStalling(url string, stall time.Duration) *pgxpool.Pool {
	r.t.Helper()
	pool, err := postgres.Connect(context.Background(), postgres.PoolConfig{URL: url, Name: r.t.Name(), MaxConns: 8, Stall: stall})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(pool.Close)
	return pool
}

// start runs a worker; stop stops it gracefully and returns its error.
func (r *rig) start(change func(*worker.Config)) (id string, stop func() error) {
	r.t.Helper()
	cfg := worker.Config{
		Pool: r.pool, BeatPool: r.pool, Catalogue: r.catalogue, Agents: testagents.Registry(),
		Beat: 100 * time.Millisecond, Drain: 300 * time.Millisecond, Version: "test", Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	w, err := worker.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	r.t.Cleanup(func() {
		if err := stop(); err != nil {
			r.t.Errorf("stop worker: %v", err)
		}
	})
	return w.ID(), stop
}

func (r *rig) accept(agent, parameters string) string {
	r.t.Helper()
	return r.acceptAs(agent, parameters, false)
}

func (r *rig) acceptDry(agent, parameters string) string {
	r.t.Helper()
	return r.acceptAs(agent, parameters, true)
}

func (r *rig) acceptAs(agent, parameters string, dryRun bool) string {
	r.t.Helper()
	m := r.catalogue.Find(agent)
	checked, err := m.CheckParameters([]byte(parameters))
	if err != nil {
		r.t.Fatal(err)
	}
	e, err := r.Accept(context.Background(), postgres.Acceptance{
		Agent: agent, IDPrefix: m.IDPrefix, Parameters: checked, Tries: m.Tries, TimeoutSeconds: m.TimeoutSeconds, Priority: m.Priority, Reason: "test", DryRun: dryRun,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return e.ID
}

// await polls until the execution is as wanted. Due executions are enqueued
// meanwhile, as the reaper does.
func (r *rig) await(id string, want func(execution.Execution) bool) execution.Execution {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
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

func status(s execution.Status) func(execution.Execution) bool {
	return func(e execution.Execution) bool { return e.Status == s }
}

func final(e execution.Execution) bool { return e.Status.Final() }

func TestAgentsRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(nil)
	noop := r.accept("test-noop", "")
	steps := r.accept("test-steps", `{"steps": 3, "millis": 1}`)
	if e := r.await(noop, final); e.Status != execution.Completed || string(e.Result) != "{}" {
		t.Errorf("no-op ended as %+v", e)
	}
	if e := r.await(steps, final); e.Status != execution.Completed || string(e.Result) != `{"sum": 6}` {
		t.Errorf("steps ended as %+v", e)
	}
}

func TestFailuresOfAgents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(nil)
	for how, want := range map[string]struct {
		status   execution.Status
		failures int
		class    string
		text     string
	}{
		"error":      {execution.Failed, 2, execution.ClassError, "it failed as asked"},
		"recover":    {execution.Completed, 1, "", ""},
		"permanent":  {execution.Failed, 1, execution.ClassPermanent, "can't be mended"},
		"panic":      {execution.Failed, 2, execution.ClassPanic, "testagents.Fail.Run"},
		"timeout":    {execution.Failed, 2, execution.ClassTimeout, "longer than 1s"},
		"not-json":   {execution.Failed, 1, execution.ClassPermanent, "not JSON"},
		"not-object": {execution.Failed, 1, execution.ClassPermanent, "JSON object"},
		"nul":        {execution.Failed, 1, execution.ClassPermanent, "store the result"},
		"huge":       {execution.Failed, 1, execution.ClassPermanent, "at most"},
		"same-step":  {execution.Failed, 1, execution.ClassPermanent, "named twice"},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			e := r.await(r.accept("test-fail", `{"how": "`+how+`"}`), final)
			if e.Status != want.status || e.Failures != want.failures {
				t.Errorf("ended as %+v", e)
			}
			if want.class != "" && (e.Error == nil || e.Error.Class != want.class || !strings.Contains(e.Error.Text, want.text)) {
				t.Errorf("the error is %+v", e.Error)
			}
		})
	}
}

func TestCancelReachesARunningAgent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(nil)
	id := r.accept("test-slow", `{"millis": 60000}`)
	r.await(id, status(execution.Running))
	if _, err := r.Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if e := r.await(id, final); e.Status != execution.Cancelled || e.Failures != 0 {
		t.Errorf("ended as %+v", e)
	}
}

func TestAStoppingWorkerLetsShortAttemptsFinish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, stop := r.start(func(c *worker.Config) { c.Drain = 20 * time.Second })
	execID := r.accept("test-slow", `{"millis": 500}`)
	r.await(execID, status(execution.Running))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	e, _, err := r.Get(context.Background(), execID)
	if err != nil || e.Status != execution.Completed {
		t.Errorf("after the stop it is %+v, %v", e, err)
	}
	workers, err := r.Workers(context.Background())
	if err != nil || len(workers) != 0 {
		t.Errorf("worker %s is still there: %+v, %v", id, workers, err)
	}
}

func TestAnInterruptedAttemptGoesOnElsewhereAtNoCost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.start(nil)
	id := r.accept("test-steps", `{"steps": 8, "millis": 200}`)
	r.await(id, func(e execution.Execution) bool { return e.Progress != nil && e.Progress.Done >= 2 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	e, _, err := r.Get(context.Background(), id)
	if err != nil || e.Status != execution.Started || e.Failures != 0 || e.Attempt != 1 {
		t.Fatalf("interrupted it is %+v, %v", e, err)
	}
	r.start(nil)
	if e = r.await(id, final); e.Status != execution.Completed || e.Attempt != 2 || e.Failures != 0 || string(e.Result) != `{"sum": 36}` {
		t.Errorf("ended as %+v", e)
	}
	var first, second int
	err = r.pool.QueryRow(context.Background(), `
		SELECT count(*) FILTER (WHERE attempt = 1), count(*) FILTER (WHERE attempt = 2) FROM ciclo.steps WHERE execution_id = $1`, id).Scan(&first, &second)
	if err != nil || first < 2 || second < 1 || first+second != 8 {
		t.Errorf("steps by attempt: %d and %d, %v", first, second, err)
	}
}

// The worker loses its attempt while it runs: it stops the agent and writes nothing.
func TestAnAttemptThatIsTakenAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := r.start(func(c *worker.Config) { c.Lease, c.Beat = 2*time.Second, time.Second })
	execID := r.accept("test-slow", `{"millis": 60000}`)
	r.await(execID, status(execution.Running))
	ctx := context.Background()
	// As after a freeze: the lease runs out and the reaper comes before the next beat.
	for reaped := false; !reaped; {
		if _, err := r.pool.Exec(ctx, `UPDATE ciclo.workers SET lease_until = now() - interval '1 second' WHERE id = $1`, id); err != nil {
			t.Fatal(err)
		}
		sweep, err := r.Sweep(ctx, time.Second, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, lost := range sweep.Lost {
			to, err := r.Reap(ctx, lost, func() bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			reaped = to != ""
		}
	}
	// The same worker may claim it again, as attempt 2; attempt 1 is silent.
	e := r.await(execID, func(e execution.Execution) bool { return e.Attempt == 2 && e.Status == execution.Running })
	if e.Failures != 1 {
		t.Errorf("taken away it is %+v", e)
	}
	if _, err := r.Cancel(ctx, execID); err != nil {
		t.Fatal(err)
	}
	r.await(execID, status(execution.Cancelled))
}

func TestAClaimWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := r.start(nil)
	execID := r.accept("test-noop", "")
	r.await(execID, final)
	// An execution that the database says is the worker's and that it never heard of.
	ctx := context.Background()
	_, err := r.pool.Exec(ctx, `
		INSERT INTO ciclo.executions (id, agent, status, attempt, worker_id, river_job_id, running_at, tries, timeout_seconds)
		VALUES ('noop_019ac5a8-6f0e-7000-8000-9b1deb4d3b7d', 'test-noop', 'running', 1, $1, 999999, now(), 3, 60)`, id)
	if err != nil {
		t.Fatal(err)
	}
	if e := r.await("noop_019ac5a8-6f0e-7000-8000-9b1deb4d3b7d", final); e.Status != execution.Completed || e.Attempt != 2 || e.Failures != 0 {
		t.Errorf("ended as %+v", e)
	}
}

// A worker that stops before its next beat gives it back all the same.
func TestAStopGivesBackALostClaim(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, stop := r.start(func(c *worker.Config) { c.Lease, c.Beat = time.Minute, 20*time.Second })
	r.await(r.accept("test-noop", ""), final)
	const lost = "noop_019ac5a8-6f0e-7000-8000-9b1deb4d3b7e"
	_, err := r.pool.Exec(context.Background(), `
		INSERT INTO ciclo.executions (id, agent, status, attempt, worker_id, river_job_id, running_at, tries, timeout_seconds)
		VALUES ($1, 'test-noop', 'running', 1, $2, 999999, now(), 3, 60)`, lost, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	e, _, err := r.Get(context.Background(), lost)
	if err != nil || e.Status != execution.Started || e.Failures != 0 || e.NextAttemptAt == nil {
		t.Errorf("after the stop it is %+v, %v", e, err)
	}
}

func TestASessionThatWasEndedEndsTheWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, stop := r.start(nil)
	execID := r.accept("test-noop", "")
	r.await(execID, final)
	if err := r.Deregister(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil && !errors.Is(err, postgres.ErrWorkerGone) {
		t.Errorf("the worker ended with %v", err)
	}
}

func TestBadConfigurations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		change func(*worker.Config)
		want   string
	}{
		"a beat too slow for the lease": {func(c *worker.Config) { c.Lease, c.Beat = 10*time.Second, 6*time.Second }, "at most half"},
		"no agents":                     {func(c *worker.Config) { c.Agents = nil }, "at least one agent"},
		"an agent without a manifest":   {func(c *worker.Config) { c.Agents["nobody"] = testagents.Noop{} }, "no manifest"},
		"concurrency of a stranger":     {func(c *worker.Config) { c.Concurrency = map[string]int{"nobody": 1} }, "this worker runs"},
		"no concurrency":                {func(c *worker.Config) { c.Concurrency = map[string]int{"test-noop": 0} }, "not in 1..10000"},
	} {
		cfg := worker.Config{Pool: r.pool, BeatPool: r.pool, Catalogue: r.catalogue, Agents: testagents.Registry(), Log: slog.New(slog.DiscardHandler)}
		c.change(&cfg)
		if _, err := worker.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheStartOutlastsADatabaseThatComesAndGoes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var calls atomic.Int64
	away := r.pool.Config()
	away.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		if calls.Add(1) <= 2 {
			return errors.New("the database is away")
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), away)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r.start(func(c *worker.Config) { c.Pool = pool })
	r.await(r.accept("test-noop", ""), status(execution.Completed))
	if n := calls.Load(); n < 3 {
		t.Errorf("connected %d times: the database was never away", n)
	}
}
