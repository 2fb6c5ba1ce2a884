package postgres_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/postgres"
)

func (b *bundle) standing(agents ...string) postgres.Standing {
	b.t.Helper()
	s, err := b.Standing(b.ctx, agents)
	b.must(err)
	return s
}

// Each measure follows what it measures, and nothing else.
func TestHowTheSystemStands(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	agent := b.accept().Agent // one waits
	w := b.worker()
	running := b.accept()
	a := b.run(running.ID, w)
	delayed := b.accept()
	_, err := b.Fail(b.ctx, b.run(delayed.ID, w), postgres.Failure{Class: "error", Text: "no", RetryIn: time.Hour, Breaker: postgres.Breaker{Failures: 9}})
	b.must(err)
	b.exec(`UPDATE ciclo.river_job SET scheduled_at = now() - interval '50 s' WHERE state = 'available'`)
	b.must(b.PauseAgent(b.ctx, "another", "why not"))

	s := b.standing(agent, "another")
	age := s[postgres.QueueAge][agent]
	delete(s[postgres.QueueAge], agent)
	want := postgres.Standing{
		postgres.QueueDepth:     {agent: 1, "another": 0},
		postgres.QueueAge:       {"another": 0},
		postgres.QueueDelayed:   {agent: 1, "another": 0},
		postgres.StartedNow:     {agent: 2, "another": 0},
		postgres.RunningNow:     {agent: 1, "another": 0},
		postgres.PausedByHand:   {"another": 1},
		postgres.FailuresInARow: {agent: 1},
		postgres.WorkersNow:     {"alive": 1, "stopping": 0, "lost": 0},
		postgres.EffectsUnknown: {"": 0}, postgres.MessagesDraft: {"": 0}, postgres.MessagesFate: {"": 0}, postgres.ReviewsOpen: {"": 0},
		postgres.DeliveriesDue: {"": 0}, postgres.NoticesDue: {"": 1}, // of the pause
		postgres.ScheduleLag: {"": 0},
		postgres.Unserved:    {"": 0},
	}
	if diff := cmp.Diff(want, s); diff != "" || age < 50 || age > 500 {
		t.Errorf("the oldest waits %v s; want → got:\n%s", age, diff)
	}

	_, _, err = b.IntendEffect(b.ctx, a, "send", "key", "once", false)
	b.must(err)
	if n := b.standing()[postgres.EffectsUnknown][""]; n != 0 {
		t.Errorf("an intended effect is counted as unknown: %v", n)
	}
	b.must(b.SettleEffect(b.ctx, a, "send", "unknown", nil))
	if n := b.standing()[postgres.EffectsUnknown][""]; n != 1 {
		t.Errorf("%v effects are unknown", n)
	}
}

// A worker is lost from the end of its lease until another one comes in its place on
// its host, or a quarter of an hour has gone by.
func TestWhichWorkersAreLost(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	begin := func(host string) string {
		t.Helper()
		id := b.worker()
		b.exec(`UPDATE ciclo.workers SET host = $2 WHERE id = $1`, id, host)
		return id
	}
	silent := func(id, since string) {
		t.Helper()
		b.exec(`UPDATE ciclo.workers SET started_at = now() - interval '1 day', beat_at = now() - $2::text::interval, lease_until = now() - $2::text::interval WHERE id = $1`, id, since)
	}
	is := func(what string, alive, stopping, lost float64) {
		t.Helper()
		want := map[string]float64{"alive": alive, "stopping": stopping, "lost": lost}
		if diff := cmp.Diff(want, b.standing()[postgres.WorkersNow]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	one, two := begin("here"), begin("there")
	is("two live", 2, 0, 0)
	b.must(b.Stopping(b.ctx, two))
	is("one stops", 1, 1, 0)
	b.must(b.Deregister(b.ctx, two))
	is("it said goodbye", 1, 0, 0)
	silent(one, "1 min")
	is("one is silent", 0, 0, 1)
	begin("there")
	is("another host is no replacement", 1, 0, 1)
	begin("here")
	is("its own host has another one", 2, 0, 0)
	other := begin("elsewhere")
	silent(other, "14 min")
	is("fourteen minutes", 2, 0, 1)
	silent(other, "16 min")
	is("sixteen minutes", 2, 0, 0)
}

// The look costs the same whatever lies in history: no part of it reads a table from
// its beginning to its end, but those that are small by nature.
func TestHowTheSystemStandsIsBounded(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	small := []string{"pauses", "streaks"}
	conn, err := b.pool.Acquire(b.ctx)
	b.must(err)
	defer conn.Release()
	_, err = conn.Exec(b.ctx, `SET enable_seqscan = off`) // of this connection alone: whether there is an index, not which is cheaper
	b.must(err)
	var plan string
	rows, err := conn.Query(b.ctx, `EXPLAIN `+postgres.StandingSQL, []string{"test-noop"})
	b.must(err)
	for rows.Next() {
		var line string
		b.must(rows.Scan(&line))
		plan += line + "\n"
	}
	b.must(rows.Err())
	for line := range strings.Lines(plan) {
		_, table, scans := strings.Cut(line, "Seq Scan on ")
		if !scans {
			continue
		}
		name, _, _ := strings.Cut(table, " ")
		if !slices.Contains(small, name) {
			t.Errorf("it reads all of %s:\n%s", name, plan)
		}
	}
	if !strings.Contains(plan, "executions_by_agent_status_start") {
		t.Errorf("the plan is %s", plan)
	}
}
