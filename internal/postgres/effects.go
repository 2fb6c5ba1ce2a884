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

// Effect is one effect of an execution on the outside world.
type Effect struct {
	Name       string          `json:"name"`
	Key        string          `json:"key"`
	Policy     string          `json:"policy"`
	State      string          `json:"state" jsonschema:"One of intended, done, not_done and unknown, where a person must look."`
	Attempt    int             `json:"attempt"`
	IntendedAt time.Time       `json:"intended_at"`
	SettledAt  *time.Time      `json:"settled_at"`
	Outcome    json.RawMessage `json:"outcome" jsonschema:"What the outside world answered; null until it is settled."`
}

const effectColumns = `name, key, policy, state, attempt, intended_at, settled_at, outcome`

// IntendEffect notes that an effect is about to happen. Fresh means that it
// surely has not happened: nobody intended it before, or it is known not to have
// been done. Again says that the attempt asks once more, since nobody answered it: what
// it intended then is fresh still. ErrStale where the attempt is superseded.
func (s *Store) IntendEffect(ctx context.Context, a *Attempt, name, key, policy string, again bool) (e Effect, fresh bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, a); err != nil {
			return err
		}
		if e, fresh, err = intend(ctx, tx, a, name, key, policy); err != nil {
			return err
		}
		if again && !fresh && e.State == "intended" {
			// What this attempt took over was intended before it began.
			err := tx.QueryRow(ctx, `SELECT f.intended_at >= e.running_at FROM ciclo.executions e JOIN ciclo.effects f ON f.execution_id = e.id WHERE e.id = $1 AND f.name = $2`,
				a.Execution.ID, name).Scan(&fresh)
			if err != nil {
				return err
			}
		}
		e, fresh, err = doubt(ctx, tx, a, e, fresh)
		return err
	})
	return e, fresh, err
}

func intend(ctx context.Context, tx pgx.Tx, a *Attempt, name, key, policy string) (e Effect, fresh bool, err error) {
	rows, err := tx.Query(ctx, `
		INSERT INTO ciclo.effects AS f (execution_id, name, attempt, worker_id, key, policy)
		VALUES ($1, $4, $2, $3, $5, $6)
		ON CONFLICT (execution_id, name) DO UPDATE
		SET state = 'intended', attempt = $2, worker_id = $3, policy = $6, intended_at = now(), settled_at = NULL
		WHERE f.state = 'not_done'
		RETURNING `+effectColumns, a.fence(name, key, policy)...)
	if err != nil {
		return e, false, err
	}
	e, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Effect])
	if !errors.Is(err, pgx.ErrNoRows) {
		return e, err == nil, err
	}
	// It was intended before. From here on it is this attempt's to settle.
	rows, err = tx.Query(ctx, `
		UPDATE ciclo.effects SET attempt = CASE state WHEN 'intended' THEN $2 ELSE attempt END,
		       worker_id = CASE state WHEN 'intended' THEN $3::uuid ELSE worker_id END
		WHERE execution_id = $1 AND name = $4
		RETURNING `+effectColumns, a.fence(name)...)
	if err != nil {
		return e, false, err
	}
	e, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Effect])
	return e, false, err
}

// doubt is about executions that were alive when the database was restored: it has
// forgotten what they did since the backup, so none of their effects is fresh. The
// provider is asked where it can be; otherwise a person must look, also where a
// repetition would do at other times: for how long the provider tells one is not known.
func doubt(ctx context.Context, tx pgx.Tx, a *Attempt, e Effect, fresh bool) (Effect, bool, error) {
	if e.State != "intended" {
		return e, fresh, nil
	}
	var restored bool
	err := tx.QueryRow(ctx, `SELECT restored_at IS NOT NULL FROM ciclo.executions WHERE id = $1`, a.Execution.ID).Scan(&restored)
	if err != nil || !restored || e.Policy == "reconcile" {
		return e, fresh && !restored, err
	}
	rows, err := tx.Query(ctx, `UPDATE ciclo.effects SET state = 'unknown', settled_at = now() WHERE execution_id = $1 AND name = $2 RETURNING `+effectColumns, a.Execution.ID, e.Name)
	if err != nil {
		return e, false, err
	}
	e, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Effect])
	return e, false, err
}

// SettleEffect notes how an intended effect ended; to say the same again is no error.
// ErrStale where the attempt is superseded: then the next one settles it by its policy.
func (s *Store) SettleEffect(ctx context.Context, a *Attempt, name, state string, outcome json.RawMessage) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, a); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE ciclo.effects SET state = $5, outcome = $6, settled_at = now()
			WHERE execution_id = $1 AND name = $4 AND attempt = $2 AND worker_id = $3 AND state = 'intended'`,
			a.fence(name, state, outcome)...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			tag, err = tx.Exec(ctx, `
				SELECT FROM ciclo.effects
				WHERE execution_id = $1 AND attempt = $2 AND worker_id = $3 AND name = $4 AND state = $5 AND outcome IS NOT DISTINCT FROM $6::jsonb`,
				a.fence(name, state, outcome)...)
		}
		if err == nil && tag.RowsAffected() == 0 {
			return execution.ErrStale
		}
		return err
	})
}

// hold locks the execution of an attempt until the transaction's end: the fence
// of what the attempt writes elsewhere. It is a sign of progress too.
func (s *Store) hold(ctx context.Context, db executor, a *Attempt) error {
	tag, err := db.Exec(ctx, `UPDATE ciclo.executions e SET progress_at = now() WHERE `+fence, a.fence()...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return execution.ErrStale
	}
	return nil
}

// StillRuns returns ErrStale where the attempt is superseded.
func (s *Store) StillRuns(ctx context.Context, a *Attempt) error {
	tag, err := s.pool.Exec(ctx, `SELECT FROM ciclo.executions e WHERE `+fence, a.fence()...)
	if err != nil {
		return fmt.Errorf("look at attempt %d of %s: %w", a.Execution.Attempt, a.Execution.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return execution.ErrStale
	}
	return nil
}

// Effects lists an execution's effects in the order of their intents.
func (s *Store) Effects(ctx context.Context, id string) ([]Effect, error) {
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+effectColumns+` FROM ciclo.effects WHERE execution_id = $1 ORDER BY intended_at, name`, id)
	if err != nil {
		return nil, fmt.Errorf("list effects of %s: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Effect])
	if err != nil {
		return nil, fmt.Errorf("list effects of %s: %w", id, err)
	}
	return list, nil
}
