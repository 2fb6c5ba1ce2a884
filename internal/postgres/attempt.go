package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/queue"
)

// Attempt is one claim of an execution by a worker. Execution, number and
// worker together are the fence of everything it writes.
type Attempt struct {
	Execution execution.Execution
	WorkerID  string
	Timeout   time.Duration
	// Left is the time to the execution's deadline at the claim; nil without one.
	Left *time.Duration

	job *river.Job[queue.Args]
}

// fence is the condition that every write of an attempt carries, its parameters
// in the order of (*Attempt).fence. The number alone is not enough: after a reap
// it is still the old one until the next claim.
const fence = `e.id = $1 AND e.attempt = $2 AND e.worker_id = $3 AND e.status = 'running'`

func (a *Attempt) fence(more ...any) []any {
	return append([]any{a.Execution.ID, a.Execution.Attempt, a.WorkerID}, more...)
}

// Claim takes the execution that the River job names for a worker, makes its
// attempt one more, and renews the worker's lease where less than half of it is
// left, so that a fresh attempt is never reaped at once. ErrStale means a stale
// delivery: the job is not the one that the execution names, or nobody may run
// it; then there is nothing to do.
func (s *Store) Claim(ctx context.Context, job *river.Job[queue.Args], workerID string, lease time.Duration) (*Attempt, error) {
	a := &Attempt{WorkerID: workerID, job: job}
	var timeoutSeconds int
	var left *time.Duration // until the execution's deadline
	e, err := scanExecution(s.pool.QueryRow(ctx, `
		WITH renewed AS (
			UPDATE ciclo.workers SET lease_until = now() + $4::interval
			WHERE id = $3 AND ended_at IS NULL AND lease_until < now() + $4::interval / 2
		), e AS (
			UPDATE ciclo.executions e
			SET status = 'running', attempt = attempt + 1, worker_id = $3, running_at = now(), status_at = now(), requeued = 0,
			    progress_done = NULL, progress_total = NULL, progress_text = NULL, progress_at = NULL
			WHERE id = $1 AND river_job_id = $2 AND status = ANY ($5) AND cancel_requested_at IS NULL
			  AND EXISTS (SELECT FROM ciclo.workers WHERE id = $3 AND ended_at IS NULL)
			  AND NOT `+paused+`
			RETURNING *
		), logged AS (
			INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason)
			SELECT id, 'started', status, attempt, worker_id, 'claimed' FROM e
		)
		SELECT `+executionColumns+`, e.timeout_seconds, e.deadline_at - now() FROM e`,
		job.Args.ExecutionID, job.ID, workerID, lease, sources(execution.Running)), &timeoutSeconds, &left)
	if errors.Is(err, execution.ErrNotFound) {
		if err := s.deferPaused(ctx, job); err != nil {
			return nil, err
		}
		return nil, execution.ErrStale
	}
	if err != nil {
		return nil, fmt.Errorf("claim execution %s: %w", job.Args.ExecutionID, err)
	}
	a.Execution, a.Timeout, a.Left = e, time.Duration(timeoutSeconds)*time.Second, left
	return a, nil
}

// completeJob finishes the attempt's River row, locking it before the execution.
// It may be finished or gone already: the fence decides, not River.
func (a *Attempt) completeJob(ctx context.Context, tx pgx.Tx) error {
	_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, a.job)
	if err != nil && !errors.Is(err, river.ErrNotFound) {
		return fmt.Errorf("complete River job: %w", err)
	}
	return nil
}

// Complete stores the result and ends the execution. ErrStale where the attempt
// is no longer the execution's own. ctx must come from River's worker.
func (s *Store) Complete(ctx context.Context, a *Attempt, result []byte) error {
	return s.finish(ctx, a, func(tx pgx.Tx) error {
		return s.move(ctx, tx, `
			UPDATE ciclo.executions e
			SET status = 'completed', result = $4, worker_id = NULL, ended_at = now(), status_at = now(),
			    error_class = NULL, error_text = NULL
			WHERE `+fence+` AND status = ANY ($5)
			RETURNING e.*`, ending{outcome: "completed", reason: "completed"}, a, result, sources(execution.Completed))
	})
}

// Failure is why an attempt did not complete.
type Failure struct {
	Class string
	Text  string
	// Permanent failures end the execution whatever tries are left.
	Permanent bool
	// RetryIn is the delay of the next attempt, where there is one.
	RetryIn time.Duration
	// Breaker is the agent's; permanent failures don't count for it, since they
	// are of one request and its data.
	Breaker Breaker
}

