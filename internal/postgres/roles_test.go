package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// makeRoles runs deploy/roles.sql, again where another package's tests do so too.
func makeRoles(b *bundle) {
	b.t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "..", "deploy", "roles.sql"))
	b.must(err)
	for {
		_, err := b.pool.Exec(b.ctx, string(script))
		var of *pgconn.PgError
		if !errors.As(err, &of) || of.Message != "tuple concurrently updated" {
			b.must(err)
			return
		}
	}
}

func withRoles(t *testing.T) (*bundle, string) {
	t.Helper()
	url := testdatabase.New(t)
	b := connect(t, url)
	makeRoles(b)
	makeRoles(b) // it may be run again
	for range 2 {
		granted, err := postgres.GrantRoles(b.ctx, url)
		b.must(err)
		if want := []string{postgres.RoleEraser, postgres.RoleOrchestrator, postgres.RoleWorker}; !slices.Equal(granted, want) {
			t.Fatalf("granted to %v, want %v", granted, want)
		}
	}
	return b, url
}

// Every table and view has a decision.
func TestEveryTableHasItsRights(t *testing.T) {
	t.Parallel()
	b, _ := withRoles(t)
	var there []string
	rows, err := b.pool.Query(b.ctx, `
		SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('ciclo', 'crm') AND c.relkind IN ('r', 'p', 'v', 'm')`)
	b.must(err)
	for rows.Next() {
		var name string
		b.must(rows.Scan(&name))
		there = append(there, name)
	}
	b.must(rows.Err())
	decided := postgres.Decided()
	for _, name := range there {
		if !slices.Contains(decided, name) {
			t.Errorf("%s has no line in internal/postgres/rights.go: say which service may do what with it", name)
		}
	}
}

// What each role is refused, whatever a service's code would send.
func TestWhatRolesAreRefused(t *testing.T) {
	t.Parallel()
	b, _ := withRoles(t)
	for role, refused := range map[string][]string{
		postgres.RoleOrchestrator: {
			`INSERT INTO ciclo.client_scores (client_id) VALUES ('x')`, `UPDATE ciclo.patterns SET examples = '{}'`, `DELETE FROM ciclo.value_models`,
			`UPDATE ciclo.steps SET output = '{}'`, `DELETE FROM ciclo.steps`, `INSERT INTO ciclo.messages (client_id) VALUES ('x')`, `INSERT INTO ciclo.mentions DEFAULT VALUES`,
			`UPDATE ciclo.prompt_proposals SET title = 'x'`, `INSERT INTO ciclo.contacts DEFAULT VALUES`,
			`INSERT INTO crm.payments DEFAULT VALUES`, `UPDATE crm.clients SET name = 'x'`, `DELETE FROM crm.messages`, `SELECT FROM crm.payments`,
			`UPDATE ciclo.audit_log SET token = 'x'`, `DELETE FROM ciclo.audit_log`, `DELETE FROM ciclo.tokens`, `UPDATE ciclo.transitions SET reason = 'x'`,
			`SELECT FROM dashboard.executions`,
		},
		postgres.RoleWorker: {
			`INSERT INTO ciclo.executions DEFAULT VALUES`, `INSERT INTO ciclo.tokens (name) VALUES ('x')`, `SELECT hash FROM ciclo.tokens`, `UPDATE ciclo.tokens SET scopes = '{admin}'`,
			`INSERT INTO ciclo.sessions DEFAULT VALUES`, `SELECT secret_hash FROM ciclo.sessions`, `INSERT INTO ciclo.schedules DEFAULT VALUES`, `SELECT parameters FROM ciclo.schedules`,
			`INSERT INTO ciclo.audit_log DEFAULT VALUES`, `SELECT FROM ciclo.audit_log`, `SELECT secret FROM ciclo.webhooks`, `SELECT url FROM ciclo.webhooks`, `UPDATE ciclo.webhooks SET url = 'x'`,
			`INSERT INTO ciclo.cycles DEFAULT VALUES`, `UPDATE ciclo.contact_policy SET channels = '{email}'`, `INSERT INTO ciclo.opt_outs DEFAULT VALUES`, `DELETE FROM ciclo.opt_outs`,
			`INSERT INTO ciclo.message_templates DEFAULT VALUES`, `SELECT FROM crm.clients`, `INSERT INTO crm.payments DEFAULT VALUES`, `SELECT FROM dashboard.executions`,
			`SELECT FROM ciclo.prune_executions(now() - interval '9 days', '', '-infinity', '', 10, true)`, `SET ROLE ciclo_eraser`, `SET ROLE ciclo_owner`,
		},
		postgres.RoleEraser: {
			`SELECT FROM ciclo.tokens`, `SELECT FROM ciclo.audit_log`, `SELECT secret FROM ciclo.webhooks`, `INSERT INTO ciclo.executions DEFAULT VALUES`, `UPDATE ciclo.executions SET status = 'failed'`,
		},
		"ciclo_dashboard": {
			`SELECT FROM ciclo.executions`, `SELECT FROM ciclo.tokens`, `SELECT FROM crm.clients`, `SELECT FROM source.clients`, `SELECT FROM ciclo.prune_executions(now() - interval '9 days', '', '-infinity', '', 10, true)`,
		},
	} {
		all := slices.Concat(refused, []string{ // nobody
			`CREATE TABLE ciclo.more (a int)`, `CREATE TABLE dashboard.more (a int)`, `CREATE SCHEMA more`, `ALTER TABLE ciclo.executions ADD COLUMN more int`, `DROP TABLE ciclo.transitions`,
			`ALTER TABLE ciclo.transitions DISABLE TRIGGER ALL`, `SET session_replication_role = replica`, `TRUNCATE ciclo.transitions CASCADE`, `TRUNCATE ciclo.river_job`,
			`DELETE FROM ciclo.transitions`, `DELETE FROM ciclo.executions`, `DELETE FROM ciclo.effects`, `UPDATE ciclo.tokens SET hash = ''`, `CREATE OR REPLACE FUNCTION ciclo.refuse_deletion() RETURNS trigger LANGUAGE sql AS 'SELECT 1'`,
			`CREATE ROLE more`, `COPY ciclo.workers TO PROGRAM 'true'`})
		if role == postgres.RoleOrchestrator {
			all = slices.DeleteFunc(all, func(sql string) bool { return sql == `UPDATE ciclo.tokens SET hash = ''` }) // it revokes them
		}
		for _, sql := range all {
			if err := b.asRole(role, sql); !denied(err) {
				t.Errorf("%s may %s: %v", role, sql, err)
			}
		}
	}
}

