package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// fillExecutions makes $1 executions, accepted at even distances over the last
// year: 60 % of one agent, 1 % of the rarest; 95 % completed, 4 % failed, 1 %
// cancelled. The least that both sizes have of what is asked for is a full page.
const fillExecutions = `
	INSERT INTO ciclo.executions (id, agent, status, parameters, attempt, failures, tries, timeout_seconds, river_job_id, cancel_requested_at,
		started_at, running_at, ended_at, status_at, progress_done, progress_total, progress_text, progress_at, result, error_class, error_text)
	SELECT prefix || substr(millis, 1, 8) || '-' || substr(millis, 9) || '-7' || substr(noise, 1, 3) || '-8' || substr(noise, 4, 3) || '-' || substr(noise, 7, 12),
	       agent, status, '{"millis": 1000}', 1, (status = 'failed')::int, 3, 600, i, CASE status WHEN 'cancelled' THEN ended END,
	       started, started + interval '20 ms', ended, ended, 5, 5, 'step 5', ended,
	       CASE status WHEN 'completed' THEN jsonb_build_object('sum', i, 'note', repeat(noise, 4)) END,
	       CASE status WHEN 'failed' THEN 'permanent' END, CASE status WHEN 'failed' THEN 'it can''t be mended' END
	FROM (
		SELECT i, started, started + interval '20 ms' + kind % 97 * interval '1 s' AS ended,
		       lpad(to_hex((extract(epoch FROM started) * 1000)::bigint), 12, '0') AS millis, md5(i::text) AS noise,
		       CASE WHEN kind < 600 THEN 'test-noop' WHEN kind < 850 THEN 'test-slow' WHEN kind < 960 THEN 'test-steps' WHEN kind < 990 THEN 'test-fail' ELSE 'test-single' END AS agent,
		       CASE WHEN kind < 600 THEN 'noop_' WHEN kind < 850 THEN 'slow_' WHEN kind < 960 THEN 'steps_' WHEN kind < 990 THEN 'fail_' ELSE 'single_' END AS prefix,
		       CASE WHEN kind % 100 < 95 THEN 'completed' WHEN kind % 100 < 99 THEN 'failed' ELSE 'cancelled' END AS status
		FROM (
			SELECT i, i * 389 % 1000 AS kind, now() - interval '1 hour' - ($1::bigint - i)::float8 / $1 * interval '365 days' AS started
			FROM generate_series(1, $1::bigint) i
		) numbered
	) drawn`

// fillTransitions makes each one's three moves.
const fillTransitions = `
	INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason, at, outcome, error_class, error_text)
	SELECT id, step.from_status, step.to_status, step.attempt, CASE step.attempt WHEN 1 THEN '019ac5a8-6f0e-7000-8000-000000000000'::uuid END,
	       step.reason, step.at, step.outcome, CASE WHEN step.outcome = 'failed' THEN error_class END, CASE WHEN step.outcome = 'failed' THEN error_text END
	FROM ciclo.executions CROSS JOIN LATERAL (VALUES
		(NULL, 'started', 0, 'requested', started_at, NULL),
		('started', 'running', 1, 'claimed', running_at, NULL),
		('running', status, 1, 'the attempt ended', ended_at, status)) step (from_status, to_status, attempt, reason, at, outcome)
	ORDER BY started_at`

// historyOf makes a database of its own with n executions that have ended.
func (b *bench) historyOf(ctx context.Context, n int) (url string, err error) {
	if url, err = b.database.create(ctx, fmt.Sprintf("of_%d", n)); err != nil {
		return "", err
	}
	if err := postgres.Migrate(ctx, url); err != nil {
		return "", err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: url, Name: "ciclo bench history", MaxConns: 1})
	if err != nil {
		return "", err
	}
	defer pool.Close()
	if err := fill(ctx, pool, n); err != nil {
		return "", fmt.Errorf("fill with %d executions: %w", n, err)
	}
	return url, analyze(ctx, pool)
}

func fill(ctx context.Context, pool *pgxpool.Pool, n int) error {
	if _, err := pool.Exec(ctx, fillExecutions, n); err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, fillTransitions); err != nil {
		return err
	}
	store, err := postgres.New(pool)
	if err != nil {
		return err
	}
	for counted := 1; counted > 0; { // as orchestrators do it, but before anything is measured
		if counted, err = store.CountMoves(ctx); err != nil {
			return err
		}
	}
	_, err = store.ForgetActivity(ctx)
	return err
}
