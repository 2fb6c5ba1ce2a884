package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/queue"
)

// sweepBatch bounds what one sweep looks at and returns of each kind.
const sweepBatch = 500

// Sweep is what one look at the database found to do. It costs one statement,
// whatever there is.
type Sweep struct {
	// Now is the database's clock at the look.
	Now time.Time
	// Server is when the server that answered was started: another one after it was
	// restarted, or a replica took over.
	Server time.Time
	// Lost are running executions whose worker's lease has expired.
	Lost []Suspect
	// Strays are started executions that the queue lost: their River row is gone,
	// final, or was fetched and not claimed for two leases.
	Strays []Suspect
	// Overdue are started executions whose deadline has passed.
	Overdue []Suspect
	// Probing says that a breaker's time for a probe has come.
	Probing bool
	// Due says that an execution's due time has come.
	Due bool
	// Delivering says that a webhook's delivery is due.
	Delivering bool
	// Scheduling says that a slot is due, or that a cycle may go on.
	Scheduling bool
	// Cursor is where the next sweep goes on looking for strays.
	Cursor string
}

// Suspect is an execution as a sweep saw it. It is looked at again under its
// locks, and acted on only if nothing has changed.
type Suspect struct {
	ID       string
	Attempt  int
	JobID    int64
	WorkerID *string
	// Agent and StartedAt are of lost and overdue ones alone.
	Agent     string
	StartedAt time.Time
}

// strayCondition is when the queue has lost a started execution, by its River row j: %s
// is the execution, %d the parameter of the lease. The age counts from the later
// of River's fetch and the execution's own last transition: a row handed on by a
// deploy is old in River and fresh in ours.
const strayCondition = `(j.state IN ('cancelled', 'completed', 'discarded')
	OR (j.state = 'running' AND greatest(j.attempted_at, %s.status_at) < now() - 2 * $%d::interval))`

