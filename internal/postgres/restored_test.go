package postgres_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// intendAs intends an effect by a policy.
func (b *bundle) intendAs(a *postgres.Attempt, name, policy string) (state string, fresh bool) {
	b.t.Helper()
	e, fresh, err := b.IntendEffect(b.ctx, a, name, a.Execution.ID+"/"+name, policy, false)
	b.must(err)
	return e.State, fresh
}

// What was alive when the database was restored may have gone on since the backup:
// nothing of it is taken for fresh, and no worker from before writes to it.
func TestExecutionsAfterARestore(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	zombie := b.worker()
	running, waiting, asked, ended := b.accept().ID, b.accept().ID, b.accept().ID, b.accept().ID
	a := b.run(running, zombie)
	b.intendAs(a, "once", "once")
	b.intendAs(a, "repeat", "repeat")
	b.intendAs(a, "reconcile", "reconcile")
	b.intendAs(a, "refused", "once")
	b.intendAs(a, "done", "once")
	b.must(b.SettleEffect(b.ctx, a, "refused", "not_done", nil))
	b.must(b.SettleEffect(b.ctx, a, "done", "done", json.RawMessage(`1`)))
	b.run(asked, zombie)
	_, err := b.Cancel(b.ctx, asked)
	b.must(err)
	done := b.run(ended, b.worker())
	b.intendAs(done, "refused", "once")
	b.must(b.SettleEffect(b.ctx, done, "refused", "not_done", nil))
	b.must(b.complete(done, `{}`))
	job := b.jobID(a)
	before := b.count(`SELECT max(id) FROM ciclo.transitions`)

	if _, err := b.Restored(b.ctx, false, false); err != nil {
		t.Errorf("where no database was known: %v", err) // an old backup
	}
	if _, err := b.Restored(b.ctx, false, false); !errors.Is(err, postgres.ErrNotRestored) {
		t.Errorf("a database that is known: %v", err)
	}
	if got := b.path(running); got != ">started@0 started>running@1 running>started@1 " {
		t.Errorf("what ran: %s", got)
	}
	if got := b.get(asked).Status; got != execution.Cancelled {
		t.Errorf("what was to be cancelled is %s", got)
	}
	if e := b.get(running); e.Failures != 0 || e.NextAttemptAt == nil {
		t.Errorf("what ran: %+v", e)
	}
	if state := b.jobState(job); state != "cancelled" {
		t.Errorf("its River row is %s", state)
	}
	if _, _, err := b.IntendEffect(b.ctx, a, "late", "late", "once", false); !errors.Is(err, execution.ErrStale) {
		t.Errorf("a worker from before could go on: %v", err)
	}
	if _, _, err := b.Beat(b.ctx, zombie, lease); !errors.Is(err, postgres.ErrWorkerGone) {
		t.Errorf("a worker from before goes on beating: %v", err)
	}
	if broken := b.broken(); len(broken) > 0 {
		t.Errorf("the audit finds %q", broken)
	}

	b.sweepAll()
	second := b.run(running, b.worker())
	for _, c := range []struct{ name, policy, want string }{
		{"once", "once", "unknown"}, {"repeat", "repeat", "unknown"}, {"refused", "once", "unknown"}, {"done", "once", "done"},
		{"reconcile", "reconcile", "intended"}, // whose provider is asked
		{"new", "once", "unknown"}, {"newly repeated", "repeat", "unknown"}, {"newly reconciled", "reconcile", "intended"},
	} {
		if state, fresh := b.intendAs(second, c.name, c.policy); state != c.want || fresh {
			t.Errorf("%s, by %s: %s, fresh: %t; want %s, never fresh", c.name, c.policy, state, fresh, c.want)
		}
	}
	b.must(b.SettleEffect(b.ctx, second, "newly reconciled", "not_done", nil))
	if state, fresh := b.intendAs(second, "newly reconciled", "reconcile"); state != "intended" || fresh {
		t.Errorf("reconciled again: %s, fresh: %t", state, fresh)
	}
	if state, fresh := b.intendAs(b.run(waiting, b.worker()), "new", "once"); state != "unknown" || fresh {
		t.Errorf("of one that waited: %s, fresh: %t", state, fresh)
	}
	if state, fresh := b.intendAs(b.run(b.accept().ID, b.worker()), "new", "once"); state != "intended" || !fresh {
		t.Errorf("of one that is new: %s, fresh: %t", state, fresh)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.effects WHERE execution_id = $1 AND state = 'not_done'`, ended); n != 1 {
		t.Error("the effects of what had ended changed")
	}
	if after := b.count(`SELECT max(id) FROM ciclo.transitions`); after < before+1_000_000 {
		t.Errorf("ids of moves go on with %d after %d: those since the backup are given again", after, before)
	}
}

// A message that was approved at the backup may have left since, by an execution that
// nobody knows any more: it waits for a person.
func TestMessagesAfterARestore(t *testing.T) {
	t.Parallel()
	m := newMessaging(t)
	sent, first := m.approved("C-1", "+390612345671")
	m.must2(m.reserve(sent))
	m.settled(first, "done")
	leaving, second := m.approved("C-2", "+390612345672")
	m.must2(m.reserve(leaving))
	m.intendAs(second, "send", "reconcile")
	given, _ := m.approved("C-3", "+390612345673")
	waits, draft := m.draft("C-4", "+390612345674"), m.draft("C-5", "+390612345675")
	_, err := m.ApproveMessage(m.ctx, waits, "somebody", nil, nil)
	m.must(err)

	rehearsed, err := m.Restored(m.ctx, true, true)
	m.must(err)
	if m.message(waits).Status != "approved" || m.count(`SELECT cardinality(channels) FROM ciclo.contact_policy`) != 2 {
		t.Error("a dry run changed something")
	}
	r, err := m.Restored(m.ctx, false, true)
	m.must(err)
	if r.Messages != 3 || r.Drafts != 1 || r.Senders != 2 || len(r.Channels) != 2 || rehearsed.Messages != r.Messages || rehearsed.Senders != r.Senders {
		t.Errorf("%+v, rehearsed %+v", r, rehearsed)
	}
	for name, c := range map[string]struct{ id, want string }{
		"sent before": {sent, "sent"}, "on its way": {leaving, "unknown"}, "given to an execution": {given, "unknown"}, "approved": {waits, "unknown"}, "a draft": {draft, "draft"},
	} {
		if got := m.message(c.id); got.Status != c.want || (c.want == "sent") != (got.Reason == nil) {
			t.Errorf("%s: %s, %v", name, got.Status, got.Reason)
		}
	}
	if n := m.count(`SELECT count(*) FROM ciclo.executions WHERE agent = $1 AND ended_at IS NULL`, postgres.MessageSender); n != 0 {
		t.Errorf("%d executions would still send", n)
	}
	if n, err := m.DispatchMessages(m.ctx, sender); n != 0 || err != nil {
		t.Errorf("%d were dispatched, %v", n, err)
	}
	// A person's word: one has it, one shall have it, one shall not.
	m.exec(`UPDATE ciclo.contact_policy SET channels = '{whatsapp,email}'`)
	for id, outcome := range map[string]string{leaving: postgres.MessageSent, waits: postgres.MessageSendAgain, given: postgres.MessageDropped} {
		if _, err := m.ResolveMessage(m.ctx, id, "somebody", outcome); err != nil {
			t.Errorf("%s: %v", outcome, err)
		}
	}
	if n, err := m.DispatchMessages(m.ctx, sender); n != 1 || err != nil {
		t.Errorf("%d were dispatched, %v", n, err)
	}
	if got := m.message(waits); got.ExecutionID == nil || got.Status != "approved" {
		t.Errorf("what is to be sent again: %+v", got)
	}
	m.refused(`UPDATE ciclo.messages SET status = 'unknown', reason = 'no' WHERE id = '` + waits + `'`)
}

// must2 is for a reservation that has to go well.
func (m *messaging) must2(refusedBy string) {
	m.t.Helper()
	if refusedBy != "" {
		m.t.Fatalf("refused by %s", refusedBy)
	}
}

// Slots and cycles of a time that was lived through are not lived through again.
func TestSchedulesAfterARestore(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.cycle()
	b.exec(`UPDATE ciclo.cycles SET ended_at = NULL, status = 'running'`)
	b.exec(`UPDATE ciclo.cycle_agents SET decision = 'run', execution_id = NULL`)
	b.exec(`INSERT INTO ciclo.slots (schedule, due_at, outcome, opened_by) SELECT name, now() - interval '1 minute', 'queued', 'slot' FROM ciclo.schedules LIMIT 1`)
	r, err := b.Restored(b.ctx, false, true)
	b.must(err)
	if r.Schedules < 1 || r.Slots != 1 || r.CycleAgents < 1 {
		t.Errorf("%+v", r)
	}
	if got := b.texts(`SELECT reason FROM ciclo.slots WHERE reason IS NOT NULL UNION SELECT reason FROM ciclo.cycle_agents`); strings.Join(got, " ") != "restored" {
		t.Errorf("reasons: %q", got)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.schedules WHERE restored_until IS NULL`); n != 0 {
		t.Errorf("%d schedules live through the past", n)
	}
}

