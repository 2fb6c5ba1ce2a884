package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/plan"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// scheduling is schedulers on a database of the test's own. Its clock is the
// database's, so that tests put schedules into the past instead.
type scheduling struct {
	t     *testing.T
	pool  *pgxpool.Pool
	store *postgres.Store
	*scheduler
}

func newScheduling(t *testing.T, change ...func(*scheduler)) *scheduling {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := postgres.New(pool)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := testagents.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	s := &scheduling{t: t, pool: pool, store: store, scheduler: &scheduler{
		meters: newMeters(prometheus.NewRegistry(), nil),
		store:  store, catalogue: catalogue, planner: plan.For, zone: time.UTC, log: slog.New(slog.DiscardHandler), due: make(chan struct{}, 1),
		accept: func(_ context.Context, m *agents.Manifest) postgres.Acceptance {
			return postgres.Acceptance{Agent: m.Name, IDPrefix: m.IDPrefix, Tries: m.Tries, TimeoutSeconds: m.TimeoutSeconds, Priority: m.Priority, SingleFlight: m.SingleFlight, Parameters: json.RawMessage(`{}`)}
		},
	}}
	for _, c := range change {
		c(s.scheduler)
	}
	return s
}

func (s *scheduling) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// add stores a schedule of one agent whose first slot was so long ago.
func (s *scheduling) add(name string, every, ago time.Duration, change ...func(*postgres.Schedule)) {
	s.t.Helper()
	now, err := s.store.Clock(s.t.Context())
	s.must(err)
	n := newSchedule(name, "")
	anchor := now.Add(-ago)
	n.Zone, n.IntervalSeconds, n.AnchorAt, n.Agents, n.CooldownSeconds, n.CreatedBy = nil, new(int64(every/time.Second)), &anchor, []string{"test-noop"}, 0, "test"
	n.DecidedUntil = anchor.Add(-time.Second)
	for _, c := range change {
		c(&n)
	}
	rule, err := ruleOf(n)
	s.must(err)
	setNext(&n, rule, n.DecidedUntil)
	_, err = s.store.CreateSchedule(s.t.Context(), n)
	s.must(err)
}

// slots are a schedule's slots in words, oldest first.
func (s *scheduling) slots(name string) string {
	s.t.Helper()
	list, err := s.store.Slots(s.t.Context(), name, time.Time{}, 1000)
	s.must(err)
	words := make([]string, len(list))
	for i, slot := range list {
		words[len(list)-1-i] = slot.Outcome
		if slot.Reason != nil {
			words[len(list)-1-i] = *slot.Reason
		}
	}
	return strings.Join(words, " ")
}

// finish ends every execution that is alive as a worker would.
func (s *scheduling) finish(how string) {
	s.t.Helper()
	set := map[string]string{"completed": `result = '{}'`, "failed": `error_class = 'error', error_text = 'no'`, "cancelled": `cancel_requested_at = now()`}[how]
	for _, sql := range []string{
		`UPDATE ciclo.executions SET status = 'running', attempt = attempt + 1, worker_id = gen_random_uuid(), running_at = now() WHERE status = 'started'`,
		`UPDATE ciclo.executions SET status = '` + how + `', worker_id = NULL, ended_at = clock_timestamp(), ` + set + ` WHERE status = 'running'`,
	} {
		_, err := s.pool.Exec(s.t.Context(), sql)
		s.must(err)
	}
}

func (s *scheduling) count(sql string) (n int) {
	s.t.Helper()
	s.must(s.pool.QueryRow(s.t.Context(), sql).Scan(&n))
	return n
}

