package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
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

const versionTable = queue.Schema + ".goose_db_version"

// Migrate brings the database to this binary's schema: River's migrations
// first, then ours, all under one advisory lock. Where there is nothing to do it
// changes nothing. Several processes may call it at once, also through a pooler:
// the lock is a transaction's, which keeps its session.
func Migrate(ctx context.Context, url string) error {
	pool, err := Connect(ctx, PoolConfig{URL: url, Name: "ciclo migrate", MaxConns: 2, Pooled: true})
	if err != nil {
		return err
	}
	defer pool.Close()

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

	if _, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+queue.Schema); err != nil {
		return fmt.Errorf("create schema %s: %w", queue.Schema, err)
	}
	river, err := riverMigrator(pool)
	if err != nil {
		return err
	}
	if _, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("apply River's migrations: %w", err)
	}
	ours, db, err := gooseProvider(pool)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := ours.Up(ctx); err != nil {
		return fmt.Errorf("apply migrations: %w", err)
	}
	return nil
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

// SchemaError says that the database's schema is not this binary's, and which
// command mends it.
type SchemaError struct{ Have, Want int64 }

func (e *SchemaError) Error() string {
	if e.Have > e.Want {
		return fmt.Sprintf("the database has schema version %d, newer than this binary's %d: update this binary", e.Have, e.Want)
	}
	return fmt.Sprintf("the database has schema version %d, this binary needs %d: run `ciclo migrate` with the same DATABASE_URL", e.Have, e.Want)
}

// ErrRiverBehind says that River's migrations are missing.
var ErrRiverBehind = errors.New("the tables of River are not up to date")

// CheckSchema compares the database's schema with this binary's. The error is a
// *SchemaError where they differ.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	want, err := SchemaVersion()
	if err != nil {
		return err
	}
	var have int64
	var table *string
	if err := pool.QueryRow(ctx, `SELECT to_regclass($1)::text`, versionTable).Scan(&table); err != nil {
		return fmt.Errorf("look up the schema version: %w", err)
	}
	if table != nil {
		err := pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable+` WHERE is_applied`).Scan(&have)
		if err != nil {
			return fmt.Errorf("read the schema version: %w", err)
		}
	}
	if have != want {
		return &SchemaError{Have: have, Want: want}
	}
	river, err := riverMigrator(pool)
	if err != nil {
		return err
	}
	validation, err := river.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("check River's migrations: %w", err)
	}
	if !validation.OK {
		return fmt.Errorf("%w (%v): run `ciclo migrate` with the same DATABASE_URL", ErrRiverBehind, validation.Messages)
	}
	return nil
}

// SchemaVersion is the version of this binary's schema: the number of its newest
// migration.
func SchemaVersion() (int64, error) {
	paths, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(paths) == 0 {
		return 0, fmt.Errorf("list embedded migrations: %w", err)
	}
	return goose.NumericComponent(paths[len(paths)-1])
}

// PendingMigrations are the files of this binary's migrations after a version.
func PendingMigrations(after int64) ([]string, error) {
	paths, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list embedded migrations: %w", err)
	}
	var pending []string
	for _, path := range paths {
		version, err := goose.NumericComponent(path)
		if err != nil {
			return nil, fmt.Errorf("number of migration %s: %w", path, err)
		}
		if version > after {
			pending = append(pending, path)
		}
	}
	return pending, nil
}

// SchemaFingerprint changes whenever Migrate would leave another schema: tests
// share migrated templates by it.
func SchemaFingerprint() (string, error) {
	h := sha256.New()
	paths, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return "", fmt.Errorf("list embedded migrations: %w", err)
	}
	for _, path := range paths {
		text, err := migrations.FS.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read embedded migration: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
	}
	river, err := riverMigrator(nil)
	if err != nil {
		return "", err
	}
	for _, v := range river.AllVersions() {
		fmt.Fprintf(h, "river %d\n%s", v.Version, v.SQLUp)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
