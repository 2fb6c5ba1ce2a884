package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
)

// Worker is one start of a worker process.
type Worker struct {
	ID          string         `json:"worker_id"`
	Host        string         `json:"host"`
	PID         int            `json:"pid"`
	Version     string         `json:"version"`
	Concurrency map[string]int `json:"concurrency"`
	StartedAt   time.Time      `json:"started_at"`
	BeatAt      time.Time      `json:"beat_at"`
	LeaseUntil  time.Time      `json:"lease_until"`
	StoppingAt  *time.Time     `json:"stopping_at"`
	Alive       bool           `json:"alive" jsonschema:"Whether the lease holds by the database's clock."`
	Running     int            `json:"running" jsonschema:"How many executions it runs."`
}

// ErrWorkerKnown says that another process registered under the same id.
var ErrWorkerKnown = errors.New("a worker with this id is registered already")

// Register makes the worker's session row and its first lease. Again by the same
// process, whose first answer was lost, it is as once; ErrWorkerKnown for another.
func (s *Store) Register(ctx context.Context, w Worker, lease time.Duration) error {
	concurrency, err := json.Marshal(w.Concurrency)
	if err != nil {
		return fmt.Errorf("encode concurrency: %w", err)
	}
	built, err := SchemaVersion()
	if err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx, `
		INSERT INTO ciclo.workers AS w (id, host, pid, version, concurrency, lease_until, schema_version)
		VALUES ($1, $2, $3, $4, $5, now() + $6::interval, $7)
		ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until
		WHERE w.host = excluded.host AND w.pid = excluded.pid AND w.ended_at IS NULL`,
		w.ID, w.Host, w.PID, w.Version, concurrency, lease, built)
	if err != nil {
		return fmt.Errorf("register worker %s: %w", w.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("register worker %s: %w", w.ID, ErrWorkerKnown)
	}
	return nil
}

// Held is one attempt that the database says a worker holds.
type Held struct {
	ExecutionID     string
	Agent           string
	Attempt         int
	CancelRequested bool
}