func TestASlotOpensACycle(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("own", time.Hour, 10*time.Second)
	s.must(s.tick(t.Context()))
	s.must(s.tick(t.Context()))
	if got := s.slots("own"); got != "fired" {
		t.Errorf("its slots are %s", got)
	}
	list, err := s.store.Cycles(t.Context(), postgres.CycleFilter{Limit: 10})
	s.must(err)
	if len(list) != 1 || list[0].Status != plan.Running || list[0].OpenedBy != "slot" {
		t.Fatalf("the cycles are %+v", list)
	}
	e, err := s.store.List(t.Context(), postgres.Filter{Cycle: list[0].ID, Limit: 10})
	s.must(err)
	if len(e) != 1 || e[0].Agent != "test-noop" || e[0].CycleID == nil || *e[0].CycleID != list[0].ID {
		t.Errorf("its executions are %+v", e)
	}
	for status, want := range map[execution.Status]int{execution.Started: 1, execution.Failed: 0} {
		e, err := s.store.List(t.Context(), postgres.Filter{Cycle: list[0].ID, Agent: "test-noop", Statuses: []execution.Status{status}, Limit: 10})
		s.must(err)
		if len(e) != want {
			t.Errorf("its executions that are %s are %+v", status, e)
		}
	}
	if n := s.count(`SELECT count(*) FROM ciclo.river_job`); n != 1 {
		t.Errorf("%d River rows", n)
	}
	if n := s.count(`SELECT count(*) FROM ciclo.executions WHERE origin = 'schedule'`); n != 1 {
		t.Error("nobody is told if it fails")
	}
	s.finish("completed")
	s.must(s.tick(t.Context()))
	c, lines, snapshot, err := s.store.Cycle(t.Context(), list[0].ID)
	s.must(err)
	var saw plan.Situation
	if err := json.Unmarshal(snapshot, &saw); err != nil || len(saw.Agents) != 1 || saw.Agents[0].Agent != "test-noop" {
		t.Errorf("the snapshot is %s: %v", snapshot, err)
	}
	if c.Status != plan.Completed || c.EndedAt == nil || len(lines) != 1 || lines[0].Reason != plan.ReasonDue {
		t.Errorf("it ended as %+v %+v", c, lines)
	}
}

