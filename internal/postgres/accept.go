package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	// Retry names the execution that this one is another try of.
	Retry Retry
	// Reason goes into the first transition.
	Reason string
	// Key is the client's name for this request, 1 to 255 bytes; empty where it
	// gave none. RequestHash is the SHA-256 of what was asked for under it.
	Key         string
	RequestHash []byte
	// SingleFlight refuses it while another one of the agent is alive.
	SingleFlight bool
	// RequestedBy is the name of the token that asked; empty where nobody did.
	RequestedBy string
	// CycleID is the cycle that opens it; empty where none does.
	CycleID string
	// DryRun has it write and send nothing.
	DryRun bool
}

// Retry is what a new execution takes over from an old one, which is final.
type Retry struct {
	Of string // its id; empty where it is none
	// Reuse takes over the finished steps that wrote nothing by their own
	// transaction, and the effects that happened or may have: those before FromStep,
	// or all where that is empty.
	Reuse    bool
	FromStep string
}

// Accepted is an execution that was accepted, now or, where it is replayed, by an
// earlier request with the same key.
type Accepted struct {
	execution.Execution
	Replayed bool
}

// ErrContended says that other requests were in the way each time: the same may go
// well a moment later.
var ErrContended = errors.New("others were in the way, again and again")

// InFlightError says that the agent runs one execution at a time, and which.
type InFlightError struct{ ID string }

func (e *InFlightError) Error() string {
	return "the agent runs one at a time: " + e.ID + " is in flight"
}

// Accept makes an execution durable: its row, its first transition and its
// River job in one transaction. When it returns, a worker will come. The same
// key again gives the execution that it gave before; ErrKeyReused where something
// else was asked for under it. InFlightError where the agent's only one is alive.
func (s *Store) Accept(ctx context.Context, a Acceptance) (Accepted, error) {
	accepted, err := s.accept(ctx, a)
	if err != nil {
		return accepted, fmt.Errorf("accept execution of %s: %w", a.Agent, err)
	}
	return accepted, nil
}

// acceptRounds bounds how often an acceptance looks again at what was in its way
// and is gone at the next look.
const acceptRounds = 5

func (s *Store) accept(ctx context.Context, a Acceptance) (Accepted, error) {
	for round := 1; ; round++ {
		if a.Key != "" {
			if before, err := s.replay(ctx, a); err == nil || !errors.Is(err, execution.ErrNotFound) {
				return Accepted{before, true}, err
			}
		}
		e, err := s.insert(ctx, a)
		conflict := violated(err)
		if conflict != "" && round == acceptRounds {
			return Accepted{}, fmt.Errorf("%w: %w", ErrContended, err)
		}
		switch conflict {
		case "executions_idempotency_key": // another request with the key was quicker
			continue
		case "executions_single_flight":
			id, inFlight := s.inFlight(ctx, a)
			if errors.Is(inFlight, execution.ErrNotFound) { // it has just ended, or has our key
				continue
			}
			if inFlight == nil {
				inFlight = &InFlightError{id}
			}
			return Accepted{}, inFlight
		default:
			return Accepted{Execution: e}, err
		}
	}
}

// replay looks for what the key gave before. ErrNotFound where it is new.
func (s *Store) replay(ctx context.Context, a Acceptance) (execution.Execution, error) {
	var hash []byte
	e, err := scanExecution(s.pool.QueryRow(ctx, `
		SELECT `+strings.Replace(executionColumns, "e.result", "NULL::jsonb", 1)+`, e.request_hash
		FROM ciclo.executions e WHERE e.idempotency_key = $1`, a.Key), &hash)
	if err == nil && !bytes.Equal(hash, a.RequestHash) {
		return e, execution.ErrKeyReused
	}
	return e, err
}

// inFlight is the id of the agent's only execution. ErrNotFound where there is
// none, or where it is that of our own key.
func (s *Store) inFlight(ctx context.Context, a Acceptance) (id string, err error) {
	err = s.pool.QueryRow(ctx, `
		SELECT id FROM ciclo.executions
		WHERE agent = $1 AND single_flight AND ended_at IS NULL AND ($2 = '' OR idempotency_key IS DISTINCT FROM $2)`,
		a.Agent, a.Key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = execution.ErrNotFound
	}
	return id, err
}

