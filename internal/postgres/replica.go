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

// ErrOtherHistory says that the replica has what the primary never had, or has forgotten:
// the primary was restored to an earlier point, or a replica that lagged was promoted.
var ErrOtherHistory = errors.New("the replica of DATABASE_READ_URL has another history than the primary, which was restored or promoted: make it anew from the primary, unless it has just followed a promotion and this ends with its next restartpoint (docs/poolers-and-replicas.md)")

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

// ahead is ErrOtherHistory where a replica's position is one that the primary has not come
// to yet.
func (s *Store) ahead(ctx context.Context, have int64) error {
	var flushed int64
	if err := s.pool.QueryRow(ctx, `SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint`).Scan(&flushed); err != nil {
		return fmt.Errorf("ask the primary for its position: %w", err)
	}
	if have > flushed {
		return ErrOtherHistory
	}
	return nil
}

// history is by what two servers are told apart whose past is not the same: the timeline,
// and what services and ciclo restored have noted of the database.
type history struct {
	timeline int64
	noted    string
}

// AwaitReplica returns when the replica has all that the primary had committed when
// it was asked: what anybody was told of before is there. It goes by positions in
// the log and by no clock, so that an idle primary looks like no delay. It waits as
// long as ctx; then the error is a *BehindError. ErrOtherHistory where the replica was
// ahead, or is of another timeline (so too until its next restartpoint, where it has
// followed a promotion), or knows the database otherwise: it may show what is forgotten.
func (s *Store) AwaitReplica(ctx context.Context) error {
	const told = `SELECT (%s::pg_lsn - '0/0'::pg_lsn)::bigint, %s, coalesce((SELECT noted_at FROM ciclo.incarnation)::text, '')`
	replayed := fmt.Sprintf(told, `coalesce(pg_last_wal_replay_lsn(), '0/0')`, `(SELECT timeline_id FROM pg_control_checkpoint())`)
	flushed := fmt.Sprintf(told, `pg_current_wal_flush_lsn()`, timelineNow)
	var want, have int64
	var primary, replica history
	if err := s.replica.QueryRow(ctx, replayed).Scan(&have, &replica.timeline, &replica.noted); err != nil {
		return fmt.Errorf("ask the replica for its position: %w", err)
	}
	// What is committed and seen has been flushed, and nothing else goes to a replica: it
	// was not ahead of what the primary says after it.
	if err := s.pool.QueryRow(ctx, flushed).Scan(&want, &primary.timeline, &primary.noted); err != nil {
		return fmt.Errorf("ask the primary for its position: %w", err)
	}
	if have > want {
		return ErrOtherHistory
	}
	var err error
	for pause := replicaPoll; ; pause *= 2 {
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("ask the replica for its position: %w", err)
		case err == nil && have >= want && replica != primary:
			return ErrOtherHistory
		case err == nil && have == want:
			return nil
		case err == nil && have > want:
			return s.ahead(ctx, have)
		}
		select {
		case <-ctx.Done():
			return &BehindError{want - have}
		case <-time.After(pause):
		}
		err = s.replica.QueryRow(ctx, replayed).Scan(&have, &replica.timeline, &replica.noted)
	}
}
