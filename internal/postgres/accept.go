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
	// Origin is request, also where it is empty, or schedule: then nobody waits
	// for the execution, and a notice tells the operator if it fails for good.
	Origin string
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
		var both pgx.Batch
		both.Queue(`
			INSERT INTO ciclo.executions (id, agent, status, parameters, tries, timeout_seconds, priority, river_job_id, deadline_at, stall_seconds, origin)
			VALUES ($1, $2, 'started', $3, $4, $5, $6, $7, now() + nullif($8, 0) * interval '1 second', nullif($9, 0), coalesce(nullif($10, ''), 'request'))
			RETURNING parameters, started_at, deadline_at`,
			id, a.Agent, a.Parameters, a.Tries, a.TimeoutSeconds, a.Priority, job.Job.ID, a.DeadlineSeconds, a.StallSeconds, a.Origin).
			QueryRow(func(row pgx.Row) error {
				accepted = execution.Execution{ID: id, Agent: a.Agent, Status: execution.Started, Tries: a.Tries}
				return row.Scan(&accepted.Parameters, &accepted.StartedAt, &accepted.DeadlineAt)
			})
		both.Queue(`INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason) VALUES ($1, 'started', 0, $2)`, id, a.Reason)
		err = tx.SendBatch(ctx, &both).Close()
		return err
	})
	if err != nil {
		return accepted, fmt.Errorf("accept execution of %s: %w", a.Agent, err)
	}
	return accepted, nil
}
