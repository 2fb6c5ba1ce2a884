package postgres

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/nuzantara/ciclo/internal/ddl"
	"github.com/nuzantara/ciclo/migrations"
)

// MigrationPlan is what Migrate would do to a database.
type MigrationPlan struct {
	SchemaVersion int64 `json:"schema_version"`
	TargetVersion int64 `json:"target_version"`
	// OldestVersion is the oldest binaries' version that the schema serves now.
	OldestVersion int64              `json:"oldest_version"`
	Pending       []PlannedMigration `json:"pending"`
	// Sessions are the live services on the database.
	Sessions []Session `json:"sessions"`
}

// PlannedMigration is one that is pending.
type PlannedMigration struct {
	// Source is river or ciclo.
	Source        string `json:"source"`
	Version       int64  `json:"version"`
	Name          string `json:"name"`
	Transactional bool   `json:"transactional"`
	// Kind is expand, which programs of the version before don't notice, or contract.
	Kind string `json:"kind"`
	// RaisesOldestTo is the version before which it shuts programs out; 0 is none.
	RaisesOldestTo int64         `json:"raises_oldest_to"`
	Locks          []PlannedLock `json:"locks"`
	// Unread is how many statements nobody but a person can judge.
	Unread int    `json:"unread_statements"`
	SQL    string `json:"sql"`
}

// PlannedLock is a table that a migration locks, until its end where it is one
// transaction.
type PlannedLock struct {
	Table string `json:"table"`
	Mode  string `json:"mode"`
	// Work is what it does to the rows meanwhile: scan, rewrite, rows (some are
	// written), or nothing.
	Work string `json:"work"`
	// Rows is the planner's estimate, Bytes the size with indexes; null where there
	// is no such table yet.
	Rows  *int64 `json:"rows"`
	Bytes *int64 `json:"bytes"`
}

// Session is a live service on the database.
type Session struct {
	// Service is worker or orchestrator.
	Service string `json:"service"`
	// ID is the worker's or the orchestrator's; the process id of its session where that
	// is too old to say.
	ID   string `json:"id"`
	Host string `json:"host"`
	// Version is the program's; empty where only its API says it.
	Version string `json:"version"`
	// SchemaVersion is what it was built with; 0 where it is too old to say.
	SchemaVersion int64 `json:"schema_version"`
	// ShutOut says that a pending migration takes away what it needs.
	ShutOut bool `json:"shut_out" db:"-"`
}

// ShutOutError says that migrations would break services that run now.
type ShutOutError struct {
	Migration string
	Oldest    int64
	Sessions  []Session
}

func (e *ShutOutError) Error() string {
	var who []string
	for _, s := range e.Sessions {
		who = append(who, fmt.Sprintf("%s %s (schema %d)", s.Service, s.ID, s.SchemaVersion))
	}
	return fmt.Sprintf("%s serves programs of schema version %d and later alone, and older ones run: %s: update them first, or `ciclo migrate --shut-out`",
		e.Migration, e.Oldest, strings.Join(who, ", "))
}

// embedded is one of this binary's migrations.
type embedded struct {
	ddl.Migration
	name    string
	version int64
	text    string
}

// readMigrations reads this binary's migrations after a version.
func readMigrations(after int64) ([]embedded, error) {
	paths, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list embedded migrations: %w", err)
	}
	var all []embedded
	for _, path := range paths {
		version, err := goose.NumericComponent(path)
		if err != nil {
			return nil, fmt.Errorf("number of migration %s: %w", path, err)
		}
		if version <= after {
			continue
		}
		text, err := migrations.FS.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read embedded migration: %w", err)
		}
		read, err := ddl.Goose(string(text))
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", path, err)
		}
		all = append(all, embedded{read, path, version, string(text)})
	}
	return all, nil
}

// PlanMigration says what Migrate would do, and changes nothing.
func PlanMigration(ctx context.Context, url string) (MigrationPlan, error) {
	p := MigrationPlan{Pending: []PlannedMigration{}, Sessions: []Session{}}
	pool, err := migratePool(ctx, url, DefaultLockTimeout)
	if err != nil {
		return p, err
	}
	defer pool.Close()
	have, err := ReadSchema(ctx, pool)
	if err != nil {
		return p, err
	}
	if p.TargetVersion, err = SchemaVersion(); err != nil {
		return p, err
	}
	p.SchemaVersion, p.OldestVersion = have.Version, have.Oldest
	if have.Version > p.TargetVersion {
		return p, have.serves(p.TargetVersion)
	}
	if err := p.add(ctx, pool); err != nil {
		return p, err
	}
	if err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return p.look(ctx, tx)
	}); err != nil {
		return p, fmt.Errorf("plan migrations: %w", err)
	}
	return p, nil
}

// add lists what is pending.
func (p *MigrationPlan) add(ctx context.Context, pool *pgxpool.Pool) error {
	river, err := riverMigrator(pool)
	if err != nil {
		return err
	}
	// A dry run only reads.
	pending, err := river.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{DryRun: true})
	if err != nil {
		return fmt.Errorf("plan River's migrations: %w", err)
	}
	for _, next := range pending.Versions {
		p.plan("river", int64(next.Version), riverName(next.Version, next.Name), next.SQL, ddl.Plain(next.SQL))
	}
	ours, err := readMigrations(p.SchemaVersion)
	if err != nil {
		return err
	}
	for _, next := range ours {
		p.plan("ciclo", next.version, next.name, next.text, next.Migration)
	}
	return nil
}

