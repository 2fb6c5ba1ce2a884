package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// scheduled accepts an execution as a schedule would.
func (b *bundle) scheduled() string {
	b.t.Helper()
	e, err := b.Accept(b.ctx, postgres.Acceptance{
		Agent: "test-noop", IDPrefix: "noop_", Parameters: []byte(`{}`), Tries: 2, TimeoutSeconds: 60, Priority: 2,
		Origin: "schedule", Reason: "test",
	})
	b.must(err)
	return e.ID
}

// take takes the notice that is due.
func (b *bundle) take() *postgres.Notice {
	b.t.Helper()
	n, err := b.TakeNotice(b.ctx, time.Minute)
	b.must(err)
	return n
}

func TestOnlyAScheduledExecutionThatFailsForGoodMakesANotice(t *testing.T) {
	t.Parallel()
	permanent := postgres.Failure{Class: "permanent", Text: "no such column", Permanent: true}
	again := postgres.Failure{Class: "error", Text: "it is away"}
	for name, c := range map[string]struct {
		end  func(b *bundle, id, w string)
		want int
	}{
		"a permanent failure": {func(b *bundle, id, w string) { b.failed(b.run(id, w), permanent) }, 1},
		"its tries are spent": {func(b *bundle, id, w string) {
			b.failed(b.run(id, w), again)
			b.sweepAll()
			b.failed(b.run(id, w), again)
		}, 1},
		"its last worker is lost": {func(b *bundle, id, w string) {
			b.failed(b.run(id, w), again)
			b.sweepAll()
			b.run(id, w)
			b.expire(w)
			b.sweepAll()
		}, 1},
		"its deadline passes before it runs": {func(b *bundle, id, _ string) {
			b.exec(`UPDATE ciclo.executions SET deadline_at = now() WHERE id = $1`, id)
			s := b.sweepAll()
			for _, overdue := range s.Overdue {
				_, err := b.Expire(b.ctx, overdue)
				b.must(err)
			}
		}, 1},
		"a failure that is tried again": {func(b *bundle, id, w string) { b.failed(b.run(id, w), again) }, 0},
		"it completes":                  {func(b *bundle, id, w string) { b.must(b.complete(b.run(id, w), `{}`)) }, 0},
		"it is cancelled": {func(b *bundle, id, _ string) {
			_, err := b.Cancel(b.ctx, id)
			b.must(err)
		}, 0},
		"it is cancelled, and then fails": {func(b *bundle, id, w string) {
			a := b.run(id, w)
			_, err := b.Cancel(b.ctx, id)
			b.must(err)
			b.failed(a, permanent)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			w := b.worker()
			id := b.scheduled()
			c.end(b, id, w)
			if n := b.count(`SELECT count(*) FROM ciclo.notices WHERE kind = 'failed' AND execution_id = $1`, id); n != c.want {
				t.Errorf("scheduled: %d notices, want %d", n, c.want)
			}
			if s := b.get(id).Status; c.want == 1 && s != execution.Failed {
				t.Errorf("it is %s", s)
			}
			w = b.worker()
			asked := b.accept().ID
			c.end(b, asked, w)
			if n := b.count(`SELECT count(*) FROM ciclo.notices WHERE execution_id = $1`, asked); n != 0 {
				t.Errorf("requested: %d notices, want none", n)
			}
		})
	}
}

func TestAnOriginThatDoesNotExistIsRefused(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	_, err := b.Accept(b.ctx, postgres.Acceptance{Agent: "test-noop", IDPrefix: "noop_", Parameters: []byte(`{}`), Tries: 1, TimeoutSeconds: 1, Priority: 2, Origin: "x"})
	if !postgres.Refused(err) {
		t.Errorf("accepted from nowhere: %v", err)
	}
}

func TestANoticeSaysWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.scheduled()
	b.failed(b.run(id, b.worker()), postgres.Failure{Class: "permanent", Text: "no such column: 100 % of\nit", Permanent: true})
	b.must(b.PauseAgent(b.ctx, postgres.AllAgents, "an audit"))
	b.exec(`INSERT INTO ciclo.pauses (agent, kind, reason, probe_after) VALUES ('test-slow', 'breaker', '3 failures of class error in a row, the last of slow_1', now())`)
	for _, want := range []struct {
		subject string
		says    []string
	}{
		{"test-noop: a scheduled execution failed for good (permanent)", []string{
			"Execution " + id + " of test-noop", "attempts made: 1", "permanent: no such column: 100 % of\nit",
			"`ciclo status " + id + "`", "`ciclo effects " + id + "`", "`ciclo run test-noop`", "`ciclo pause test-noop`"}},
		{"every agent is paused by hand", []string{"Somebody paused every agent", ": an audit\n", "`ciclo resume all`"}},
		{"test-slow is paused: it fails again and again", []string{
			"breaker of test-slow", "the last of slow_1", "`ciclo status ID`", "`ciclo resume test-slow`", "`ciclo pause test-slow`"}},
	} {
		n := b.take()
		if n == nil || n.Subject != want.subject {
			t.Fatalf("took %+v, want %q", n, want.subject)
		}
		for _, part := range append(want.says, "What to do:\n", " UTC") {
			if !strings.Contains(n.Text, part) {
				t.Errorf("%q says nothing of %q:\n%s", n.Subject, part, n.Text)
			}
		}
		if strings.Contains(n.Text, "$s") {
			t.Errorf("%q is not filled in:\n%s", n.Subject, n.Text)
		}
	}
	if n := b.take(); n != nil {
		t.Errorf("one too many: %+v", n)
	}
}