func TestWhichDatabaseThisIs(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	check := func(note bool) error { return postgres.CheckIncarnation(b.ctx, b.pool, note) }
	b.must(check(false))
	if n := b.count(`SELECT count(*) FROM ciclo.incarnation WHERE noted_at IS NOT NULL`); n != 0 {
		t.Error("it was noted by who only looks")
	}
	b.must(check(true))
	if n := b.count(`SELECT count(*) FROM ciclo.incarnation WHERE system_identifier <> 0 AND database_oid > 0 AND timeline = 1`); n != 1 {
		t.Error("it was not noted")
	}
	b.must(check(true))
	var timeline *postgres.TimelineError
	b.exec(`UPDATE ciclo.incarnation SET timeline = 7`)
	if err := check(true); !errors.As(err, &timeline) || timeline.Known != 7 || !strings.Contains(err.Error(), "ciclo restored") {
		t.Errorf("another timeline: %v", err)
	}
	b.must(b.NothingLost(b.ctx))
	b.must(check(true))
	var another *postgres.CopyError
	for _, sql := range []string{`UPDATE ciclo.incarnation SET database_oid = 1`, `UPDATE ciclo.incarnation SET system_identifier = 1`} {
		b.exec(sql)
		if err := check(true); !errors.As(err, &another) || !strings.Contains(err.Error(), "ciclo restored") {
			t.Errorf("%s: %v", sql, err)
		}
		if _, err := b.Restored(b.ctx, false, false); err != nil {
			t.Error(err)
		}
		b.must(check(true))
	}
	b.exec(`UPDATE ciclo.incarnation SET system_identifier = NULL, timeline = NULL`) // what a managed one doesn't tell
	b.must(check(true))
}

