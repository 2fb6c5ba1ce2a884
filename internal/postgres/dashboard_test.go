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
		"per hour":  {`SELECT sum(accepted) || ' ' || sum(completed) || ' ' || sum(failed) || ' ' || sum(cancelled) FROM dashboard.executions_per_hour`, "5 1 1 0"},
		"durations": {`SELECT agent || ' ' || executions || ' ' || (p50_seconds > 0 AND p50_seconds <= p99_seconds) FROM dashboard.durations`, "test-noop 1 true"},
		"queue":     {`SELECT agent || ' ' || waiting || ' ' || waiting_for_retry || ' ' || (oldest_seconds > 0) FROM dashboard.queue`, "test-noop 1 1 true"},
		"failures":  {`SELECT agent || ' ' || error_class || ' ' || error || ' ' || executions FROM dashboard.failures`, "test-noop permanent no 1"},
		"workers":   {`SELECT string_agg(condition || ' ' || running, ', ' ORDER BY condition) FROM dashboard.workers`, "alive 1, lost 0"},
		"list":      {`SELECT count(*) || ' ' || count(ended_at) || ' ' || count(*) FILTER (WHERE dry_run) FROM dashboard.executions`, "7 4 2"},
		"graph":     {`SELECT (SELECT count(*) FROM dashboard.graph_entities) || ' ' || (SELECT count(*) FROM dashboard.graph_edges) || ' ' || (SELECT count(*) FROM dashboard.graph_reviews) || ' ' || (SELECT count(*) FROM dashboard.graph_merges)`, "0 0 0 0"},
		"proposals": {`SELECT count(*)::text FROM dashboard.prompt_proposals`, "0"},
		"patterns":  {`SELECT count(*)::text FROM dashboard.patterns`, "0"},
		"values":    {`SELECT count(*)::text FROM dashboard.client_values`, "0"},
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
	want := []string{"activity_per_day", "activity_per_hour", "activity_per_minute", "attempts", "client_values", "cycles", "durations", "durations_per_hour", "effects", "executions", "executions_by_status", "executions_per_hour", "failures", "graph_edges", "graph_entities", "graph_evidence", "graph_merges", "graph_reviews", "messages", "messages_by_status", "notices", "patterns", "pauses", "prompt_proposals", "queue", "segment_changes", "segments", "slots", "value_back_tests", "webhook_deliveries", "workers"}
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
