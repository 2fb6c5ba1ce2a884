package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/nuzantara/ciclo/internal/queue"
	"github.com/nuzantara/ciclo/migrations"
)

// migrateLock is the advisory lock under which one process at a time migrates.
const migrateLock = 0x6369636c6f // "ciclo"

// migrateName is how its sessions show in pg_stat_activity.
const migrateName = "ciclo migrate"

// Defaults of MigrateOptions.
const (
	// DefaultLockTimeout is well below a lease: while a migration waits for a table,
	// everybody who comes after it waits behind it.
	DefaultLockTimeout = 2 * time.Second
	// DefaultLockWait is how long a migration is tried again.
	DefaultLockWait = 5 * time.Minute
)

// MigrateOptions is how to migrate; zero durations take the defaults.
type MigrateOptions struct {
	// LockTimeout is how long one try of a migration waits for a lock; then it gives
	// way, rolls back and comes again, until LockWait has passed.
	LockTimeout, LockWait time.Duration
	// ShutOut lets a migration take away what live services of an old version need.
	ShutOut bool
	// Told hears how it goes; nil is nobody.
	Told func(MigrateEvent)
}

// MigrateEvent is something that happened while migrating.
type MigrateEvent struct {
	// Migration is a name such as 00030_compatibility.sql, or river 006 and its name.
	Migration string
	// Done says that it is applied, after Took.
	Done bool
	Took time.Duration
	// Waits is what it waits for; the migration is tried again.
	Waits string
}

// Migrate brings the database to this binary's schema: River's migrations first,
// then ours, all under one advisory lock. Where there is nothing to do it changes
// nothing; a newer schema that serves this binary stays as it is. Several processes
// may call it at once, also through a pooler: the lock is a transaction's, which keeps
// its session.
func Migrate(ctx context.Context, url string) error {
	return MigrateWith(ctx, url, MigrateOptions{})
}

// MigrateWith is Migrate with options. A *SchemaError where the schema is too new
// for this binary, a *ShutOutError where live services would be shut out.
func MigrateWith(ctx context.Context, url string, o MigrateOptions) error {
	if o.LockTimeout <= 0 {
		o.LockTimeout = DefaultLockTimeout
	}
	if o.LockWait <= 0 {
		o.LockWait = DefaultLockWait
	}
	if o.Told == nil {
		o.Told = func(MigrateEvent) {}
	}
	pool, err := migratePool(ctx, url, 0)
	if err != nil {
		return err
	}
	defer pool.Close()
	hurried, err := migratePool(ctx, url, o.LockTimeout)
	if err != nil {
		return err
	}
	defer hurried.Close()

	lock, err := pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer unlock(ctx, lock)
	// It is silent for as long as the migrations take.
	if _, err := lock.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return fmt.Errorf("prepare the migration lock: %w", err)
	}
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	m := &migration{MigrateOptions: o, patient: pool, hurried: hurried}
	return m.run(ctx)
}

// migratePool has sessions whose statements wait so long for a lock; 0 is without
// end, as for the wait for others who migrate. A pooler's sessions can't be told: there
// everything waits without end.
func migratePool(ctx context.Context, url string, lockTimeout time.Duration) (*pgxpool.Pool, error) {
	plain, err := Connect(ctx, PoolConfig{URL: url, Name: migrateName, MaxConns: 4, Pooled: true})
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	config := plain.Config()
	prepare := config.AfterConnect
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := prepare(ctx, conn); err != nil {
			return err
		}
		if err := ownSession(ctx, conn); errors.Is(err, ErrPooler) || lockTimeout == 0 {
			return nil
		} else if err != nil {
			return err
		}
		_, err := conn.Exec(ctx, `SELECT set_config('lock_timeout', $1, false)`, strconv.FormatInt(lockTimeout.Milliseconds(), 10))
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make connection pool: %w", err)
	}
	return pool, nil
}

// migration is one run of MigrateWith, under the lock.
type migration struct {
	MigrateOptions
	patient, hurried *pgxpool.Pool
}

func (m *migration) run(ctx context.Context) error {
	want, err := SchemaVersion()
	if err != nil {
		return err
	}
	have, err := ReadSchema(ctx, m.patient)
	if err != nil {
		return err
	}
	if have.Version > want {
		return have.serves(want)
	}
	if err := m.mayShutOut(ctx, have.Version); err != nil {
		return err
	}
	if _, err := m.patient.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+queue.Schema); err != nil {
		return fmt.Errorf("create schema %s: %w", queue.Schema, err)
	}
	if err := m.river(ctx); err != nil {
		return fmt.Errorf("apply River's migrations: %w", err)
	}
	return m.ours(ctx, have.Version)
}

