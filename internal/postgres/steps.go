package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
)

// StepOutput returns the stored output of a finished step, or nil.
func (s *Store) StepOutput(ctx context.Context, a *Attempt, name string) (json.RawMessage, error) {
	var output json.RawMessage
	err := s.pool.QueryRow(ctx, `SELECT output FROM ciclo.steps WHERE execution_id = $1 AND name = $2`,
		a.Execution.ID, name).Scan(&output)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read step %s of %s: %w", name, a.Execution.ID, err)
	}
	return output, nil
}

// RecordStep runs fn and stores its output as the step's, in one transaction
// that holds the execution's row: a superseded attempt gets ErrStale and has
// written nothing. Again says that the attempt asks once more, since nobody answered it:
// fn isn't called where the step is stored.
func (s *Store) RecordStep(ctx context.Context, a *Attempt, name string, startedAt time.Time, writes, again bool, fn func(tx pgx.Tx) (json.RawMessage, error)) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, a); err != nil {
			return err
		}
		if again {
			tag, err := tx.Exec(ctx, `SELECT FROM ciclo.steps WHERE execution_id = $1 AND attempt = $2 AND worker_id = $3 AND name = $4`, a.fence(name)...)
			if err != nil || tag.RowsAffected() > 0 {
				return err
			}
		}
		output, err := fn(tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at, writes)
			VALUES ($1, $4, $2, $3, $5, $6, $7)`, a.fence(name, output, startedAt, writes)...)
		return err
	})
}

// Move notes that an attempt goes on, where it stores no step: ErrStale where it is
// superseded.
func (s *Store) Move(ctx context.Context, a *Attempt) error {
	err := s.hold(ctx, s.pool, a)
	if err != nil {
		return fmt.Errorf("look at attempt %d of %s: %w", a.Execution.Attempt, a.Execution.ID, err)
	}
	return nil
}

// StepDurations is how long an agent's latest steps took.
type StepDurations struct {
	// Steps is how many were looked at.
	Steps int
	// P99 is the duration that one in a hundred of them exceeds; 0 without steps.
	P99 time.Duration
}

// StepDurations looks at the last 1,000 finished steps of an agent's last 1,000
// completed executions. Its cost is bounded by these, not by history.
func (s *Store) StepDurations(ctx context.Context, agent string) (StepDurations, error) {
	var d StepDurations
	var seconds float64
	// A step's start is by the worker's clock and its end by the database's.
	err := s.pool.QueryRow(ctx, `
		WITH recent AS (
			SELECT id, ended_at FROM ciclo.executions
			WHERE agent = $1 AND status = 'completed' AND NOT dry_run
			ORDER BY ended_at DESC, id DESC LIMIT 1000
		), latest AS (
			SELECT greatest(extract(epoch FROM s.ended_at - s.started_at)::float8, 0) AS seconds
			FROM recent r CROSS JOIN LATERAL (
				SELECT started_at, ended_at FROM ciclo.steps WHERE execution_id = r.id OFFSET 0 -- by its key, never a scan of all
			) s
			ORDER BY r.ended_at DESC, r.id DESC LIMIT 1000
		)
		SELECT count(*), coalesce(percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds), 0) FROM latest`, agent).Scan(&d.Steps, &seconds)
	if err != nil {
		return d, fmt.Errorf("step durations of %s: %w", agent, err)
	}
	d.P99 = time.Duration(seconds * float64(time.Second))
	return d, nil
}

// SaveProgress keeps the attempt's latest progress. ErrStale where it is superseded.
func (s *Store) SaveProgress(ctx context.Context, a *Attempt, p execution.Progress) error {
	tag, err := s.pool.Exec(ctx, `
		UPDATE ciclo.executions e
		SET progress_done = $4, progress_total = $5, progress_text = $6, progress_at = now()
		WHERE `+fence, a.fence(p.Done, p.Total, storable(p.Text))...)
	if err != nil {
		return fmt.Errorf("save progress of %s: %w", a.Execution.ID, err)
	}
	if tag.RowsAffected() == 0 {
		return execution.ErrStale
	}
	return nil
}

// Read runs fn in a read-only transaction on one snapshot.
func (s *Store) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

// Step is a finished step of an execution.
type Step struct {
	Name            string    `json:"name"`
	Attempt         int       `json:"attempt"`
	Worker          string    `json:"worker_id"`
	StartedAt       time.Time `json:"started_at"`
	EndedAt         time.Time `json:"ended_at"`
	DurationSeconds float64   `json:"duration_seconds"`
	OutputBytes     int       `json:"output_bytes" jsonschema:"The size of its stored output as JSON text."`
	CopiedFrom      *string   `json:"copied_from" jsonschema:"The execution that finished it, where a retry reuses it."`
}

// Steps lists an execution's finished steps in the order of their ends.
func (s *Store) Steps(ctx context.Context, id string) ([]Step, error) {
	all, err := s.StepsAfter(ctx, map[string]int{id: 0})
	return append([]Step{}, all[id]...), err // none is an empty list
}

// StepsAfter lists several executions' finished steps in the order of their ends,
// each without its first few. What is finished is never before what was finished
// already. The executions come as one text, as in findSQL.
func (s *Store) StepsAfter(ctx context.Context, skip map[string]int) (map[string][]Step, error) {
	var asked []string
	for id, n := range skip {
		if execution.ValidID(id) {
			asked = append(asked, id+":"+strconv.Itoa(n))
		}
	}
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT s.execution_id, s.name, s.attempt, s.worker_id::text, s.started_at, s.ended_at,
		       extract(epoch FROM s.ended_at - s.started_at)::float8, octet_length(s.output::text), s.copied_from
		FROM (SELECT split_part(text, ':', 1) AS id, split_part(text, ':', 2)::int AS skip FROM string_to_table($1, ' ') AS texts (text)) asked
		CROSS JOIN LATERAL (SELECT execution_id, name FROM ciclo.steps WHERE execution_id = asked.id ORDER BY ended_at, name OFFSET asked.skip) k
		CROSS JOIN LATERAL (SELECT * FROM ciclo.steps WHERE execution_id = k.execution_id AND name = k.name OFFSET 0) s
		ORDER BY s.ended_at, s.name`, strings.Join(asked, " "))
	if err != nil {
		return nil, fmt.Errorf("list steps: %w", err)
	}
	all := make(map[string][]Step, len(skip))
	var id string
	var step Step
	_, err = pgx.ForEachRow(rows, []any{
		&id, &step.Name, &step.Attempt, &step.Worker, &step.StartedAt, &step.EndedAt, &step.DurationSeconds, &step.OutputBytes, &step.CopiedFrom,
	}, func() error {
		all[id] = append(all[id], step)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list steps: %w", err)
	}
	return all, nil
}
