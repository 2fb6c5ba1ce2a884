package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

const (
	// pollers is how many clients poll, each on a connection of its own.
	pollers = 1000
	// running is how many of the executions that are polled run; the others have
	// completed.
	running = 500
	// pollEvery is how often a client asks that doesn't ask as fast as it can.
	pollEvery = time.Second
)

// polls measures a thousand clients that keep their connections and each poll the
// status of an execution of its own: as fast as they are answered, beside the bare
// handler's one row, and once a second each. Any answer but the expected ends it
// with an error.
func (b *bench) polls(ctx context.Context) (_ []figure, err error) {
	ids, worker, err := b.polled(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, worker.Kill(), b.clear(ctx)) }()
	bare, err := b.startFloor(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.Stop()) }()
	ours, err := b.startOrchestrator(ctx, b.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()

	client := newClient()
	const path = "/api/autonomous-agents/executions/"
	etags := make([]string, len(ids))
	err = each(ctx, len(ids), func(ctx context.Context, i int) (err error) {
		etags[i], err = client.ask(ctx, request{http.MethodGet, ours.url + path + ids[i], ours.token, http.StatusOK}, "", nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	poll := func(a *api, path string) func(context.Context, int) error {
		return func(ctx context.Context, n int) error {
			return client.do(ctx, request{http.MethodGet, a.url + path + ids[n%pollers], a.token, http.StatusOK}, nil)
		}
	}
	unchanged := func(ctx context.Context, n int) error {
		r := request{http.MethodGet, ours.url + path + ids[n%pollers], ours.token, http.StatusNotModified}
		_, err := client.ask(ctx, r, etags[n%pollers], nil)
		return err
	}
	sides := []func(context.Context, int) error{poll(bare, "/executions/"), poll(ours, path), unchanged}
	rates, p50, p99 := make([]series, len(sides)), make([]series, len(sides)), make([]series, len(sides))
	calm50, calm99 := make([]series, len(sides)), make([]series, len(sides))
	var memory [2]series
	for range b.plan.repeats {
		for i, do := range sides {
			times, err := closedTimes(ctx, pollers, b.plan.warm, b.plan.closed, do)
			if err != nil {
				return nil, fmt.Errorf("poll: %w", err)
			}
			rates[i] = append(rates[i], float64(len(times))/b.plan.closed.Seconds())
			p50[i], p99[i] = append(p50[i], percentile(times, 50)), append(p99[i], percentile(times, 99))
		}
		for i, a := range []*api{bare, ours} {
			memory[i] = append(memory[i], residentMB(a.Process))
		}
		for i, do := range sides {
			times, err := openLoop(ctx, pollEvery/pollers, b.plan.warm, b.plan.open/2, do)
			if err != nil {
				return nil, fmt.Errorf("poll once a second: %w", err)
			}
			calm50[i], calm99[i] = append(calm50[i], percentile(times, 50)), append(calm99[i], percentile(times, 99))
		}
	}
	return []figure{
		ratioOf("status polled by 1000 clients, beside one row", "1/s", rates[0], rates[1], 0.8, 0),
		ratioOf("the same with If-None-Match, all 304", "1/s", rates[0], rates[2], 0.8, 0),
		beside("polled by 1000 clients, p50", "ms", p50[0], p50[1]),
		beside("polled by 1000 clients, p99", "ms", p99[0], p99[1]),
		beside("the same with If-None-Match, p50", "ms", p50[0], p50[2]),
		beside("the same with If-None-Match, p99", "ms", p99[0], p99[2]),
		beside("polled by 1000 clients once a second each, p50", "ms", calm50[0], calm50[1]),
		beside("polled by 1000 clients once a second each, p99", "ms", calm99[0], calm99[1]),
		beside("the same with If-None-Match, p50", "ms", calm50[0], calm50[2]),
		beside("the same with If-None-Match, p99", "ms", calm99[0], calm99[2]),
		beside("resident memory, polled by 1000 clients", "MB", memory[0], memory[1]),
	}, nil
}

// polled are executions, a half of which has completed while the other half is run
// by the worker.
func (b *bench) polled(ctx context.Context) (_ []string, _ *process.Process, err error) {
	if err := b.clear(ctx); err != nil {
		return nil, nil, err
	}
	if _, err := b.liveAfterwards(ctx, pollers-running); err != nil {
		return nil, nil, err
	}
	store, err := postgres.New(b.pool)
	if err != nil {
		return nil, nil, err
	}
	err = each(ctx, running, func(ctx context.Context, _ int) error {
		// They run for longer than the section takes.
		_, err := store.Accept(ctx, postgres.Acceptance{
			Agent: "test-slow", IDPrefix: "slow_", Parameters: []byte(`{"millis": 1200000}`), Tries: 3, TimeoutSeconds: 1800, Priority: 2, Reason: "bench",
		})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	worker, err := b.startWorker(b.url, fmt.Sprintf("CICLO_CONCURRENCY=test-slow=%d", running))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, worker.Kill())
		}
	}()
	// Each says how far it is when it begins, which is the last that changes.
	err = await(ctx, b.pool, running, `SELECT count(*) FROM ciclo.executions WHERE status = 'running' AND progress_at IS NOT NULL`, worker)
	if err := errors.Join(err, analyze(ctx, b.pool)); err != nil {
		return nil, nil, err
	}
	rows, err := b.pool.Query(ctx, `SELECT id FROM ciclo.executions ORDER BY md5(id)`)
	if err != nil {
		return nil, nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil && len(ids) != pollers {
		err = fmt.Errorf("%d executions to poll, not %d", len(ids), pollers)
	}
	return ids, worker, err
}
