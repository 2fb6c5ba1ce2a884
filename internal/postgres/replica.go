package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Replicated gives the store a streaming replica, for the reads of contexts that
// OnReplica made. It is called before the store is used.
func (s *Store) Replicated(pool *pgxpool.Pool) { s.replica = pool }

type onReplica struct{}

// OnReplica lets what only reads with the context ask the replica. Whoever does so has
// seen AwaitReplica return.
func OnReplica(ctx context.Context) context.Context {
	return context.WithValue(ctx, onReplica{}, true)
}

// IsOnReplica reports whether OnReplica made the context.
func IsOnReplica(ctx context.Context) bool { return ctx.Value(onReplica{}) != nil }

// reading is whom a read asks.
func (s *Store) reading(ctx context.Context) *pgxpool.Pool {
	if s.replica != nil && IsOnReplica(ctx) {
		return s.replica
	}
	return s.pool
}

// ErrNotReplica says that the replica's URL leads to something else.
var ErrNotReplica = errors.New("DATABASE_READ_URL does not lead to a streaming replica of the database of DATABASE_URL")

// CheckReplica looks whether the replica is one of this database, by what every
// cluster is given when it is made. ErrNotReplica where it isn't, or was promoted.
func (s *Store) CheckReplica(ctx context.Context) error {
	const who = `SELECT system_identifier::text || ' ' || current_database(), pg_is_in_recovery() FROM pg_control_system()`
	var primary, replica string
	var follows, ignored bool
	if err := s.pool.QueryRow(ctx, who).Scan(&primary, &ignored); err != nil {
		return fmt.Errorf("look who the database is: %w", err)
	}
	if err := s.replica.QueryRow(ctx, who).Scan(&replica, &follows); err != nil {
		return fmt.Errorf("look who the replica is: %w", err)
	}
	if primary != replica || !follows {
		return ErrNotReplica
	}
	return nil
}

// BehindError says that the replica did not have in time what the primary had.
type BehindError struct{ Bytes int64 }

func (e *BehindError) Error() string {
	return fmt.Sprintf("the replica is behind by %d bytes of the log", e.Bytes)
}

// replicaPoll is how soon a replica that is behind is asked again.
const replicaPoll = 2 * time.Millisecond

// AwaitReplica returns when the replica has all that the primary had committed when
// it was asked: what anybody was told of before is there. It goes by positions in
// the log and by no clock, so that an idle primary looks like no delay. It waits as
// long as ctx; then the error is a *BehindError.
func (s *Store) AwaitReplica(ctx context.Context) error {
	const position = `::pg_lsn - '0/0'::pg_lsn)::bigint`
	var want, have int64
	// What is committed and seen has been flushed.
	if err := s.pool.QueryRow(ctx, `SELECT (pg_current_wal_flush_lsn()`+position).Scan(&want); err != nil {
		return fmt.Errorf("ask the primary for its position: %w", err)
	}
	for pause := replicaPoll; ; pause *= 2 {
		err := s.replica.QueryRow(ctx, `SELECT (coalesce(pg_last_wal_replay_lsn(), '0/0')`+position).Scan(&have)
		switch {
		case err == nil && have >= want:
			return nil
		case err != nil && (have == 0 || ctx.Err() == nil):
			return fmt.Errorf("ask the replica for its position: %w", err)
		}
		select {
		case <-ctx.Done():
			return &BehindError{want - have}
		case <-time.After(pause):
		}
	}
}
