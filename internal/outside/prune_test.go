package outside

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/retention"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// oldHistory makes n executions that completed half a year ago, with their moves.
func oldHistory(t *testing.T, pool *pgxpool.Pool, n int) {
	t.Helper()
	execute(t, pool, `
		INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, started_at, running_at, ended_at, status_at, result)
		SELECT 'old_' || i, CASE WHEN i % 10 = 0 THEN 'test-steps' ELSE 'test-noop' END, 'completed', 1, 3, 60, at, at, at, at, '{}'
		FROM generate_series(1, $1::int) i, LATERAL (SELECT now() - interval '180 days' - i * interval '1 second' AS at) ends`, n)
	execute(t, pool, `
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason, at, outcome)
		SELECT id, m.was, m.becomes, m.attempt, m.worker, 'test', started_at, m.outcome
		FROM ciclo.executions e CROSS JOIN LATERAL (VALUES
			(1, NULL, 'started', 0, NULL::uuid, NULL), (2, 'started', 'running', 1, '019ac5a8-6f0e-7000-8000-000000000000', NULL),
			(3, 'running', 'completed', 1, '019ac5a8-6f0e-7000-8000-000000000000', 'completed')) m (n, was, becomes, attempt, worker, outcome)
		WHERE id LIKE 'old%' ORDER BY id, m.n`)
}

func TestPruneIsKilled(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testdatabase.New(t), quick...)
	c := commandLine(s)
	pool := c.pool()
	const n = 8000
	oldHistory(t, pool, n)
	s.run("test-noop", nil) // the last of each
	s.run("test-steps", nil)
	count := func(sql string) (rows int) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), sql).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	const left = `SELECT count(*) FROM ciclo.executions WHERE id LIKE 'old%'`
	pruned := func(args ...string) (r retention.Report) {
		t.Helper()
		out, said, code := c.ciclo(append([]string{"prune", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil {
			t.Fatalf("%v: exit code %d, %v: %s%s", args, code, err, out, said)
		}
		return r
	}
	// The agents' last complete ones stay: of two agents.
	if r := pruned("--older-than", "90d", "--dry-run"); !r.DryRun || r.Gone("ciclo.executions") != n-2 || count(left) != n {
		t.Errorf("a rehearsal: %+v", r)
	}

	kills := 0
	for count(left) > n/2 && kills < 20 {
		before := count(left)
		p := start(t, c.dir, "ciclo", c.env, "prune", "--older-than", "90d")
		eventually(t, 60*time.Second, "a batch is gone", func() bool { return count(left) < before })
		p.signal(syscall.SIGKILL)
		p.wait(10 * time.Second)
		kills++
		if torn := count(`SELECT count(*) FROM ciclo.executions e WHERE id LIKE 'old%' AND (SELECT count(*) FROM ciclo.transitions t WHERE t.execution_id = e.id) <> 3`); torn != 0 {
			t.Fatalf("after kill %d %d executions are halves", kills, torn)
		}
	}
	at := count(left)
	if at == n || kills == 0 {
		t.Fatalf("%d are left after %d kills", at, kills)
	}
	t.Logf("%d are left after %d kills", at, kills)
	r := pruned("--older-than", "90d", "--agent", "test-steps")
	if steps := r.Gone("ciclo.executions"); r.Agent != "test-steps" || steps == 0 && at > n/10 || count(left) != at-int(steps) {
		t.Errorf("one agent's: %+v", r)
	}
	at = count(left)
	if r := pruned("--older-than", "12w"); int(r.Gone("ciclo.executions")) != at-2 || count(left) != 2 {
		t.Errorf("the rest: %+v", r)
	}
	out, said, code := c.ciclo("prune", "--older-than", "90d")
	if code != 0 || !strings.Contains(out, "nothing") || !strings.Contains(out, "2 executions stay: they are their agents' last ones") {
		t.Errorf("for people: exit code %d: %s%s", code, out, said)
	}
	for text, why := range map[string]string{"": "older-than", "90": "whole number", "23h": "less than a day", "-5d": "whole number", "1000000d": "more than"} {
		if out, said, code := c.ciclo("prune", "--older-than="+text); code != 2 || !strings.Contains(said, why) || out != "" {
			t.Errorf("--older-than=%s: exit code %d: %s%s", text, code, out, said)
		}
	}
	if _, said, code := c.ciclo("prune"); code != 2 || !strings.Contains(said, "--older-than") {
		t.Errorf("without an age: exit code %d: %s", code, said)
	}
	if out, said, code := c.ciclo("audit"); code != 0 {
		t.Errorf("the audit: %d %s%s", code, out, said)
	}
}