// Sweep looks for executions that need the reaper. Strays are looked for in
// batches by id, so that a long queue costs no more than a short one.
func (s *Store) Sweep(ctx context.Context, lease time.Duration, cursor string) (Sweep, error) {
	sweep := Sweep{}
	rows, err := s.pool.Query(ctx, `
		WITH queued AS MATERIALIZED (
			SELECT id, attempt, river_job_id, status_at FROM ciclo.executions
			WHERE status = 'started' AND next_attempt_at IS NULL AND id > $1
			ORDER BY id LIMIT $3
		), found AS (
			(SELECT 'lost' AS what, e.id, e.attempt, e.river_job_id, e.worker_id::text, e.agent, e.started_at
			 FROM ciclo.executions e LEFT JOIN ciclo.workers w ON w.id = e.worker_id
			 WHERE e.status = 'running' AND coalesce(w.lease_until < now(), true)
			 LIMIT $3)
			UNION ALL
			(SELECT 'due', id, attempt, 0, NULL, NULL, NULL FROM ciclo.executions e WHERE next_attempt_at <= now() AND NOT `+paused+` LIMIT 1)
			UNION ALL
			(SELECT 'overdue', id, attempt, coalesce(river_job_id, 0), NULL, agent, started_at FROM ciclo.executions
			 WHERE deadline_at <= now() AND ended_at IS NULL AND status = 'started' LIMIT $3)
			UNION ALL
			(SELECT 'probe', agent, 0, 0, NULL, NULL, NULL FROM ciclo.pauses WHERE probe_after <= now() LIMIT 1)
			UNION ALL
			(SELECT 'delivery', '', 0, 0, NULL, NULL, NULL FROM ciclo.webhook_deliveries WHERE due_at <= now() LIMIT 1)
			UNION ALL
			(SELECT 'schedule', name, 0, 0, NULL, NULL, NULL FROM ciclo.schedules WHERE next_fire_at <= now() LIMIT 1)
			UNION ALL
			(SELECT 'schedule', s.name, 0, 0, NULL, NULL, NULL FROM ciclo.schedules s WHERE `+idleWithQueued+` LIMIT 1)
			UNION ALL
			(SELECT 'schedule', c.id, 0, 0, NULL, NULL, NULL FROM ciclo.cycles c WHERE `+moving+` LIMIT 1)
			UNION ALL
			SELECT 'stray', q.id, q.attempt, q.river_job_id, NULL, NULL, NULL
			FROM queued q LEFT JOIN ciclo.river_job j ON j.id = q.river_job_id
			WHERE j.id IS NULL OR `+fmt.Sprintf(strayCondition, "q", 2)+`
		)
		SELECT now(), pg_postmaster_start_time(), (SELECT CASE WHEN count(*) = $3 THEN max(id) ELSE '' END FROM queued), found.*
		FROM (SELECT 1) one LEFT JOIN found ON true`, cursor, lease, sweepBatch)
	if err != nil {
		return sweep, fmt.Errorf("sweep: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var what, id *string
		var attempt *int
		var job *int64
		var worker, agent *string
		var started *time.Time
		if err := rows.Scan(&sweep.Now, &sweep.Server, &sweep.Cursor, &what, &id, &attempt, &job, &worker, &agent, &started); err != nil {
			return sweep, fmt.Errorf("sweep: %w", err)
		}
		if what == nil {
			continue
		}
		suspect := Suspect{ID: *id, Attempt: *attempt, JobID: *job, WorkerID: worker}
		if agent != nil {
			suspect.Agent, suspect.StartedAt = *agent, *started
		}
		switch *what {
		case "lost":
			sweep.Lost = append(sweep.Lost, suspect)
		case "stray":
			sweep.Strays = append(sweep.Strays, suspect)
		case "overdue":
			sweep.Overdue = append(sweep.Overdue, suspect)
		case "probe":
			sweep.Probing = true
		case "due":
			sweep.Due = true
		case "delivery":
			sweep.Delivering = true
		case "schedule":
			sweep.Scheduling = true
		}
	}
	if err := rows.Err(); err != nil {
		return sweep, fmt.Errorf("sweep: %w", err)
	}
	return sweep, nil
}

// Reap returns the execution of a lost worker: to started and due at once, to
// failed where tries are spent, to cancelled where that was asked for; it says to
// which. mayJudge is asked last, under all locks: whether the database has answered
// without a gap for long enough. No status without an error means that it is no
// longer so, that somebody else is at it, or that mayJudge said no.
func (s *Store) Reap(ctx context.Context, lost Suspect, mayJudge func() bool) (status execution.Status, err error) {
	reaped, err := s.judge(ctx, lost, execution.Running, func(tx pgx.Tx) (bool, error) {
		to := `CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled'
		            WHEN e.failures + 1 >= e.tries THEN 'failed'
		            ELSE 'started' END`
		// The lease is read by the clock of now, not of the transaction's start.
		err := tx.QueryRow(ctx, `
			WITH moved AS (
				UPDATE ciclo.executions e
				SET status = `+to+`, failures = failures + 1, worker_id = NULL, status_at = now(),
				    ended_at        = CASE `+to+` WHEN 'started' THEN NULL ELSE now() END,
				    next_attempt_at = CASE `+to+` WHEN 'started' THEN now() END,
				    river_job_id    = CASE `+to+` WHEN 'started' THEN NULL ELSE river_job_id END,
				    error_class = $5, error_text = 'worker ' || $4::text || ' was lost: its lease expired'
				WHERE e.id = $1 AND e.attempt = $2 AND e.river_job_id = $3 AND e.worker_id = $4::uuid AND e.status = 'running'
				  AND NOT EXISTS (SELECT FROM ciclo.workers w WHERE w.id = e.worker_id AND w.lease_until >= clock_timestamp())
				RETURNING e.*
			)
			INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, outcome, reason, error_class, error_text)
			SELECT id, 'running', status, attempt, $4::uuid, 'lost', 'worker lost', error_class, error_text FROM moved
			RETURNING to_status`,
			lost.ID, lost.Attempt, lost.JobID, lost.WorkerID, execution.ClassLost).Scan(&status)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil && mayJudge(), err
	})
	if err != nil {
		return "", fmt.Errorf("reap attempt %d of %s: %w", lost.Attempt, lost.ID, err)
	}
	if !reaped {
		return "", nil
	}
	return status, nil
}

// Reconcile mends a started execution that the queue lost: its River row is
// ended and the execution becomes due, at once for the first time and later each
// time that it repeats before a claim (2 s, 4 s … 5 min). It counts no failure.
// False without an error means that it is no longer so.
func (s *Store) Reconcile(ctx context.Context, suspect Suspect, lease time.Duration) (bool, error) {
	mended, err := s.judge(ctx, suspect, execution.Started, func(tx pgx.Tx) (bool, error) {
		tag, err := tx.Exec(ctx, `
			UPDATE ciclo.executions e
			SET river_job_id = NULL, requeued = requeued + 1,
			    next_attempt_at = now() + CASE WHEN requeued = 0 THEN interval '0'
			        ELSE least(interval '5 min', interval '1 second' * 2 ^ least(requeued, 10)) END
			WHERE e.id = $1 AND e.attempt = $2 AND e.river_job_id = $3 AND e.status = 'started' AND e.next_attempt_at IS NULL
			  AND NOT EXISTS (SELECT FROM ciclo.river_job j WHERE j.id = e.river_job_id AND NOT (`+fmt.Sprintf(strayCondition, "e", 4)+`))`,
			suspect.ID, suspect.Attempt, suspect.JobID, lease)
		if err != nil {
			return false, err
		}
		return tag.RowsAffected() == 1, nil
	})
	if err != nil {
		return false, fmt.Errorf("reconcile %s: %w", suspect.ID, err)
	}
	return mended, nil
}

// Expire fails a started execution whose deadline has passed, or cancels it where
// that was asked for; it says which. A running one is ended by its worker. No status
// without an error means that it is no longer so.
func (s *Store) Expire(ctx context.Context, overdue Suspect) (status execution.Status, err error) {
	expired, err := s.judge(ctx, overdue, execution.Started, func(tx pgx.Tx) (bool, error) {
		err := tx.QueryRow(ctx, `
			WITH moved AS (
				UPDATE ciclo.executions
				SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'failed' END,
				    next_attempt_at = NULL, ended_at = now(), status_at = now(),
				    error_class = $3, error_text = 'the deadline passed before the next attempt began'
				WHERE id = $1 AND attempt = $2 AND status = 'started' AND deadline_at <= now()
				  AND river_job_id IS NOT DISTINCT FROM nullif($4::bigint, 0) -- else another River row would stay in the queue
				RETURNING *
			)
			INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, reason, error_class, error_text)
			SELECT id, 'started', status, attempt, 'deadline passed', error_class, error_text FROM moved
			RETURNING to_status`,
			overdue.ID, overdue.Attempt, execution.ClassDeadline, overdue.JobID).Scan(&status)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return "", fmt.Errorf("expire %s: %w", overdue.ID, err)
	}
	if !expired {
		return "", nil
	}
	return status, nil
}

// judge locks the River row that the suspect names, then its execution in the
// status given, and runs verdict. Where that says yes, the River row is ended and
// all is committed; where it says no, or a lock is taken, nothing is.
func (s *Store) judge(ctx context.Context, suspect Suspect, status execution.Status, verdict func(tx pgx.Tx) (bool, error)) (bool, error) {
	carried := false
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT FROM ciclo.river_job WHERE id = $1 FOR UPDATE NOWAIT`, suspect.JobID)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `SELECT FROM ciclo.executions WHERE id = $1 AND status = $2 FOR NO KEY UPDATE NOWAIT`, suspect.ID, status)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errNotSo
		}
		carried, err = verdict(tx)
		if err != nil {
			return err
		}
		if !carried {
			return errNotSo
		}
		return s.endJob(ctx, tx, suspect.JobID)
	})
	var pgErr *pgconn.PgError
	if errors.Is(err, errNotSo) || (errors.As(err, &pgErr) && pgErr.Code == "55P03") { // lock_not_available
		return false, nil
	}
	return carried && err == nil, err
}

// errNotSo rolls back what turned out not to be so.
var errNotSo = errors.New("it is no longer so")

// endJob ends a River row for good. River's own cancel only marks a running row,
// but tells a worker that still holds it to stop; the rest is ours.
func (s *Store) endJob(ctx context.Context, tx pgx.Tx, jobID int64) error {
	if _, err := s.river.JobCancelTx(ctx, tx, jobID); err != nil && !errors.Is(err, river.ErrNotFound) {
		return fmt.Errorf("cancel River job: %w", err)
	}
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.river_job SET state = 'cancelled', finalized_at = now()
		WHERE id = $1 AND state NOT IN ('cancelled', 'completed', 'discarded')`, jobID)
	if err != nil {
		return fmt.Errorf("end River job: %w", err)
	}
	return nil
}

// Enqueue gives executions whose due time has come a River row, at most a batch
// of them, and returns how many.
func (s *Store) Enqueue(ctx context.Context) (int, error) {
	count := 0
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, agent, priority FROM ciclo.executions e
			WHERE status = 'started' AND next_attempt_at <= now() AND NOT `+paused+`
			ORDER BY next_attempt_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED`, sweepBatch)
		if err != nil {
			return err
		}
		type due struct {
			ID, Agent string
			Priority  int
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[due])
		if err != nil || len(found) == 0 {
			return err
		}
		inserts := make([]river.InsertManyParams, len(found))
		ids := make([]string, len(found))
		for i, d := range found {
			ids[i] = d.ID
			inserts[i] = river.InsertManyParams{Args: queue.Args{ExecutionID: d.ID}, InsertOpts: queue.InsertOpts(d.Agent, d.Priority)}
		}
		inserted, err := s.river.InsertManyTx(ctx, tx, inserts)
		if err != nil {
			return fmt.Errorf("insert River jobs: %w", err)
		}
		jobs := make([]int64, len(inserted))
		for i, r := range inserted {
			jobs[i] = r.Job.ID
		}
		tag, err := tx.Exec(ctx, `
			UPDATE ciclo.executions e SET next_attempt_at = NULL, river_job_id = d.job
			FROM unnest($1::text[], $2::bigint[]) AS d (id, job)
			WHERE e.id = d.id AND e.status = 'started' AND e.next_attempt_at IS NOT NULL`, ids, jobs)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != int64(len(ids)) {
			return fmt.Errorf("%d of %d locked rows changed", tag.RowsAffected(), len(ids))
		}
		count = len(ids)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("enqueue due executions: %w", err)
	}
	return count, nil
}
