package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/worker"
)

// outages is an agent that cuts its worker's connections to Postgres in each place where
// one is needed.
type outages struct {
	t    *testing.T
	cut  func()
	seen [6]atomic.Int32
}

func (o *outages) Run(ctx context.Context, task *agents.Task) (agents.Result, error) {
	o.cut() // before a read, a step's lookup
	err := task.Read(ctx, func(pgx.Tx) error {
		o.seen[0].Add(1)
		o.cut()
		return nil
	})
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // its end may have been lost: nothing was
		o.t.Logf("the read ended with %v", err)
	}
	if _, err := agents.Step(ctx, task, "step", func(context.Context) (int, error) {
		o.seen[1].Add(1)
		o.cut()
		return 1, nil
	}); err != nil {
		return nil, err
	}
	if _, err := agents.StepTx(ctx, task, "transaction", func(ctx context.Context, tx pgx.Tx) (int, error) {
		if o.seen[2].Add(1) == 1 {
			o.cut()
		}
		_, err := tx.Exec(ctx, `INSERT INTO crm.practice_types VALUES ('outage', 'x')`)
		return 1, err
	}); err != nil {
		return nil, err
	}
	for i, policy := range []agents.Policy{agents.Once, agents.Repeat, agents.Reconcile} {
		e := agents.Effect[int]{Policy: policy, Do: func(context.Context, string) (int, error) {
			o.seen[3+i].Add(1)
			o.cut() // it is done, and can't be written down at once
			return 1, nil
		}}
		if policy == agents.Reconcile {
			e.Ask = func(context.Context, string) (int, bool, error) { return 0, false, nil }
		}
		o.cut() // before its intent
		if _, err := agents.Perform(ctx, task, string(policy), e); err != nil {
			return nil, err
		}
	}
	return map[string]int{}, nil
}

// throughProxy is a worker's way to Postgres, and what cuts it for a second.
func (r *rig) throughProxy() (change func(*worker.Config), cut func()) {
	r.t.Helper()
	at, err := url.Parse(r.pool.Config().ConnString())
	if err != nil {
		r.t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.New(io.Discard))
	proxy := toxiproxy.NewProxy(server, "postgres", "127.0.0.1:0", at.Host)
	if err := proxy.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(proxy.Stop)
	at.Host = proxy.Listen
	pool := r.connect(at.String())
	cut = func() {
		proxy.Stop()
		time.AfterFunc(time.Second, func() {
			if err := proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
				r.t.Errorf("start the proxy: %v", err)
			}
		})
	}
	return func(cfg *worker.Config) { cfg.Pool, cfg.BeatPool = pool, r.pool }, cut
}

// The database is away for a second wherever it is needed: that costs no try, and what
// was done outside is known, not "unknown".
func TestAnOutageCostsNoTry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	through, cut := r.throughProxy()
	agent := &outages{t: t, cut: cut}
	r.start(func(cfg *worker.Config) {
		through(cfg)
		cfg.Agents = map[string]agents.Agent{"test-noop": agent}
	})
	id := r.accept("test-noop", `{}`)
	e := r.await(id, final)
	if e.Status != execution.Completed || e.Attempt != 1 || e.Failures != 0 {
		t.Errorf("attempt %d with %d failures is %s: %+v", e.Attempt, e.Failures, e.Status, e.Error)
	}
	effects, err := r.Effects(t.Context(), id)
	if err != nil || len(effects) != 3 {
		t.Fatalf("%d effects: %v", len(effects), err)
	}
	for _, f := range effects {
		if f.State != "done" {
			t.Errorf("%s is %s", f.Name, f.State)
		}
	}
	seen := ""
	for i := range agent.seen {
		seen += fmt.Sprint(agent.seen[i].Load())
	}
	var rows int
	if err := r.pool.QueryRow(t.Context(), `SELECT count(*) FROM crm.practice_types WHERE id = 'outage'`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("the transaction left %d rows: %v", rows, err)
	}
	if seen != "112111" { // the transaction once more, nothing else
		t.Errorf("it was called %s", seen)
	}
}

// What breaks the connection each time doesn't do so for ever.
func TestAStepThatBreaksItsConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var calls atomic.Int32
	r.start(func(cfg *worker.Config) {
		cfg.Agents = map[string]agents.Agent{"test-noop": scripted(func(ctx context.Context, task *agents.Task) (agents.Result, error) {
			_, err := agents.StepTx(ctx, task, "breaks", func(ctx context.Context, tx pgx.Tx) (int, error) {
				calls.Add(1)
				_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
				return 1, err
			})
			return nil, err
		})}
	})
	e := r.await(r.accept("test-noop", `{}`), func(e execution.Execution) bool { return e.Failures == 1 })
	if e.Error == nil || calls.Load() != 3 {
		t.Errorf("it was called %d times: %+v", calls.Load(), e.Error)
	}
}