// denied says whether an error is a refusal for want of a right.
func denied(err error) bool {
	var of *pgconn.PgError
	return errors.As(err, &of) && of.Code == "42501" // insufficient_privilege
}

// asRole does something as a role, and takes it back.
func (b *bundle) asRole(role, sql string) error {
	b.t.Helper()
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	defer func() { b.must(tx.Rollback(b.ctx)) }()
	if _, err := tx.Exec(b.ctx, `SET LOCAL SESSION AUTHORIZATION `+role); err != nil {
		b.t.Fatal(err)
	}
	_, err = tx.Exec(b.ctx, sql)
	return err
}

// What each role may, where it is told apart from what it may not.
func TestWhatRolesMay(t *testing.T) {
	t.Parallel()
	b, _ := withRoles(t)
	for role, allowed := range map[string][]string{
		postgres.RoleOrchestrator: {
			`SELECT FROM ciclo.prune_executions(now() - interval '9 days', '', '-infinity', '', 10, false)`, `SET ROLE ciclo_eraser`, `SELECT FROM ciclo.tokens`, `UPDATE ciclo.executions SET cancel_requested_at = now()`,
		},
		postgres.RoleWorker: {
			`SELECT FROM source.clients`, `SELECT id, statuses FROM ciclo.webhooks`, `SELECT FROM ciclo.contact_policy FOR NO KEY UPDATE`, `CREATE TEMP TABLE x (LIKE ciclo.mentions)`,
		},
		"ciclo_dashboard": {`SELECT FROM dashboard.executions`},
	} {
		for _, sql := range allowed {
			if err := b.asRole(role, sql); err != nil {
				t.Errorf("%s may not %s: %v", role, sql, err)
			}
		}
	}
}

// The worker reindexes River's queue, as River does daily, where Postgres has a right
// for that.
func TestTheWorkerReindexesWhereItCan(t *testing.T) {
	t.Parallel()
	b, _ := withRoles(t)
	var can bool
	b.must(b.pool.QueryRow(b.ctx, `SELECT current_setting('server_version_num')::int >= 170000`).Scan(&can))
	for _, index := range river.ReindexerIndexNamesDefault() {
		var there bool
		b.must(b.pool.QueryRow(b.ctx, `SELECT to_regclass('ciclo.' || $1) IS NOT NULL`, index).Scan(&there))
		if !there {
			continue // River's, of another of its versions
		}
		err := b.asRole(postgres.RoleWorker, `REINDEX INDEX ciclo.`+index)
		if denied(err) == can || (can && err != nil) {
			t.Errorf("REINDEX of %s, on a Postgres that can allow it (%t): %v", index, can, err)
		}
	}
}

// A right that a later version no longer gives is taken back, and missing ones are named.
func TestRightsAreExactlyThese(t *testing.T) {
	t.Parallel()
	b, url := withRoles(t)
	missing := func(service string) string {
		t.Helper()
		role := map[string]string{"orchestrator": postgres.RoleOrchestrator, "worker": postgres.RoleWorker}[service]
		config := b.pool.Config().Copy()
		config.MaxConns = 1
		config.ConnConfig.RuntimeParams["role"] = role // as a session begins
		pool, err := pgxpool.NewWithConfig(b.ctx, config)
		b.must(err)
		defer pool.Close()
		all, err := postgres.MissingRights(b.ctx, pool, service)
		b.must(err)
		return strings.Join(all, ", ")
	}
	for _, service := range []string{"orchestrator", "worker"} {
		if got := missing(service); got != "" {
			t.Errorf("%s misses %s", service, got)
		}
	}
	b.exec(`GRANT DELETE ON ciclo.transitions TO ciclo_worker; REVOKE INSERT ON ciclo.steps FROM ciclo_worker; REVOKE SELECT (agents) ON ciclo.webhooks FROM ciclo_worker`)
	if got := missing("worker"); got != "INSERT on ciclo.steps, SELECT on ciclo.webhooks" {
		t.Errorf("it misses %s", got)
	}
	_, err := postgres.GrantRoles(b.ctx, url)
	b.must(err)
	if err := b.asRole(postgres.RoleWorker, `DELETE FROM ciclo.transitions`); !denied(err) {
		t.Errorf("what was granted by hand stays: %v", err)
	}
	if got := missing("worker"); got != "" {
		t.Errorf("granted again it misses %s", got)
	}
}
