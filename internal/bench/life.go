package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

// What the worker of the life cycle runs with; River alone gets the same.
const (
	lifeConcurrency = "CICLO_CONCURRENCY=test-noop=100"
	lifeCooldown    = "CICLO_FETCH_COOLDOWN=1ms"
)

// life measures executions per second through their whole life with the agent
// that does nothing, beside River's jobs that do nothing: those that were there
// before the worker started, and with the inserts, or accepts, meanwhile.
func (b *bench) life(ctx context.Context) ([]figure, error) {
	alone, err := b.openRiver(ctx)
	if err != nil {
		return nil, err
	}
	defer alone.pool.Close()
	n := b.plan.jobs
	var floors, lives, meanwhileFloors, meanwhiles, transitions, wal series
	for range b.plan.repeats {
		for _, turn := range []struct {
			into *series
			rate func(context.Context, int) (float64, error)
		}{
			{&floors, alone.workAfterwards},
			{&lives, b.liveAfterwards},
			{&meanwhileFloors, alone.workMeanwhile},
			{&meanwhiles, b.liveMeanwhile},
		} {
			if err := errors.Join(b.clear(ctx), alone.clear(ctx)); err != nil {
				return nil, err
			}
			before, err := b.database.written(ctx)
			if err != nil {
				return nil, err
			}
			rate, err := turn.rate(ctx, n)
			if err != nil {
				return nil, err
			}
			*turn.into = append(*turn.into, rate)
			if turn.into == &meanwhiles {
				after, err := b.database.written(ctx)
				if err != nil {
					return nil, err
				}
				wal = append(wal, (after-before)/float64(n)/1000)
			}
			if turn.into == &lives {
				recorded, err := b.recorded(ctx)
				if err != nil {
					return nil, err
				}
				transitions = append(transitions, recorded/float64(n))
			}
		}
	}
	return []figure{
		ratioOf("whole life, all accepted before, beside River's no-op jobs", "1/s", floors, lives, 0.2, 0.5),
		beside("whole life with the accepts meanwhile, beside River's InsertTx and no-op jobs", "1/s", meanwhileFloors, meanwhiles),
		exactly("transitions recorded for each", "rows", transitions, 3),
		{Name: "write-ahead log of each whole life", Unit: "kB", Ours: wal},
	}, nil
}

// workAfterwards works n of River's jobs that are there before its client starts.
func (r *riverAlone) workAfterwards(ctx context.Context, n int) (float64, error) {
	if err := errors.Join(r.insertAll(ctx, n), analyze(ctx, r.pool)); err != nil {
		return 0, err
	}
	err := r.working(ctx, time.Millisecond, nil, func() error { return r.awaitCompleted(ctx, n) })
	if err != nil {
		return 0, err
	}
	return r.rate(ctx, n, "attempted_at")
}

// workMeanwhile works n jobs while 16 goroutines insert them.
func (r *riverAlone) workMeanwhile(ctx context.Context, n int) (float64, error) {
	err := r.working(ctx, time.Millisecond, nil, func() error {
		return errors.Join(each(ctx, n, r.insertOne), r.awaitCompleted(ctx, n))
	})
	if err != nil {
		return 0, err
	}
	return r.rate(ctx, n, "created_at")
}

// liveAfterwards accepts n executions and then starts a worker. The time is from
// the first fetch to the last end.
func (b *bench) liveAfterwards(ctx context.Context, n int) (float64, error) {
	store, err := postgres.New(b.pool)
	if err != nil {
		return 0, err
	}
	err = each(ctx, n, func(ctx context.Context, _ int) error {
		_, err := store.Accept(ctx, postgres.Acceptance{
			Agent: "test-noop", IDPrefix: "noop_", Parameters: []byte("{}"), Tries: 3, TimeoutSeconds: 60, Priority: 2, Reason: "bench",
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := analyze(ctx, b.pool); err != nil {
		return 0, err
	}
	worker, err := b.startWorker(b.url, lifeConcurrency, lifeCooldown)
	if err != nil {
		return 0, err
	}
	if err := b.awaitLived(ctx, n, worker); err != nil {
		return 0, errors.Join(err, worker.Kill())
	}
	b.loaded["worker"] = append(b.loaded["worker"], residentMB(worker))
	if err := worker.Stop(); err != nil {
		return 0, err
	}
	return b.rate(ctx, n, `(SELECT min(attempted_at) FROM ciclo.river_job)`)
}

// liveMeanwhile accepts n executions over HTTP while a worker runs them. The time
// is from the first acceptance to the last end.
func (b *bench) liveMeanwhile(ctx context.Context, n int) (_ float64, err error) {
	orchestrator, err := b.startOrchestrator(ctx, b.url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, orchestrator.Stop()) }()
	worker, err := b.startWorker(b.url, lifeConcurrency, lifeCooldown)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	if err := b.awaitWorker(ctx, worker); err != nil {
		return 0, err
	}
	client := newClient()
	r := request{http.MethodPost, orchestrator.url + runPath, orchestrator.token, http.StatusAccepted}
	err = each(ctx, n, func(ctx context.Context, _ int) error { return client.do(ctx, r, nil) })
	if err != nil {
		return 0, err
	}
	if err := b.awaitLived(ctx, n, worker, orchestrator.Process); err != nil {
		return 0, err
	}
	return b.rate(ctx, n, `min(started_at)`)
}

// awaitWorker returns when a worker has a session that holds.
func (b *bench) awaitWorker(ctx context.Context, worker *process.Process) error {
	return await(ctx, b.pool, 1, fmt.Sprintf(
		`SELECT count(*) FROM ciclo.workers WHERE ended_at IS NULL AND pid = %d`, worker.PID()), worker)
}

// awaitLived returns when n executions have completed.
func (b *bench) awaitLived(ctx context.Context, n int, alive ...*process.Process) error {
	return await(ctx, b.pool, n, `SELECT count(*) FROM ciclo.executions WHERE status = 'completed'`, alive...)
}

// rate is n executions over the time from an instant to the last end.
func (b *bench) rate(ctx context.Context, n int, from string) (float64, error) {
	var seconds float64
	err := b.pool.QueryRow(ctx, `SELECT extract(epoch FROM max(ended_at) - `+from+`)::float8 FROM ciclo.executions`).Scan(&seconds)
	return float64(n) / seconds, err
}

// recorded counts the transitions, all of executions that completed.
func (b *bench) recorded(ctx context.Context) (float64, error) {
	var n float64
	err := b.pool.QueryRow(ctx, `
		SELECT count(*)::float8 FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id
		WHERE e.status = 'completed' AND e.attempt = 1`).Scan(&n)
	return n, err
}
