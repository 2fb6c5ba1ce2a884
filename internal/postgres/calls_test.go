package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// aCall is one that takes at most 1,000 tokens and a cent.
func aCall(step string) postgres.Call {
	return postgres.Call{Step: step, Hash: strings.Repeat("ab", 32), Provider: "firm", Model: "m", Tokens: 1000, Cost: "0.010000000", Request: []byte(`{"q":1}`)}
}

func (b *bundle) reserve(a *postgres.Attempt, c postgres.Call) postgres.CallState {
	b.t.Helper()
	state, err := b.ReserveCall(b.ctx, a, c, false)
	b.must(err)
	return state
}

func (b *bundle) settle(a *postgres.Attempt, c postgres.Call, o postgres.CallOutcome) {
	b.t.Helper()
	b.must(b.SettleCall(b.ctx, a, c.Step, c.Hash, o))
}

func answered(text string) postgres.CallOutcome {
	return postgres.CallOutcome{State: "answered", ProviderID: "msg_1", Input: 300, Output: 100, Cost: "0.004", Answer: []byte(text)}
}

// spent is what a scope's rows have, as tokens and dollars.
func (b *bundle) spent(scope string) (text string) {
	b.t.Helper()
	b.scan([]any{&text}, `SELECT coalesce(string_agg(tokens || ' ' || cost::float8, ', ' ORDER BY key), '') FROM ciclo.llm_spent WHERE scope = $1`, scope)
	return text
}