func TestDowntimeIsCaughtUp(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	hour := time.Hour
	// Five slots were missed: 5 h, 4 h, 3 h, 2 h and 1 h ago, each and ten minutes.
	ago := 5*hour + 10*time.Minute
	for name, c := range map[string]struct {
		change func(*postgres.Schedule)
		want   string
	}{
		"latest": {func(*postgres.Schedule) {}, "late late late late late caught_up"},
		"none":   {func(n *postgres.Schedule) { n.CatchUp = "none" }, "late late late late late late"},
		"all":    {func(n *postgres.Schedule) { n.CatchUp = "all" }, "caught_up caught_up caught_up caught_up caught_up caught_up"},
		"two":    {func(n *postgres.Schedule) { n.CatchUp, n.CatchUpLimit = "all", 2 }, "late late late late caught_up caught_up"},
		"window": {func(n *postgres.Schedule) { n.CatchUp, n.CatchUpWindowSeconds = "all", 3*3600 }, "late late late caught_up caught_up caught_up"},
		"paused": {func(n *postgres.Schedule) { n.CatchUp, n.PausedAt, n.PausedReason = "all", &n.DecidedUntil, new("x") }, "paused paused paused paused paused paused"},
		"ended":  {func(n *postgres.Schedule) { n.CatchUp, n.EndsAt = "all", new(n.DecidedUntil.Add(2*hour)) }, "caught_up caught_up"},
		"begins": {func(n *postgres.Schedule) { n.CatchUp, n.StartsAt = "all", new(n.DecidedUntil.Add(4*hour)) }, "caught_up caught_up"},
	} {
		s.add(name, hour, ago, c.change)
		if name == "paused" {
			_, err := s.pool.Exec(t.Context(), `UPDATE ciclo.schedules SET paused_at = now(), paused_reason = 'x' WHERE name = 'paused'`)
			s.must(err)
		}
		for range 8 { // each waits for the one before
			s.must(s.tick(t.Context()))
			s.finish("completed")
		}
		s.must(s.tick(t.Context()))
		if got := s.slots(name); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if n := s.count(`SELECT count(*) FROM ciclo.cycles WHERE status <> 'completed'`); n != 0 {
		t.Errorf("%d cycles are not completed", n)
	}
}

func TestSlotsThatOverlap(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	// Three slots in time: 40, 20 and 0 s ago.
	for name, c := range map[string]struct{ want, then string }{
		"skip":   {"fired overlap overlap", "fired overlap overlap"},
		"queue":  {"fired queued overlap", "fired fired overlap"},
		"cancel": {"fired fired fired", "fired fired fired"},
	} {
		s.add(name, 20*time.Second, 41*time.Second, func(n *postgres.Schedule) { n.Overlap = name })
		s.must(s.tick(t.Context()))
		s.must(s.tick(t.Context()))
		if got := s.slots(name); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		s.finish("completed")
		s.must(s.tick(t.Context()))
		s.must(s.tick(t.Context()))
		if got := s.slots(name); got != c.then {
			t.Errorf("%s, later: %s, want %s", name, got, c.then)
		}
		s.finish("completed")
		s.must(s.tick(t.Context()))
	}
	if n := s.count(`SELECT count(*) FROM ciclo.cycles WHERE schedule = 'cancel' AND status = 'cancelled'`); n != 2 {
		t.Errorf("%d old cycles were cancelled, want 2", n)
	}
}

// A schedule that nobody can read fires no more, says why, and stops no other.
func TestABrokenScheduleStopsNoOther(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("broken", time.Hour, 20*time.Second)
	s.add("fine", time.Hour, 10*time.Second)
	_, err := s.pool.Exec(t.Context(), `UPDATE ciclo.schedules SET cron = 'whenever', zone = 'UTC', interval_seconds = NULL, anchor_at = NULL WHERE name = 'broken'`)
	s.must(err)
	s.must(s.tick(t.Context()))
	broken, err := s.store.Schedule(t.Context(), "broken")
	s.must(err)
	if broken.Broken == nil || broken.NextFireAt != nil || s.slots("fine") != "fired" {
		t.Errorf("%+v, the other one's slots are %s", broken, s.slots("fine"))
	}
}

// Nor does one that the database refuses to fire.
func TestAScheduleThatIsRefusedStopsNoOther(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("refused", time.Hour, 20*time.Second)
	s.add("fine", time.Hour, 10*time.Second)
	_, err := s.pool.Exec(t.Context(), `ALTER TABLE ciclo.cycles ADD CHECK (schedule <> 'refused')`)
	s.must(err)
	s.must(s.tick(t.Context()))
	refused, err := s.store.Schedule(t.Context(), "refused")
	s.must(err)
	if refused.Broken == nil || s.slots("refused") != "" || s.slots("fine") != "fired" {
		t.Errorf("%+v, the other one's slots are %s", refused, s.slots("fine"))
	}
}

// A slot that was decided is never fired again, whatever the schedule's row says.
func TestADecidedSlotIsNotFiredAgain(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("again", time.Hour, 10*time.Second)
	s.must(s.tick(t.Context()))
	s.finish("completed")
	_, err := s.pool.Exec(t.Context(), `UPDATE ciclo.schedules SET decided_until = anchor_at - interval '1 s', next_due_at = anchor_at, next_fire_at = anchor_at`)
	s.must(err)
	s.must(s.tick(t.Context()))
	again, err := s.store.Schedule(t.Context(), "again")
	s.must(err)
	if n := s.count(`SELECT count(*) FROM ciclo.cycles`); n != 1 || again.Broken == nil {
		t.Errorf("%d cycles, and it is broken: %v", n, again.Broken)
	}
}

// The firm's views are its own: where they are broken, slots are fired all the same.
func TestAFirmsBrokenViewStopsNoSlot(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("own", time.Hour, 10*time.Second)
	_, err := s.pool.Exec(t.Context(), `
		INSERT INTO crm.conversations (id, started_at) VALUES ('a', now()), ('b', now()), ('c', now() - interval '8 days');
		INSERT INTO crm.ratings (conversation_id, rating) VALUES ('a', 2), ('b', 3), ('c', 1);
		DROP VIEW source.clients CASCADE; DROP TABLE crm.clients CASCADE`)
	s.must(err)
	s.must(s.tick(t.Context()))
	var clients, low *int
	s.must(s.pool.QueryRow(t.Context(), `SELECT (snapshot ->> 'new_clients_of_the_day')::int, (snapshot ->> 'low_ratings_of_the_week')::int FROM ciclo.cycles`).Scan(&clients, &low))
	if s.slots("own") != "fired" || clients != nil || low == nil || *low != 1 {
		t.Errorf("its slots are %s, new clients %v, low ratings %v", s.slots("own"), clients, low)
	}
}

func TestSkipsSayWhy(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	for name, c := range map[string]struct {
		change func(*postgres.Schedule)
		want   string
	}{
		"hand":     {func(n *postgres.Schedule) { n.Agents = []string{"test-slow"} }, "paused"},
		"unknown":  {func(n *postgres.Schedule) { n.Agents = []string{"nobody"} }, "unknown_agent"},
		"cooldown": {func(n *postgres.Schedule) { n.CooldownSeconds = 3600 }, "cooldown"},
		"planned":  {func(n *postgres.Schedule) { n.Planned = true }, "not_due"},
	} {
		if name == "cooldown" {
			_, err := s.store.Accept(t.Context(), s.accept(t.Context(), s.catalogue.Find("test-noop")))
			s.must(err)
		}
		s.must(s.store.PauseAgent(t.Context(), "test-slow", "an audit"))
		s.add(name, time.Hour, time.Second, c.change)
		s.must(s.tick(t.Context()))
		if got := s.slots(name); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if n := s.count(`SELECT count(*) FROM ciclo.cycles WHERE status = 'skipped'`); n != 4 {
		t.Errorf("%d cycles say why", n)
	}
}

// What was due before a restore was lived through, whenever it fires by the rule;
// what is due after it is fired.
func TestSlotsOfBeforeARestore(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	for name, c := range map[string]struct{ restored, want string }{
		"before": {"now()", "restored"}, "after": {"now() - interval '30 minutes'", "fired"}, "never": {"NULL", "fired"},
	} {
		s.add(name, time.Hour, 5*time.Second)
		_, err := s.pool.Exec(t.Context(), `UPDATE ciclo.schedules SET restored_until = `+c.restored+` WHERE name = $1`, name)
		s.must(err)
		s.must(s.tick(t.Context()))
		if got := s.slots(name); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// What is behind is run by a planned cycle: its last slot's execution failed.
func TestAPlannedCycleRunsWhatIsBehind(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("nightly", time.Hour, 10*time.Second)
	s.add("slow-and-late", time.Hour, 110*time.Minute, func(n *postgres.Schedule) { n.Agents, n.CatchUp = []string{"test-slow"}, "none" }) // on purpose not made up for
	s.must(s.tick(t.Context()))
	s.finish("failed")
	s.must(s.tick(t.Context()))
	s.add("hourly", time.Hour, time.Second, func(n *postgres.Schedule) { n.Planned, n.Agents = true, []string{} })
	s.must(s.tick(t.Context()))
	if got := s.slots("hourly"); got != "fired" {
		t.Errorf("the hourly slot is %s", got)
	}
	if n := s.count(`SELECT count(*) FROM ciclo.cycle_agents a JOIN ciclo.cycles c ON c.id = a.cycle_id WHERE c.schedule = 'hourly' AND (a.agent = 'test-noop') = (a.decision = 'run')`); n != 5 {
		t.Errorf("%d of 5 decisions are right", n)
	}
}

// needing is a catalogue where test-noop needs test-slow.
func needing(ifFailed string) func(*scheduler) {
	return func(s *scheduler) {
		changed := *s.catalogue.Find("test-noop")
		changed.Needs = []agents.Need{{Agent: "test-slow", IfFailed: ifFailed}}
		s.catalogue = agents.Catalogue{&changed, s.catalogue.Find("test-slow"), s.catalogue.Find("test-single")}
	}
}

func TestACycleRunsInOrder(t *testing.T) {
	t.Parallel()
	for ifFailed, want := range map[string]string{"skip": "skip/dependency failed", "run": "run/due partial", "wait": "run/due running"} {
		s := newScheduling(t, needing(ifFailed))
		s.add("both", time.Hour, time.Second, func(n *postgres.Schedule) { n.Agents = []string{"test-noop", "test-slow"} })
		s.must(s.tick(t.Context()))
		if n := s.count(`SELECT count(*) FROM ciclo.executions WHERE agent = 'test-noop'`); n != 0 {
			t.Errorf("%s: it begins before what it needs is over", ifFailed)
		}
		s.finish("failed")
		s.must(s.tick(t.Context()))
		s.finish("completed")
		s.must(s.tick(t.Context()))
		var got string
		s.must(s.pool.QueryRow(t.Context(), `SELECT a.decision || '/' || a.reason || ' ' || c.status FROM ciclo.cycle_agents a JOIN ciclo.cycles c ON c.id = a.cycle_id WHERE a.agent = 'test-noop'`).Scan(&got))
		if got != want {
			t.Errorf("%s: %s, want %s", ifFailed, got, want)
		}
		if ifFailed != "wait" {
			continue
		}
		_, err := s.store.Accept(t.Context(), s.accept(t.Context(), s.catalogue.Find("test-slow"))) // somebody tries it again
		s.must(err)
		s.finish("completed")
		s.must(s.tick(t.Context()))
		s.finish("completed")
		s.must(s.tick(t.Context()))
		if n := s.count(`SELECT count(*) FROM ciclo.cycles WHERE status = 'partial'`); n != 1 {
			t.Error("it did not wait for the one that completed")
		}
	}
}

func TestACycleRunsSoManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("all", time.Hour, time.Second, func(n *postgres.Schedule) {
		n.Agents, n.MaxParallel = []string{"test-noop", "test-slow", "test-steps", "test-fail"}, 3
	})
	s.must(s.tick(t.Context()))
	for i, want := range []int{3, 4, 4} {
		if n := s.count(`SELECT count(*) FROM ciclo.executions`); n != want {
			t.Errorf("look %d: %d executions, want %d", i, n, want)
		}
		s.finish("completed")
		s.must(s.tick(t.Context()))
	}
}

func TestACycleEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	s.add("late", time.Hour, time.Second, func(n *postgres.Schedule) {
		n.Agents, n.MaxParallel, n.DeadlineSeconds = []string{"test-noop", "test-slow"}, 1, 1
	})
	s.must(s.tick(t.Context()))
	_, err := s.pool.Exec(t.Context(), `UPDATE ciclo.cycles SET deadline_at = now() - interval '1 s'`)
	s.must(err)
	s.must(s.tick(t.Context())) // asks what runs to end
	s.must(s.tick(t.Context()))
	if n := s.count(`SELECT count(*) FROM ciclo.cycles WHERE ended_at IS NOT NULL AND status = 'failed'`); n != 1 {
		t.Error("the cycle goes on")
	}
	if n := s.count(`SELECT count(*) FROM ciclo.executions WHERE status = 'cancelled'`); n != 1 {
		t.Errorf("%d executions were cancelled", n)
	}
}

func TestAnAgentThatRunsOneAtATime(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	_, err := s.store.Accept(t.Context(), s.accept(t.Context(), s.catalogue.Find("test-single")))
	s.must(err)
	s.add("single", time.Hour, time.Second, func(n *postgres.Schedule) { n.Agents, n.MaxParallel = []string{"test-single", "test-slow"}, 1 })
	s.must(s.tick(t.Context()))
	if n := s.count(`SELECT count(*) FROM ciclo.cycle_agents WHERE agent = 'test-single' AND decision = 'skip' AND reason = 'overlap'`); n != 1 {
		t.Error("it is not skipped")
	}
	if n := s.count(`SELECT count(*) FROM ciclo.executions WHERE agent = 'test-slow'`); n != 1 {
		t.Error("nothing begins in its place")
	}
}

// Three schedulers race over ten thousand slots, each decided once: two thousand
// schedules with one slot in time, and eighty that were down for a hundred.
func TestSchedulersRace(t *testing.T) {
	t.Parallel()
	s := newScheduling(t)
	single, down := 2000, 80
	if testing.Short() {
		single, down = 200, 8
	}
	for i := range single {
		s.add(fmt.Sprintf("single-%d", i), 24*time.Hour, time.Second)
	}
	for i := range down {
		s.add(fmt.Sprintf("down-%d", i), 24*time.Hour, 99*24*time.Hour+time.Hour)
	}
	var racing sync.WaitGroup
	for range 3 {
		racing.Go(func() {
			for range 2 + (single+down)/firePasses {
				if err := s.tick(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	racing.Wait()
	for what, want := range map[string]int{
		`SELECT count(*) FROM ciclo.slots`: single + down*100,
		// On a machine that takes more than a minute for all of them some are late.
		`SELECT count(*) FROM ciclo.slots WHERE outcome IN ('fired', 'caught_up') AND schedule LIKE 'single-%'`: single,
		`SELECT count(*) FROM ciclo.slots WHERE outcome = 'caught_up' AND schedule LIKE 'down-%'`:               down,
		`SELECT count(*) FROM ciclo.cycles`:                                                      single + down,
		`SELECT count(*) FROM ciclo.executions`:                                                  single + down,
		`SELECT count(DISTINCT cycle_id) FROM ciclo.executions`:                                  single + down,
		`SELECT count(*) FROM ciclo.river_job`:                                                   single + down,
		`SELECT count(*) FROM ciclo.schedules WHERE next_due_at IS NULL OR next_due_at <= now()`: 0,
		`SELECT count(*) FROM (SELECT due_at - lag(due_at) OVER (PARTITION BY schedule ORDER BY due_at) AS gap FROM ciclo.slots) g WHERE gap <> interval '24 h'`: 0,
	} {
		if got := s.count(what); got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
}

// A backfill runs the slots of a window in their order, one after another, those
// alone that were not run, and gives each the day that it is of.
func TestABackfill(t *testing.T) {
	t.Parallel()
	s := newScheduling(t, func(s *scheduler) {
		changed, err := agents.ParseManifest([]byte(`{
			"name": "test-noop", "title": "x", "description": "x", "id_prefix": "noop_", "timeout_seconds": 60, "tries": 3, "concurrency": 1, "priority": 2, "effects": "none", "schedule": "",
			"due_parameter": "day", "parameters": {"type": "object", "additionalProperties": false, "properties": {"day": {"type": "string", "format": "date"}}}}`))
		if err != nil {
			t.Fatal(err)
		}
		s.catalogue, s.zone = agents.Catalogue{changed}, time.FixedZone("", 8*3600)
	})
	s.add("daily", 24*time.Hour, 5*24*time.Hour+time.Hour) // the last one is caught up, five were late
	s.must(s.tick(t.Context()))
	s.finish("completed")
	s.must(s.tick(t.Context()))
	n, err := s.store.Schedule(t.Context(), "daily")
	s.must(err)
	rule, err := ruleOf(n)
	s.must(err)
	due, _ := rule.Slots(n.AnchorAt.Add(24*time.Hour-time.Second), n.DecidedUntil, 10)
	queued, err := s.store.Backfill(t.Context(), "daily", due) // without the first
	s.must(err)
	if again, err := s.store.Backfill(t.Context(), "daily", due); err != nil || again != 0 || queued != 4 || len(due) != 5 {
		t.Errorf("of %d slots %d were queued, then %d more: %v", len(due), queued, again, err)
	}
	for range 4 {
		s.must(s.tick(t.Context()))
		if n := s.count(`SELECT count(*) FROM ciclo.executions WHERE ended_at IS NULL`); n != 1 {
			t.Errorf("%d run at once", n)
		}
		s.finish("completed")
	}
	s.must(s.tick(t.Context()))
	if got := s.slots("daily"); got != "late fired fired fired fired caught_up" {
		t.Errorf("its slots are %s", got)
	}
	rows, err := s.pool.Query(t.Context(), `SELECT e.parameters ->> 'day' FROM ciclo.executions e JOIN ciclo.cycles c ON c.id = e.cycle_id WHERE c.opened_by = 'backfill' ORDER BY e.started_at`)
	s.must(err)
	days, err := pgx.CollectRows(rows, pgx.RowTo[string])
	s.must(err)
	var want []string
	for _, d := range due[:4] {
		want = append(want, d.In(s.zone).Format(time.DateOnly))
	}
	if strings.Join(days, " ") != strings.Join(want, " ") {
		t.Errorf("the days are %v, want %v", days, want)
	}
}
