package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/nuzantara/ciclo/internal/queue"
)

// idlePeriod leaves the system idle between two samples. It is longer than any
// of River's cooldowns.
const idlePeriod = 150 * time.Millisecond

// defaultCooldown is what the worker gives River when nothing else is set.
const defaultCooldown = 5 * time.Millisecond

// first is how many samples of a turn come before those that count: a client
// that has just started listens a little later, and connections open lazily.
const first = 5

// latency measures from acceptance to running at default settings: on an idle
// system, and at a steady rate. Beside it is the time from River's insert to the
// job's Work, with the same cooldown.
func (b *bench) latency(ctx context.Context) (_ []figure, err error) {
	alone, err := b.openRiver(ctx)
	if err != nil {
		return nil, err
	}
	defer alone.pool.Close()
	ours, err := b.startOrchestrator(ctx, b.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()
	working, err := b.startWorker(b.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, working.Stop()) }()
	if err := b.awaitWorker(ctx, working); err != nil {
		return nil, err
	}
	var figures []figure
	for _, load := range []struct {
		name   string
		period time.Duration
		n      int
		aim    float64
	}{
		{"on an idle system", idlePeriod, b.plan.samples, 5},
		{"at 200/s", time.Second / openRate, openRate * int(b.plan.open.Seconds()), 0},
	} {
		var p50, p99 [2]series
		for range b.plan.repeats {
			for i, measure := range []func(context.Context, int, time.Duration) ([]time.Duration, error){
				alone.insertToWork,
				func(ctx context.Context, n int, period time.Duration) ([]time.Duration, error) {
					return b.acceptedToRunning(ctx, ours, n, period)
				},
			} {
				times, err := measure(ctx, load.n, load.period)
				if err != nil {
					return nil, err
				}
				p50[i], p99[i] = append(p50[i], percentile(times, 50)), append(p99[i], percentile(times, 99))
			}
		}
		name := "accepted → running (River: insert → Work) " + load.name
		half := figure{Name: name + ", p50", Unit: "ms", Floor: p50[0], Ours: p50[1]}
		if load.aim > 0 {
			half = timeWithin(half.Name, p50[0], p50[1], load.aim)
		}
		figures = append(figures, half, figure{Name: name + ", p99", Unit: "ms", Floor: p99[0], Ours: p99[1]})
	}
	return figures, nil
}

// insertToWork inserts n jobs, one a period, while a client works them, and
// returns the sorted times from before the transaction to the job's Work.
func (r *riverAlone) insertToWork(ctx context.Context, n int, period time.Duration) ([]time.Duration, error) {
	if err := r.clear(ctx); err != nil {
		return nil, err
	}
	n += first
	began, worked := make([]time.Time, n), make([]time.Time, n)
	var mu sync.Mutex
	note := func(job *river.Job[queue.Args]) {
		now := time.Now()
		var i int
		if _, err := fmt.Sscanf(job.Args.ExecutionID, "noop_019ac5a8-6f0e-7000-8000-%d", &i); err == nil {
			mu.Lock()
			defer mu.Unlock()
			worked[i] = now
		}
	}
	err := r.working(ctx, defaultCooldown, note, func() error {
		err := paced(ctx, n, period, func(ctx context.Context, i int) error {
			began[i] = time.Now()
			return r.insertOne(ctx, i)
		})
		return errors.Join(err, r.awaitCompleted(ctx, n))
	})
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	for i := first; i < n; i++ {
		times = append(times, worked[i].Sub(began[i]))
	}
	slices.Sort(times)
	return times, nil
}

// acceptedToRunning asks for n executions, one a period, and returns the sorted
// times between their transitions to started and to running. The clock is the
// database's: both instants are of the beginning of a transaction.
func (b *bench) acceptedToRunning(ctx context.Context, ours *api, n int, period time.Duration) ([]time.Duration, error) {
	if err := b.clear(ctx); err != nil {
		return nil, err
	}
	client := newClient()
	r := request{http.MethodPost, ours.url + runPath, ours.token, http.StatusAccepted}
	n += first
	if err := paced(ctx, n, period, func(ctx context.Context, _ int) error { return client.do(ctx, r, nil) }); err != nil {
		return nil, err
	}
	if err := b.awaitLived(ctx, n); err != nil {
		return nil, err
	}
	rows, err := b.pool.Query(ctx, `
		SELECT r.at - s.at FROM ciclo.transitions s JOIN ciclo.transitions r USING (execution_id)
		WHERE s.from_status IS NULL AND r.to_status = 'running' AND r.attempt = 1
		ORDER BY s.at OFFSET $1`, first)
	if err != nil {
		return nil, err
	}
	times, err := pgx.CollectRows(rows, pgx.RowTo[time.Duration])
	if err == nil && len(times) != n-first {
		err = fmt.Errorf("%d of %d executions ran", len(times)+first, n)
	}
	slices.Sort(times)
	return times, err
}

// paced calls do for each of 0..n-1, one a period, whether or not earlier calls
// have ended.
func paced(ctx context.Context, n int, period time.Duration, do func(ctx context.Context, i int) error) error {
	_, err := openLoop(ctx, period, 0, time.Duration(n)*period, do)
	return err
}
