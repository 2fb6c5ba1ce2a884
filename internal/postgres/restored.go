package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// idGap is how far ids go ahead that the outside world was told: of moves (SSE) and
// deliveries (webhook-id). Those given since the backup must not be given again.
const idGap = 1_000_000

// mayHaveLeft is the reason of a message that a person is to look at.
const mayHaveLeft = "the database was restored: it may have left since the backup; look whether the client has it, then say so"

// draftMayHaveLeft is that of one that waits for approval.
const draftMayHaveLeft = "the database was restored: it may have been approved and sent since the backup; look before you approve it"

// restoration is the steps of Restored in their order, each with what it counts.
var restoration = []struct {
	count func(*Restoration) *int
	sql   string
	args  []any
}{
	// Workers from before that still live end with their next beat; their attempts are
	// taken back below.
	{func(r *Restoration) *int { return &r.Workers }, `
		UPDATE ciclo.workers SET ended_at = now(), lease_until = least(lease_until, now()) WHERE ended_at IS NULL`, nil},
	{nil, `
		UPDATE ciclo.river_job SET state = 'cancelled', finalized_at = now()
		WHERE state NOT IN ('cancelled', 'completed', 'discarded') AND id IN (
			SELECT river_job_id FROM ciclo.executions WHERE ended_at IS NULL AND (status = 'running' OR agent = $1))`, []any{MessageSender}},
	// Before the executions that send them: what those leave is then decided already.
	{func(r *Restoration) *int { return &r.Messages }, `
		UPDATE ciclo.messages SET status = 'unknown', restored_at = now(), reason = $1 WHERE status IN ('approved', 'sending')`, []any{mayHaveLeft}},
	{func(r *Restoration) *int { return &r.Drafts }, `
		UPDATE ciclo.messages SET restored_at = now(), reason = $1 WHERE status = 'draft'`, []any{draftMayHaveLeft}},
	{func(r *Restoration) *int { return &r.Running }, `
		WITH held AS (
			SELECT id, worker_id FROM ciclo.executions WHERE status = 'running'
		), moved AS (
			UPDATE ciclo.executions e
			SET status = CASE WHEN cancel_requested_at IS NULL THEN 'started' ELSE 'cancelled' END, worker_id = NULL, status_at = now(),
			    ended_at        = CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE now() END,
			    next_attempt_at = CASE WHEN cancel_requested_at IS NULL THEN now() END,
			    river_job_id    = CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE river_job_id END
			FROM held WHERE e.id = held.id RETURNING e.id, e.status, e.attempt, held.worker_id
		)
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, outcome, reason)
		SELECT id, 'running', status, attempt, worker_id, CASE status WHEN 'started' THEN 'interrupted' ELSE 'cancelled' END, 'taken back: the database was restored' FROM moved`, nil},
	{func(r *Restoration) *int { return &r.Senders }, `
		WITH moved AS (
			UPDATE ciclo.executions SET status = 'cancelled', cancel_requested_at = coalesce(cancel_requested_at, now()), next_attempt_at = NULL, ended_at = now(), status_at = now()
			WHERE status = 'started' AND agent = $1 RETURNING id, attempt
		)
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, reason)
		SELECT id, 'started', 'cancelled', attempt, 'cancelled: the database was restored, its message waits for a person' FROM moved`, []any{MessageSender}},
	{func(r *Restoration) *int { return &r.Live }, `
		UPDATE ciclo.executions SET restored_at = now() WHERE ended_at IS NULL`, nil},
	// Whoever can be asked is asked by the next attempt; of the rest nobody knows.
	{func(r *Restoration) *int { return &r.Effects }, `
		UPDATE ciclo.effects f SET state = 'unknown', settled_at = now()
		FROM ciclo.executions e WHERE e.id = f.execution_id AND e.ended_at IS NULL AND f.state IN ('intended', 'not_done') AND f.policy <> 'reconcile'`, nil},
	{func(r *Restoration) *int { return &r.Schedules }, `
		UPDATE ciclo.schedules SET restored_until = now()`, nil},
	{func(r *Restoration) *int { return &r.Slots }, `
		UPDATE ciclo.slots SET outcome = 'skipped', reason = 'restored', decided_at = now() WHERE outcome = 'queued'`, nil},
	{func(r *Restoration) *int { return &r.CycleAgents }, `
		UPDATE ciclo.cycle_agents a SET decision = 'skip', reason = 'restored', detail = 'the database was restored: it may have run since the backup', decided_at = now()
		FROM ciclo.cycles c WHERE c.id = a.cycle_id AND c.ended_at IS NULL AND a.decision = 'run' AND a.execution_id IS NULL`, nil},
	// People sign in again: whoever signed out since the backup must not be in.
	{func(r *Restoration) *int { return &r.Sessions }, `DELETE FROM ciclo.sessions`, nil},
	{nil, `INSERT INTO ciclo.audit_log (token, method, path, status) VALUES ('ciclo restored', 'POST', '/restored', 200)`, nil},
}