// reuseSteps and reuseEffects: $1 takes over from $2 what was before the step $3.
const (
	reuseSteps = `
		INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at, ended_at, copied_from)
		SELECT $1, name, attempt, worker_id, output, started_at, ended_at, coalesce(copied_from, $2)
		FROM ciclo.steps
		WHERE execution_id = $2 AND NOT writes
		  AND ended_at < coalesce((SELECT ended_at FROM ciclo.steps WHERE execution_id = $2 AND name = $3), 'infinity')`
	reuseEffects = `
		INSERT INTO ciclo.effects (execution_id, name, key, policy, state, attempt, worker_id, intended_at, settled_at, outcome)
		SELECT $1, name, $1 || '/' || name, policy, state, attempt, worker_id, intended_at, settled_at, outcome
		FROM ciclo.effects
		WHERE execution_id = $2 AND state IN ('done', 'unknown')
		  AND intended_at < coalesce((SELECT started_at FROM ciclo.steps WHERE execution_id = $2 AND name = $3), 'infinity')`
)

// holdRetried keeps the execution that is tried again from being pruned until the
// transaction's end; from then on the new one does. ErrNotFound and ErrPruned where
// it was pruned before.
func holdRetried(ctx context.Context, tx pgx.Tx, r Retry) error {
	if r.Of == "" {
		return nil
	}
	var pruned bool
	err := tx.QueryRow(ctx, `SELECT pruned_at IS NOT NULL FROM ciclo.executions WHERE id = $1 FOR KEY SHARE`, r.Of).Scan(&pruned)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("retry %s: %w", r.Of, execution.ErrNotFound)
	case err != nil:
		return fmt.Errorf("retry %s: %w", r.Of, err)
	case pruned && r.Reuse:
		return fmt.Errorf("retry %s: %w", r.Of, execution.ErrPruned)
	}
	return nil
}

func (s *Store) insert(ctx context.Context, a Acceptance) (e execution.Execution, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		e, err = s.insertTx(ctx, tx, a)
		return err
	})
	return e, err
}

func (s *Store) insertTx(ctx context.Context, tx pgx.Tx, a Acceptance) (execution.Execution, error) {
	e := execution.Execution{ID: execution.NewID(a.IDPrefix, time.Now()), Agent: a.Agent, Status: execution.Started, Tries: a.Tries, DryRun: a.DryRun}
	if a.Retry.Of != "" {
		e.RetryOf = &a.Retry.Of
	}
	if a.RequestedBy != "" {
		e.RequestedBy = &a.RequestedBy
	}
	if a.CycleID != "" {
		e.CycleID = &a.CycleID
	}
	job, err := s.river.InsertTx(ctx, tx, queue.Args{ExecutionID: e.ID}, queue.InsertOpts(a.Agent, a.Priority))
	if err != nil {
		return e, fmt.Errorf("insert River job: %w", err)
	}
	if err := holdRetried(ctx, tx, a.Retry); err != nil {
		return e, err
	}
	var all pgx.Batch
	all.Queue(`
		INSERT INTO ciclo.executions (id, agent, status, parameters, tries, timeout_seconds, priority, river_job_id, deadline_at, stall_seconds,
		                              idempotency_key, request_hash, single_flight, requested_by, origin, retry_of, cycle_id, dry_run)
		VALUES ($1, $2, 'started', $3, $4, $5, $6, $7, now() + nullif($8, 0) * interval '1 second', nullif($9, 0), nullif($10, ''), $11, $12, nullif($13, ''), coalesce(nullif($14, ''), 'request'), nullif($15, ''), nullif($16, ''), $17)
		RETURNING parameters, started_at, deadline_at`,
		e.ID, a.Agent, a.Parameters, a.Tries, a.TimeoutSeconds, a.Priority, job.Job.ID, a.DeadlineSeconds, a.StallSeconds,
		a.Key, a.RequestHash, a.SingleFlight, a.RequestedBy, a.Origin, a.Retry.Of, a.CycleID, a.DryRun).
		QueryRow(func(row pgx.Row) error { return row.Scan(&e.Parameters, &e.StartedAt, &e.DeadlineAt) })
	all.Queue(`INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason) VALUES ($1, 'started', 0, $2)`, e.ID, a.Reason)
	if a.Retry.Reuse {
		all.Queue(reuseSteps, e.ID, a.Retry.Of, a.Retry.FromStep)
		all.Queue(reuseEffects, e.ID, a.Retry.Of, a.Retry.FromStep)
	}
	return e, tx.SendBatch(ctx, &all).Close()
}
