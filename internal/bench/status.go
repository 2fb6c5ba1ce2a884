package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// read is how many completed executions the status section reads in turn.
const read = 1000

// status measures the reading of an execution by its id: the bare handler's one
// row, and the orchestrator's GET with its transitions, of executions that a
// real worker completed.
func (b *bench) status(ctx context.Context) (_ []figure, err error) {
	ids, err := b.completed(ctx)
	if err == nil && len(ids) < read { // the life cycle left none
		if _, err = b.liveAfterwards(ctx, read); err == nil {
			ids, err = b.completed(ctx)
		}
	}
	if err := errors.Join(err, analyze(ctx, b.pool)); err != nil {
		return nil, err
	}
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
	sides := []struct {
		api    *api
		prefix string
	}{{bare, "/executions/"}, {ours, "/api/autonomous-agents/executions/"}}
	rates := make([]series, len(sides))
	for range b.plan.repeats {
		for i, side := range sides {
			rate, err := closedLoop(ctx, connections, b.plan.warm, b.plan.closed, func(ctx context.Context, n int) error {
				return client.do(ctx, request{http.MethodGet, side.api.url + side.prefix + ids[n%len(ids)], side.api.token, http.StatusOK}, nil)
			})
			if err != nil {
				return nil, fmt.Errorf("read: %w", err)
			}
			rates[i] = append(rates[i], rate)
		}
	}
	return []figure{ratioOf("status by id, 16 connections, beside one row", "1/s", rates[0], rates[1], 0.8, 0)}, nil
}

// completed is the ids of executions that a worker completed, at most as many as
// are read in turn.
func (b *bench) completed(ctx context.Context) ([]string, error) {
	rows, err := b.pool.Query(ctx, `SELECT id FROM ciclo.executions WHERE status = 'completed' LIMIT $1`, read)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
