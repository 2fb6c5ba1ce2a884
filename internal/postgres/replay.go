package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
)

// ErrNotEnded says that an execution is alive.
var ErrNotEnded = errors.New("it has not ended")

// Recorded is what an execution that has ended left behind of how it was run.
type Recorded struct {
	Execution execution.Execution
	Steps     map[string]json.RawMessage // outputs by name
	Calls     []RecordedCall
}

// RecordedCall is a call to a language model that was settled. Answer is as it was kept;
// nil where it is kept no longer, or there was none. Error is why.
type RecordedCall struct {
	Step, Hash    string
	State, Error  string
	Answer        []byte
	Input, Output int64
	Dollars       float64
}

// Recorded reads what is left of an execution. ErrNotFound, ErrNotEnded.
func (s *Store) Recorded(ctx context.Context, id string) (r Recorded, err error) {
	if r.Execution, _, err = s.Get(ctx, id); err != nil {
		return r, err
	}
	if r.Execution.EndedAt == nil {
		return r, fmt.Errorf("%s: %w", id, ErrNotEnded)
	}
	rows, err := s.pool.Query(ctx, `SELECT name, output FROM ciclo.steps WHERE execution_id = $1`, id)
	if err != nil {
		return r, fmt.Errorf("read the steps of %s: %w", id, err)
	}
	r.Steps = map[string]json.RawMessage{}
	var name string
	var output json.RawMessage
	if _, err := pgx.ForEachRow(rows, []any{&name, &output}, func() error { r.Steps[name] = append(json.RawMessage{}, output...); return nil }); err != nil {
		return r, fmt.Errorf("read the steps of %s: %w", id, err)
	}
	rows, err = s.pool.Query(ctx, `
		SELECT step, hash, state, coalesce(error_text, ''), answer, coalesce(input_tokens, 0), coalesce(output_tokens, 0), cost::float8 FROM ciclo.llm_calls
		WHERE execution_id = $1 AND state <> 'reserved' ORDER BY step, hash`, id)
	if err != nil {
		return r, fmt.Errorf("read the calls of %s: %w", id, err)
	}
	if r.Calls, err = pgx.CollectRows(rows, pgx.RowToStructByPos[RecordedCall]); err != nil {
		return r, fmt.Errorf("read the calls of %s: %w", id, err)
	}
	return r, nil
}

// BeginReplay begins the transaction in which an execution's agent runs again: one on
// one snapshot that can't be committed, as a dry run's. In it alone is an execution of
// a new id with the old one's parameters, which what the agent writes belongs to. Its
// role has to own the tables.
func (s *Store) BeginReplay(ctx context.Context, old execution.Execution) (d *DryRun, id string, err error) {
	number, err := uuid.NewV7()
	if err != nil {
		return nil, "", err
	}
	id = old.ID[:len(old.ID)-len(number.String())] + number.String()
	d, err = s.beginApart(ctx, func(tx pgx.Tx, d *DryRun) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO ciclo.executions (id, agent, status, parameters, tries, timeout_seconds, started_at, next_attempt_at, dry_run)
			SELECT $2, agent, 'started', parameters, tries, timeout_seconds, started_at, 'infinity', true FROM ciclo.executions WHERE id = $1`, old.ID, id)
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT pg_backend_pid(), pg_current_xact_id()::text`).Scan(&d.pid, &d.number); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO ciclo.dry_runs (execution_id) VALUES ($1)`, id)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("begin the replay of %s: %w", old.ID, err)
	}
	return d, id, nil
}