// plan adds one migration; of several locks on a table the hardest counts.
func (p *MigrationPlan) plan(source string, version int64, name, text string, m ddl.Migration) {
	one := PlannedMigration{
		Source: source, Version: version, Name: name, Transactional: m.Transactional, Kind: "expand",
		RaisesOldestTo: m.Oldest, Locks: []PlannedLock{}, Unread: m.Unread(), SQL: text,
	}
	if m.Contracts() {
		one.Kind = "contract"
	}
	for _, s := range m.Statements {
		for _, l := range s.Locks {
			lock := PlannedLock{Table: l.Table, Mode: l.Mode, Work: l.Work}
			at := slices.IndexFunc(one.Locks, func(known PlannedLock) bool { return known.Table == l.Table })
			switch {
			case at < 0:
				one.Locks = append(one.Locks, lock)
			case hardness(lock) > hardness(one.Locks[at]):
				one.Locks[at] = lock
			}
		}
	}
	p.Pending = append(p.Pending, one)
}

// hardness orders locks by what they cost others.
func hardness(l PlannedLock) int {
	modes := []string{ddl.RowExclusive, ddl.ShareUpdateExclusive, ddl.Share, ddl.ShareRowExclusive, ddl.AccessExclusive}
	work := []string{"", ddl.Writes, ddl.Scans, ddl.Rewrites}
	return slices.Index(modes, l.Mode)*len(work) + slices.Index(work, l.Work)
}

// look adds how large the tables are, and who would be shut out.
func (p *MigrationPlan) look(ctx context.Context, tx pgx.Tx) error {
	oldest := int64(0)
	for i := range p.Pending {
		oldest = max(oldest, p.Pending[i].RaisesOldestTo)
		for j := range p.Pending[i].Locks {
			l := &p.Pending[i].Locks[j]
			err := one(ctx, tx, []any{&l.Rows, &l.Bytes}, `
				SELECT (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = to_regclass($1)),
				       (SELECT pg_total_relation_size(c.oid) FROM pg_class c WHERE c.oid = to_regclass($1))`, l.Table)
			if err != nil {
				return fmt.Errorf("look at table %s: %w", l.Table, err)
			}
		}
	}
	if p.SchemaVersion == 0 {
		return nil
	}
	var err error
	p.Sessions, err = liveSessions(ctx, tx, p.SchemaVersion)
	for i := range p.Sessions {
		p.Sessions[i].ShutOut = p.Sessions[i].SchemaVersion < oldest
	}
	return err
}

// OrchestratorName is the name of an orchestrator's session, by which others see
// which schema version it was built with.
func OrchestratorName() (string, error) {
	version, err := SchemaVersion()
	return orchestratorName + strconv.FormatInt(version, 10), err
}

const orchestratorName = "ciclo reaper, schema "

// withSchemaVersion is the version from which workers say theirs.
const withSchemaVersion = 30

// liveSessions are the services that run on a database of a schema version. Orchestrators
// of today say so in a table, older ones by the name of a session, which a pooler hides.
func liveSessions(ctx context.Context, db querier, version int64) ([]Session, error) {
	built, seen := `coalesce(w.schema_version, 0)`, ``
	if version < withSchemaVersion {
		built = `0::bigint`
	}
	if version >= withOrchestrators {
		seen = `UNION ALL SELECT 'orchestrator', id::text, host, version, schema_version FROM ciclo.orchestrators WHERE seen_at > now() - $1::interval`
	}
	rows, err := db.Query(ctx, `
		SELECT 'worker', w.id::text, w.host, w.version, `+built+` FROM ciclo.workers w WHERE w.ended_at IS NULL AND w.lease_until > now()
		UNION ALL
		SELECT 'orchestrator', pid::text, host, '', built FROM (
			SELECT a.pid, coalesce(host(a.client_addr), '') AS host, coalesce(substring(a.application_name FROM '^ciclo reaper, schema (\d{1,18})$'), '0')::bigint AS built
			FROM pg_stat_activity a WHERE a.datname = current_database() AND a.application_name LIKE 'ciclo reaper%'
		) named WHERE $1::interval IS NOT NULL AND built < `+strconv.Itoa(withOrchestrators)+`
		`+seen+`
		ORDER BY 1 DESC, 2`, orchestratorSilence)
	if err != nil {
		return nil, fmt.Errorf("look for services that run: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Session])
}

// mayShutOut looks, before anything is changed, whether what is pending takes away
// what live services need.
func (m *migration) mayShutOut(ctx context.Context, version int64) error {
	pending, err := readMigrations(version)
	if err != nil || m.ShutOut || version == 0 {
		return err
	}
	for _, next := range pending {
		if next.Oldest == 0 {
			continue
		}
		live, err := liveSessions(ctx, m.patient, version)
		if err != nil {
			return err
		}
		old := slices.DeleteFunc(live, func(s Session) bool { return s.SchemaVersion >= next.Oldest })
		if len(old) > 0 {
			return &ShutOutError{next.name, next.Oldest, old}
		}
	}
	return nil
}
