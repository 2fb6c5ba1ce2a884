package postgres_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// broken lists the invariants that the audit finds broken.
func (b *bundle) broken() (texts []string) {
	b.t.Helper()
	b.exec(`SELECT pg_sleep_until(pg_postmaster_start_time() + interval '300 ms')`) // what is settled is judged after three leases
	findings, err := b.Audit(b.ctx, 100*time.Millisecond, time.Hour)
	b.must(err)
	for _, f := range findings {
		if !f.Checked {
			b.t.Errorf("not checked: %s", f.Invariant)
		}
		if len(f.Samples) != min(f.Count, 5) {
			b.t.Errorf("%d found, samples %v", f.Count, f.Samples)
		}
		if f.Count > 0 {
			texts = append(texts, f.Invariant)
		}
	}
	return texts
}

// lively makes executions in all stages of life.
func (b *bundle) lively() (running *postgres.Attempt) {
	b.t.Helper()
	w, lost := b.worker(), b.worker()
	b.accept()
	b.must(b.complete(b.run(b.accept().ID, w), `{}`))
	b.failed(b.run(b.accept().ID, w), postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour})
	b.failed(b.run(b.accept().ID, w), postgres.Failure{Class: "permanent", Text: "no", Permanent: true})
	b.must(b.Interrupt(b.ctx, b.run(b.accept().ID, w)))
	_, err := b.Cancel(b.ctx, b.accept().ID)
	b.must(err)
	both := b.run(b.accept().ID, w)
	_, err = b.Cancel(b.ctx, both.Execution.ID)
	b.must(err)
	b.failed(both, postgres.Failure{Class: "error", Text: "no"})
	b.run(b.accept().ID, lost)
	b.expire(lost)
	b.sweepAll()
	running = b.run(b.accept().ID, w)
	b.must(b.RecordStep(b.ctx, running, "one", time.Now(), false, false, func(pgx.Tx) (json.RawMessage, error) { return json.RawMessage(`1`), nil }))
	_, _, err = b.IntendEffect(b.ctx, running, "mail", "k", "once", false)
	b.must(err)
	b.cycle()
	m := &messaging{b, running.Execution.ID}
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{email}', quiet_from = '00:00', quiet_until = '00:00'`)
	id, _ := m.approved("C-1", "c1@firm.example")
	if why := m.reserve(id); why != "" {
		b.t.Fatal(why)
	}
	return running
}

// cycle is what a scheduler writes for a slot that is fired.
func (b *bundle) cycle() {
	b.t.Helper()
	b.exec(`
		INSERT INTO ciclo.schedules (name, interval_seconds, anchor_at, created_by) VALUES ('nightly', 60, now(), 'test');
		INSERT INTO ciclo.cycles (id, schedule, due_at, opened_by, deadline_at, max_parallel, planner, snapshot)
		VALUES ('cycle_1', 'nightly', '2026-01-31', 'slot', now() + interval '1 day', 1, 'rules', '{}');
		INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail) VALUES ('cycle_1', 'test-noop', 1, 'run', 'due', 'its time has come');
		INSERT INTO ciclo.slots (schedule, due_at, outcome, cycle_id, opened_by) VALUES ('nightly', '2026-01-31', 'fired', 'cycle_1', 'slot')`)
	b.must(b.Open(b.ctx, func(ctx context.Context, o *postgres.Opening) error {
		_, err := o.Begin(ctx, postgres.Acceptance{Agent: "test-noop", IDPrefix: "noop_", Parameters: json.RawMessage(`{}`), Tries: 3, TimeoutSeconds: 60, Priority: 2, CycleID: "cycle_1", Origin: "schedule", Reason: "opened by cycle_1"})
		return err
	}))
}

func TestTheAuditOfAHealthySystem(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.lively()
	if broken := b.broken(); len(broken) != 0 {
		t.Errorf("a healthy system breaks %v", broken)
	}
}

