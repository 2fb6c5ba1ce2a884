package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func connect(t *testing.T, url string) *bundle {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: url, Name: t.Name(), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &bundle{t: t, ctx: t.Context(), pool: pool}
}

func TestMigratingManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	url := testdatabase.Empty(t)
	b := connect(t, url)
	var schema *postgres.SchemaError
	err := postgres.CheckSchema(b.ctx, b.pool)
	if !errors.As(err, &schema) || schema.Have != 0 || !strings.Contains(err.Error(), "ciclo migrate") {
		t.Errorf("an empty database: %v", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := postgres.Migrate(b.ctx, url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.must(postgres.CheckSchema(b.ctx, b.pool))

	b.exec(`INSERT INTO ciclo.goose_db_version (version_id, is_applied) VALUES (999999, true)`)
	b.exec(`UPDATE ciclo.compatibility SET oldest = 999999`)
	if err = postgres.CheckSchema(b.ctx, b.pool); !errors.As(err, &schema) || !strings.Contains(err.Error(), "update this binary") {
		t.Errorf("a newer database: %v", err)
	}
	b.exec(`DELETE FROM ciclo.goose_db_version WHERE version_id = 999999 OR version_id = (SELECT max(version_id) FROM ciclo.goose_db_version WHERE version_id < 999999)`)
	if err = postgres.CheckSchema(b.ctx, b.pool); !errors.As(err, &schema) || !strings.Contains(err.Error(), "ciclo migrate") {
		t.Errorf("an older database: %v", err)
	}
	if pending, err := postgres.PendingMigrations(schema.Have); err != nil || len(pending) != 1 {
		t.Errorf("behind by one, what is pending is %v, %v", pending, err)
	}
}

// columnsOf are the columns that an execution of the status must have, so that
// only the move itself can be refused.
func columnsOf(s execution.Status) string {
	switch s {
	case execution.Started:
		return `worker_id = NULL, river_job_id = 1, next_attempt_at = NULL, ended_at = NULL, result = NULL`
	case execution.Running:
		return `worker_id = '` + uuid.NewString() + `', river_job_id = 1, running_at = now(), ended_at = NULL, result = NULL, attempt = attempt + 1`
	case execution.Completed:
		return `worker_id = NULL, ended_at = now(), result = '{}'`
	case execution.Failed:
		return `worker_id = NULL, ended_at = now(), result = NULL, error_class = 'error', error_text = 'no'`
	default:
		return `worker_id = NULL, ended_at = now(), result = NULL, cancel_requested_at = now()`
	}
}

// The trigger and the table in Go are the same table.
func TestTheDatabaseRefusesTheSameMoves(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, from := range execution.Statuses {
		for _, to := range execution.Statuses {
			if from == to {
				continue
			}
			e := b.accept()
			b.exec(`ALTER TABLE ciclo.executions DISABLE TRIGGER USER`)
			b.exec(`UPDATE ciclo.executions SET status = '` + string(from) + `', ` + columnsOf(from) + ` WHERE id = '` + e.ID + `'`)
			b.exec(`ALTER TABLE ciclo.executions ENABLE TRIGGER USER`)
			_, err := b.pool.Exec(b.ctx, `UPDATE ciclo.executions SET status = '`+string(to)+`', `+columnsOf(to)+` WHERE id = $1`, e.ID)
			if allowed := execution.CanMove(from, to); (err == nil) != allowed {
				t.Errorf("%s to %s: the table says %v, the database %v", from, to, allowed, err)
			}
		}
	}
}

func TestTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	started, running, final := b.accept().ID, b.accept().ID, b.accept().ID
	w := b.worker()
	b.run(running, w)
	b.must(b.complete(b.run(final, w), `{}`))
	dry := b.acceptDry().ID
	b.run(dry, w)
	b.must(b.PauseAgent(b.ctx, "test-noop", "for its notice"))
	b.cycle()
	b.webhook([]string{}, execution.Started)
	b.accept()
	for name, sql := range map[string]string{
		"an unknown status":                   `UPDATE ciclo.executions SET status = 'done' WHERE id = '` + started + `'`,
		"started with a worker":               `UPDATE ciclo.executions SET worker_id = gen_random_uuid() WHERE id = '` + started + `'`,
		"started with neither row nor time":   `UPDATE ciclo.executions SET river_job_id = NULL WHERE id = '` + started + `'`,
		"started with both row and time":      `UPDATE ciclo.executions SET next_attempt_at = now() WHERE id = '` + started + `'`,
		"running without a worker":            `UPDATE ciclo.executions SET worker_id = NULL WHERE id = '` + running + `'`,
		"an attempt that goes back":           `UPDATE ciclo.executions SET attempt = 0 WHERE id = '` + running + `'`,
		"an attempt that jumps":               `UPDATE ciclo.executions SET status = 'running', attempt = attempt + 2, worker_id = gen_random_uuid(), running_at = now() WHERE id = '` + started + `'`,
		"more failures than attempts":         `UPDATE ciclo.executions SET failures = 9 WHERE id = '` + running + `'`,
		"completed without a result":          `UPDATE ciclo.executions SET status = 'completed', worker_id = NULL, ended_at = now() WHERE id = '` + running + `'`,
		"failed without an error":             `UPDATE ciclo.executions SET status = 'failed', worker_id = NULL, ended_at = now() WHERE id = '` + running + `'`,
		"cancelled unasked":                   `UPDATE ciclo.executions SET status = 'cancelled', worker_id = NULL, ended_at = now() WHERE id = '` + running + `'`,
		"a final execution that runs again":   `UPDATE ciclo.executions SET status = 'started', ended_at = NULL, result = NULL WHERE id = '` + final + `'`,
		"a final execution with a due time":   `UPDATE ciclo.executions SET next_attempt_at = now() WHERE id = '` + final + `'`,
		"a trace of nothing":                  `UPDATE ciclo.executions SET traceparent = '00-0-0-01' WHERE id = '` + started + `'`,
		"a trace that isn't W3C's":            `UPDATE ciclo.executions SET traceparent = upper('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01') WHERE id = '` + started + `'`,
		"parameters that are no object":       `UPDATE ciclo.executions SET parameters = '[]' WHERE id = '` + started + `'`,
		"a transition that is changed":        `UPDATE ciclo.transitions SET reason = 'x'`,
		"a transition of nothing":             `INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, reason) VALUES ('x', 'started', 'running', 1, '')`,
		"a back-test without its figures":     `INSERT INTO ciclo.value_models (execution_id, model, chosen, as_of, fit, low_confidence) VALUES ('` + final + `', 'BG/NBD', true, now(), '{}', false)`,
		"a back-test and why there is none":   valueModel(final, "true", "1", "'none'"),
		"a total outside its interval":        valueModel(final, "true", "9", "NULL"),
		"two chosen models":                   valueModel(final, "true", "1", "NULL") + `; ` + strings.Replace(valueModel(final, "true", "1", "NULL"), "'BG/NBD'", "'MBG/NBD'", 1),
		"a change to the same segment":        `INSERT INTO ciclo.segment_changes (execution_id, previous_execution_id, client_id, from_segment, to_segment) VALUES ('` + final + `', '` + final + `', 'c', 'LOW', 'LOW')`,
		"an interval the wrong way round":     strings.Replace(score(final, "1", ".5"), "ciclo.client_scores VALUES (", "ciclo.client_scores (purchases_low, purchases_high, execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive, churn_risk_30, churn_risk_90, expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence) VALUES (2, 1, ", 1),
		"a last purchase before the first":    strings.Replace(score(final, "1", ".5"), "ciclo.client_scores VALUES (", "ciclo.client_scores (first_purchase_on, last_purchase_on, execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive, churn_risk_30, churn_risk_90, expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence) VALUES ('2020-01-02', '2020-01-01', ", 1),
		"a payment of NaN":                    `INSERT INTO crm.payments (client_id, paid_at, amount, currency) VALUES ('c', now(), 'NaN', 'USD')`,
		"an endless payment":                  `INSERT INTO crm.payments (client_id, paid_at, amount, currency) VALUES ('c', now(), 'Infinity', 'USD')`,
		"a payment at no time":                `INSERT INTO crm.payments (client_id, paid_at, amount, currency) VALUES ('c', 'infinity', 1, 'USD')`,
		"a payment in no currency":            `INSERT INTO crm.payments (client_id, paid_at, amount, currency) VALUES ('c', now(), 1, 'usd')`,
		"a payment of nobody":                 `INSERT INTO crm.payments (client_id, paid_at, amount, currency) VALUES ('nobody', now(), 1, 'USD')`,
		"a rate of NaN":                       `INSERT INTO crm.rates VALUES ('USD', 'EUR', now(), 'NaN')`,
		"a rate of nothing":                   `INSERT INTO crm.rates VALUES ('USD', 'EUR', now(), 0)`,
		"an endless rate":                     `INSERT INTO crm.rates VALUES ('USD', 'EUR', now(), 'Infinity')`,
		"a rate of no day":                    `INSERT INTO crm.rates VALUES ('USD', 'EUR', 'infinity', 1)`,
		"a rate into itself":                  `INSERT INTO crm.rates VALUES ('USD', 'USD', now(), 1)`,
		"a rate in small letters":             `INSERT INTO crm.rates VALUES ('usd', 'EUR', now(), 1)`,
		"a payment of an empty reference":     `INSERT INTO crm.payments (client_id, paid_at, amount, currency, reference) VALUES ('c', now(), 1, 'USD', '')`,
		"a reference of two payments":         `INSERT INTO crm.payments (client_id, paid_at, amount, currency, reference) VALUES ('c', now(), 1, 'USD', 'P1'), ('c', now(), 1, 'USD', 'P1')`,
		"a reference of two interactions":     `INSERT INTO crm.interactions (client_id, channel, direction, kind, occurred_at, reference) VALUES ('c', 'x', 'inbound', 'x', now(), 'I1'), ('c', 'x', 'inbound', 'x', now(), 'I1')`,
		"a client without an id":              `INSERT INTO crm.clients (id) VALUES ('')`,
		"a score that is no number":           score(final, `'NaN'`, `.5`),
		"a risk beyond one":                   score(final, `1`, `1.5`),
		"a score of an unknown execution":     score("nobody", `1`, `.5`),
		"a pattern of an unknown kind":        pattern(final, `x`, `5`, `.2`, `true`, `.1`),
		"a pattern won more than it is there": pattern(final, `ngram`, `11`, `.2`, `true`, `.1`),
		"a difference outside its interval":   pattern(final, `ngram`, `5`, `.9`, `true`, `.1`),
		"a confirmation across 0":             pattern(final, `ngram`, `5`, `.2`, `true`, `-.1`),
		"a confirmation by nothing":           pattern(final, `ngram`, `5`, `.2`, `true`, `NULL`),
		"a pattern of an unknown execution":   pattern("nobody", `ngram`, `5`, `.2`, `true`, `.1`),
		"a proposal of an unknown run":        proposal("nobody", `'written', NULL, NULL, NULL, NULL, NULL`),
		"a proposal of an unknown status":     proposal(final, `'x', NULL, NULL, NULL, NULL, NULL`),
		"a proposal refused without a reason": proposal(final, `'refused', NULL, NULL, NULL, NULL, NULL`),
		"a proposal written, with a reason":   proposal(final, `'written', 'x', NULL, NULL, NULL, NULL`),
		"a proposal brought to no branch":     proposal(final, `'proposed', NULL, NULL, NULL, NULL, NULL`),
		"a branch of one that was not":        proposal(final, `'written', NULL, 'ciclo/x', NULL, NULL, NULL`),
		"a pull request without an address":   proposal(final, `'proposed', NULL, 'ciclo/x', NULL, 1, NULL`),
		"a commit that is none":               proposal(final, `'proposed', NULL, 'ciclo/x', 'x', NULL, NULL`),
		"a proposal without lines":            strings.Replace(proposal(final, `'written', NULL, NULL, NULL, NULL, NULL`), `'{x}'`, `'{}'`, 1),
		"a window that ends before it begins": strings.Replace(proposal(final, `'written', NULL, NULL, NULL, NULL, NULL`), `'2026-01-30'`, `'2025-01-30'`, 1),
		"the same proposal twice": proposal(final, `'written', NULL, NULL, NULL, NULL, NULL`) + `;` +
			strings.Replace(proposal(final, `'written', NULL, NULL, NULL, NULL, NULL`), `'p-1'`, `'p-2'`, 1),
		"a step output of nobody's attempt":  `INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at) VALUES ('` + running + `', 'x', 0, gen_random_uuid(), '1', now())`,
		"a step of a dry run":                `INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at) VALUES ('` + dry + `', 'x', 1, gen_random_uuid(), '1', now())`,
		"an effect of a dry run":             `INSERT INTO ciclo.effects (execution_id, name, attempt, worker_id, key, policy) VALUES ('` + dry + `', 'x', 1, gen_random_uuid(), 'x', 'once')`,
		"a dry run that becomes real":        `UPDATE ciclo.executions SET dry_run = false WHERE id = '` + dry + `'`,
		"a real run that becomes dry":        `UPDATE ciclo.executions SET dry_run = true WHERE id = '` + running + `'`,
		"a dry run that is an only one":      `UPDATE ciclo.executions SET single_flight = true WHERE id = '` + dry + `'`,
		"a dry run of a schedule":            `UPDATE ciclo.executions SET origin = 'schedule' WHERE id = '` + dry + `'`,
		"a dry run of a cycle":               `UPDATE ciclo.executions SET cycle_id = 'cycle_1' WHERE id = '` + dry + `'`,
		"a commit of a dry run":              `INSERT INTO ciclo.dry_runs VALUES ('` + dry + `')`,
		"an origin of nowhere":               `UPDATE ciclo.executions SET origin = 'x' WHERE id = '` + running + `'`,
		"a notice of an unknown kind":        `UPDATE ciclo.notices SET kind = 'x'`,
		"a notice without a cause":           `UPDATE ciclo.notices SET pause_id = NULL`,
		"a notice with another kind's cause": `UPDATE ciclo.notices SET execution_id = '` + running + `'`,
		"a notice of an unknown execution":   `INSERT INTO ciclo.notices (kind, agent, execution_id, subject, text) VALUES ('failed', 'x', 'nobody', 'x', 'x')`,
		"a second notice of one cause":       `INSERT INTO ciclo.notices (kind, agent, pause_id, subject, text) SELECT kind, agent, pause_id, subject, text FROM ciclo.notices`,
		"a notice that says nothing":         `UPDATE ciclo.notices SET text = ''`,
		"a notice sent that still waits":     `UPDATE ciclo.notices SET sent_at = now()`,
		"a notice given up without a reason": `UPDATE ciclo.notices SET due_at = NULL`,
		"a schedule without a rule":          `INSERT INTO ciclo.schedules (name, created_by) VALUES ('x', 'test')`,
		"a schedule with two rules":          `UPDATE ciclo.schedules SET cron = '@daily', zone = 'UTC'`,
		"a cron expression without a zone":   `UPDATE ciclo.schedules SET cron = '@daily', interval_seconds = NULL, anchor_at = NULL`,
		"a schedule with an unknown overlap": `UPDATE ciclo.schedules SET overlap = 'x'`,
		"a pause without a reason":           `UPDATE ciclo.schedules SET paused_at = now()`,
		"a next slot that is decided":        `UPDATE ciclo.schedules SET next_due_at = decided_until, next_fire_at = now()`,
		"a slot fired without a cycle":       `INSERT INTO ciclo.slots (schedule, due_at, outcome, opened_by) VALUES ('nightly', now(), 'fired', 'slot')`,
		"a slot skipped without a reason":    `INSERT INTO ciclo.slots (schedule, due_at, outcome, opened_by) VALUES ('nightly', now(), 'skipped', 'slot')`,
		"a slot of no schedule":              `INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, opened_by) VALUES ('nobody', now(), 'skipped', 'late', 'slot')`,
		"a slot decided twice":               `INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, opened_by) VALUES ('nightly', '2026-01-31', 'skipped', 'late', 'slot')`,
		"a fired slot that is skipped":       `UPDATE ciclo.slots SET outcome = 'skipped', reason = 'late'`,
		"two slots of one cycle":             `INSERT INTO ciclo.slots (schedule, due_at, outcome, cycle_id, opened_by) VALUES ('nightly', now(), 'fired', 'cycle_1', 'slot')`,
		"a cycle that ends as nothing":       `UPDATE ciclo.cycles SET ended_at = now()`,
		"a cycle of an unknown status":       `UPDATE ciclo.cycles SET status = 'x', ended_at = now()`,
		"an agent twice in a cycle":          `INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail) VALUES ('cycle_1', 'test-noop', 2, 'run', 'x', 'x')`,
		"a skipped agent that runs":          `UPDATE ciclo.cycle_agents SET decision = 'skip'`,
		"a webhook to nowhere":               `UPDATE ciclo.webhooks SET url = 'ftp://firm.example'`,
		"a webhook of no status":             `UPDATE ciclo.webhooks SET statuses = '{}'`,
		"a webhook of an unknown status":     `UPDATE ciclo.webhooks SET statuses = '{done}'`,
		"a webhook with a short secret":      `UPDATE ciclo.webhooks SET secret = 'x'`,
		"a webhook that signs no more":       `UPDATE ciclo.webhooks SET secret = NULL`,
		"an ended webhook with its secret":   `UPDATE ciclo.webhooks SET ended_at = now(), ended_reason = 'x'`,
		"a delivery of no move":              `UPDATE ciclo.webhook_deliveries SET transition_id = 0`,
		"a second delivery of one move":      `INSERT INTO ciclo.webhook_deliveries (webhook_id, transition_id) SELECT webhook_id, transition_id FROM ciclo.webhook_deliveries`,
		"a delivery made that still waits":   `UPDATE ciclo.webhook_deliveries SET delivered_at = now()`,
		"a delivery given up without reason": `UPDATE ciclo.webhook_deliveries SET due_at = NULL`,
		"a worker whose concurrency is text": `UPDATE ciclo.workers SET concurrency = '"x"'`,
	} {
		b.exec(`INSERT INTO crm.clients (id) VALUES ('c') ON CONFLICT DO NOTHING`)
		_, err := b.pool.Exec(b.ctx, sql)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || !postgres.Refused(err) {
			t.Errorf("%s: the database says %v", name, err)
		}
	}
}

// valueModel is a back-test of which the interval of the total is 0 to 2.
func valueModel(execution, chosen, predicted, reason string) string {
	return `INSERT INTO ciclo.value_models (execution_id, model, chosen, as_of, fit, low_confidence, cut_on, end_on, clients, predicted, bought, mae, rmse,
		correlation, predicted_low, predicted_high, log_score, simple_predicted, simple_mae, simple_rmse, reason)
		VALUES ('` + execution + `', 'BG/NBD', ` + chosen + `, now(), '{}', false, now(), now(), 1, ` + predicted + `, 1, 1, 1, 0, 0, 2, 1, 1, 1, 1, ` + reason + `)`
}

func pattern(execution, kind, won, difference, confirmed, laterLow string) string {
	later := `.2, ` + laterLow + `, .4`
	if laterLow == `NULL` {
		later = `NULL, NULL, NULL`
	}
	return `INSERT INTO ciclo.patterns VALUES ('` + execution + `', '` + kind + `', 'x', 1, NULL, 10, ` + won + `, 10, 5, ` + difference + `, .1, .3, NULL, NULL, NULL, .01, .05, NULL, ` +
		confirmed + `, 10, 5, 10, 5, ` + later + `, '{}', '{}')`
}

func proposal(execution, state string) string {
	return `INSERT INTO ciclo.prompt_proposals (execution_id, id, prompt, base_hash, patterns_hash, window_from, window_to, title, body, lines, left_out, report, plot, data_until,
			status, reason, branch, commit, pull_request, url)
		VALUES ('` + execution + `', 'p-1', 'x', repeat('0', 64), repeat('1', 64), '2026-01-01', '2026-01-30', 'x', 'x', '{x}', '[]', 'x', 'x', now(), ` + state + `)`
}

func TestTheDatabaseTakesAProposal(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(proposal(b.accept().ID, `'closed', NULL, 'ciclo/x', repeat('a', 40), 1, 'https://x'`))
}

func TestTheDatabaseTakesAPattern(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(pattern(b.accept().ID, `ngram`, `5`, `.2`, `true`, `.1`))
}

func score(execution, clv, risk string) string {
	return `INSERT INTO ciclo.client_scores VALUES ('` + execution + `', 'c', now(), 'VIP', 1, 1, 2, 1, .5, ` + risk + `, .5, 1, 1, 1, ` + clv + `, 1, false)`
}

func TestListing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	var ids []string // newest first
	for range 7 {
		ids = append([]string{b.accept().ID}, ids...)
	}
	b.must(b.complete(b.run(ids[2], w), `{"big": 1}`))
	b.run(ids[4], w)

	var seen []string
	f := postgres.Filter{Limit: 3}
	for {
		page, err := b.List(b.ctx, f)
		b.must(err)
		for _, e := range page {
			seen = append(seen, e.ID)
			if e.Result != nil {
				t.Errorf("a list carries the result %s", e.Result)
			}
			f.Before = postgres.Position{StartedAt: e.StartedAt, ID: e.ID}
		}
		if len(page) < f.Limit {
			break
		}
		b.accept() // what comes meanwhile moves nothing
	}
	if strings.Join(seen, " ") != strings.Join(ids, " ") {
		t.Errorf("pages give %v, want %v", seen, ids)
	}
	for name, c := range map[string]struct {
		filter postgres.Filter
		want   int
	}{
		"by status":        {postgres.Filter{Statuses: []execution.Status{execution.Running}}, 1},
		"by two statuses":  {postgres.Filter{Statuses: []execution.Status{execution.Running, execution.Completed}}, 2},
		"by one twice":     {postgres.Filter{Statuses: []execution.Status{execution.Running, execution.Running}}, 1},
		"by agent alone":   {postgres.Filter{Agent: "test-noop", Before: postgres.Position{StartedAt: b.get(ids[0]).StartedAt, ID: ids[0]}}, 6},
		"by agent":         {postgres.Filter{Agent: "test-noop", Statuses: []execution.Status{execution.Completed}}, 1},
		"by another agent": {postgres.Filter{Agent: "nobody"}, 0},
		"until the second": {postgres.Filter{Until: b.get(ids[5]).StartedAt}, 1},
		"since the sixth":  {postgres.Filter{Since: b.get(ids[5]).StartedAt, Until: b.get(ids[3]).StartedAt}, 2},
	} {
		c.filter.Limit = 100
		list, err := b.List(b.ctx, c.filter)
		b.must(err)
		if len(list) != c.want {
			t.Errorf("%s: %d executions, want %d", name, len(list), c.want)
		}
	}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	idle, err := b.Activity(b.ctx, "test-noop")
	b.must(err)
	if idle.Last != nil || idle.SuccessRate != nil || idle.OldestQueuedSeconds != nil {
		t.Errorf("an agent that never ran: %+v", idle)
	}
	w := b.worker()
	b.must(b.complete(b.run(b.accept().ID, w), `{}`))
	b.failed(b.run(b.accept().ID, w), postgres.Failure{Class: "permanent", Permanent: true})
	b.run(b.accept().ID, w)
	last := b.accept()
	a, err := b.Activity(b.ctx, "test-noop")
	b.must(err)
	if a.Started != 1 || a.Running != 1 || a.Last.ID != last.ID || *a.SuccessRate != .5 || *a.TypicalSeconds < 0 || *a.OldestQueuedSeconds < 0 {
		t.Errorf("activity %+v", a)
	}
}
