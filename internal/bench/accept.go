package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// runPath is where an execution of the agent that does nothing is asked for.
const runPath = "/api/autonomous-agents/test-noop/run"

// accept measures the acceptance of executions: the bare handlers' three inserts
// and the orchestrator's POST run, into the same tables, which are empty at the
// beginning of each turn. No worker runs.
func (b *bench) accept(ctx context.Context) (_ []figure, err error) {
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
	post := func(a *api, path string) func(context.Context, int) error {
		r := request{http.MethodPost, a.url + path, a.token, http.StatusAccepted}
		return func(ctx context.Context, _ int) error { return client.do(ctx, r, nil) }
	}
	sides := []func(context.Context, int) error{post(bare, "/five"), post(ours, runPath), post(bare, "/batch")}
	rates := make([]series, len(sides))
	p50, p99 := make([]series, len(sides)), make([]series, len(sides))
	for range b.plan.repeats {
		for i, do := range sides {
			if err := b.clear(ctx); err != nil {
				return nil, err
			}
			rate, err := closedLoop(ctx, connections, b.plan.warm, b.plan.closed, do)
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], rate)
		}
		b.loaded["orchestrator"] = append(b.loaded["orchestrator"], residentMB(ours.Process))
		for i, do := range sides[:2] {
			if err := b.clear(ctx); err != nil {
				return nil, err
			}
			times, err := openLoop(ctx, time.Second/openRate, b.plan.warm, b.plan.open, do)
			if err != nil {
				return nil, err
			}
			p50[i], p99[i] = append(p50[i], percentile(times, 50)), append(p99[i], percentile(times, 99))
		}
	}
	return []figure{
		ratioOf("accept, 16 connections, beside five round trips", "1/s", rates[0], rates[1], 0.8, 1),
		beside("accept, 16 connections, beside one batch", "1/s", rates[2], rates[1]),
		beside("accept, 200/s open loop, p50", "ms", p50[0], p50[1]),
		beside("accept, 200/s open loop, p99", "ms", p99[0], p99[1]),
	}, nil
}
