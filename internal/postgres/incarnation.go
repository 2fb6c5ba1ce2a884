package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Incarnation is which database this is, by its own numbers: a copy, a dump that was
// restored and a restore to a point in time are others. Nil is not known.
type Incarnation struct {
	// System and Database are the cluster's number and the database's in it. Timeline
	// grows with each promotion of a replica and each restore to a point in time.
	System, Database, Timeline *int64
}

// CopyError says that the services knew another database: this one is a copy of it,
// restored from a dump or made on purpose. What was done since is forgotten, so
// nothing may go on as if nothing had happened.
type CopyError struct{ Known, Now Incarnation }

func (e *CopyError) Error() string {
	return fmt.Sprintf("this database is a copy of the one that the services knew (database %d of cluster %d, then %d of %d): run `ciclo restored` before any service, or `ciclo restored --nothing-lost` after a move in which nothing was lost (docs/backup-and-restore.md)",
		value(e.Now.Database), value(e.Now.System), value(e.Known.Database), value(e.Known.System))
}

// TimelineError says that the database's timeline is another one than the services
// knew. After a failover without loss that is all; after a restore something has to
// be done, and nothing in the database tells them apart.
type TimelineError struct{ Known, Now int64 }

func (e *TimelineError) Error() string {
	return fmt.Sprintf("the database went from timeline %d to %d: after a restore from a backup, or a failover that lost something, stop the services and run `ciclo restored`; after a failover without loss `ciclo restored --nothing-lost` (docs/backup-and-restore.md)", e.Known, e.Now)
}

func value(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// timelineNow is the timeline of a server that takes writes.
const timelineNow = `('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint`

// readIncarnation asks the database for its numbers. Those that it doesn't tell, as a
// managed one may not, are nil; a replica has no timeline of its own.
func readIncarnation(ctx context.Context, db querier) (Incarnation, error) {
	var n Incarnation
	for _, ask := range []struct {
		into *(*int64)
		sql  string
	}{
		{&n.Database, `SELECT oid::bigint FROM pg_database WHERE datname = current_database()`},
		{&n.System, `SELECT system_identifier FROM pg_control_system()`},
		{&n.Timeline, `SELECT ` + timelineNow + ` WHERE NOT pg_is_in_recovery()`},
	} {
		err := one(ctx, db, []any{ask.into}, ask.sql)
		var pgErr *pgconn.PgError
		if err != nil && !errors.Is(err, pgx.ErrNoRows) && !errors.As(err, &pgErr) {
			return n, fmt.Errorf("ask which database this is: %w", err)
		}
	}
	return n, nil
}

// knownIncarnation is the one that was noted last.
func knownIncarnation(ctx context.Context, db querier, lock string) (n Incarnation, err error) {
	err = one(ctx, db, []any{&n.System, &n.Database, &n.Timeline}, `SELECT system_identifier, database_oid, timeline FROM ciclo.incarnation `+lock)
	if err != nil {
		return n, fmt.Errorf("read which database was known: %w", err)
	}
	return n, nil
}

// differs compares what both know.
func differs(a, b *int64) bool { return a != nil && b != nil && *a != *b }

func compare(known, now Incarnation) error {
	switch {
	case differs(known.System, now.System), differs(known.Database, now.Database):
		return &CopyError{known, now}
	case differs(known.Timeline, now.Timeline):
		return &TimelineError{*known.Timeline, *now.Timeline}
	}
	return nil
}

// CheckIncarnation says whether the database is the one that the services knew: nil,
// a *CopyError, a *TimelineError, or ErrRecovering where that can't be told. A new one is noted, where that is asked for.
func CheckIncarnation(ctx context.Context, pool *pgxpool.Pool, note bool) error {
	var recovering bool
	if err := pool.QueryRow(ctx, `SELECT pg_is_in_recovery()`).Scan(&recovering); err != nil {
		return fmt.Errorf("ask whether the database recovers: %w", err)
	}
	if recovering {
		return ErrRecovering
	}
	now, err := readIncarnation(ctx, pool)
	if err != nil {
		return err
	}
	known, err := knownIncarnation(ctx, pool, "")
	if err != nil || known.Database != nil || !note {
		return errors.Join(err, compare(known, now))
	}
	_, err = pool.Exec(ctx, `
		UPDATE ciclo.incarnation SET system_identifier = $1, database_oid = $2, timeline = $3, noted_at = now() WHERE database_oid IS NULL`,
		now.System, now.Database, now.Timeline)
	if err != nil {
		return fmt.Errorf("note which database this is: %w", err)
	}
	return nil
}

// ErrRecovering says that the database takes no writes: a replica, or one that is
// still being restored, whose timeline nobody knows yet.
var ErrRecovering = errors.New("the database recovers or is a replica: it takes no writes")

// Memory is what a process remembers of the database, to notice when that forgets.
type Memory struct{ transition int64 }

// ForgottenError says that the database has lost moves that this process saw in it.
type ForgottenError struct{ Seen, Has int64 }

func (e *ForgottenError) Error() string {
	return fmt.Sprintf("the database has forgotten moves of executions that it knew (the last was %d, now it is %d): it was restored, or a failover lost them; stop the services and run `ciclo restored` (docs/backup-and-restore.md)", e.Seen, e.Has)
}

// Remember looks at the newest move and compares it with what was remembered: nil, or
// a *ForgottenError, once. What was pruned is old, and never the newest.
func (m *Memory) Remember(ctx context.Context, pool *pgxpool.Pool) error {
	var newest int64
	if err := pool.QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM ciclo.transitions`).Scan(&newest); err != nil {
		return fmt.Errorf("look at the newest move: %w", err)
	}
	before := m.transition
	m.transition = newest
	if newest < before {
		return &ForgottenError{before, newest}
	}
	return nil
}

// Restoration is what taking over a restored database did, or would do.
type Restoration struct {
	At     time.Time `json:"at"`
	DryRun bool      `json:"dry_run"`
	// Workers are the sessions that were ended, Sessions those of people at the
	// dashboard.
	Workers  int `json:"workers_ended"`
	Sessions int `json:"dashboard_sessions_ended"`
	// Live are the executions that go on, Running those of them that a worker held.
	Live    int `json:"executions_live"`
	Running int `json:"executions_taken_back"`
	// Senders are executions that were to send a message, and were cancelled.
	Senders int `json:"senders_cancelled"`
	// Effects are those that a person is to look at.
	Effects int `json:"effects_unknown"`
	// Messages were approved or being sent, Drafts waited for approval.
	Messages int `json:"messages_unknown"`
	Drafts   int `json:"drafts_noted"`
	// Channels are those that were on, and are off.
	Channels []string `json:"channels_turned_off"`
	// Schedules fire no slot of the past, Slots waited in a queue and are skipped,
	// CycleAgents were to begin in a cycle and do not.
	Schedules   int `json:"schedules_moved"`
	Slots       int `json:"slots_skipped"`
	CycleAgents int `json:"cycle_agents_skipped"`
}

// ErrNotRestored says that the database is the one that the services knew.
var ErrNotRestored = errors.New("this is the database that the services knew: nothing says that it was restored")
