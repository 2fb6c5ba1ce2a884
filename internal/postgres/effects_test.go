package postgres_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

func (b *bundle) intend(a *postgres.Attempt, name string) (postgres.Effect, bool) {
	b.t.Helper()
	e, fresh, err := b.IntendEffect(b.ctx, a, name, a.Execution.ID+"/"+name, "once", false)
	b.must(err)
	return e, fresh
}

func TestEffects(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	id := b.accept().ID
	first := b.run(id, w)
	for _, name := range []string{"done", "crashed", "refused"} {
		if e, fresh := b.intend(first, name); !fresh || e.State != "intended" {
			t.Errorf("%s: %+v, fresh %v", name, e, fresh)
		}
	}
	b.must(b.SettleEffect(b.ctx, first, "done", "done", json.RawMessage(`{"sid": 1}`)))
	b.must(b.SettleEffect(b.ctx, first, "refused", "not_done", nil))
	if err := b.SettleEffect(b.ctx, first, "done", "done", json.RawMessage(`{"sid": 2}`)); !errors.Is(err, execution.ErrStale) {
		t.Errorf("an effect was settled twice: %v", err)
	}
	b.must(b.StillRuns(b.ctx, first))
	b.must(b.Interrupt(b.ctx, first))

	second := b.run(id, b.worker())
	if e, fresh := b.intend(second, "done"); fresh || e.State != "done" || string(e.Outcome) != `{"sid": 1}` || e.Attempt != 1 {
		t.Errorf("a done effect: %+v, fresh %v", e, fresh)
	}
	if e, fresh := b.intend(second, "crashed"); fresh || e.State != "intended" || e.Attempt != 2 {
		t.Errorf("one that may have happened: %+v, fresh %v", e, fresh)
	}
	if e, fresh := b.intend(second, "refused"); !fresh || e.State != "intended" || e.Attempt != 2 {
		t.Errorf("one that surely did not: %+v, fresh %v", e, fresh)
	}
	for what, write := range map[string]func() error{
		"intend": func() error { _, _, err := b.IntendEffect(b.ctx, first, "late", "late", "once", false); return err },
		"look":   func() error { return b.StillRuns(b.ctx, first) },
		"settle": func() error { return b.SettleEffect(b.ctx, first, "crashed", "done", json.RawMessage(`1`)) },
	} {
		if err := write(); !errors.Is(err, execution.ErrStale) {
			t.Errorf("a superseded attempt could %s: %v", what, err)
		}
	}
	// What is open when the execution ends is left to a person.
	b.must(b.complete(second, `{}`))
	effects, err := b.Effects(b.ctx, id)
	b.must(err)
	states := map[string]string{}
	for _, e := range effects {
		states[e.Name] = e.State
	}
	if states["done"] != "done" || states["crashed"] != "unknown" || states["refused"] != "unknown" || len(states) != 3 {
		t.Errorf("in the end: %v", states)
	}
}

func TestPausingByHand(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	for _, agent := range []string{"test-noop", postgres.AllAgents} {
		runs, waits, retries := b.accept().ID, b.accept().ID, b.accept().ID
		a := b.run(runs, w)
		b.failed(b.run(retries, w), postgres.Failure{Class: "error", Text: "no"})
		b.must(b.PauseAgent(b.ctx, agent, "an audit"))
		b.must(b.PauseAgent(b.ctx, agent, "an audit, still"))
		if _, err := b.claim(b.fetch(waits), w); !errors.Is(err, execution.ErrStale) {
			t.Errorf("%s: a paused agent's execution was claimed: %v", agent, err)
		}
		b.sweepAll()
		late := b.accept().ID // accepted as ever
		if _, err := b.claim(b.fetch(late), w); !errors.Is(err, execution.ErrStale) {
			t.Errorf("%s: a paused agent's execution was claimed: %v", agent, err)
		}
		b.must(b.complete(a, `{}`)) // what runs goes on
		if n := b.count(`SELECT count(*) FROM ciclo.executions WHERE status = 'started' AND next_attempt_at IS NOT NULL`); n != 3 {
			t.Errorf("%s: %d executions wait outside the queue, want 3", agent, n)
		}
		if s := b.sweepAll(); s.Due {
			t.Errorf("%s: what is paused keeps the reaper busy", agent)
		}
		pauses, err := b.Pauses(b.ctx)
		b.must(err)
		if len(pauses) != 1 || pauses[0].Kind != "hand" || pauses[0].Reason != "an audit, still" {
			t.Errorf("%s: pauses %+v", agent, pauses)
		}
		for i, want := range []bool{true, false} {
			if was, err := b.ResumeAgent(b.ctx, agent); was != want || err != nil {
				t.Errorf("%s: resumed for the time %d: %v, %v", agent, i+1, was, err)
			}
		}
		b.sweepAll()
		for _, id := range []string{waits, retries, late} {
			b.must(b.complete(b.run(id, w), `{}`))
		}
	}
}

