package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// expiredAtOnce bounds how many sessions that are over go with a new one.
	expiredAtOnce = 100
	// tokenSessions is how many sessions a token has at most: the oldest go.
	tokenSessions = 50
)

// BeginSession keeps a session of the dashboard: the SHA-256 of its secret and of
// the token that it may do as much as. Some that are over go.
func (s *Store) BeginSession(ctx context.Context, secretHash, tokenHash []byte, length time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		WITH expired AS (
			DELETE FROM ciclo.sessions WHERE secret_hash IN (
				SELECT secret_hash FROM ciclo.sessions WHERE expires_at <= now() ORDER BY expires_at LIMIT $4 FOR UPDATE SKIP LOCKED)
		), surplus AS (
			DELETE FROM ciclo.sessions WHERE secret_hash IN (
				SELECT secret_hash FROM ciclo.sessions WHERE token_hash = $2 ORDER BY created_at DESC OFFSET $5)
		)
		INSERT INTO ciclo.sessions (secret_hash, token_hash, expires_at) VALUES ($1, $2, now() + $3::interval)`,
		secretHash, tokenHash, length, expiredAtOnce, tokenSessions-1)
	if err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	return nil
}

// Session returns the SHA-256 of the token of a session; nil where there is no
// such session or it is over.
func (s *Store) Session(ctx context.Context, secretHash []byte) (tokenHash []byte, err error) {
	err = s.pool.QueryRow(ctx, `SELECT token_hash FROM ciclo.sessions WHERE secret_hash = $1 AND expires_at > now()`, secretHash).Scan(&tokenHash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read session: %w", err)
	}
	return tokenHash, nil
}

// EndSession ends a session; one that isn't there is no error.
func (s *Store) EndSession(ctx context.Context, secretHash []byte) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM ciclo.sessions WHERE secret_hash = $1`, secretHash); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}
