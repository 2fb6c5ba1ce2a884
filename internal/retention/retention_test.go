package retention_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/retention"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

const ninetyDays = 90 * 24 * time.Hour

// history is a database of the test's own.
type history struct {
	t     *testing.T
	ctx   context.Context //nolint:containedctx // it is the test's
	pool  *pgxpool.Pool
	store *postgres.Store
}

func newHistory(t *testing.T) *history {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := postgres.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	return &history{t, t.Context(), pool, store}
}

func (h *history) exec(sql string, args ...any) {
	h.t.Helper()
	if _, err := h.pool.Exec(h.ctx, sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func (h *history) count(sql string, args ...any) (n int) {
	h.t.Helper()
	if err := h.pool.QueryRow(h.ctx, sql, args...).Scan(&n); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// ended makes executions named prefix1 … that completed so long ago, each with its
// three moves, two steps and an effect that happened.
func (h *history) ended(agent, prefix string, n int, ago time.Duration) {
	h.t.Helper()
	h.exec(`
		INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, started_at, running_at, ended_at, status_at, result)
		SELECT $2 || i, $1, 'completed', 1, 3, 60, at - interval '2 seconds', at - interval '1 second', at, at, '{"n": 1}'
		FROM generate_series(1, $3::int) i, LATERAL (SELECT now() - $4::interval - i * interval '1 second' AS at) ends`, agent, prefix, n, ago)
	h.exec(`
		INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason, at, outcome)
		SELECT e.id, m.was, m.becomes, m.attempt, m.worker, 'test', m.at, m.outcome
		FROM ciclo.executions e CROSS JOIN LATERAL (VALUES
			(NULL, 'started', 0, NULL::uuid, started_at, NULL), ('started', 'running', 1, '019ac5a8-6f0e-7000-8000-000000000000', running_at, NULL),
			('running', 'completed', 1, '019ac5a8-6f0e-7000-8000-000000000000', ended_at, 'completed')) m (was, becomes, attempt, worker, at, outcome)
		WHERE e.id ~ ('^' || $1 || '[0-9]+$') ORDER BY e.started_at, e.id, m.at`, prefix)
	h.exec(`
		INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at, ended_at)
		SELECT id, 'step ' || s, 1, '019ac5a8-6f0e-7000-8000-000000000000', '1', running_at, running_at
		FROM ciclo.executions, generate_series(1, 2) s WHERE id ~ ('^' || $1 || '[0-9]+$')`, prefix)
	h.exec(`
		INSERT INTO ciclo.effects (execution_id, name, key, policy, state, attempt, worker_id, settled_at, outcome)
		SELECT id, 'mail', id || '/mail', 'once', 'done', 1, '019ac5a8-6f0e-7000-8000-000000000000', ended_at, '1'
		FROM ciclo.executions WHERE id ~ ('^' || $1 || '[0-9]+$')`, prefix)
}

// recent gives an agent a last execution of now, so that no older one is its last.
func (h *history) recent(agent string) {
	h.t.Helper()
	h.ended(agent, "recent_"+agent+"_", 1, time.Minute)
}

func (h *history) prune(p retention.Policy) retention.Report {
	h.t.Helper()
	if p.OlderThan == 0 {
		p.OlderThan = ninetyDays
	}
	report, err := retention.Prune(h.ctx, h.pool, p)
	if err != nil {
		h.t.Fatal(err)
	}
	return report
}

// whole checks that what is there is there as a whole, and that no invariant is broken.
func (h *history) whole() {
	h.t.Helper()
	if n := h.count(`SELECT count(*) FROM ciclo.executions e WHERE pruned_at IS NULL AND ended_at IS NOT NULL AND attempt > 0
		AND ((SELECT count(*) FROM ciclo.transitions t WHERE t.execution_id = e.id) <> 3 OR (SELECT count(*) FROM ciclo.steps s WHERE s.execution_id = e.id) <> 2
		  OR NOT EXISTS (SELECT FROM ciclo.effects f WHERE f.execution_id = e.id))`); n != 0 {
		h.t.Errorf("%d executions are there without a part of their history", n)
	}
	if n := h.count(`SELECT count(*) FROM ciclo.executions e WHERE pruned_at IS NOT NULL
		AND (EXISTS (SELECT FROM ciclo.transitions t WHERE t.execution_id = e.id) OR EXISTS (SELECT FROM ciclo.steps s WHERE s.execution_id = e.id)
		  OR EXISTS (SELECT FROM ciclo.effects f WHERE f.execution_id = e.id))`); n != 0 {
		h.t.Errorf("%d pruned executions have a part of their history", n)
	}
	findings, err := h.store.Audit(h.ctx, 100*time.Millisecond, 10*365*24*time.Hour)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range findings {
		if f.Count != 0 {
			h.t.Errorf("the audit: %s: %d, such as %v", f.Invariant, f.Count, f.Samples)
		}
	}
}

func TestPruneTakesWhatIsOlderAndAllOfIt(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "old_", 250, 91*24*time.Hour)
	h.ended("test-noop", "young_", 50, 89*24*time.Hour)
	h.ended("test-steps", "other_", 5, 200*24*time.Hour)
	h.recent("test-steps")
	h.exec(`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at, started_at) VALUES ('waits', 'test-noop', 'started', 3, 60, now() + interval '1 day', now() - interval '1 year')`)
	h.exec(`INSERT INTO ciclo.transitions (execution_id, to_status, attempt, reason) VALUES ('waits', 'started', 0, 'test')`)

	var told []retention.Report
	r := h.prune(retention.Policy{Agent: "test-noop", Progress: func(r retention.Report) { told = append(told, r) }})
	want := []retention.Rows{{"ciclo.effects", 250}, {"ciclo.executions", 250}, {"ciclo.steps", 500}, {"ciclo.transitions", 750}}
	if diff := cmp.Diff(want, r.Rows); diff != "" || len(r.Kept) != 0 {
		t.Errorf("pruned (-want): %s, kept %v", diff, r.Kept)
	}
	if len(told) != r.Batches || r.Batches < 2 || told[0].Gone("ciclo.executions") != 100 {
		t.Errorf("%d batches, told %d times", r.Batches, len(told))
	}
	if n := h.count(`SELECT count(*) FROM ciclo.executions WHERE agent = 'test-noop'`); n != 51 {
		t.Errorf("%d are left", n)
	}
	if r := h.prune(retention.Policy{}); r.Gone("ciclo.executions") != 5 {
		t.Errorf("of all agents: %+v", r)
	}
	if r := h.prune(retention.Policy{}); !r.Nothing() {
		t.Errorf("once more: %+v", r)
	}
	h.whole()
}

func TestExactlyAtTheLimit(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "e", 3, 100*24*time.Hour)
	h.recent("test-noop")
	var limit time.Time
	if err := h.pool.QueryRow(h.ctx, `SELECT ended_at FROM ciclo.executions WHERE id = 'e2'`).Scan(&limit); err != nil {
		t.Fatal(err)
	}
	h.exec(`SELECT ciclo.prune_executions($1, '', '-infinity', '', 100, false)`, limit)
	if left := h.ids(); left != "e1 e2 recent_test-noop_1" {
		t.Errorf("left are %s", left)
	}
}

func (h *history) ids() (list string) {
	h.t.Helper()
	if err := h.pool.QueryRow(h.ctx, `SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM ciclo.executions`).Scan(&list); err != nil {
		h.t.Fatal(err)
	}
	return list
}

// Whatever must stay says why, and goes once the reason is over.
func TestWhatStaysForNow(t *testing.T) {
	t.Parallel()
	const webhook = `INSERT INTO ciclo.webhooks (id, url, statuses, secret, created_by) VALUES ('00000000-0000-4000-8000-000000000001', 'https://x.example', '{completed}', repeat('x', 24)::bytea, 'test');
		INSERT INTO ciclo.webhook_deliveries (webhook_id, transition_id) SELECT '00000000-0000-4000-8000-000000000001', max(id) FROM ciclo.transitions WHERE execution_id = 'e1'`
	const cycle = `INSERT INTO ciclo.cycles (id, opened_by, deadline_at, max_parallel, planner, snapshot) VALUES ('cycle_1', 'hand', now(), 1, 'test', '{}');
		INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail, execution_id) VALUES ('cycle_1', 'test-noop', 1, 'run', 'due', 'x', 'e1');
		UPDATE ciclo.executions SET cycle_id = 'cycle_1', origin = 'schedule' WHERE id = 'e1'`
	const retry = `INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at, retry_of) VALUES ('again', 'test-noop', 'started', 3, 60, now(), 'e1')`
	const fails = `UPDATE ciclo.executions SET agent = 'test-single' WHERE id LIKE 'recent%';
		INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, started_at, running_at, ended_at, status_at, error_class, error_text)
		VALUES ('fails', 'test-noop', 'failed', 1, 3, 60, now(), now(), now(), now(), 'x', 'x')`
	const ends = `UPDATE ciclo.executions SET status = 'cancelled', cancel_requested_at = now(), next_attempt_at = NULL, ended_at = now() - `
	for name, test := range map[string]struct{ reason, because, over string }{
		"an effect that a person must look at":    {"effect", `UPDATE ciclo.effects SET state = 'unknown', outcome = NULL WHERE execution_id = 'e1'`, `UPDATE ciclo.effects SET state = 'not_done' WHERE execution_id = 'e1'`},
		"an effect that nobody has settled":       {"effect", `UPDATE ciclo.effects SET state = 'intended', settled_at = NULL, outcome = NULL WHERE execution_id = 'e1'`, `UPDATE ciclo.effects SET state = 'not_done', settled_at = now() WHERE execution_id = 'e1'`},
		"a retry that is alive":                   {"retry", retry, ends + `interval '91 days' WHERE id = 'again'`},
		"a retry that ended lately":               {"retry", retry + `; ` + ends + `interval '89 days' WHERE id = 'again'`, `UPDATE ciclo.executions SET ended_at = now() - interval '91 days' WHERE id = 'again'`},
		"a cycle that is open":                    {"cycle", cycle, `UPDATE ciclo.cycles SET status = 'completed', ended_at = now() - interval '91 days'`},
		"a cycle that ended lately":               {"cycle", cycle + `; UPDATE ciclo.cycles SET status = 'completed', ended_at = now() - interval '89 days'`, `UPDATE ciclo.cycles SET ended_at = now() - interval '91 days'`},
		"a webhook that is still to be told":      {"delivery", webhook, `UPDATE ciclo.webhook_deliveries SET due_at = NULL, delivered_at = now()`},
		"an operator who is still to be told":     {"notice", `INSERT INTO ciclo.notices (kind, agent, execution_id, subject, text) VALUES ('failed', 'test-noop', 'e1', 's', 't')`, `UPDATE ciclo.notices SET due_at = NULL, sent_at = now()`},
		"it is its agent's last":                  {"newest", `UPDATE ciclo.executions SET agent = 'test-single' WHERE id = 'e1'`, `UPDATE ciclo.executions SET agent = 'test-single' WHERE id LIKE 'recent%'`},
		"it is its agent's last that is complete": {"newest", fails, `UPDATE ciclo.executions SET agent = 'test-noop' WHERE id LIKE 'recent%'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			h.exec(`ALTER TABLE ciclo.executions DISABLE TRIGGER executions_guard_move`) // the test makes histories
			h.ended("test-noop", "e", 1, 100*24*time.Hour)
			h.recent("test-noop")
			h.exec(test.because)
			want := []retention.Kept{{test.reason, 1}}
			for _, dry := range []bool{true, false} {
				r := h.prune(retention.Policy{DryRun: dry, Agent: map[bool]string{true: ""}[test.reason == "newest"]})
				if diff := cmp.Diff(want, r.Kept); diff != "" || r.Gone("ciclo.executions") != 0 {
					t.Errorf("dry %v: kept (-want): %s; gone: %v", dry, diff, r.Rows)
				}
			}
			if n := h.count(`SELECT count(*) FROM ciclo.transitions WHERE execution_id = 'e1'`); n != 3 {
				t.Errorf("%d of its moves are left", n)
			}
			h.exec(test.over)
			h.prune(retention.Policy{})
			if left := h.ids(); strings.Contains(left, "e1") {
				t.Errorf("the reason is over, and left are %s", left)
			}
		})
	}
}

// Of a chain of retries each goes once all that name it are old.
func TestRetriesOfRetries(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "e", 3, 100*24*time.Hour) // e1 is the youngest
	h.recent("test-noop")
	h.exec(`UPDATE ciclo.executions SET retry_of = 'e3' WHERE id = 'e2'; UPDATE ciclo.executions SET retry_of = 'e2' WHERE id = 'e1';
		UPDATE ciclo.executions SET retry_of = 'e1' WHERE id LIKE 'recent%'`)
	r := h.prune(retention.Policy{})
	if left := h.ids(); left != "e1 recent_test-noop_1" || r.Gone("ciclo.executions") != 2 {
		t.Errorf("left are %s: %+v", left, r)
	}
	h.whole()
}

// Nobody deletes history by hand, in psql say, whatever is done about it elsewhere.
func TestNobodyElseDeletesHistory(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "e", 1, 100*24*time.Hour)
	h.recent("test-noop")
	for _, sql := range []string{
		`DELETE FROM ciclo.transitions`, `DELETE FROM ciclo.executions`, `DELETE FROM ciclo.effects`, `DELETE FROM ciclo.executions WHERE id = 'e1'`,
		`SELECT ciclo.prune_executions(now(), '', '-infinity', '', 100, false)`, `SELECT ciclo.prune_executions(NULL, '', '-infinity', '', 100, false)`,
		`SELECT ciclo.prune_executions(now() - interval '23 hours', '', '-infinity', '', 100, false)`,
		`SELECT ciclo.prune_cycles(now(), '-infinity', '', 100, false)`, `SELECT ciclo.prune_slots(now(), '', '-infinity', 100, false)`, `SELECT ciclo.prune_others(now(), 100, false)`,
		`UPDATE ciclo.transitions SET reason = 'x'`,
		`BEGIN; SELECT ciclo.prune_executions(now() - interval '1 year', '', '-infinity', '', 100, false); DELETE FROM ciclo.transitions; COMMIT`,
		`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at, pruned_at) VALUES ('x', 'test-noop', 'started', 3, 60, now(), now())`,
		// Even the functions' own setting lets nothing pass that is alive.
		`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ('x', 'test-noop', 'started', 3, 60, now()); SET LOCAL ciclo.pruning = 'on'; DELETE FROM ciclo.executions WHERE id = 'x'`,
	} {
		conn, err := h.pool.Acquire(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(h.ctx, sql); err == nil || !strings.Contains(err.Error(), "23514") {
			t.Errorf("%s: %v", sql, err)
		}
		if _, err := conn.Exec(h.ctx, `ROLLBACK`); err != nil {
			t.Error(err)
		}
		conn.Release()
	}
	if n := h.count(`SELECT count(*) FROM ciclo.transitions`); n != 6 {
		t.Errorf("%d transitions are left", n)
	}
}
