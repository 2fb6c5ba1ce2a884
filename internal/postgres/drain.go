package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// DrainLine is what stopping a worker now would cost one of its executions.
type DrainLine struct {
	ExecutionID    string   `json:"execution_id"`
	Agent          string   `json:"agent_name"`
	Attempt        int      `json:"attempt"`
	RunningSeconds float64  `json:"running_seconds" jsonschema:"Since the claim."`
	LostSeconds    float64  `json:"lost_seconds" jsonschema:"Since the last finished step: the work that another attempt would do again."`
	NeedsSeconds   *float64 `json:"needs_seconds" jsonschema:"How long it likely goes on, by the median of its agent's last hundred completed attempts; null where there is none."`
}

// DrainPlan says what stopping a worker now would cost each of its executions,
// the dearest first.
func (s *Store) DrainPlan(ctx context.Context, workerID string) ([]DrainLine, error) {
	rows, err := s.pool.Query(ctx, `
		WITH typical AS (
			SELECT a.agent, percentile_cont(0.5) WITHIN GROUP (ORDER BY a.seconds) AS seconds
			FROM (SELECT DISTINCT agent FROM ciclo.executions WHERE worker_id = $1 AND status = 'running') mine
			CROSS JOIN LATERAL (
				SELECT e.agent, extract(epoch FROM e.ended_at - e.running_at)::float8 AS seconds FROM ciclo.executions e
				WHERE e.agent = mine.agent AND e.status = 'completed' AND NOT e.dry_run ORDER BY e.ended_at DESC, e.id DESC LIMIT 100) a
			GROUP BY a.agent
		)
		SELECT e.id, e.agent, e.attempt, extract(epoch FROM now() - e.running_at)::float8,
		       extract(epoch FROM now() - greatest(e.running_at, last.ended_at))::float8,
		       greatest(0, t.seconds - extract(epoch FROM now() - e.running_at))::float8
		FROM ciclo.executions e
		LEFT JOIN typical t ON t.agent = e.agent
		LEFT JOIN LATERAL (SELECT max(s.ended_at) AS ended_at FROM ciclo.steps s WHERE s.execution_id = e.id AND s.attempt = e.attempt) last ON true
		WHERE e.worker_id = $1 AND e.status = 'running'
		ORDER BY 5 DESC, 1`, workerID)
	if err != nil {
		return nil, fmt.Errorf("drain plan of %s: %w", workerID, err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DrainLine])
	if err != nil {
		return nil, fmt.Errorf("drain plan of %s: %w", workerID, err)
	}
	return plan, nil
}

// WorkerKnown reports whether a worker with the id has a session that has not ended.
func (s *Store) WorkerKnown(ctx context.Context, workerID string) (known bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.workers WHERE id = $1 AND ended_at IS NULL)`, workerID).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look for worker %s: %w", workerID, err)
	}
	return known, nil
}

// Drain asks a worker to stop: it learns so by its next beat, finishes or hands
// on what it runs, and ends. False where no such worker is alive.
func (s *Store) Drain(ctx context.Context, workerID string) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		UPDATE ciclo.workers SET drain_requested_at = coalesce(drain_requested_at, now()) WHERE id = $1 AND ended_at IS NULL`, workerID)
	if err != nil {
		return false, fmt.Errorf("drain worker %s: %w", workerID, err)
	}
	return tag.RowsAffected() == 1, nil
}