func TestEveryPauseMakesOneNotice(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	notices := func(want int, what string) {
		t.Helper()
		if n := b.count(`SELECT count(*) FROM ciclo.notices WHERE kind = 'paused'`); n != want {
			t.Errorf("%s: %d notices, want %d", what, n, want)
		}
	}
	b.must(b.PauseAgent(b.ctx, "test-noop", "one"))
	b.must(b.PauseAgent(b.ctx, "test-noop", "the same, for another reason"))
	notices(1, "paused twice")
	_, err := b.ResumeAgent(b.ctx, "test-noop")
	b.must(err)
	notices(1, "resumed")
	b.must(b.PauseAgent(b.ctx, "test-noop", "two"))
	notices(2, "paused anew")
	_, err = b.ResumeAgent(b.ctx, "test-noop")
	b.must(err)

	w := b.worker()
	for range 3 {
		a := b.run(b.accept().ID, w)
		_, err := b.Fail(b.ctx, a, postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour, Breaker: postgres.Breaker{Failures: 3, ProbeAfter: time.Minute}})
		b.must(err)
	}
	notices(3, "the breaker opened")
	b.must(b.PauseAgent(b.ctx, "test-noop", "rather by hand"))
	notices(3, "what the breaker paused is paused by hand")

	// The notice is of its cause's own transaction.
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	_, err = tx.Exec(b.ctx, `INSERT INTO ciclo.pauses (agent, kind, reason) VALUES ('test-slow', 'hand', 'x')`)
	b.must(err)
	b.must(tx.Rollback(b.ctx))
	notices(3, "a pause that was rolled back")
}

func TestOneSenderHasANotice(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.must(b.PauseAgent(b.ctx, "test-noop", "x"))
	b.must(b.PauseAgent(b.ctx, "test-slow", "x"))
	var mu sync.Mutex
	taken := map[string]int{}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			n, err := b.TakeNotice(context.WithoutCancel(b.ctx), time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if n != nil {
				taken[n.Agent]++
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[string]int{"test-noop": 1, "test-slow": 1}, taken); diff != "" {
		t.Errorf("six senders took %s", diff)
	}
}

func TestASenderThatDiesLeavesTheNoticeToAnother(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.must(b.PauseAgent(b.ctx, "test-noop", "x"))
	dead := b.take()
	b.must(b.NoticeTold(b.ctx, dead, "webhook"))
	if n := b.take(); n != nil {
		t.Fatalf("taken under a living lease: %+v", n)
	}
	b.exec(`UPDATE ciclo.notices SET due_at = now()`)
	next := b.take()
	if next == nil || next.ID != dead.ID || next.Tries != 2 || !cmp.Equal(next.Told, []string{"webhook"}) {
		t.Fatalf("the next one takes %+v", next)
	}
	// The dead one wakes: what it did is noted, its verdict is not.
	b.must(b.NoticeTold(b.ctx, dead, "mail"))
	b.must(b.NoticeTold(b.ctx, dead, "mail"))
	if err := b.NoticeSent(b.ctx, dead); err == nil || !strings.Contains(err.Error(), "another sender") {
		t.Errorf("a superseded sender ended the notice: %v", err)
	}
	if _, err := b.NoticeFailed(b.ctx, dead, "x", 0, time.Hour); err == nil {
		t.Error("a superseded sender put the notice off")
	}
	b.must(b.NoticeSent(b.ctx, next))
	var told []string
	var condition string
	b.scan([]any{&condition, &told}, `SELECT condition, told FROM dashboard.notices`)
	if condition != "sent" || !cmp.Equal(told, []string{"webhook", "mail"}) {
		t.Errorf("%s, told %v", condition, told)
	}
	if n := b.take(); n != nil {
		t.Errorf("taken after it was sent: %+v", n)
	}
}

func TestANoticeThatNobodyTakesIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.must(b.PauseAgent(b.ctx, "test-noop", "x"))
	fail := func() bool {
		t.Helper()
		givenUp, err := b.NoticeFailed(b.ctx, b.take(), "refused \x00", time.Hour, 24*time.Hour)
		b.must(err)
		return givenUp
	}
	state := func() (condition, failure string) {
		b.scan([]any{&condition, &failure}, `SELECT condition, error FROM dashboard.notices`)
		return condition, failure
	}
	if fail() {
		t.Error("given up at once")
	}
	if n := b.take(); n != nil {
		t.Errorf("taken before its time: %+v", n)
	}
	if c, e := state(); c != "waiting" || e != "refused �" {
		t.Errorf("%s, %q", c, e)
	}
	b.exec(`UPDATE ciclo.notices SET due_at = now(), at = now() - interval '25 hours'`)
	if !fail() {
		t.Error("not given up after a day")
	}
	if c, e := state(); c != "given up" || e != "refused �" {
		t.Errorf("%s, %q", c, e)
	}
	if n := b.take(); n != nil {
		t.Errorf("taken after it was given up: %+v", n)
	}
}

// The look that every orchestrator makes every few seconds reads one index.
func TestLookingForNoticesReadsTheirIndex(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`INSERT INTO ciclo.notices (kind, agent, pause_id, subject, text, due_at, sent_at)
		SELECT 'paused', 'x', 1000000 + i, 'x', 'x', NULL, now() FROM generate_series(1, 5000) i`)
	b.exec(`ANALYZE ciclo.notices`)
	rows, err := b.pool.Query(b.ctx, `EXPLAIN SELECT id FROM ciclo.notices WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED`)
	b.must(err)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	b.must(err)
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "notices_due") {
		t.Errorf("the plan is\n%s", text)
	}
}
