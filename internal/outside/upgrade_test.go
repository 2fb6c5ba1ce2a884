package outside

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// The migrations of the versions to come, and what their manifests have more.
const (
	expandSQL = `-- +goose Up
ALTER TABLE ciclo.executions ADD COLUMN from_the_future text;
CREATE TABLE ciclo.from_the_future (id bigint PRIMARY KEY);
-- +goose Down
DROP TABLE ciclo.from_the_future;
ALTER TABLE ciclo.executions DROP COLUMN from_the_future;
`
	contractSQL = `-- +goose Up
UPDATE ciclo.compatibility SET oldest = 99990;
ALTER TABLE ciclo.executions DROP COLUMN from_the_future;
-- +goose Down
SELECT 1;
`
	newProperty = `"depth": {"type": "integer", "default": 2}, "steps": {"type"`
	newField    = "Depth int `json:\"depth\"`\n\t\tSteps int"
)

// buildVersion builds programs of this tree with migrations and a manifest of a
// version to come, without touching the tree.
func buildVersion(t *testing.T, migrations map[string]string, packages ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	tree, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	agents := filepath.Join(tree, "internal", "testagents", "testagents.go")
	text, err := os.ReadFile(agents)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(strings.Replace(string(text), `"steps": {"type"`, newProperty, 1), "Steps   int", newField, 1)
	if strings.Count(changed, "depth") != 2 {
		t.Fatal("the test agents are not as this test knows them")
	}
	replace := map[string]string{}
	write := func(path, name, text string) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = file
	}
	write(agents, "testagents.txt", changed)
	for name, sql := range migrations {
		write(filepath.Join(tree, "migrations", name), name, sql)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir + string(filepath.Separator)}
	for _, p := range packages {
		args = append(args, "github.com/nuzantara/ciclo/"+p)
	}
	if text, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, text)
	}
	return dir
}

// planOf is what a version's `ciclo migrate --plan` says.
func planOf(t *testing.T, ciclo string, env []string) (p postgres.MigrationPlan) {
	t.Helper()
	out, said, code := run(t, t.TempDir(), ciclo, env, "migrate", "--plan", "--json")
	if err := json.Unmarshal([]byte(out), &p); err != nil || code != 0 {
		t.Fatalf("ciclo migrate --plan: %d, %v, %s%s", code, err, out, said)
	}
	return p
}

// Two versions run on one schema while a deploy goes on: what either accepts is run by
// either, each is killed and comes again, and nothing is lost. After a contract the
// old one starts no more.
func TestTwoVersionsOnOneSchema(t *testing.T) {
	t.Parallel()
	next := buildVersion(t, map[string]string{"99990_expand.sql": expandSQL}, "internal/testagents/orchestrator", "internal/testagents/worker", "cmd/ciclo")
	url := testdatabase.New(t)
	old := newSystem(t, url, quick...)
	oldWorker := old.worker()
	steps := map[string]any{"steps": 4, "millis": 150}
	accepted := []string{old.run("test-steps", steps), old.run("test-noop", nil)}

	// Expand, beside the old version.
	eventually(t, 20*time.Second, "both services show in the plan", func() bool { return len(planOf(t, next+"/ciclo", old.env).Sessions) == 2 })
	if p := planOf(t, next+"/ciclo", old.env); len(p.Pending) != 1 || p.Pending[0].Kind != "expand" || len(p.Sessions) != 2 || p.Sessions[0].ShutOut || p.Sessions[1].ShutOut || p.Sessions[1].SchemaVersion != p.SchemaVersion {
		t.Errorf("the plan: %+v", p)
	}
	if out, said, code := run(t, t.TempDir(), next+"/ciclo", old.env, "migrate"); code != 0 || !strings.Contains(said, "99990_expand.sql: applied in") {
		t.Fatalf("ciclo migrate: %d, %s%s", code, out, said)
	}
	old.ready()
	if out, said, code := run(t, t.TempDir(), "ciclo", old.env, "migrate"); code != 0 {
		t.Errorf("the old ciclo migrate, as after a rollback: %d, %s%s", code, out, said)
	}

	// A new orchestrator, and no new worker yet.
	young := newSystemOf(t, next+"/", url, quick...)
	foreign := young.run("test-steps", map[string]any{"depth": 5, "steps": 2, "millis": 1})
	old.await(foreign, 20*time.Second, "what the old version doesn't know is left to the new one", func(e client.Execution) bool { return e.NextAttemptAt != nil })

	youngWorker := young.worker()
	for range 4 {
		accepted = append(accepted, old.run("test-steps", steps), young.run("test-steps", steps), old.run("test-noop", nil), young.run("test-noop", nil))
	}
	old.await(accepted[2], 20*time.Second, "they are run", func(e client.Execution) bool { return e.Status != "started" })
	oldWorker.signal(syscall.SIGKILL)
	oldWorker = old.worker() // an old one that starts on the new schema
	eventually(t, 20*time.Second, "the old worker starts", func() bool { return strings.Contains(oldWorker.err.String(), "worker started") })
	accepted = append(accepted, young.run("test-steps", steps), old.run("test-steps", steps))
	youngWorker.signal(syscall.SIGKILL)
	young.worker()
	for _, id := range accepted {
		if e := young.await(id, 150*time.Second, "it is completed", client.Execution.Final); e.Status != "completed" {
			t.Errorf("ended as %s: %v", e.Status, e.Error)
		}
	}

	// Contract, once no old one runs.
	last := buildVersion(t, map[string]string{"99990_expand.sql": expandSQL, "99991_contract.sql": contractSQL}, "cmd/ciclo")
	if p := planOf(t, last+"/ciclo", old.env); len(p.Pending) != 1 || p.Pending[0].Kind != "contract" || p.Pending[0].RaisesOldestTo != 99990 || shutOut(p) != 2 {
		t.Errorf("the plan: %+v", p)
	}
	if out, said, code := run(t, t.TempDir(), last+"/ciclo", old.env, "migrate"); code != 1 || !strings.Contains(said, "older ones run") {
		t.Errorf("ciclo migrate beside old services: %d, %s%s", code, out, said)
	}
	oldWorker.signal(syscall.SIGTERM)
	oldWorker.wait(20 * time.Second)
	old.stop(t)
	statement(t, url, "UPDATE ciclo.executions SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
	if e := young.await(foreign, 30*time.Second, "what waited for the new version is completed", client.Execution.Final); e.Status != "completed" || e.Failures != 0 {
		t.Errorf("ended as %s: %v", e.Status, e.Error)
	}
	if out, said, code := run(t, t.TempDir(), last+"/ciclo", old.env, "migrate"); code != 0 {
		t.Fatalf("ciclo migrate: %d, %s%s", code, out, said)
	}
	for _, name := range []string{"test/worker", "test/orchestrator", "ciclo"} {
		var args []string
		if name == "ciclo" {
			args = []string{"migrate"}
		}
		if out, said, code := run(t, t.TempDir(), name, old.env, args...); code != 1 || !strings.Contains(said, "update this binary") {
			t.Errorf("%s of the old version on a schema that doesn't serve it: %d, %s%s", name, code, out, said)
		}
	}
}

// shutOut is how many services a plan would shut out.
func shutOut(p postgres.MigrationPlan) (n int) {
	for _, s := range p.Sessions {
		if s.ShutOut {
			n++
		}
	}
	return n
}
