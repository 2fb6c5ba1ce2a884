package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoChange says that there is no change of the id.
var ErrNoChange = errors.New("no such change of segment")

// SegmentChange is a client that a complete run put into another segment than the
// complete run before it.
type SegmentChange struct {
	ID                  int64     `json:"id" jsonschema:"Unique; its order says nothing."`
	ClientID            string    `json:"client_id"`
	From                string    `json:"from"`
	To                  string    `json:"to"`
	EndedAt             time.Time `json:"ended_at" jsonschema:"The end of the run."`
	ExecutionID         string    `json:"execution_id"`
	PreviousExecutionID string    `json:"previous_execution_id"`
}

// ChangeFilter narrows a list of changes; zero values don't.
type ChangeFilter struct {
	Client string
	To     []string
	// Oldest lists the oldest runs first, for whoever follows; else the newest.
	Oldest bool
	// After is the id of the change after which the page begins.
	After int64
	Limit int
}

// settled is how long a run's end may have been under way before others see it.
const settled = `interval '30 seconds'`

// SegmentChanges returns a page of changes, run by run in the order of their ends,
// and by client id in a run. ErrNoChange where there is none of the id After.
//
// The oldest first, a change never appears before one that was listed: a run that
// has just ended waits while another one is running, whose end may lie before it
// and not be seen yet; at most until it must be seen.
func (s *Store) SegmentChanges(ctx context.Context, f ChangeFilter) ([]SegmentChange, error) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	runs, changes := complete, `s.execution_id = e.id`
	direction, beyond := ` DESC`, ` <= `
	if f.Oldest {
		direction, beyond = ``, ` >= `
		runs += ` AND (e.ended_at < now() - ` + settled + ` OR NOT EXISTS (
			SELECT FROM ciclo.executions other WHERE other.agent = 'client-value-predictor' AND other.status = 'running'))`
	}
	if f.After != 0 {
		var run, client string
		var ended time.Time
		err := s.reading(ctx).QueryRow(ctx, `
			SELECT s.execution_id, s.client_id, e.ended_at FROM ciclo.segment_changes s JOIN ciclo.executions e ON e.id = s.execution_id
			WHERE s.id = $1 AND `+complete, f.After).Scan(&run, &client, &ended)
		if errors.Is(err, pgx.ErrNoRows) {
			err = ErrNoChange
		}
		if err != nil {
			return nil, fmt.Errorf("find change %d: %w", f.After, err)
		}
		id := arg(run)
		runs += ` AND (e.ended_at, e.id)` + beyond + `(` + arg(ended) + `, ` + id + `)`
		changes += ` AND (s.execution_id <> ` + id + ` OR s.client_id > ` + arg(client) + `)`
	}
	if f.Client != "" {
		changes += ` AND s.client_id = ` + arg(f.Client)
	}
	if len(f.To) > 0 {
		changes += ` AND s.to_segment = ANY (` + arg(f.To) + `)`
	}
	limit := strconv.Itoa(f.Limit)
	order := ` ORDER BY e.ended_at` + direction + `, e.id` + direction
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT s.id, s.client_id, s.from_segment, s.to_segment, e.ended_at, e.id, s.previous_execution_id
		FROM (SELECT e.id, e.ended_at FROM ciclo.executions e WHERE `+runs+order+` OFFSET 0) e
		CROSS JOIN LATERAL (SELECT * FROM ciclo.segment_changes s WHERE `+changes+` ORDER BY s.client_id LIMIT `+limit+`) s
		`+order+`, s.client_id LIMIT `+limit, args...)
	if err != nil {
		return nil, fmt.Errorf("list changes of segment: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SegmentChange])
	if err != nil {
		return nil, fmt.Errorf("list changes of segment: %w", err)
	}
	return list, nil
}
