package ddl_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/ddl"
	"github.com/nuzantara/ciclo/migrations"
)

func TestWhatAStatementDoes(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"ALTER TABLE ciclo.executions ADD COLUMN x text":                                           "ciclo.executions ACCESS EXCLUSIVE",
		"ALTER TABLE ciclo.executions ADD COLUMN x text NOT NULL DEFAULT ''":                       "ciclo.executions ACCESS EXCLUSIVE",
		"ALTER TABLE ciclo.executions ADD x integer NOT NULL":                                      "ciclo.executions ACCESS EXCLUSIVE; takes away",
		"ALTER TABLE ciclo.executions ADD COLUMN x uuid DEFAULT gen_random_uuid()":                 "ciclo.executions ACCESS EXCLUSIVE rewrite",
		"ALTER TABLE ciclo.executions ADD COLUMN x text, DROP COLUMN IF EXISTS y":                  "ciclo.executions ACCESS EXCLUSIVE; takes away",
		"ALTER TABLE ciclo.executions RENAME COLUMN a TO b":                                        "ciclo.executions ACCESS EXCLUSIVE; takes away",
		"ALTER TABLE ciclo.executions ALTER COLUMN a TYPE bigint":                                  "ciclo.executions ACCESS EXCLUSIVE rewrite; takes away",
		"ALTER TABLE ciclo.executions ALTER a SET NOT NULL":                                        "ciclo.executions ACCESS EXCLUSIVE scan; takes away",
		"ALTER TABLE ciclo.executions DROP CONSTRAINT c":                                           "ciclo.executions ACCESS EXCLUSIVE",
		"ALTER TABLE ciclo.executions ADD CONSTRAINT c CHECK (a > 0)":                              "ciclo.executions ACCESS EXCLUSIVE scan",
		"ALTER TABLE ciclo.executions ADD CONSTRAINT c CHECK (a IN (1, 2)) NOT VALID":              "ciclo.executions ACCESS EXCLUSIVE",
		"ALTER TABLE ciclo.executions VALIDATE CONSTRAINT c":                                       "ciclo.executions SHARE UPDATE EXCLUSIVE scan",
		"ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (x) REFERENCES b (y) NOT VALID":                "a SHARE ROW EXCLUSIVE, b SHARE ROW EXCLUSIVE",
		"CREATE UNIQUE INDEX i ON ciclo.executions (agent) WHERE status = 'x; y'":                  "ciclo.executions SHARE scan",
		"create index concurrently if not exists i on ciclo.executions using btree (agent)":        "ciclo.executions SHARE UPDATE EXCLUSIVE scan",
		"DROP INDEX CONCURRENTLY IF EXISTS ciclo.i":                                                "ciclo.i SHARE UPDATE EXCLUSIVE",
		"DROP INDEX ciclo.i, ciclo.j":                                                              "ciclo.i ACCESS EXCLUSIVE, ciclo.j ACCESS EXCLUSIVE",
		"DROP TABLE ciclo.a, ciclo.b CASCADE":                                                      "ciclo.a ACCESS EXCLUSIVE, ciclo.b ACCESS EXCLUSIVE; takes away",
		"DROP VIEW dashboard.a":                                                                    "dashboard.a ACCESS EXCLUSIVE; takes away",
		"DROP FUNCTION ciclo.f(integer, text)":                                                     "; takes away",
		"CREATE TRIGGER t AFTER UPDATE OF status ON ciclo.executions EXECUTE FUNCTION f()":         "ciclo.executions SHARE ROW EXCLUSIVE",
		"DROP TRIGGER t ON ciclo.executions":                                                       "ciclo.executions ACCESS EXCLUSIVE",
		"TRUNCATE ciclo.a":                                                                         "ciclo.a ACCESS EXCLUSIVE; takes away",
		"LOCK TABLE ciclo.a IN SHARE MODE":                                                         "ciclo.a SHARE",
		"UPDATE ciclo.executions SET x = 1":                                                        "ciclo.executions ROW EXCLUSIVE rows",
		"CREATE TABLE ciclo.a (b text REFERENCES ciclo.executions (id))":                           "ciclo.executions SHARE ROW EXCLUSIVE",
		"CREATE TABLE ciclo.a (b text); CREATE INDEX ON ciclo.a (b); ALTER TABLE ciclo.a DROP b":   "",
		"DROP VIEW dashboard.a; CREATE VIEW dashboard.a AS SELECT 1":                               "",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $x$ SELECT 1; DROP TABLE ciclo.a; $x$":    "",
		"-- DROP TABLE ciclo.a;\nCOMMENT ON TABLE b IS 'it''s; DROP TABLE b' /* ; DROP TABLE b */": "",
		"DO $$ BEGIN DROP TABLE ciclo.a; END $$":                                                   "; unread",
	} {
		var got []string
		m := ddl.Plain(sql)
		for _, s := range m.Statements {
			for _, l := range s.Locks {
				got = append(got, strings.TrimSpace(l.Table+" "+l.Mode+" "+l.Work))
			}
		}
		text := strings.Join(got, ", ")
		if m.Contracts() {
			text += "; takes away"
		}
		if m.Unread() > 0 {
			text += "; unread"
		}
		if text != want {
			t.Errorf("%s: %q, want %q", sql, text, want)
		}
	}
}

