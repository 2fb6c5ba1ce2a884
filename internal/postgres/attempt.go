package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

	// Ended is the status that the attempt's last word gave the execution, other than
	// completed; empty until it is written.
	Ended execution.Status

	// jobID is the River row of this attempt.
	jobID int64
}

// fence is the fence's parameters, and more after them.
func (a *Attempt) fence(more ...any) []any {
	return append([]any{a.Execution.ID, a.Execution.Attempt, a.WorkerID}, more...)
}

// Delivery is a River job that names an execution.
type Delivery struct {
	ExecutionID string
	JobID       int64
}

// Claim takes the executions that River's deliveries name for a worker, makes
// their attempts one more, and renews the worker's lease where less than half of
// it is left, so that a fresh attempt is never reaped at once. It answers in the
// order of the deliveries; nil is a stale one: the job is not the one that the
// execution names, or nobody may run it; then there is nothing to do. What is
// paused becomes due, without a River row, and is enqueued when the pause ends.
func (s *Store) Claim(ctx context.Context, deliveries []Delivery, workerID string, lease time.Duration) ([]*Attempt, error) {
	ids, jobs, position := make([]string, len(deliveries)), make([]int64, len(deliveries)), map[Delivery]int{}
	for i, d := range deliveries {
		ids[i], jobs[i], position[d] = d.ExecutionID, d.JobID, i
	}
	rows, err := s.pool.Query(ctx, `
		WITH delivery AS (
			SELECT * FROM unnest($1::text[], $2::bigint[]) AS d (id, job)
		), renewed AS (
			UPDATE ciclo.workers SET lease_until = now() + $4::interval
			WHERE id = $3 AND ended_at IS NULL AND lease_until < now() + $4::interval / 2
		), e AS (
			UPDATE ciclo.executions e
			SET status = 'running', attempt = attempt + 1, worker_id = $3, running_at = now(), status_at = now(), requeued = 0,
			    progress_done = NULL, progress_total = NULL, progress_text = NULL, progress_at = NULL
			FROM delivery
			WHERE e.id = delivery.id AND e.river_job_id = delivery.job AND e.status = ANY ($5) AND e.cancel_requested_at IS NULL
			  AND EXISTS (SELECT FROM ciclo.workers WHERE id = $3 AND ended_at IS NULL)
			  AND NOT `+paused+`
			RETURNING e.*
		), deferred AS (
			UPDATE ciclo.executions e SET river_job_id = NULL, next_attempt_at = now()
			FROM delivery
			WHERE e.id = delivery.id AND e.river_job_id = delivery.job AND e.status = 'started' AND e.cancel_requested_at IS NULL
			  AND `+paused+`
		), logged AS (
			INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason)
			SELECT id, 'started', status, attempt, worker_id, 'claimed' FROM e
		)
		SELECT `+executionColumns+`, e.timeout_seconds, e.deadline_at - now(), e.river_job_id FROM e`,
		ids, jobs, workerID, lease, sources(execution.Running))
	if err != nil {
		return nil, fmt.Errorf("claim %d executions: %w", len(deliveries), err)
	}
	defer rows.Close()
	attempts := make([]*Attempt, len(deliveries))
	for rows.Next() {
		a := &Attempt{WorkerID: workerID}
		var timeoutSeconds int
		if a.Execution, err = scanExecution(rows, &timeoutSeconds, &a.Left, &a.jobID); err != nil {
			return nil, fmt.Errorf("claim %d executions: %w", len(deliveries), err)
		}
		a.Timeout = time.Duration(timeoutSeconds) * time.Second
		attempts[position[Delivery{a.Execution.ID, a.jobID}]] = a
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("claim %d executions: %w", len(deliveries), err)
	}
	return attempts, nil
}

// Completion is an attempt that ended well, and its result.
type Completion struct {
	Attempt *Attempt
	Result  []byte
}

