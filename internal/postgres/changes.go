package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Change is a change that was asked for over the API: an entry of the audit log.
type Change struct {
	ID     int64     `json:"change_id"`
	At     time.Time `json:"at"`
	Token  string    `json:"token" jsonschema:"The name of the token that asked."`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status *int      `json:"status" jsonschema:"The answer's; null where the service ended before it."`
}

// BeginChange writes into the audit log that a change is asked for, and returns
// the entry's id for EndChange.
func (s *Store) BeginChange(ctx context.Context, token, method, path string) (id int64, err error) {
	err = s.pool.QueryRow(ctx, `INSERT INTO ciclo.audit_log (token, method, path) VALUES ($1, $2, $3) RETURNING id`,
		token, method, storable(path)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("write the audit log: %w", err)
	}
	return id, nil
}

// EndChange notes how the change was answered.
func (s *Store) EndChange(ctx context.Context, id int64, status int) error {
	if _, err := s.pool.Exec(ctx, `UPDATE ciclo.audit_log SET status = $2 WHERE id = $1`, id, status); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// Changes lists at most so many changes, newest first, before an id; 0 is from the newest.
func (s *Store) Changes(ctx context.Context, before int64, limit int) ([]Change, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT id, at, token, method, path, status FROM ciclo.audit_log WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Change])
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	return list, nil
}