func TestAFileOfGoose(t *testing.T) {
	t.Parallel()
	m, err := ddl.Goose(`-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY i ON ciclo.steps (name);
-- +goose Down
DROP TABLE ciclo.steps;`)
	if err != nil || m.Transactional || len(m.Statements) != 1 || m.Contracts() {
		t.Errorf("%+v, %v", m, err)
	}
	m, err = ddl.Goose("-- +goose Up\nUPDATE ciclo.compatibility SET oldest = 31; -- so\nALTER TABLE ciclo.steps DROP COLUMN x;\n")
	if err != nil || !m.Transactional || m.Oldest != 31 || !m.Contracts() {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := ddl.Goose("CREATE TABLE a ()"); err == nil {
		t.Error("a file without a mark was read")
	}
}

// big are the tables that grow with use: building an index on one of them, or
// reading all of it under a lock, would stop the services for as long.
var big = []string{
	"ciclo.executions", "ciclo.transitions", "ciclo.steps", "ciclo.effects", "ciclo.river_job", "ciclo.webhook_deliveries", "ciclo.activity",
	"ciclo.client_scores", "ciclo.value_payments", "ciclo.segment_changes", "ciclo.messages", "ciclo.contacts", "ciclo.graph_messages", "ciclo.graph_records",
	"ciclo.mentions", "ciclo.record_attributes", "ciclo.edges", "ciclo.edge_evidence", "ciclo.entities", "ciclo.entity_aliases", "ciclo.audit_log",
	"crm.clients", "crm.payments", "crm.interactions", "crm.conversations", "crm.messages",
}

// rulesFrom is the first migration that was written under the rules.
const rulesFrom = 30

// The rules of docs/upgrading.md, as far as a machine can hold them.
func TestMigrationsKeepTheRules(t *testing.T) {
	t.Parallel()
	paths, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(paths) < 25 {
		t.Fatalf("%d migrations, %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := migrations.FS.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ddl.Goose(string(text))
		if err != nil || len(m.Statements) == 0 {
			t.Fatalf("%s: %d statements, %v", path, len(m.Statements), err)
		}
		var version int64
		if _, err := fmt.Sscanf(path, "%d_", &version); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if version < rulesFrom {
			continue
		}
		for _, wrong := range m.Broken(version, big) {
			t.Errorf("%s: %s", path, wrong)
		}
		for _, s := range m.Statements {
			if s.Unread && !strings.Contains(s.SQL, "DO $$") && !strings.HasPrefix(s.SQL, "SELECT") {
				t.Errorf("%s: not understood: %s", path, s.SQL)
			}
		}
	}
}

func TestTheRulesSeeWhatBreaksThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"-- +goose Up\nALTER TABLE ciclo.executions ADD COLUMN x text;":                                                       0,
		"-- +goose Up\nALTER TABLE ciclo.executions DROP COLUMN x;":                                                           1,
		"-- +goose Up\nALTER TABLE ciclo.executions DROP COLUMN x;\nUPDATE ciclo.compatibility SET oldest = 40;":              0,
		"-- +goose Up\nALTER TABLE ciclo.executions DROP COLUMN x;\nUPDATE ciclo.compatibility SET oldest = 41;":              1,
		"-- +goose Up\nCREATE INDEX i ON ciclo.executions (x);":                                                               1,
		"-- +goose Up\nCREATE INDEX CONCURRENTLY i ON ciclo.executions (x);":                                                  1,
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON ciclo.executions (x);":                        0,
		"-- +goose NO TRANSACTION\n-- +goose Up\nDROP INDEX CONCURRENTLY IF EXISTS ciclo.i;\nUPDATE ciclo.steps SET x = 1;":   1,
		"-- +goose Up\nALTER TABLE ciclo.steps ADD CONSTRAINT c CHECK (x > 0);":                                               1,
		"-- +goose Up\nALTER TABLE ciclo.steps ADD CONSTRAINT c CHECK (x > 0) NOT VALID;":                                     0,
		"-- +goose Up\nALTER TABLE ciclo.steps ALTER COLUMN x TYPE bigint;\nUPDATE ciclo.compatibility SET oldest = 40;":      1,
		"-- +goose Up\nCREATE TABLE ciclo.new (x text);\nCREATE INDEX i ON ciclo.new (x);\nDROP FUNCTION ciclo.old(integer);": 1,
	} {
		m, err := ddl.Goose(text)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := m.Broken(40, big); len(wrong) != want {
			t.Errorf("%s\nbreaks %d rules, want %d: %s", text, len(wrong), want, cmp.Diff([]string{}, wrong))
		}
	}
}
