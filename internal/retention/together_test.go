package retention_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/retention"
)

// Two that prune share the work: each execution goes once, and none is left.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "e", 3000, 100*24*time.Hour)
	h.recent("test-noop")
	var both sync.WaitGroup
	var reports [3]retention.Report
	for i := range reports {
		both.Go(func() {
			var err error
			if reports[i], err = retention.Prune(h.ctx, h.pool, retention.Policy{OlderThan: ninetyDays}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	var executions, transitions int64
	for _, r := range reports {
		executions += r.Gone("ciclo.executions")
		transitions += r.Gone("ciclo.transitions")
	}
	if executions != 3000 || transitions != 9000 {
		t.Errorf("%d executions and %d transitions went: %+v", executions, transitions, reports)
	}
	h.whole()
}

// A retry of what is being pruned finds it whole and keeps it, or finds nothing.
func TestRetriesWhilePruning(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	const n = 1500
	h.ended("test-noop", "e", n, 100*24*time.Hour)
	h.recent("test-noop")
	var all sync.WaitGroup
	var mu sync.Mutex
	accepted, refused := map[string]string{}, 0
	begun, once := make(chan struct{}), sync.Once{}
	for g := range 6 {
		all.Go(func() {
			for i := g + 1; i <= n; i += 6 {
				of := fmt.Sprintf("e%d", i) // the youngest first: they meet
				e, err := h.store.Accept(h.ctx, postgres.Acceptance{
					Agent: "test-noop", IDPrefix: "noop_", Parameters: json.RawMessage(`{}`), Tries: 3, TimeoutSeconds: 60, Priority: 2, Reason: "test",
					Retry: postgres.Retry{Of: of, Reuse: true},
				})
				mu.Lock()
				switch {
				case err == nil:
					accepted[e.ID] = of
					once.Do(func() { close(begun) })
				case errors.Is(err, execution.ErrNotFound):
					refused++
				default:
					t.Errorf("retry of %s: %v", of, err)
				}
				mu.Unlock()
			}
		})
	}
	for range 2 {
		all.Go(func() {
			<-begun
			if _, err := retention.Prune(h.ctx, h.pool, retention.Policy{OlderThan: ninetyDays}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	t.Logf("%d retries were accepted, %d found nothing", len(accepted), refused)
	if len(accepted) == 0 || refused == 0 {
		t.Errorf("they did not meet: %d accepted, %d refused", len(accepted), refused)
	}
	if n := h.count(`SELECT count(*) FROM ciclo.executions r WHERE r.retry_of IS NOT NULL AND (
		NOT EXISTS (SELECT FROM ciclo.executions e WHERE e.id = r.retry_of)
		OR (SELECT count(*) FROM ciclo.steps s WHERE s.execution_id = r.id) <> 2 OR (SELECT count(*) FROM ciclo.effects s WHERE s.execution_id = r.id) <> 1)`); n != 0 {
		t.Errorf("%d retries name nothing, or took over a half", n)
	}
	if got := h.count(`SELECT count(*) FROM ciclo.executions WHERE retry_of IS NOT NULL`); got != len(accepted) {
		t.Errorf("%d retries are there, %d were accepted", got, len(accepted))
	}
	h.whole()
}

// Executions that end meanwhile are nothing to it, and it is nothing to them.
func TestExecutionsEndWhilePruning(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "e", 1000, 100*24*time.Hour)
	h.recent("test-noop")
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	var all sync.WaitGroup
	cancelled := 0
	all.Go(func() {
		for ctx.Err() == nil {
			e, err := h.store.Accept(h.ctx, postgres.Acceptance{Agent: "test-noop", IDPrefix: "noop_", Parameters: json.RawMessage(`{}`), Tries: 3, TimeoutSeconds: 60, Priority: 2, Reason: "test"})
			if err == nil {
				_, err = h.store.Cancel(h.ctx, e.ID)
			}
			if err != nil {
				t.Error(err)
				return
			}
			cancelled++
		}
	})
	r := h.prune(retention.Policy{})
	stop()
	all.Wait()
	if r.Gone("ciclo.executions") != 1000 || cancelled == 0 {
		t.Errorf("%+v, while %d were accepted and cancelled", r, cancelled)
	}
	if n := h.count(`SELECT count(*) FROM ciclo.executions`); n != cancelled+1 {
		t.Errorf("%d are left of %d", n, cancelled+1)
	}
	h.whole()
}

// A row that somebody holds is left to the next run; it waits for nobody.
func TestWhatIsHeldIsLeft(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "e", 20, 100*24*time.Hour)
	h.recent("test-noop")
	tx, err := h.pool.Begin(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(h.ctx)) }()
	if _, err := tx.Exec(h.ctx, `SELECT FROM ciclo.executions WHERE id IN ('e7', 'e9') FOR KEY SHARE`); err != nil {
		t.Fatal(err)
	}
	if r := h.prune(retention.Policy{}); r.Gone("ciclo.executions") != 18 || r.Batches != 1 {
		t.Errorf("%+v", r)
	}
	if err := tx.Rollback(h.ctx); err != nil {
		t.Fatal(err)
	}
	// A lock on a part of the history: it gives way, and comes again.
	if tx, err = h.pool.Begin(h.ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(h.ctx, `UPDATE ciclo.steps SET output = '2' WHERE execution_id = 'e7'`); err != nil {
		t.Fatal(err)
	}
	released := make(chan error, 1)
	go func() {
		time.Sleep(900 * time.Millisecond) // longer than a batch waits
		released <- tx.Commit(h.ctx)
	}()
	r := h.prune(retention.Policy{})
	if err := <-released; err != nil || r.Gone("ciclo.executions") != 2 || r.Seconds < 0.9 {
		t.Errorf("%v: %+v", err, r)
	}
	h.whole()
}

// What is rehearsed is what goes, of a history of everything.
func TestDryRunCountsWhatGoes(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.ended("test-noop", "noop_", 300, 80*24*time.Hour+23*time.Hour)
	h.ended("test-steps", "steps_", 150, 95*24*time.Hour)
	h.ended("message-sender", "message_", 60, 120*24*time.Hour)
	h.recent("test-noop")
	h.recent("test-steps")
	h.exec(`UPDATE ciclo.executions SET ended_at = ended_at - interval '1 month' WHERE id LIKE 'noop_%' AND right(id, 1) IN ('1', '2', '3')`)
	h.exec(`UPDATE ciclo.effects SET state = 'unknown', outcome = NULL WHERE right(execution_id, 2) = '11'`)
	h.exec(`UPDATE ciclo.executions SET retry_of = 'steps_9' WHERE id = 'noop_10'; UPDATE ciclo.executions SET retry_of = 'steps_10' WHERE id = 'noop_11'`)
	h.schedule("nightly", 40, 75*24*time.Hour)
	h.exec(`UPDATE ciclo.executions e SET cycle_id = c.id FROM ciclo.cycles c WHERE e.id = 'steps_' || substr(c.id, length('cycle_nightly_') + 1) AND right(e.id, 1) IN ('1', '5')`)
	h.exec(`UPDATE ciclo.cycle_agents a SET execution_id = e.id FROM ciclo.executions e WHERE e.cycle_id = a.cycle_id`)
	h.exec(`INSERT INTO ciclo.workers (id, host, pid, version, concurrency, lease_until, ended_at)
		SELECT gen_random_uuid(), 'h', 1, 'v', '{}', now() - i * interval '10 days', CASE WHEN i % 2 = 0 THEN now() - i * interval '10 days' END FROM generate_series(1, 20) i`)
	h.exec(`INSERT INTO ciclo.notices (kind, agent, pause_id, subject, text, at, due_at, sent_at)
		SELECT 'paused', 'test-noop', i, 's', 't', now() - i * interval '10 days', CASE WHEN i % 3 = 0 THEN now() END, CASE WHEN i % 3 > 0 THEN now() END FROM generate_series(1, 20) i`)
	h.exec(`INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body)
		SELECT 'message_' || i, 'C-' || i, 'steps_' || i, 'slipping', 'en', '{}', 'email', 'c@firm.example', 'UTC', 'Hello', 'Hello' FROM generate_series(20, 29) i`)
	dry := h.prune(retention.Policy{DryRun: true})
	if n := h.count(`SELECT count(*) FROM ciclo.executions`); n != 512 {
		t.Errorf("after a rehearsal %d executions are left", n)
	}
	r := h.prune(retention.Policy{})
	if diff := cmp.Diff(dry.Rows, r.Rows); diff != "" {
		t.Errorf("rows that were to go (-) and went (+): %s", diff)
	}
	if diff := cmp.Diff(dry.Kept, r.Kept); diff != "" {
		t.Errorf("kept by the rehearsal (-) and in truth (+): %s", diff)
	}
	reasons := ""
	for _, k := range r.Kept {
		reasons += k.Reason + " "
	}
	if reasons != "cycle effect newest result retry " || r.Gone("ciclo.cycles") == 0 || r.Gone("ciclo.workers") != 12 || r.Gone("ciclo.notices") != 8 {
		t.Errorf("not of everything: %q, %+v", reasons, r.Rows)
	}
	if n := h.count(`SELECT count(*) FROM ciclo.executions WHERE pruned_at IS NOT NULL`); n != 10 {
		t.Errorf("%d rows stay for results, want 10", n)
	}
	again := h.prune(retention.Policy{})
	if !again.Nothing() {
		t.Errorf("a second run takes %+v", again.Rows)
	}
	h.whole()
}

// schedule makes n days of slots until so long ago: every third was skipped.
func (h *history) schedule(name string, n int, ago time.Duration) {
	h.t.Helper()
	h.exec(`INSERT INTO ciclo.schedules (name, interval_seconds, anchor_at, created_by) VALUES ($1, 86400, now(), 'test')`, name)
	h.exec(`
		INSERT INTO ciclo.cycles (id, schedule, due_at, opened_by, opened_at, deadline_at, max_parallel, planner, snapshot, ended_at, status)
		SELECT 'cycle_' || $1 || '_' || i, $1, at, 'slot', at, at + interval '1 day', 1, 'rules', '{}', at + interval '1 hour', 'completed'
		FROM generate_series(1, $2::int) i, LATERAL (SELECT now() - $3::interval - i * interval '1 day' AS at) t WHERE i % 3 > 0`, name, n, ago)
	h.exec(`INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail) SELECT id, 'test-noop', 1, 'run', 'due', 'x' FROM ciclo.cycles WHERE schedule = $1`, name)
	h.exec(`INSERT INTO ciclo.slots (schedule, due_at, outcome, cycle_id, opened_by, decided_at) SELECT schedule, due_at, 'fired', id, 'slot', opened_at FROM ciclo.cycles WHERE schedule = $1`, name)
	h.exec(`
		INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, opened_by, decided_at)
		SELECT $1, at, 'skipped', CASE WHEN i % 2 = 0 THEN 'late' ELSE 'budget' END, 'slot', at
		FROM generate_series(1, $2::int) i, LATERAL (SELECT now() - $3::interval - i * interval '1 day' AS at) t WHERE i % 3 = 0`, name, n, ago)
}

// The last slot that tells something stays, with its cycle; what was run is not run
// again by a backfill.
func TestSlotsAndBackfill(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.schedule("old", 30, 100*24*time.Hour)
	h.schedule("young", 30, 80*24*time.Hour)
	h.exec(`INSERT INTO ciclo.slots (schedule, due_at, outcome, opened_by, decided_at) VALUES ('young', now() - interval '300 days', 'queued', 'backfill', now() - interval '299 days')`)
	ran := h.due(`schedule = 'old' AND outcome = 'fired' ORDER BY due_at LIMIT 1`)
	r := h.prune(retention.Policy{})
	if slots, cycles := h.count(`SELECT count(*) FROM ciclo.slots WHERE schedule = 'old'`), h.count(`SELECT count(*) FROM ciclo.cycles WHERE schedule = 'old'`); slots != 1 || cycles != 1 {
		t.Errorf("of a schedule that fires no more %d slots and %d cycles are left, want its last: %+v", slots, cycles, r)
	}
	if n := h.count(`SELECT count(*) FROM ciclo.slots WHERE schedule = 'young'`); n != 10+1 || h.count(`SELECT count(*) FROM ciclo.slots WHERE outcome = 'queued'`) != 1 {
		t.Errorf("of the other %d slots are left, want those of the last 90 days and the one that is queued: %+v", n, r)
	}
	if _, err := h.store.Backfill(h.ctx, "old", []time.Time{ran}); !errors.Is(err, postgres.ErrSlotsPruned) {
		t.Errorf("a backfill of what was run and pruned: %v", err)
	}
	last := h.due(`schedule = 'old'`)
	if n, err := h.store.Backfill(h.ctx, "old", []time.Time{last, last.Add(time.Hour)}); err != nil || n != 1 {
		t.Errorf("a backfill of what is kept, and of what was never decided: %d, %v", n, err)
	}
	s, err := h.store.Schedule(h.ctx, "old")
	if err != nil || s.SlotsPrunedUntil == nil || !s.SlotsPrunedUntil.Before(last) || s.SlotsPrunedUntil.Before(last.AddDate(0, 0, -4)) {
		t.Errorf("pruned until %v, the last is %s: %v", s.SlotsPrunedUntil, last, err)
	}
	h.exec(`UPDATE ciclo.slots SET outcome = 'skipped', reason = 'ended' WHERE outcome = 'queued'`)
	h.whole()
}

func (h *history) due(where string) (at time.Time) {
	h.t.Helper()
	if err := h.pool.QueryRow(h.ctx, `SELECT due_at FROM ciclo.slots WHERE `+where).Scan(&at); err != nil {
		h.t.Fatal(err)
	}
	return at
}

// A backfill waits for a batch of slots and sees it; two at once lead to no second run.
func TestBackfillWhilePruning(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.schedule("old", 30, 100*24*time.Hour)
	fired := h.due(`outcome = 'fired' ORDER BY due_at LIMIT 1`)
	tx, err := h.pool.Begin(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(h.ctx)) }()
	if _, err := tx.Exec(h.ctx, `SELECT ciclo.prune_cycles(now() - interval '90 days', '-infinity', '', 100, false)`); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		_, err := h.store.Backfill(h.ctx, "old", []time.Time{fired})
		answered <- err
	}()
	h.waiting(1)
	if err := tx.Commit(h.ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; !errors.Is(err, postgres.ErrSlotsPruned) {
		t.Errorf("the backfill: %v", err)
	}
}

// waiting returns once n sessions wait for a lock.
func (h *history) waiting(n int) {
	h.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for h.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) < n {
		if time.Now().After(deadline) {
			h.t.Fatal("nobody waits")
		}
	}
}

// Of a pruned execution whose row stays the identity and the result are all there
// is; a retry of it runs afresh.
func TestRetryOfOneThatStaysForItsResults(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	const id = "noop_019ac5a8-6f0e-7000-8000-000000000001"
	h.ended("test-noop", strings.TrimSuffix(id, "1"), 1, 100*24*time.Hour)
	h.recent("test-noop")
	h.exec(`INSERT INTO ciclo.client_scores (execution_id, client_id, segment, repeat_purchases, recency_weeks, age_weeks, p_alive, expected_purchases, clv, clv_12_months, expected_spend, churn_risk_30, churn_risk_90, as_of, mean_spend, low_confidence, expected_value)
		SELECT $1, 'C-1', 'VIP', 1, 1, 2, 1, 1, 1, 1, 1, 0, 0, now(), 1, false, 1`, id)
	h.prune(retention.Policy{})
	e, transitions, err := h.store.Get(h.ctx, id)
	if err != nil || e.PrunedAt == nil || string(e.Result) != `{"n": 1}` || len(transitions) != 0 {
		t.Errorf("it is %+v with %v: %v", e, transitions, err)
	}
	again := postgres.Acceptance{Agent: "test-noop", IDPrefix: "noop_", Parameters: json.RawMessage(`{}`), Tries: 3, TimeoutSeconds: 60, Priority: 2, Reason: "test", Retry: postgres.Retry{Of: id, Reuse: true}}
	if _, err := h.store.Accept(h.ctx, again); !errors.Is(err, execution.ErrPruned) {
		t.Errorf("with what it finished: %v", err)
	}
	again.Retry.Reuse = false
	if _, err := h.store.Accept(h.ctx, again); err != nil {
		t.Errorf("afresh: %v", err)
	}
	again.Retry.Of = "never"
	if _, err := h.store.Accept(h.ctx, again); !errors.Is(err, execution.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	h.whole()
}

// Each foreign key to executions says what becomes of its rows, and can be asked by an
// index: else each row that goes costs a walk over the whole table.
func TestEveryForeignKeyToExecutionsHasAnIndex(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	rows, err := h.pool.Query(h.ctx, `
		SELECT c.conrelid::regclass || '.' || a.attname || ' ' || c.confdeltype::text,
		       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = a.attnum AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))
		FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
		WHERE c.confrelid IN ('ciclo.executions'::regclass, 'ciclo.cycles'::regclass, 'ciclo.transitions'::regclass) ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var key string
		var indexed bool
		if err := rows.Scan(&key, &indexed); err != nil {
			t.Fatal(err)
		}
		if !indexed {
			t.Errorf("%s has no index", key)
		}
		found = append(found, strings.TrimPrefix(key, "ciclo."))
	}
	// a: results, the execution's row stays; c: history, goes with it; n: forgets it.
	want := []string{
		"client_scores.execution_id a", "cycle_agents.cycle_id c", "cycle_agents.execution_id n", "effects.execution_id c", "entity_merges.execution_id a", "executions.cycle_id a",
		"graph_messages.execution_id a", "llm_calls.execution_id c", "messages.drafted_by a", "messages.execution_id a", "notices.execution_id c", "patterns.execution_id a", "prompt_proposals.execution_id a",
		"segment_changes.execution_id a", "segment_changes.previous_execution_id a", "slots.cycle_id a", "steps.execution_id c", "transitions.execution_id c",
		"value_models.execution_id a", "value_payments.execution_id c", "webhook_deliveries.transition_id c",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("foreign keys (-want), say here and in docs/operating.md what becomes of their rows: %s", diff)
	}
}
