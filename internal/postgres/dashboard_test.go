package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestDashboards(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w, lost := b.worker(), b.worker()
	b.must(b.complete(b.run(b.accept().ID, w), `{}`))
	b.failed(b.run(b.accept().ID, w), postgres.Failure{Class: "permanent", Text: "no\nstack", Permanent: true})
	b.failed(b.run(b.accept().ID, w), postgres.Failure{Class: "error", Text: "later"})
	b.run(b.accept().ID, w)
	b.accept()
	b.must(b.complete(b.run(b.acceptDry().ID, w), `{}`)) // lists alone show dry runs
	b.failed(b.run(b.acceptDry().ID, w), postgres.Failure{Class: "permanent", Text: "dry", Permanent: true})
	b.expire(lost)

	for name, c := range map[string]struct {
		sql  string
		want string
	}{
		"by status": {`SELECT string_agg(status || ' ' || executions, ', ' ORDER BY status) FROM dashboard.executions_by_status`,
			"completed 1, failed 1, running 1, started 2"},
		"per hour":    {`SELECT sum(accepted) || ' ' || sum(completed) || ' ' || sum(failed) || ' ' || sum(cancelled) FROM dashboard.executions_per_hour`, "5 1 1 0"},
		"durations":   {`SELECT agent || ' ' || executions || ' ' || (p50_seconds > 0 AND p50_seconds <= p99_seconds) FROM dashboard.durations`, "test-noop 1 true"},
		"queue":       {`SELECT agent || ' ' || waiting || ' ' || waiting_for_retry || ' ' || (oldest_seconds > 0) FROM dashboard.queue`, "test-noop 1 1 true"},
		"failures":    {`SELECT agent || ' ' || error_class || ' ' || error || ' ' || executions FROM dashboard.failures`, "test-noop permanent no 1"},
		"workers":     {`SELECT string_agg(condition || ' ' || running, ', ' ORDER BY condition) FROM dashboard.workers`, "alive 1, lost 0"},
		"agents":      {`SELECT string_agg(concat_ws(' ', agent, running, waiting, waiting_for_retry, paused, last_completed_execution IS NOT NULL, last_failed_execution IS NOT NULL), ', ') FROM dashboard.agents WHERE running + waiting > 0`, "test-noop 1 1 1 f t t"},
		"attempts":    {`SELECT string_agg(coalesce(outcome, 'none') || ' ' || n, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) AS n FROM dashboard.attempts WHERE seconds >= 0 AND execution_started_at <= started_at GROUP BY 1) a`, "completed 2, failed 3, none 1"},
		"transitions": {`SELECT count(*) || ' ' || count(*) FILTER (WHERE to_status = 'running') || ' ' || count(error) FROM dashboard.transitions`, "18 6 3"},
		"cost":        {`SELECT sum(attempts) || ' ' || count(*) FILTER (WHERE lost_seconds > 0) || ' ' || bool_and(worker_seconds >= lost_seconds) FROM dashboard.cost WHERE NOT dry_run`, "4 2 true"},
		"churn":       {`SELECT count(*) || ' ' || sum(clients) || ' ' || min(from_risk) || ' ' || max(to_risk) FROM dashboard.churn_distribution`, "10 0 0 1"},
		"list":        {`SELECT count(*) || ' ' || count(ended_at) || ' ' || count(*) FILTER (WHERE dry_run) FROM dashboard.executions`, "7 4 2"},
		"graph":       {`SELECT (SELECT count(*) FROM dashboard.graph_entities) || ' ' || (SELECT count(*) FROM dashboard.graph_edges) || ' ' || (SELECT count(*) FROM dashboard.graph_reviews) || ' ' || (SELECT count(*) FROM dashboard.graph_merges)`, "0 0 0 0"},
		"proposals":   {`SELECT count(*)::text FROM dashboard.prompt_proposals`, "0"},
		"patterns":    {`SELECT count(*)::text FROM dashboard.patterns`, "0"},
		"values":      {`SELECT count(*)::text FROM dashboard.client_values`, "0"},
	} {
		var got string
		b.scan([]any{&got}, c.sql)
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTheDashboardRoleReadsAndNoMore(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.accept()
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	defer func() { _ = tx.Rollback(b.ctx) }() // nothing of it is kept
	_, err = tx.Exec(b.ctx, `SET LOCAL ROLE ciclo_dashboard`)
	b.must(err)
	rows, err := tx.Query(b.ctx, `SELECT table_name::text FROM information_schema.views WHERE table_schema = 'dashboard' ORDER BY 1`)
	b.must(err)
	views, err := pgx.CollectRows(rows, pgx.RowTo[string])
	b.must(err)
	want := []string{"activity_per_day", "activity_per_hour", "activity_per_minute", "agents", "attempts", "audit_log", "churn_distribution", "client_values", "cost", "cycle_agents", "cycles", "durations", "durations_per_hour", "effects", "erasures", "executions", "executions_by_status", "executions_per_hour", "failures", "graph_edges", "graph_entities", "graph_evidence", "graph_merges", "graph_reviews", "graph_totals", "imports", "llm_calls", "llm_cost_per_day", "llm_waste", "messages", "messages_by_status", "messages_per_day", "messages_waiting", "notices", "patterns", "pauses", "prompt_proposals", "queue", "schedules", "segment_change_totals", "segment_changes", "segments", "slots", "steps", "transitions", "value_back_tests", "webhook_deliveries", "webhooks", "workers"}
	if diff := cmp.Diff(want, views); diff != "" {
		t.Errorf("the role sees %s", diff)
	}
	for _, view := range views {
		_, err := tx.Exec(b.ctx, `SELECT * FROM dashboard.`+view)
		b.must(err)
	}
	for _, forbidden := range []string{`SELECT * FROM ciclo.executions`, `SELECT * FROM crm.clients`, `DELETE FROM dashboard.executions`} {
		inner, err := tx.Begin(b.ctx)
		b.must(err)
		if _, err := inner.Exec(b.ctx, forbidden); err == nil {
			t.Errorf("the role may %s", forbidden)
		}
		b.must(inner.Rollback(b.ctx))
	}
}

// Of a webhook's URL people see the host: the rest may be a secret.
func TestDashboardsShowNoSecrets(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`INSERT INTO ciclo.webhooks (url, description, statuses, secret, created_by)
		VALUES ('https://user:word@hooks.example:8443/T0/token?key=word', 'chat', '{failed}', decode(repeat('ab', 32), 'hex'), 'operator')`)
	var host string
	b.scan([]any{&host}, `SELECT host FROM dashboard.webhooks`)
	if host != "hooks.example:8443" {
		t.Errorf("the host is shown as %q", host)
	}
	var columns string
	b.scan([]any{&columns}, `
		SELECT coalesce(string_agg(table_name || '.' || column_name, ', ' ORDER BY 1), '') FROM information_schema.columns
		WHERE table_schema = 'dashboard' AND column_name IN ('secret', 'hash', 'url', 'address', 'email', 'phone', 'body', 'parameters', 'patterns', 'variables')`)
	if columns != "prompt_proposals.url" {
		t.Errorf("views show %s", columns)
	}
}

func TestEveryDashboardViewSaysWhatItIs(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var silent string
	b.scan([]any{&silent}, `SELECT coalesce(string_agg(viewname, ', '), '') FROM pg_views WHERE schemaname = 'dashboard' AND obj_description(('dashboard.' || viewname)::regclass) IS NULL`)
	if silent != "" {
		t.Errorf("no comment on %s", silent)
	}
}

func TestLateAndSkippedSlots(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`INSERT INTO ciclo.schedules (name, cron, zone, created_by, decided_until, next_due_at, next_fire_at)
		VALUES ('hourly', '0 * * * *', 'UTC', 'operator', now() - interval '2 hours', now() - interval '1 hour', now() - interval '1 hour')`)
	b.exec(`INSERT INTO ciclo.cycles (id, schedule, due_at, opened_by, opened_at, deadline_at, max_parallel, planner, snapshot)
		VALUES ('cycle_1', 'hourly', '2026-01-01 10:00Z', 'catch_up', '2026-01-01 10:30Z', '2026-01-02 10:00Z', 1, 'rules', '{}')`)
	b.exec(`INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail) VALUES
		('cycle_1', 'test-noop', 1, 'run', 'due', 'it is due'), ('cycle_1', 'test-slow', 2, 'skip', 'paused', 'it is paused')`)
	b.exec(`INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, cycle_id, opened_by, decided_at) VALUES
		('hourly', '2026-01-01 10:00Z', 'caught_up', NULL, 'cycle_1', 'catch_up', '2026-01-01 10:30Z'),
		('hourly', '2026-01-01 11:00Z', 'skipped', 'overlap', NULL, 'slot', '2026-01-01 11:00:02Z')`)
	for sql, want := range map[string]string{
		`SELECT string_agg(concat_ws(' ', outcome, reason, late_seconds, cycle_status), ', ' ORDER BY due_at) FROM dashboard.slots`:                                                          "caught_up 1800 running, skipped overlap 2",
		`SELECT concat_ws(' ', agents_run, agents_skipped) FROM dashboard.cycles`:                                                                                                            "1 1",
		`SELECT string_agg(concat_ws(' ', schedule, agent, decision, reason), ', ' ORDER BY position) FROM dashboard.cycle_agents`:                                                           "hourly test-noop run due, hourly test-slow skip paused",
		`SELECT concat_ws(' ', rule, overdue_seconds BETWEEN 3600 AND 3700, last_outcome, last_reason, last_cycle_id, last_cycle_status) FROM dashboard.schedules WHERE schedule = 'hourly'`: "0 * * * * UTC t skipped overlap cycle_1 running",
	} {
		var got string
		b.scan([]any{&got}, sql)
		if got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}