// Each invariant can be broken, and the audit says so.
func TestTheAuditFinds(t *testing.T) {
	t.Parallel()
	for want, sql := range map[string]string{
		"a final execution has no worker":         `UPDATE ciclo.executions SET worker_id = gen_random_uuid() WHERE status = 'completed'`,
		"a started execution has either":          `UPDATE ciclo.executions SET next_attempt_at = NULL, river_job_id = NULL WHERE status = 'started'`,
		"a running execution has a worker":        `UPDATE ciclo.executions SET worker_id = NULL WHERE status = 'running'`,
		"transitions form a legal path":           `DELETE FROM ciclo.transitions WHERE from_status = 'started' AND to_status = 'running'`,
		"an attempt ends by the worker that ran":  `UPDATE ciclo.transitions SET worker_id = gen_random_uuid() WHERE from_status = 'running'`,
		"an execution's status":                   `UPDATE ciclo.executions SET status = 'failed', ended_at = now(), error_class = 'x', error_text = 'x', result = NULL WHERE status = 'completed'`,
		"failures counts":                         `UPDATE ciclo.executions SET failures = failures + 1 WHERE status = 'failed'`,
		"a step was finished":                     `UPDATE ciclo.steps SET worker_id = gen_random_uuid()`,
		"an effect is settled":                    `UPDATE ciclo.executions SET status = 'failed', worker_id = NULL, ended_at = now(), error_class = 'x', error_text = 'x' WHERE status = 'running'`,
		"a message that is being sent":            `UPDATE ciclo.executions SET status = 'failed', worker_id = NULL, ended_at = now(), error_class = 'x', error_text = 'x' WHERE agent = 'message-sender'`,
		"one that was sent has its":               `ALTER TABLE ciclo.messages DISABLE TRIGGER USER; UPDATE ciclo.messages SET status = 'sent', sent_at = now()`,
		"a slot that was fired":                   `UPDATE ciclo.cycles SET due_at = now()`,
		"and no other slot does":                  `DELETE FROM ciclo.slots`,
		"an execution of a cycle":                 `UPDATE ciclo.cycle_agents SET execution_id = NULL`,
		"a cycle that has ended has none":         `UPDATE ciclo.cycles SET ended_at = now(), status = 'completed'`,
		"the counts of moves":                     `DELETE FROM ciclo.uncounted_moves WHERE to_status = 'running'`,
		"of each agent are started and running":   `UPDATE ciclo.executions SET dry_run = true WHERE status = 'running'`,
		"the River row that a started":            `DELETE FROM ciclo.river_job; UPDATE ciclo.executions SET status_at = now() - interval '1 hour' WHERE status = 'started'`,
		"the worker of a running":                 `UPDATE ciclo.workers SET lease_until = now() - interval '1 hour'`,
		"an execution whose time has come":        `UPDATE ciclo.executions SET next_attempt_at = now() - interval '1 hour' WHERE next_attempt_at IS NOT NULL`,
		"a final execution has no River row in t": `UPDATE ciclo.river_job SET state = 'available', finalized_at = NULL; UPDATE ciclo.executions SET ended_at = now() - interval '10 min' WHERE status = 'completed'`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.lively()
			// Without the guards: as if a program had gone round them.
			b.exec(`ALTER TABLE ciclo.executions DISABLE TRIGGER USER; ALTER TABLE ciclo.transitions DISABLE TRIGGER USER`)
			b.exec(`DO $$ DECLARE c text; BEGIN
				FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'ciclo.executions'::regclass AND contype = 'c' LOOP
					EXECUTE 'ALTER TABLE ciclo.executions DROP CONSTRAINT ' || quote_ident(c);
				END LOOP; END $$`)
			b.exec(sql)
			broken := strings.Join(b.broken(), "; ")
			if !strings.Contains(broken, want) {
				t.Errorf("the audit found %q", broken)
			}
		})
	}
}