// river applies River's migrations, one by one.
func (m *migration) river(ctx context.Context) error {
	river, err := riverMigrator(m.hurried)
	if err != nil {
		return err
	}
	pending, err := river.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{DryRun: true})
	if err != nil {
		return err
	}
	for _, next := range pending.Versions {
		err := m.apply(ctx, riverName(next.Version, next.Name), func() error {
			_, err := river.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: next.Version})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func riverName(version int, name string) string { return fmt.Sprintf("river %03d %s", version, name) }

// ours applies this binary's migrations after a version, one by one. Those outside
// of a transaction hold nobody up while they wait, and would leave half of their
// work if they were cut off: they wait without end.
func (m *migration) ours(ctx context.Context, after int64) error {
	pending, err := readMigrations(after)
	if err != nil {
		return err
	}
	for _, next := range pending {
		pool := m.hurried
		if !next.Transactional {
			pool = m.patient
		}
		provider, db, err := gooseProvider(pool)
		if err != nil {
			return err
		}
		err = m.apply(ctx, next.name, func() error {
			_, err := provider.UpByOne(ctx)
			if errors.Is(err, goose.ErrNoNextVersion) {
				err = nil
			}
			return err
		})
		if err := errors.Join(err, db.Close()); err != nil {
			return fmt.Errorf("apply migrations: %w", err)
		}
	}
	return nil
}

// apply runs one migration until it got its locks.
func (m *migration) apply(ctx context.Context, name string, do func() error) error {
	m.Told(MigrateEvent{Migration: name})
	began := time.Now()
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		watched := m.watch(ctx, name)
		err := do()
		blockers := watched()
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
			m.Told(MigrateEvent{Migration: name, Done: true, Took: time.Since(began)})
			return nil
		case !errors.As(err, &pgErr) || pgErr.Code != "55P03": // lock_not_available
			return err
		case time.Since(began) > m.LockWait:
			return fmt.Errorf("%s got no lock within %s, and nothing of it was done; in its way: %s: %w", name, m.LockWait, blockers, err)
		}
		m.Told(MigrateEvent{Migration: name, Waits: blockers + "; it gave way and comes again in " + pause.String()})
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// inTheWay are the sessions that a migration waits for.
const inTheWay = `
	SELECT coalesce(string_agg(DISTINCT format('session %s (%s, %s, its transaction is %s old)', b.pid, nullif(b.application_name, ''), b.state, date_trunc('second', clock_timestamp() - b.xact_start)), ', '), '')
	FROM pg_stat_activity a CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) blocker JOIN pg_stat_activity b ON b.pid = blocker
	WHERE a.application_name = $1 AND a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.wait_event_type = 'Lock'`

// watch looks who is in a migration's way while it runs; the function that it
// returns ends the watch and says who was. One that may wait for long says it at once.
func (m *migration) watch(ctx context.Context, name string) func() string {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan string, 1)
	go func() {
		found, every := "somebody who was gone when looked for", time.NewTicker(min(m.LockTimeout/4, time.Second))
		defer every.Stop()
		for said := ""; ; {
			select {
			case <-ctx.Done():
				done <- found
				return
			case <-every.C:
			}
			var now string
			if err := m.patient.QueryRow(context.WithoutCancel(ctx), inTheWay, migrateName).Scan(&now); err != nil || now == "" {
				continue // it is a courtesy
			}
			if found = now; said != now {
				said = now
				m.Told(MigrateEvent{Migration: name, Waits: now})
			}
		}
	}()
	return func() string { cancel(); return <-done }
}

// unlock gives the lock back even where ctx is done; a connection that can't is
// closed, which gives it back too.
func unlock(ctx context.Context, lock pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = lock.Rollback(ctx)
}

func riverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: queue.Schema, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare River's migrations: %w", err)
	}
	return m, nil
}

func gooseProvider(pool *pgxpool.Pool) (*goose.Provider, *sql.DB, error) {
	db := stdlib.OpenDBFromPool(pool)
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("prepare migrations: %w", err), db.Close())
	}
	return p, db, nil
}
