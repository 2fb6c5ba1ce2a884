package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/migrations"
)

// A newer schema serves this binary as long as it says so.
func TestANewerSchema(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	want, err := postgres.SchemaVersion()
	b.must(err)
	b.exec(`INSERT INTO ciclo.goose_db_version (version_id, is_applied) VALUES (99990, true)`)
	b.must(postgres.CheckSchema(b.ctx, b.pool))
	b.exec(`INSERT INTO ciclo.river_migration (line, version) VALUES ('main', 999)`)
	b.must(postgres.CheckSchema(b.ctx, b.pool))
	b.must(postgres.Migrate(b.ctx, b.pool.Config().ConnString())) // as an old release's job would

	b.exec(`UPDATE ciclo.compatibility SET oldest = $1`, want)
	b.must(postgres.CheckSchema(b.ctx, b.pool))
	b.exec(`UPDATE ciclo.compatibility SET oldest = $1`, want+1)
	for what, err := range map[string]error{
		"a check": postgres.CheckSchema(b.ctx, b.pool), "a migration": postgres.Migrate(b.ctx, b.pool.Config().ConnString()),
	} {
		var schema *postgres.SchemaError
		if !errors.As(err, &schema) || schema.Have != 99990 || schema.Oldest != want+1 || !strings.Contains(err.Error(), "update this binary") {
			t.Errorf("%s of a schema that doesn't serve this binary: %v", what, err)
		}
	}
	b.refused(`UPDATE ciclo.compatibility SET oldest = 1`)
	b.refused(`DELETE FROM ciclo.compatibility`)
	b.refused(`INSERT INTO ciclo.compatibility (singleton, oldest) VALUES (false, 1)`)
}

// refused is SQL that the database refuses.
func (b *bundle) refused(sql string) {
	b.t.Helper()
	if _, err := b.pool.Exec(b.ctx, sql); !postgres.Refused(err) {
		b.t.Errorf("%s: %v", sql, err)
	}
}

// back takes the database to the schema before that of 00030.
func (b *bundle) back() {
	b.t.Helper()
	db := stdlib.OpenDBFromPool(b.pool)
	schema, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithTableName("ciclo.goose_db_version"), goose.WithDisableGlobalRegistry(true))
	b.must(err)
	_, err = schema.DownTo(b.ctx, 29)
	b.must(err)
	b.must(db.Close())
}

func TestThePlan(t *testing.T) {
	t.Parallel()
	url := testdatabase.Empty(t)
	empty, err := postgres.PlanMigration(t.Context(), url)
	if err != nil || empty.SchemaVersion != 0 || len(empty.Sessions) != 0 || len(empty.Pending) < 30 || empty.Pending[0].Source != "river" {
		t.Errorf("of an empty database: %v, %+v", err, empty.Pending)
	}
	if n := connect(t, url).count(`SELECT count(*) FROM pg_namespace WHERE nspname = 'ciclo'`); n != 0 {
		t.Error("a plan made something")
	}

	b := newBundle(t)
	b.worker()
	url = b.pool.Config().ConnString()
	nothing, err := postgres.PlanMigration(b.ctx, url)
	b.must(err)
	if nothing.SchemaVersion != nothing.TargetVersion || len(nothing.Pending) != 0 || len(nothing.Sessions) != 1 || nothing.Sessions[0].SchemaVersion != nothing.TargetVersion {
		t.Errorf("of a schema that is up to date: %+v", nothing)
	}
	b.back()
	p, err := postgres.PlanMigration(b.ctx, url)
	b.must(err)
	if p.SchemaVersion >= 30 || len(p.Pending) == 0 || p.Pending[0].Name != "00030_compatibility.sql" || len(p.Sessions) != 1 || p.Sessions[0].SchemaVersion != 0 {
		t.Fatalf("behind: %+v", p)
	}
	first := p.Pending[0]
	at := slices.IndexFunc(first.Locks, func(l postgres.PlannedLock) bool { return l.Table == "ciclo.workers" })
	if at < 0 || first.Locks[at].Mode != "ACCESS EXCLUSIVE" || first.Locks[at].Bytes == nil || *first.Locks[at].Bytes == 0 {
		t.Errorf("its locks: %+v", first.Locks)
	}
	if !first.Transactional || first.Kind != "expand" || !strings.Contains(first.SQL, "CREATE TABLE ciclo.compatibility") {
		t.Errorf("%+v", first)
	}
}

// A migration that gets no lock gives way, so that nobody waits behind it, and comes
// again.
func TestAMigrationGivesWay(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.back()
	url := b.pool.Config().ConnString()
	holder, err := b.pool.Begin(b.ctx)
	b.must(err)
	defer func() {
		if err := holder.Rollback(b.ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			t.Error(err)
		}
	}()
	_, err = holder.Exec(b.ctx, `SELECT FROM ciclo.workers`)
	b.must(err)

	err = postgres.MigrateWith(b.ctx, url, postgres.MigrateOptions{LockTimeout: 100 * time.Millisecond, LockWait: time.Nanosecond})
	if err == nil || !strings.Contains(err.Error(), "nothing of it was done") {
		t.Fatalf("with somebody in its way for ever: %v", err)
	}
	if n := b.count(`SELECT count(*) FROM pg_class WHERE oid = to_regclass('ciclo.compatibility')`); n != 0 {
		t.Error("a migration that gave way left something")
	}

	var mu sync.Mutex
	var waits, done []string
	gaveWay := make(chan struct{}, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- postgres.MigrateWith(b.ctx, url, postgres.MigrateOptions{LockTimeout: 400 * time.Millisecond, Told: func(e postgres.MigrateEvent) {
			mu.Lock()
			defer mu.Unlock()
			if e.Done {
				done = append(done, e.Migration)
			}
			if strings.Contains(e.Waits, "comes again") {
				waits = append(waits, e.Waits)
				gaveWay <- struct{}{}
			}
		}})
	}()
	select {
	case <-gaveWay:
	case err := <-ended:
		t.Fatalf("it did not wait: %v", err)
	}
	b.exec(`UPDATE ciclo.workers SET beat_at = now()`) // nobody waits behind it now
	b.must(holder.Commit(b.ctx))
	b.must(<-ended)
	mu.Lock()
	defer mu.Unlock()
	if len(done) == 0 || done[0] != "00030_compatibility.sql" || !strings.Contains(waits[0], "session ") {
		t.Errorf("it said %q of who was in its way, and did %q", waits, done)
	}
	b.must(postgres.CheckSchema(b.ctx, b.pool))
}