// Fail ends the attempt: cancelled if that was asked for, failed where tries are
// spent or the failure is permanent, else started with a due time and no River
// row, so that no late delivery of the old one starts before its time. True
// where it was the failure that paused the agent.
func (s *Store) Fail(ctx context.Context, a *Attempt, f Failure) (pausedAgent bool, err error) {
	err = s.finish(ctx, a, func(tx pgx.Tx) error {
		to := `CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled'
		            WHEN $6 OR e.failures + 1 >= e.tries THEN 'failed'
		            ELSE 'started' END`
		err := s.move(ctx, tx, `
			UPDATE ciclo.executions e
			SET status = `+to+`, failures = failures + 1, worker_id = NULL, status_at = now(),
			    ended_at        = CASE `+to+` WHEN 'started' THEN NULL ELSE now() END,
			    next_attempt_at = CASE `+to+` WHEN 'started' THEN now() + $7::interval END,
			    river_job_id    = CASE `+to+` WHEN 'started' THEN NULL ELSE river_job_id END,
			    error_class = $4, error_text = $5
			WHERE `+fence+`
			RETURNING e.*`, ending{"failed", "attempt failed: " + f.Class, f.Class, storable(f.Text)}, a, f.Class, storable(f.Text), f.Permanent, f.RetryIn)
		if err != nil || f.Permanent {
			return err
		}
		pausedAgent, err = s.countFailure(ctx, tx, a, f.Class, f.Breaker)
		return err
	})
	return pausedAgent && err == nil, err
}

// Cancelled ends the attempt as asked. ErrStale also where nobody asked.
func (s *Store) Cancelled(ctx context.Context, a *Attempt) error {
	return s.finish(ctx, a, func(tx pgx.Tx) error {
		return s.move(ctx, tx, `
			UPDATE ciclo.executions e
			SET status = 'cancelled', worker_id = NULL, ended_at = now(), status_at = now()
			WHERE `+fence+` AND status = ANY ($4) AND cancel_requested_at IS NOT NULL
			RETURNING e.*`, ending{outcome: "cancelled", reason: "cancelled on request"}, a, sources(execution.Cancelled))
	})
}

// Interrupt gives the execution to another worker because this one stops: back
// to started at no cost in tries, with a fresh River row, whose insert notifies.
// Cancelled if that was asked for.
func (s *Store) Interrupt(ctx context.Context, a *Attempt) error {
	return s.finish(ctx, a, func(tx pgx.Tx) error {
		var cancel bool
		var priority int
		err := tx.QueryRow(ctx, `SELECT e.cancel_requested_at IS NOT NULL, e.priority FROM ciclo.executions e WHERE `+fence+` FOR UPDATE`,
			a.fence()...).Scan(&cancel, &priority)
		if errors.Is(err, pgx.ErrNoRows) {
			return execution.ErrStale
		}
		if err != nil {
			return err
		}
		if cancel {
			return s.move(ctx, tx, `
				UPDATE ciclo.executions e
				SET status = 'cancelled', worker_id = NULL, ended_at = now(), status_at = now()
				WHERE `+fence+` RETURNING e.*`, ending{outcome: "cancelled", reason: "cancelled on request"}, a)
		}
		job, err := s.river.InsertTx(ctx, tx, queue.Args{ExecutionID: a.Execution.ID}, queue.InsertOpts(a.Execution.Agent, priority))
		if err != nil {
			return fmt.Errorf("insert River job: %w", err)
		}
		return s.move(ctx, tx, `
			UPDATE ciclo.executions e
			SET status = 'started', worker_id = NULL, river_job_id = $4, status_at = now()
			WHERE `+fence+` RETURNING e.*`, ending{outcome: "interrupted", reason: "interrupted: the worker stops"}, a, job.Job.ID)
	})
}

// finish runs the last word of an attempt: River's row, then the execution.
func (s *Store) finish(ctx context.Context, a *Attempt, move func(tx pgx.Tx) error) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := a.completeJob(ctx, tx); err != nil {
			return err
		}
		return move(tx)
	})
	if err != nil {
		return fmt.Errorf("finish attempt %d of %s: %w", a.Execution.Attempt, a.Execution.ID, err)
	}
	return nil
}

// ending is how an attempt ended, for its transition.
type ending struct{ outcome, reason, errorClass, errorText string }

// move runs one fenced UPDATE of a running execution and logs the transition in
// the same statement. One that completes ends its agent's streak of failures and,
// where it was the probe, its pause. ErrStale where the fence refuses it.
func (s *Store) move(ctx context.Context, tx pgx.Tx, update string, how ending, a *Attempt, args ...any) error {
	args = a.fence(append(args, how.outcome, how.reason, how.errorClass, how.errorText)...)
	n := len(args)
	tag, err := tx.Exec(ctx, fmt.Sprintf(`
		WITH moved AS (%s), calmed AS (
			DELETE FROM ciclo.streaks s USING moved WHERE s.agent = moved.agent AND moved.status = 'completed'
		), resumed AS (
			DELETE FROM ciclo.pauses p USING moved WHERE p.probe_id = moved.id AND moved.status = 'completed'
		)
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, outcome, reason, error_class, error_text)
		SELECT id, 'running', status, attempt, $3::uuid, $%d, $%d, nullif($%d, ''), nullif($%d, '') FROM moved`,
		update, n-3, n-2, n-1, n), args...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return execution.ErrStale
	}
	return nil
}