// Who may do little is told as much as Postgres tells everybody.
func TestAPlainRoleIsToldWhichDatabaseThisIs(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`UPDATE ciclo.incarnation SET system_identifier = 1, database_oid = 1, timeline = 1, noted_at = now()`)
	b.exec(`GRANT USAGE ON SCHEMA ciclo TO PUBLIC`)
	b.exec(`GRANT SELECT ON ciclo.incarnation TO PUBLIC`)
	config := b.pool.Config()
	config.ConnConfig.RuntimeParams["role"] = "pg_monitor"
	pool, err := pgxpool.NewWithConfig(b.ctx, config)
	b.must(err)
	defer pool.Close()
	var another *postgres.CopyError
	if err := postgres.CheckIncarnation(b.ctx, pool, false); !errors.As(err, &another) || another.Now.Database == nil || another.Now.System == nil || another.Now.Timeline == nil {
		t.Errorf("%v: %+v", err, another)
	}
}

// A process that has seen moves notices when they are gone.
func TestTheDatabaseForgets(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var m postgres.Memory
	b.must(m.Remember(b.ctx, b.pool))
	b.accept()
	b.must(m.Remember(b.ctx, b.pool))
	gone := b.accept().ID
	b.must(m.Remember(b.ctx, b.pool))
	b.deleteByHand(gone)
	var forgotten *postgres.ForgottenError
	if err := m.Remember(b.ctx, b.pool); !errors.As(err, &forgotten) || forgotten.Has >= forgotten.Seen {
		t.Errorf("what is gone was not missed: %v", err)
	}
	b.must(m.Remember(b.ctx, b.pool)) // said once
}