func TestTheBreaker(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	breaker := postgres.Breaker{Failures: 3, ProbeAfter: time.Minute}
	fail := func(id, class string, permanent bool) bool {
		t.Helper()
		opened, err := b.Fail(b.ctx, b.run(id, w), postgres.Failure{Class: class, Text: "no", Permanent: permanent, RetryIn: time.Hour, Breaker: breaker})
		b.must(err)
		return opened
	}
	// Another class, a success and permanent failures don't open it.
	fail(b.accept().ID, "error", false)
	fail(b.accept().ID, "error", false)
	fail(b.accept().ID, "timeout", false)
	fail(b.accept().ID, "timeout", false)
	b.must(b.complete(b.run(b.accept().ID, w), `{}`))
	fail(b.accept().ID, "error", false)
	for range 5 {
		fail(b.accept().ID, "permanent", true)
	}
	if pauses, err := b.Pauses(b.ctx); len(pauses) != 0 || err != nil {
		t.Fatalf("paused too early: %+v, %v", pauses, err)
	}
	fail(b.accept().ID, "error", false)
	if !fail(b.accept().ID, "error", false) {
		t.Fatal("the third failure of one class in a row did not open the breaker")
	}
	waiting, probe := b.accept().ID, ""
	if _, err := b.claim(b.fetch(waiting), w); !errors.Is(err, execution.ErrStale) {
		t.Errorf("claimed with the breaker open: %v", err)
	}
	probes, err := b.Probe(b.ctx)
	b.must(err)
	if len(probes) != 0 {
		t.Errorf("probed before its time: %v", probes)
	}
	for round := range 2 {
		b.exec(`UPDATE ciclo.pauses SET probe_after = now()`)
		probes, err = b.Probe(b.ctx)
		b.must(err)
		if len(probes) != 1 {
			t.Fatalf("probes %v", probes)
		}
		probe = probes[0]
		if again, err := b.Probe(b.ctx); len(again) != 0 || err != nil {
			t.Errorf("a second probe beside the first: %v, %v", again, err)
		}
		b.sweepAll()
		if round == 0 {
			fail(probe, "error", false)
			var wait time.Duration
			b.scan([]any{&wait}, `SELECT probe_after - now() FROM ciclo.pauses`)
			if wait < 90*time.Second {
				t.Errorf("after a failed probe the next comes in %s", wait)
			}
			b.exec(`UPDATE ciclo.executions SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL`)
		}
	}
	b.must(b.complete(b.run(probe, w), `{}`))
	if pauses, err := b.Pauses(b.ctx); len(pauses) != 0 || err != nil {
		t.Errorf("a successful probe left %+v, %v", pauses, err)
	}
	b.sweepAll()
	b.run(waiting, w)
}

func TestAProbeThatIsCancelledIsForgotten(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`INSERT INTO ciclo.pauses (agent, kind, reason, probe_after) VALUES ('test-noop', 'breaker', 'x', now())`)
	w := b.worker()
	one, two := b.accept().ID, b.accept().ID
	for _, id := range []string{one, two} {
		if _, err := b.claim(b.fetch(id), w); !errors.Is(err, execution.ErrStale) {
			t.Fatal(err)
		}
	}
	probes, err := b.Probe(b.ctx)
	b.must(err)
	if len(probes) != 1 || probes[0] != one {
		t.Fatalf("probes %v, want the one that has waited longest", probes)
	}
	_, err = b.Cancel(b.ctx, one)
	b.must(err)
	_, err = b.Probe(b.ctx) // forgets
	b.must(err)
	if probes, err = b.Probe(b.ctx); err != nil || len(probes) != 1 || probes[0] != two {
		t.Errorf("probes %v, %v", probes, err)
	}
}