// Complete stores the results of a worker's attempts and ends their executions,
// in one statement: their River rows are completed (and so locked, before the
// executions, which is why the UPDATE reads from them), each execution is moved
// behind its fence, its transition logged, its agent's streak of failures ended
// and, where it was the probe, its pause. It answers in the order of the
// completions; ErrStale is of an attempt that is no longer its execution's own.
// A dry run ends no streak, as its failures make none.
// The River row may be finished or gone already: the fence decides, not River.
func (s *Store) Complete(ctx context.Context, completions []Completion) ([]error, error) {
	n := len(completions)
	ids, attempts, workers, jobs, results := make([]string, n), make([]int, n), make([]string, n), make([]int64, n), make([]string, n)
	type key struct {
		id      string
		attempt int
	}
	answers, position := make([]error, n), map[key]int{}
	for i, c := range completions {
		ids[i], attempts[i], workers[i], jobs[i], results[i] = c.Attempt.Execution.ID, c.Attempt.Execution.Attempt, c.Attempt.WorkerID, c.Attempt.jobID, string(c.Result)
		answers[i], position[key{ids[i], attempts[i]}] = c.Attempt.finishing(execution.ErrStale), i
	}
	rows, err := s.pool.Query(ctx, `
		WITH mine AS (
			SELECT * FROM unnest($1::text[], $2::int[], $3::uuid[], $4::bigint[], $5::jsonb[]) AS m (id, attempt, worker, job, result)
		), job AS (
			UPDATE ciclo.river_job j SET state = 'completed', finalized_at = now()
			FROM mine WHERE j.id = mine.job AND j.state = 'running' RETURNING j.id
		), locked AS (
			SELECT count(*) FROM job
		), moved AS (
			UPDATE ciclo.executions e
			SET status = 'completed', result = mine.result, worker_id = NULL, ended_at = now(), status_at = now(),
			    error_class = NULL, error_text = NULL
			FROM mine, locked
			WHERE `+fenceOfMine+` AND e.status = ANY ($6)
			RETURNING e.id, e.agent, e.attempt, e.dry_run, mine.worker
		), calmed AS (
			DELETE FROM ciclo.streaks s USING moved WHERE s.agent = moved.agent AND NOT moved.dry_run
		), resumed AS (
			DELETE FROM ciclo.pauses p USING moved WHERE p.probe_id = moved.id
		), logged AS (
			INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, outcome, reason)
			SELECT id, 'running', 'completed', attempt, worker, 'completed', 'completed' FROM moved
		)
		SELECT id, attempt FROM moved`, ids, attempts, workers, jobs, results, sources(execution.Completed))
	if err != nil {
		return nil, fmt.Errorf("complete %d attempts: %w", n, err)
	}
	var k key
	if _, err := pgx.ForEachRow(rows, []any{&k.id, &k.attempt}, func() error { answers[position[k]] = nil; return nil }); err != nil {
		return nil, fmt.Errorf("complete %d attempts: %w", n, err)
	}
	return answers, nil
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
	// are of one request and its data, nor do those of dry runs.
	Breaker Breaker
}

// Fail ends the attempt: cancelled if that was asked for, failed where tries are
// spent or the failure is permanent, else started with a due time and no River
// row, so that no late delivery of the old one starts before its time. True
// where it was the failure that paused the agent.
func (s *Store) Fail(ctx context.Context, a *Attempt, f Failure) (pausedAgent bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		to := `CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled'
		            WHEN $9 OR e.failures + 1 >= e.tries THEN 'failed'
		            ELSE 'started' END`
		err := s.move(ctx, tx, a, ending{"failed", "attempt failed: " + f.Class, f.Class, storable(f.Text)}, `
			SET status = `+to+`, failures = failures + 1, worker_id = NULL, status_at = now(),
			    ended_at        = CASE `+to+` WHEN 'started' THEN NULL ELSE now() END,
			    next_attempt_at = CASE `+to+` WHEN 'started' THEN now() + $10::interval END,
			    river_job_id    = CASE `+to+` WHEN 'started' THEN NULL ELSE river_job_id END,
			    error_class = $7, error_text = $8`, `true`, f.Permanent, f.RetryIn)
		if err != nil || f.Permanent || a.Execution.DryRun {
			return err
		}
		pausedAgent, err = s.countFailure(ctx, tx, a, f.Class, f.Breaker)
		return err
	})
	return pausedAgent && err == nil, a.finishing(err)
}

// Cancelled ends the attempt as asked. ErrStale also where nobody asked.
func (s *Store) Cancelled(ctx context.Context, a *Attempt) error {
	return a.finishing(s.cancelled(ctx, s.pool, a))
}

func (s *Store) cancelled(ctx context.Context, db executor, a *Attempt) error {
	return s.move(ctx, db, a, ending{outcome: "cancelled", reason: "cancelled on request"},
		`SET status = 'cancelled', worker_id = NULL, ended_at = now(), status_at = now()`,
		`status = ANY ($9) AND cancel_requested_at IS NOT NULL`, sources(execution.Cancelled))
}