func TestCalls(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.accept().ID
	first := b.run(id, b.worker())
	for _, step := range []string{"answered", "cut off", "refused", "lost", "attached"} {
		if s := b.reserve(first, aCall(step)); !s.Fresh || s.State != "reserved" {
			t.Errorf("%s: %+v", step, s)
		}
	}
	if s := b.reserve(first, aCall("cut off")); s.Fresh || s.State != "reserved" || s.Age < 0 {
		t.Errorf("reserved twice: %+v", s)
	}
	b.settle(first, aCall("answered"), answered(`{"a":1}`))
	b.settle(first, aCall("refused"), postgres.CallOutcome{State: "not_done", Error: "busy"})
	b.settle(first, aCall("lost"), postgres.CallOutcome{State: "unknown", Error: "stalled"})
	b.must(b.AttachCall(b.ctx, first, "attached", aCall("attached").Hash, "resp_1"))
	for _, step := range []string{"answered", "refused", "lost", "never"} {
		if err := b.SettleCall(b.ctx, first, step, aCall(step).Hash, answered(`2`)); !errors.Is(err, execution.ErrStale) {
			t.Errorf("%s was settled again: %v", step, err)
		}
	}
	b.settle(first, aCall("answered"), answered(`{"a":1}`)) // again, since nobody answered: it is so
	// One is answered, one not done; of three the reservation counts.
	for _, scope := range []string{"execution", "agent", "day"} {
		if got := b.spent(scope); got != "3400 0.034" {
			t.Errorf("%s has taken %s", scope, got)
		}
	}
	if e := b.get(id); e.LLMTokens == nil || *e.LLMTokens != 3400 || *e.LLMDollars != .034 {
		t.Errorf("the execution shows %v tokens and %v dollars", e.LLMTokens, e.LLMDollars)
	}
	b.must(b.Interrupt(b.ctx, first))

	second := b.run(id, b.worker())
	for step, want := range map[string]string{
		"answered": `answered false {"a":1} msg_1`, "cut off": "reserved false  ", "refused": "reserved true  ", "lost": "unknown false  ", "attached": "reserved false  resp_1",
	} {
		s := b.reserve(second, aCall(step))
		if got := fmt.Sprintf("%s %t %s %s", s.State, s.Fresh, s.Answer, s.ProviderID); got != want {
			t.Errorf("%s is %s for the next attempt, want %s", step, got, want)
		}
	}
	other := aCall("answered")
	other.Hash = strings.Repeat("cd", 32)
	if s := b.reserve(second, other); !s.Fresh {
		t.Errorf("another request of the step: %+v", s)
	}
	for what, write := range map[string]func() error{
		"reserve": func() error { _, err := b.ReserveCall(b.ctx, first, aCall("late"), false); return err },
		"settle":  func() error { return b.SettleCall(b.ctx, first, "cut off", aCall("").Hash, answered(`1`)) },
		"attach":  func() error { return b.AttachCall(b.ctx, first, "cut off", aCall("").Hash, "x") },
	} {
		if err := write(); !errors.Is(err, execution.ErrStale) {
			t.Errorf("a superseded attempt could %s: %v", what, err)
		}
	}
	// What is open when the execution ends may be paid, and nothing is kept that
	// nobody wanted kept.
	b.must(b.complete(second, `{}`))
	if n := b.count(`SELECT count(*) FROM ciclo.llm_calls WHERE state = 'unknown' AND cost = reserved_cost`); n != 5 {
		t.Errorf("%d calls are unknown", n)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.llm_calls WHERE request IS NOT NULL OR answer IS NOT NULL`); n != 0 {
		t.Errorf("%d calls keep their texts", n)
	}
	if n := b.count(`SELECT sum(calls) FROM dashboard.llm_waste WHERE why = 'its answer was lost'`); n != 5 {
		t.Errorf("the waste report has %d", n)
	}
}

// Ten thousand calls of two workers at once, in all of which one takes a third of a
// cent: a budget bears as many as it bears, and not one more.
func TestTwoWorkersCannotOverdrawABudget(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	const races, bears = 10_000, 2_500
	var taken, refused atomic.Int64
	var workers sync.WaitGroup
	for range 2 {
		a := b.run(b.accept().ID, b.worker())
		workers.Go(func() {
			for i := range races / 2 {
				c := aCall(fmt.Sprintf("call %d", i))
				c.Limits = []postgres.SpendLimit{{Scope: "day", Cost: "25"}, {Scope: "execution", Tokens: 100_000_000}}
				_, err := b.ReserveCall(b.ctx, a, c, false)
				var over *postgres.OverBudgetError
				switch {
				case errors.As(err, &over) && over.Scope == "day":
					refused.Add(1)
					continue
				case err != nil:
					t.Errorf("call %d: %v", i, err)
					return
				}
				taken.Add(1)
				if i%2 == 1 { // what surely wasn't paid makes room again
					taken.Add(-1)
					if err := b.SettleCall(b.ctx, a, c.Step, c.Hash, postgres.CallOutcome{State: "not_done"}); err != nil {
						t.Errorf("settle call %d: %v", i, err)
						return
					}
				}
			}
		})
	}
	workers.Wait()
	if taken.Load() != bears || refused.Load() == 0 {
		t.Errorf("a budget for %d calls bore %d and refused %d", bears, taken.Load(), refused.Load())
	}
	if got := b.spent("day"); got != "2500000 25" {
		t.Errorf("the day has taken %s", got)
	}
	if n := b.count(`SELECT count(*) FROM ciclo.llm_calls WHERE state = 'reserved'`); n != bears {
		t.Errorf("%d calls are reserved", n)
	}
}

func TestBudgetsRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit postgres.SpendLimit
		want  string
	}{
		"tokens of an execution": {postgres.SpendLimit{Scope: "execution", Tokens: 1999}, "1000 tokens and 0.010000000 dollars are taken, of 1999 tokens"},
		"dollars of an agent":    {postgres.SpendLimit{Scope: "agent", Cost: "0.019999999"}, "are taken, of 0.019999999 dollars"},
		"dollars of a day":       {postgres.SpendLimit{Scope: "day", Cost: "0.015"}, "are taken, of 0.015 dollars"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			a := b.run(b.accept().ID, b.worker())
			limited := aCall("one")
			limited.Limits = []postgres.SpendLimit{c.limit}
			b.reserve(a, limited)
			limited.Step = "two"
			_, err := b.ReserveCall(b.ctx, a, limited, false)
			var over *postgres.OverBudgetError
			if !errors.As(err, &over) || over.Scope != c.limit.Scope || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it said %v, want %q", err, c.want)
			}
			if n := b.count(`SELECT count(*) FROM ciclo.llm_calls`); n != 1 {
				t.Errorf("there are %d calls after one was refused", n)
			}
			if got := b.spent("execution") + "; " + b.spent("day"); got != "1000 0.01; 1000 0.01" {
				t.Errorf("taken is %s", got)
			}
		})
	}
}

func TestARateIsSharedByAllWorkers(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	attempts := []*postgres.Attempt{b.run(b.accept().ID, b.worker()), b.run(b.accept().ID, b.worker())}
	try := func(i int, requests, tokens int64) time.Duration {
		t.Helper()
		c := aCall(fmt.Sprintf("call %d of %d", i, requests))
		c.RequestsPerMinute, c.TokensPerMinute = requests, tokens
		c.Provider = fmt.Sprintf("%d %d", requests, tokens)
		_, err := b.ReserveCall(b.ctx, attempts[i%2], c, false)
		var later *postgres.CallLaterError
		if errors.As(err, &later) {
			return later.In
		}
		b.must(err)
		return 0
	}
	for i := range 4 {
		wait := try(i, 3, 0)
		if (i < 3) != (wait == 0) || wait > 21*time.Second {
			t.Errorf("request %d of 3 a minute waits %s", i+1, wait)
		}
	}
	for i := range 3 {
		wait := try(i, 0, 2500)
		if (i < 2) != (wait == 0) || wait > 13*time.Second {
			t.Errorf("the %dth 1,000 of 2,500 tokens a minute wait %s", i+1, wait)
		}
	}
	// One that is larger than a minute's share waits for a full bucket, not for ever.
	if wait := try(9, 0, 900); wait != 0 {
		t.Errorf("a call larger than the bucket waits %s at a full one", wait)
	}
	// What a call didn't take is given back.
	c := aCall("call 0 of 0")
	c.Provider = "0 2500"
	b.settle(attempts[0], c, answered(`1`))
	if wait := try(5, 0, 2500); wait != 0 {
		t.Errorf("what was given back isn't there: %s", wait)
	}
}

func TestAnIllProviderIsProbedByOne(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	a := b.run(b.accept().ID, b.worker())
	ill := func(step string) {
		t.Helper()
		b.reserve(a, aCall(step))
		b.settle(a, aCall(step), postgres.CallOutcome{State: "not_done", Error: "500", Ill: true})
	}
	later := func(step string) string {
		t.Helper()
		_, err := b.ReserveCall(b.ctx, a, aCall(step), false)
		var later *postgres.CallLaterError
		if err == nil {
			return "now"
		}
		if !errors.As(err, &later) {
			t.Fatal(err)
		}
		return later.Reason
	}
	for i := range 4 {
		ill(fmt.Sprint("ill ", i))
	}
	b.reserve(a, aCall("well"))
	b.settle(a, aCall("well"), answered(`1`)) // an answer begins the count anew
	for i := range 5 {
		ill(fmt.Sprint("ill again ", i))
	}
	if got := later("next"); got != "provider firm is ill" {
		t.Errorf("after five illnesses in a row: %s", got)
	}
	b.exec(`UPDATE ciclo.llm_providers SET probe_after = now() - interval '1 s'`)
	if got := later("probe"); got != "now" {
		t.Errorf("after its rest: %s", got)
	}
	if got := later("another"); !strings.Contains(got, "another asks it first") {
		t.Errorf("while it is probed: %s", got)
	}
	b.settle(a, aCall("probe"), postgres.CallOutcome{State: "not_done", Error: "500", Ill: true})
	// Who asks may die: nobody waits for him then.
	b.exec(`UPDATE ciclo.llm_providers SET probe_after = now() - interval '1 s', failures = 5`)
	dies := b.run(b.accept().ID, b.worker())
	b.reserve(dies, aCall("probe of one who dies"))
	if got := later("while he lives"); !strings.Contains(got, "another asks it first") {
		t.Errorf("while he lives: %s", got)
	}
	b.must(b.Interrupt(b.ctx, dies))
	if got := later("when he is gone"); got != "now" {
		t.Errorf("when he is gone: %s", got)
	}
	b.settle(a, aCall("when he is gone"), postgres.CallOutcome{State: "not_done", Error: "500", Ill: true})
	if n := b.count(`SELECT extract(epoch FROM probe_after - now())::int FROM ciclo.llm_providers`); n < 15 || n > 20 {
		t.Errorf("after a probe in vain it rests %d s", n)
	}
	b.exec(`UPDATE ciclo.llm_providers SET probe_after = now() - interval '1 s'`)
	b.reserve(a, aCall("second probe"))
	b.settle(a, aCall("second probe"), answered(`1`))
	if got := later("after") + later("after that"); got != "nownow" {
		t.Errorf("after it was well: %s", got)
	}
}

// Many calls that fail at once open the breaker once: its rest grows by probes alone.
func TestARestGrowsByProbesAlone(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	a := b.run(b.accept().ID, b.worker())
	fail := func(step string) {
		t.Helper()
		b.settle(a, aCall(step), postgres.CallOutcome{State: "not_done", Error: "500", Ill: true})
	}
	rests := func(want int) {
		t.Helper()
		if n := b.count(`SELECT extract(epoch FROM probe_after - now())::int FROM ciclo.llm_providers`); n > want || n < want-5 {
			t.Errorf("it rests %d s, want %d", n, want)
		}
	}
	for i := range 60 {
		b.reserve(a, aCall(fmt.Sprint("at once ", i)))
	}
	for i := range 50 {
		fail(fmt.Sprint("at once ", i))
	}
	rests(10)
	b.exec(`UPDATE ciclo.llm_calls SET reserved_at = now() - interval '1 hour' WHERE step LIKE 'at once%'`)
	late := 50
	for want := 20; want <= 600; want *= 2 {
		b.exec(`UPDATE ciclo.llm_providers SET probe_after = now() - interval '1 s'`)
		probe := fmt.Sprint("probe ", want)
		b.reserve(a, aCall(probe))
		fail(fmt.Sprint("at once ", late)) // it ends while the probe is under way, and says nothing
		var later *postgres.CallLaterError
		if _, err := b.ReserveCall(b.ctx, a, aCall("another"), false); !errors.As(err, &later) || !strings.Contains(later.Reason, "another asks it first") {
			t.Errorf("while it is probed: %v", err)
		}
		fail(probe)
		rests(want)
		late++
	}
}

// A probe that had to wait for its turn is one: it is reserved from then on.
func TestAProbeThatWaitedForItsTurn(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	a := b.run(b.accept().ID, b.worker())
	for i := range 5 {
		b.reserve(a, aCall(fmt.Sprint("ill ", i)))
		b.settle(a, aCall(fmt.Sprint("ill ", i)), postgres.CallOutcome{State: "not_done", Error: "500", Ill: true})
	}
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	_, err = tx.Exec(b.ctx, `SELECT FROM ciclo.executions FOR UPDATE`)
	b.must(err)
	b.exec(`UPDATE ciclo.llm_providers SET probe_after = clock_timestamp() + interval '300 ms'`)
	freed := make(chan error, 1)
	time.AfterFunc(700*time.Millisecond, func() { freed <- tx.Rollback(b.ctx) })
	b.reserve(a, aCall("probe")) // its transaction begins while the provider rests
	b.must(<-freed)
	b.settle(a, aCall("probe"), postgres.CallOutcome{State: "not_done", Error: "500", Ill: true})
	if n := b.count(`SELECT failures FROM ciclo.llm_providers WHERE probing_until IS NULL AND probe_after > now() + interval '15 s'`); n != 6 {
		t.Errorf("after the probe it has failed %d times in a row", n)
	}
}

// The ledger is no draft.
func TestWhatTheLedgerOfCallsRefuses(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	a := b.run(b.accept().ID, b.worker())
	for _, step := range []string{"answered", "unknown", "open"} {
		b.reserve(a, aCall(step))
	}
	b.settle(a, aCall("answered"), answered(`1`))
	b.settle(a, aCall("unknown"), postgres.CallOutcome{State: "unknown"})
	for what, sql := range map[string]string{
		"make an answer cheaper":      `UPDATE ciclo.llm_calls SET cost = 0 WHERE step = 'answered'`,
		"forget its tokens":           `UPDATE ciclo.llm_calls SET input_tokens = 1 WHERE step = 'answered'`,
		"open it again":               `UPDATE ciclo.llm_calls SET state = 'reserved', settled_at = NULL, input_tokens = NULL, output_tokens = NULL, answer = NULL, cost = reserved_cost WHERE step = 'answered'`,
		"say an unknown wasn't done":  `UPDATE ciclo.llm_calls SET state = 'not_done', cost = 0 WHERE step = 'unknown'`,
		"answer without tokens":       `UPDATE ciclo.llm_calls SET state = 'answered', settled_at = now() WHERE step = 'open'`,
		"not done at a cost":          `UPDATE ciclo.llm_calls SET state = 'not_done', settled_at = now() WHERE step = 'open'`,
		"rename it":                   `UPDATE ciclo.llm_calls SET step = 'other' WHERE step = 'open'`,
		"be open and settled":         `UPDATE ciclo.llm_calls SET settled_at = now() WHERE step = 'open'`,
		"be of no request":            `INSERT INTO ciclo.llm_calls (execution_id, step, hash, agent, provider, model, attempt, worker_id, reserved_tokens, reserved_cost, cost, client_ids) SELECT execution_id, 'x', 'x', agent, provider, model, attempt, worker_id, 1, 1, 1, client_ids FROM ciclo.llm_calls LIMIT 1`,
		"spend less than nothing":     `UPDATE ciclo.llm_spent SET cost = -1`,
		"be of an unknown scope":      `UPDATE ciclo.llm_spent SET scope = 'year'`,
		"probe one that isn't ill":    `UPDATE ciclo.llm_providers SET probing_until = now()`,
		"have an answer without text": `UPDATE ciclo.llm_calls SET answer = '1' WHERE step = 'open'`,
	} {
		if _, err := b.pool.Exec(b.ctx, sql); err == nil {
			t.Errorf("the database let somebody %s", what)
		}
	}
}

func TestForgettingCalls(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	kept := func(step string, keep time.Duration) postgres.Call {
		c := aCall(step)
		c.Keep = keep
		return c
	}
	over, alive := b.run(b.accept().ID, b.worker()), b.run(b.accept().ID, b.worker())
	for _, a := range []*postgres.Attempt{over, alive} {
		for _, c := range []postgres.Call{kept("for an hour", time.Hour), kept("no longer", time.Nanosecond)} {
			b.reserve(a, c)
			b.settle(a, c, answered(`1`))
		}
	}
	b.must(b.complete(over, `{}`))
	b.exec(`INSERT INTO ciclo.llm_spent (scope, key, tokens, cost, day) VALUES ('execution', 'old', 1, 1, '2026-01-01'), ('agent', 'a 2026-01-01', 1, 1, '2026-01-01'), ('day', '2026-01-01', 1, 1, '2026-01-01')`)
	for _, want := range []int{2, 0} { // a call's texts, and an old sum
		n, err := b.ForgetCalls(b.ctx)
		if b.must(err); n != want {
			t.Errorf("it forgot %d, want %d", n, want)
		}
	}
	for what, want := range map[string]int{"step = 'for an hour'": 2, "step = 'no longer'": 1} {
		if n := b.count(`SELECT count(*) FROM ciclo.llm_calls WHERE answer IS NOT NULL AND request IS NOT NULL AND ` + what); n != want {
			t.Errorf("where %s %d keep their texts, want %d", what, n, want)
		}
	}
	if n := b.count(`SELECT count(*) FROM ciclo.llm_calls WHERE step = 'no longer' AND execution_id = $1 AND answer IS NULL`, over.Execution.ID); n != 1 {
		t.Errorf("what is kept no longer is there")
	}
	if n := b.count(`SELECT count(*) FROM ciclo.llm_spent WHERE day = '2026-01-01'`); n != 2 {
		t.Errorf("of sums %d are left, want an agent's day and the day", n)
	}
}
