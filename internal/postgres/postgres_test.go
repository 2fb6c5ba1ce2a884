package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

const lease = 10 * time.Second

// bundle is a store on a database of the test's own.
type bundle struct {
	*postgres.Store
	t    *testing.T
	ctx  context.Context //nolint:containedctx // it is the test's
	pool *pgxpool.Pool
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 6, Stall: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := postgres.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	return &bundle{Store: store, t: t, ctx: t.Context(), pool: pool}
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.pool.Exec(b.ctx, sql, args...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// scan reads one row.
func (b *bundle) scan(into []any, sql string, args ...any) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.ctx, sql, args...).Scan(into...); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *bundle) count(sql string, args ...any) (n int) {
	b.t.Helper()
	b.scan([]any{&n}, sql, args...)
	return n
}

func (b *bundle) accept() execution.Execution { b.t.Helper(); return b.acceptAs(false) }

func (b *bundle) acceptDry() execution.Execution { b.t.Helper(); return b.acceptAs(true) }

func (b *bundle) acceptAs(dryRun bool) execution.Execution {
	b.t.Helper()
	e, err := b.Accept(b.ctx, postgres.Acceptance{
		Agent: "test-noop", IDPrefix: "noop_", Parameters: json.RawMessage(`{"n": 1}`), Tries: 2, TimeoutSeconds: 60, Priority: 2, Reason: "test", DryRun: dryRun,
	})
	b.must(err)
	return e.Execution
}

// worker registers a worker.
func (b *bundle) worker() string {
	b.t.Helper()
	id := uuid.NewString()
	b.must(b.Register(b.ctx, postgres.Worker{ID: id, Host: "h", PID: 1, Version: "v", Concurrency: map[string]int{"test-noop": 1}}, lease))
	return id
}

// fetch does what River's fetch does, to the row that the execution names.
func (b *bundle) fetch(id string) postgres.Delivery {
	b.t.Helper()
	d := postgres.Delivery{ExecutionID: id}
	b.scan([]any{&d.JobID}, `
		UPDATE ciclo.river_job SET state = 'running', attempt = attempt + 1, attempted_at = now()
		WHERE id = (SELECT river_job_id FROM ciclo.executions WHERE id = $1) AND state = 'available' RETURNING id`, id)
	return d
}

// claim claims one execution; ErrStale for a stale delivery.
func (b *bundle) claim(d postgres.Delivery, worker string) (*postgres.Attempt, error) {
	b.t.Helper()
	attempts, err := b.Claim(b.ctx, []postgres.Delivery{d}, worker, lease)
	if err == nil && attempts[0] == nil {
		err = execution.ErrStale
	}
	if err != nil {
		return nil, err
	}
	return attempts[0], nil
}

// complete completes one attempt.
func (b *bundle) complete(a *postgres.Attempt, result string) error {
	b.t.Helper()
	answers, err := b.Complete(b.ctx, []postgres.Completion{{Attempt: a, Result: []byte(result)}})
	if err == nil {
		err = answers[0]
	}
	return err
}

// run fetches and claims.
func (b *bundle) run(id, worker string) *postgres.Attempt {
	b.t.Helper()
	a, err := b.claim(b.fetch(id), worker)
	b.must(err)
	return a
}

// expire lets a worker's lease run out.
func (b *bundle) expire(worker string) {
	b.t.Helper()
	b.exec(`UPDATE ciclo.workers SET lease_until = now() - interval '1 second' WHERE id = $1`, worker)
}

func (b *bundle) get(id string) execution.Execution {
	b.t.Helper()
	e, _, err := b.Get(b.ctx, id)
	b.must(err)
	return e
}

// path is the execution's transitions in short.
func (b *bundle) path(id string) string {
	b.t.Helper()
	_, transitions, err := b.Get(b.ctx, id)
	b.must(err)
	text := ""
	for _, t := range transitions {
		text += fmt.Sprintf("%s>%s@%d ", t.From, t.To, t.Attempt)
	}
	return text
}

// sweepAll sweeps, acts on everything as the reaper does and enqueues.
func (b *bundle) sweepAll() postgres.Sweep {
	b.t.Helper()
	s, err := b.Sweep(b.ctx, lease, "")
	b.must(err)
	for _, lost := range s.Lost {
		_, err := b.Reap(b.ctx, lost, func() bool { return true })
		b.must(err)
	}
	for _, stray := range s.Strays {
		_, err := b.Reconcile(b.ctx, stray, lease)
		b.must(err)
	}
	_, err = b.Enqueue(b.ctx)
	b.must(err)
	return s
}

// jobState is the state of a River row.
func (b *bundle) jobState(job int64) (state string) {
	b.t.Helper()
	b.scan([]any{&state}, `SELECT state::text FROM ciclo.river_job WHERE id = $1`, job)
	return state
}

// failed ends an attempt with a failure.
func (b *bundle) failed(a *postgres.Attempt, f postgres.Failure) {
	b.t.Helper()
	_, err := b.Fail(b.ctx, a, f)
	b.must(err)
}
