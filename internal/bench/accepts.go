package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
)

// accepts measures the acceptance of executions beside many that have ended and
// beside ten thousand, in turns. No worker runs.
func (b *bench) accepts(ctx context.Context) (_ []figure, err error) {
	sides, stop, err := b.bothSides(ctx, b.besidesOf)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return nil, err
	}
	client := newClient()
	var rates, p50, p99 [2]series
	for range b.plan.repeats {
		for i, side := range sides {
			r := request{http.MethodPost, side.url + runPath, side.token, http.StatusAccepted}
			post := func(ctx context.Context, _ int) error { return client.do(ctx, r, nil) }
			times, err := openLoop(ctx, time.Second/openRate, b.plan.warm, b.plan.open, post)
			if err != nil {
				return nil, err
			}
			p50[i], p99[i] = append(p50[i], percentile(times, 50)), append(p99[i], percentile(times, 99))
			rate, err := closedLoop(ctx, connections, b.plan.warm, b.plan.closed, post)
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], rate)
			if err := removeWaiting(ctx, side.database); err != nil {
				return nil, err
			}
		}
	}
	return []figure{
		ratioOf("accept, 16 connections", "1/s", rates[0], rates[1], 1/scaleAim, 1),
		beside("accept, 200/s open loop, p50", "ms", p50[0], p50[1]),
		ratioAtMost("accept, 200/s open loop, p99", "ms", p99[0], p99[1], scaleAim),
	}, nil
}

// removeWaiting leaves a history as it was before executions were accepted: it has
// none that wait. Nobody but a superuser who switches the triggers off can do that.
func removeWaiting(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range []string{
		`SET session_replication_role = replica`,
		`DELETE FROM ciclo.transitions WHERE execution_id IN (SELECT id FROM ciclo.executions WHERE status = 'started')`,
		`DELETE FROM ciclo.executions WHERE status = 'started'`,
		`DELETE FROM ciclo.uncounted_moves`,
		`DELETE FROM ciclo.river_job`,
		`VACUUM ANALYZE ciclo.executions, ciclo.transitions, ciclo.uncounted_moves, ciclo.river_job`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("remove what was accepted: %w", err)
		}
	}
	return nil
}
