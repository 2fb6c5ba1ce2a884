package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/nuzantara/ciclo/internal/queue"
	"github.com/nuzantara/ciclo/migrations"
)

const (
	versionTable       = queue.Schema + ".goose_db_version"
	compatibilityTable = queue.Schema + ".compatibility"
)

// SchemaError says that this binary can't run on the database's schema, and what
// mends it.
type SchemaError struct {
	Have, Want int64
	// Oldest is the oldest version that a newer schema still serves; 0 where the
	// schema is not newer, or doesn't say.
	Oldest int64
}

func (e *SchemaError) Error() string {
	switch {
	case e.Have <= e.Want:
		return fmt.Sprintf("the database has schema version %d, this binary needs %d: run `ciclo migrate` with the same DATABASE_URL", e.Have, e.Want)
	case e.Oldest == 0:
		return fmt.Sprintf("the database has schema version %d, newer than this binary's %d, and doesn't say which binaries it serves: update this binary", e.Have, e.Want)
	default:
		return fmt.Sprintf("the database has schema version %d, which serves binaries of version %d and later, and this one is of %d: update this binary (a schema isn't rolled back: docs/upgrading.md)", e.Have, e.Oldest, e.Want)
	}
}

// ErrRiverBehind says that River's migrations are missing.
var ErrRiverBehind = errors.New("the tables of River are not up to date")

// Schema is what a database says of its own schema.
type Schema struct {
	// Version is that of its newest migration; 0 is an empty database.
	Version int64
	// Oldest is the oldest binaries' version that it serves; 0 where it doesn't say.
	Oldest int64
}

// ReadSchema reads which schema the database has.
func ReadSchema(ctx context.Context, db querier) (Schema, error) {
	var s Schema
	if err := readNumber(ctx, db, &s.Version, versionTable, `max(version_id) FILTER (WHERE is_applied)`); err != nil {
		return s, fmt.Errorf("read the schema version: %w", err)
	}
	if err := readNumber(ctx, db, &s.Oldest, compatibilityTable, `max(oldest)`); err != nil {
		return s, fmt.Errorf("read which versions the schema serves: %w", err)
	}
	return s, nil
}

// readNumber reads an aggregate of a table; 0 where that isn't there.
func readNumber(ctx context.Context, db querier, into *int64, table, aggregate string) error {
	var there bool
	if err := one(ctx, db, []any{&there}, `SELECT to_regclass($1) IS NOT NULL`, table); err != nil || !there {
		return err
	}
	return one(ctx, db, []any{into}, `SELECT coalesce(`+aggregate+`, 0) FROM `+table)
}

// one scans the only row of a query.
func one(ctx context.Context, db querier, into []any, sql string, args ...any) error {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	_, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, row.Scan(into...) })
	return err
}

// serves says whether a binary of version want may run on the schema: nil, or a
// *SchemaError.
func (s Schema) serves(want int64) error {
	if s.Version == want || s.Version > want && s.Oldest > 0 && s.Oldest <= want {
		return nil
	}
	e := &SchemaError{Have: s.Version, Want: want}
	if s.Version > want {
		e.Oldest = s.Oldest
	}
	return e
}

// CheckSchema says whether this binary may run on the database's schema: its own,
// or a newer one that still serves it. The error is a *SchemaError where it may not.
// River's tables may be newer than this binary's River, too.
func CheckSchema(ctx context.Context, pool *pgxpool.Pool) error {
	want, err := SchemaVersion()
	if err != nil {
		return err
	}
	var have Schema
	if err := readNumber(ctx, pool, &have.Version, versionTable, `max(version_id) FILTER (WHERE is_applied)`); err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if have.Version > want {
		if have, err = ReadSchema(ctx, pool); err != nil {
			return err
		}
	}
	if err := have.serves(want); err != nil {
		return err
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