// Beat renews the worker's lease and returns every attempt that is its own, in
// one statement however many there are, and whether it is asked to stop. ErrWorkerGone where the session row is
// no longer there or was ended.
func (s *Store) Beat(ctx context.Context, workerID string, lease time.Duration) (held []Held, drain bool, err error) {
	rows, err := s.pool.Query(ctx, `
		WITH beat AS (
			UPDATE ciclo.workers SET lease_until = now() + $2::interval, beat_at = now()
			WHERE id = $1 AND ended_at IS NULL
			RETURNING id, drain_requested_at IS NOT NULL AS drain
		)
		SELECT e.id, e.agent, e.attempt, e.cancel_requested_at IS NOT NULL, beat.drain
		FROM beat LEFT JOIN ciclo.executions e ON e.worker_id = beat.id AND e.status = 'running'`,
		workerID, lease)
	if err != nil {
		return nil, false, fmt.Errorf("beat of worker %s: %w", workerID, err)
	}
	defer rows.Close()
	known := false
	for rows.Next() {
		known = true
		var id, agent *string
		var attempt *int
		var h Held
		if err := rows.Scan(&id, &agent, &attempt, &h.CancelRequested, &drain); err != nil {
			return nil, false, fmt.Errorf("beat of worker %s: %w", workerID, err)
		}
		if id != nil {
			h.ExecutionID, h.Agent, h.Attempt = *id, *agent, *attempt
			held = append(held, h)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("beat of worker %s: %w", workerID, err)
	}
	if !known {
		return nil, false, fmt.Errorf("beat of worker %s: %w", workerID, ErrWorkerGone)
	}
	return held, drain, nil
}

// ErrWorkerGone says that the worker's session was ended: it must start anew.
var ErrWorkerGone = errors.New("the worker's session was ended")

// Stopping marks a worker that takes no more work.
func (s *Store) Stopping(ctx context.Context, workerID string) error {
	_, err := s.pool.Exec(ctx, `UPDATE ciclo.workers SET stopping_at = coalesce(stopping_at, now()) WHERE id = $1`, workerID)
	if err != nil {
		return fmt.Errorf("mark worker %s as stopping: %w", workerID, err)
	}
	return nil
}

// Deregister ends the worker's session after a graceful stop. Its lease ends
// with it, so that whatever it still held is taken over at once.
func (s *Store) Deregister(ctx context.Context, workerID string) error {
	_, err := s.pool.Exec(ctx, `
		UPDATE ciclo.workers SET ended_at = now(), lease_until = least(lease_until, now()) WHERE id = $1`, workerID)
	if err != nil {
		return fmt.Errorf("deregister worker %s: %w", workerID, err)
	}
	return nil
}

// GiveBack returns an execution that the database says the worker holds and the
// worker doesn't (a claim whose answer was lost): back to started, due at once,
// at no cost in tries; cancelled where that was asked for. It returns which.
// ErrStale where it is no longer so.
func (s *Store) GiveBack(ctx context.Context, workerID string, h Held) (execution.Status, error) {
	a := &Attempt{Execution: execution.Execution{ID: h.ExecutionID, Attempt: h.Attempt}, WorkerID: workerID}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var job int64
		err := tx.QueryRow(ctx, `
			SELECT e.river_job_id FROM ciclo.executions e WHERE `+fence, h.ExecutionID, h.Attempt, workerID).Scan(&job)
		if errors.Is(err, pgx.ErrNoRows) {
			return execution.ErrStale
		}
		if err != nil {
			return err
		}
		if err := s.endJob(ctx, tx, job); err != nil {
			return err
		}
		a.jobID = job
		to := `CASE WHEN e.cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'started' END`
		return s.move(ctx, tx, a, ending{outcome: "given_back", reason: "given back: the claim's answer was lost"}, `
			SET status = `+to+`, worker_id = NULL, status_at = now(),
			    ended_at        = CASE `+to+` WHEN 'started' THEN NULL ELSE now() END,
			    next_attempt_at = CASE `+to+` WHEN 'started' THEN now() END,
			    river_job_id    = CASE `+to+` WHEN 'started' THEN NULL ELSE river_job_id END`,
			`river_job_id = $9`, job)
	})
	if err != nil {
		return "", fmt.Errorf("give back attempt %d of %s: %w", h.Attempt, h.ExecutionID, err)
	}
	return a.Ended, nil
}

// Workers lists the sessions that have not ended, the youngest first.
func (s *Store) Workers(ctx context.Context) ([]Worker, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT w.id::text, w.host, w.pid, w.version, w.concurrency, w.started_at, w.beat_at, w.lease_until, w.stopping_at,
		       w.lease_until > now(),
		       (SELECT count(*) FROM ciclo.executions e WHERE e.worker_id = w.id AND e.status = 'running')
		FROM ciclo.workers w
		WHERE w.ended_at IS NULL AND w.lease_until > now() - interval '1 hour'
		ORDER BY w.started_at DESC, w.id
		LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	workers, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Worker, error) {
		var w Worker
		err := row.Scan(&w.ID, &w.Host, &w.PID, &w.Version, &w.Concurrency, &w.StartedAt, &w.BeatAt, &w.LeaseUntil, &w.StoppingAt,
			&w.Alive, &w.Running)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("list workers: %w", err)
	}
	return workers, nil
}

// Lease is the youngest session of a process on a host, and whether it lives; the
// empty id where the process has none that goes on.
func (s *Store) Lease(ctx context.Context, host string, pid int) (id string, alive bool, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT id::text, lease_until > now() FROM ciclo.workers
		WHERE ended_at IS NULL AND host = $1 AND pid = $2
		ORDER BY started_at DESC LIMIT 1`, host, pid).Scan(&id, &alive)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look for the lease of process %d on %s: %w", pid, host, err)
	}
	return id, alive, nil
}