// Restored takes over a database that was restored from a backup, before any service
// runs on it: nothing that may have been done since the backup is done again without
// a person's word. A dry run changes nothing. ErrNotRestored where the database is the
// one that was known, unless it is forced.
func (s *Store) Restored(ctx context.Context, dryRun, force bool) (Restoration, error) {
	r := Restoration{DryRun: dryRun, Channels: []string{}}
	now, err := readIncarnation(ctx, s.pool)
	if err != nil {
		return r, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		known, err := knownIncarnation(ctx, tx, "FOR UPDATE")
		if err != nil {
			return err
		}
		if known.Database != nil && compare(known, now) == nil && !force {
			return ErrNotRestored
		}
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&r.At); err != nil {
			return err
		}
		for _, step := range restoration {
			tag, err := tx.Exec(ctx, step.sql, step.args...)
			if err != nil {
				return err
			}
			if step.count != nil {
				*step.count(&r) = int(tag.RowsAffected())
			}
		}
		if err := turnOff(ctx, tx, &r); err != nil {
			return err
		}
		if err := noteIncarnation(ctx, tx, now, true); err != nil {
			return err
		}
		if dryRun {
			return errDryRestore
		}
		_, err = tx.Exec(ctx, `
			SELECT setval(q, nextval(q) + $1) FROM (VALUES (pg_get_serial_sequence('ciclo.transitions', 'id')), (pg_get_serial_sequence('ciclo.webhook_deliveries', 'id')),
				(pg_get_serial_sequence('ciclo.river_job', 'id'))) s (q)`, idGap)
		return err
	})
	if err != nil && !errors.Is(err, errDryRestore) {
		return r, fmt.Errorf("take over a restored database: %w", err)
	}
	return r, nil
}

// errDryRestore rolls back what was only to be counted.
var errDryRestore = errors.New("a dry run")

// turnOff turns all channels off: who opted out, and whom was written to since the
// backup, is forgotten.
func turnOff(ctx context.Context, tx pgx.Tx, r *Restoration) error {
	err := tx.QueryRow(ctx, `
		WITH before AS (SELECT channels FROM ciclo.contact_policy), off AS (
			UPDATE ciclo.contact_policy SET channels = '{}', changed_at = now(), changed_by = 'ciclo restored' WHERE cardinality(channels) > 0
		)
		SELECT channels FROM before`).Scan(&r.Channels)
	if err != nil {
		return fmt.Errorf("turn the channels off: %w", err)
	}
	return nil
}

func noteIncarnation(ctx context.Context, tx pgx.Tx, now Incarnation, restored bool) error {
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.incarnation SET system_identifier = $1, database_oid = $2, timeline = $3, noted_at = now(), restored_at = CASE WHEN $4 THEN now() ELSE restored_at END`,
		now.System, now.Database, now.Timeline, restored)
	if err != nil {
		return fmt.Errorf("note which database this is: %w", err)
	}
	return nil
}

// NothingLost notes that the database is the one to know from now on, with all that
// was done: after a failover without loss, or a move.
func (s *Store) NothingLost(ctx context.Context) error {
	now, err := readIncarnation(ctx, s.pool)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(tx pgx.Tx) error { return noteIncarnation(ctx, tx, now, false) })
}