// PutOff leaves the execution to another worker, at no cost in tries, after a while;
// cancelled where that was asked for. False where it was accepted longer ago than
// within: then nothing was done.
func (s *Store) PutOff(ctx context.Context, a *Attempt, why string, wait, within time.Duration) (bool, error) {
	to := `CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'started' END`
	err := s.move(ctx, s.pool, a, ending{"given_back", "put off: for a worker of another version", execution.ClassPermanent, storable(why)}, `
		SET status = `+to+`, worker_id = NULL, status_at = now(), error_class = $7, error_text = $8,
		    ended_at        = CASE `+to+` WHEN 'started' THEN NULL ELSE now() END,
		    next_attempt_at = CASE `+to+` WHEN 'started' THEN now() + $9::interval END,
		    river_job_id    = CASE `+to+` WHEN 'started' THEN NULL ELSE river_job_id END`,
		`(e.started_at > now() - $10::interval OR e.cancel_requested_at IS NOT NULL)`, wait, within)
	if errors.Is(err, execution.ErrStale) && s.StillRuns(ctx, a) == nil {
		return false, nil
	}
	return err == nil, a.finishing(err)
}

// Interrupt gives the execution to another worker because this one stops: back
// to started at no cost in tries, with a fresh River row, whose insert notifies.
// Cancelled if that was asked for.
func (s *Store) Interrupt(ctx context.Context, a *Attempt) error {
	return a.finishing(s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT FROM ciclo.river_job WHERE id = $1 FOR UPDATE`, a.jobID)
		if err != nil {
			return err
		}
		var cancel bool
		var priority int
		err = tx.QueryRow(ctx, `SELECT e.cancel_requested_at IS NOT NULL, e.priority FROM ciclo.executions e WHERE `+fence+` FOR NO KEY UPDATE`,
			a.fence()...).Scan(&cancel, &priority)
		if errors.Is(err, pgx.ErrNoRows) {
			return execution.ErrStale
		}
		if err != nil {
			return err
		}
		if cancel {
			return s.cancelled(ctx, tx, a)
		}
		job, err := s.river.InsertTx(ctx, tx, queue.Args{ExecutionID: a.Execution.ID}, queue.InsertOpts(a.Execution.Agent, priority))
		if err != nil {
			return fmt.Errorf("insert River job: %w", err)
		}
		return s.move(ctx, tx, a, ending{outcome: "interrupted", reason: "interrupted: the worker stops"},
			`SET status = 'started', worker_id = NULL, river_job_id = $9, status_at = now()`, `true`, job.Job.ID)
	}))
}

// finishing says at what an error happened.
func (a *Attempt) finishing(err error) error {
	if err != nil {
		return fmt.Errorf("finish attempt %d of %s: %w", a.Execution.Attempt, a.Execution.ID, err)
	}
	return nil
}

// ending is how an attempt ended, for its transition.
type ending struct{ outcome, reason, errorClass, errorText string }

// executor is a pool or a transaction.
type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// move is the last word of an attempt that doesn't complete, in one statement as
// Complete's, and notes where it led to. ErrStale where the fence refuses it.
//
// In set and where, $1 to $3 are the fence, $7 and $8 the error's class and text,
// $9 and so on the args.
func (s *Store) move(ctx context.Context, db executor, a *Attempt, how ending, set, where string, args ...any) error {
	args = a.fence(append([]any{a.jobID, how.outcome, how.reason, how.errorClass, how.errorText}, args...)...)
	err := db.QueryRow(ctx, `
		WITH job AS (
			UPDATE ciclo.river_job SET state = 'completed', finalized_at = now()
			WHERE id = $4 AND state = 'running' RETURNING id
		), locked AS (
			SELECT count(*) FROM job
		), moved AS (
			UPDATE ciclo.executions e `+set+`
			FROM locked WHERE `+fence+` AND `+where+`
			RETURNING e.id, e.status, e.attempt
		)
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, outcome, reason, error_class, error_text)
		SELECT id, 'running', status, attempt, $3::uuid, $5, $6, nullif($7, ''), nullif($8, '') FROM moved
		RETURNING to_status`, args...).Scan(&a.Ended)
	if errors.Is(err, pgx.ErrNoRows) {
		return execution.ErrStale
	}
	return err
}
