package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/queue"
)

// Acceptance is what an execution starts from.
type Acceptance struct {
	Agent          string
	IDPrefix       string
	Parameters     json.RawMessage
	Tries          int
	TimeoutSeconds int
	Priority       int
	// DeadlineSeconds bounds the whole execution, over all its attempts, from now
	// on; 0 is no bound. Without progress for StallSeconds it shows as stalled; 0
	// is never.
	DeadlineSeconds int
	StallSeconds    int
	// Reason goes into the first transition.
	Reason string
}

// Accept makes an execution durable: its row, its first transition and its
// River job in one transaction. When it returns, a worker will come.
func (s *Store) Accept(ctx context.Context, a Acceptance) (execution.Execution, error) {
	var accepted execution.Execution
	id := execution.NewID(a.IDPrefix, time.Now())
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		job, err := s.river.InsertTx(ctx, tx, queue.Args{ExecutionID: id}, queue.InsertOpts(a.Agent, a.Priority))
		if err != nil {
			return fmt.Errorf("insert River job: %w", err)
		}
		accepted, err = scanExecution(tx.QueryRow(ctx, `
			WITH e AS (
				INSERT INTO ciclo.executions (id, agent, status, parameters, tries, timeout_seconds, priority, river_job_id, deadline_at, stall_seconds)
				VALUES ($1, $2, 'started', $3, $4, $5, $6, $7, now() + nullif($9, 0) * interval '1 second', nullif($10, 0))
				RETURNING *
			), logged AS (
				INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason)
				SELECT id, status, attempt, $8 FROM e
			)
			SELECT `+executionColumns+` FROM e`,
			id, a.Agent, a.Parameters, a.Tries, a.TimeoutSeconds, a.Priority, job.Job.ID, a.Reason, a.DeadlineSeconds, a.StallSeconds))
		return err
	})
	if err != nil {
		return accepted, fmt.Errorf("accept execution of %s: %w", a.Agent, err)
	}
	return accepted, nil
}
