package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/plan"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/schedule"
)

const (
	// slotGrace is how late a slot may be seen and still be in time: the orchestrators
	// look once a second.
	slotGrace = time.Minute
	// slotBatch bounds the slots that one transaction decides.
	slotBatch = 200
	// firePasses bounds what one look fires, so that the others are heard too.
	firePasses = 1000
	// planTimeout bounds a planner's thinking: it holds the schedule's lock.
	planTimeout = 5 * time.Second
)

// scheduler fires slots and goes on with cycles. Every orchestrator has one; a
// schedule or cycle that one is at, the others pass over. Due is judged by the
// database's clock alone.
type scheduler struct {
	store     *postgres.Store
	catalogue agents.Catalogue
	planner   func(plan.Situation) plan.Planner
	// zone is the firm's.
	zone   *time.Location
	log    *slog.Logger
	meters *meters
	accept func(context.Context, *agents.Manifest) postgres.Acceptance
	// off leaves slots and cycles to other orchestrators.
	off bool
	due chan struct{}
}

// wake says that there may be something to fire.
func (s *scheduler) wake() {
	select {
	case s.due <- struct{}{}:
	default: // it knows
	}
}

// run fires slots and goes on with cycles until ctx is done.
func (s *scheduler) run(ctx context.Context) {
	if s.off {
		s.log.Warn("this orchestrator opens no cycles: ENABLE_ORCHESTRATOR is false")
		return
	}
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	wait := func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-s.due:
		case <-retry.C:
		}
		return true
	}
	ensured := false
	// After a failure the reaper wakes it again.
	loop(ctx, s.log, "slots and cycles wait", "slots and cycles go on", wait, func(ctx context.Context) error {
		if ensured {
			return s.tick(ctx)
		}
		if err := s.ensure(ctx); err != nil {
			return err
		}
		ensured = true
		retry.Stop()
		return nil
	})
}

// defaults are the schedules that the manifests name, and the hourly cycle that
// runs what is behind.
func (s *scheduler) defaults(now time.Time) ([]postgres.Schedule, error) {
	hourly := newSchedule("orchestration", s.zone.String())
	hourly.Description = "Every hour, runs the agents whose last slot did not end in a completed execution."
	hourly.Cron, hourly.Planned = new("0 * * * *"), true
	all := []postgres.Schedule{hourly}
	for _, m := range s.catalogue {
		if m.Schedule == "" {
			continue
		}
		one := newSchedule(m.Name, s.zone.String())
		one.Description, one.Cron, one.Agents = "As the agent's manifest says.", &m.Schedule, []string{m.Name}
		all = append(all, one)
	}
	for i := range all {
		all[i].CreatedBy, all[i].DecidedUntil = "manifest", now
		rule, err := ruleOf(all[i])
		if err != nil {
			return nil, fmt.Errorf("default schedule %s: %w", all[i].Name, err)
		}
		setNext(&all[i], rule, now)
	}
	return all, nil
}

// newSchedule is a schedule with the defaults of its fields.
func newSchedule(name, zone string) postgres.Schedule {
	return postgres.Schedule{
		Name: name, Zone: &zone, Agents: []string{}, Parameters: json.RawMessage(`{}`), Overlap: "skip", CatchUp: "latest", CatchUpLimit: 10,
		CatchUpWindowSeconds: 86_400, CooldownSeconds: 3_600, MaxParallel: 3, DeadlineSeconds: 86_400,
	}
}

// ensure stores the default schedules that are not there yet.
func (s *scheduler) ensure(ctx context.Context) error {
	now, err := s.store.Clock(ctx)
	if err != nil {
		return err
	}
	all, err := s.defaults(now)
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := s.store.EnsureSchedule(ctx, one); err != nil {
			return err
		}
	}
	kept, err := s.store.Schedules(ctx)
	if err != nil {
		return err
	}
	s.differences(kept, all)
	return nil
}

// differences says which schedules are not as this version's manifests would make
// them: what was made once is the firm's, and a deploy changes none.
func (s *scheduler) differences(kept, made []postgres.Schedule) {
	for _, k := range kept {
		for _, agent := range k.Agents {
			if s.catalogue.Find(agent) == nil {
				s.log.Warn("a schedule names an agent that this version doesn't have: its slots are skipped", "schedule", k.Name, "agent", agent)
			}
		}
		for _, m := range made {
			if k.Name == m.Name && (k.Cron == nil || *k.Cron != *m.Cron) {
				s.log.Info("a schedule is not as its agent's manifest says, and stays so: `ciclo schedules change` changes it", "schedule", k.Name, "manifest", *m.Cron)
			}
		}
	}
}

// tick goes on with cycles, so that those that are over are in no slot's way, and
// fires what is due. What fails of one is no reason not to look at the others.
func (s *scheduler) tick(ctx context.Context) error {
	failed := s.advanceAll(ctx)
	for range firePasses {
		fired, err := s.store.FireOne(ctx, s.fire)
		var of *postgres.FiringError
		if errors.As(err, &of) && (postgres.Refused(err) || errors.Is(err, postgres.ErrSlotDecided)) { // that will never go well
			s.log.Error("a schedule can't be fired: it fires no more", "schedule", of.Schedule, "error", err)
			err = s.store.BreakSchedule(ctx, of.Schedule, err)
		}
		if err != nil {
			return errors.Join(failed, err)
		}
		if !fired {
			break
		}
	}
	return failed
}

func (s *scheduler) advanceAll(ctx context.Context) error {
	failed := s.store.AdvanceAll(ctx, s.advance)
	ids, err := s.store.ToCancel(ctx)
	for _, id := range ids {
		e, failed := s.store.Cancel(ctx, id)
		switch {
		case failed == nil && e.Moved:
			s.meters.ended(e.Execution)
		case failed != nil && !errors.Is(failed, execution.ErrFinal):
			err = errors.Join(err, failed)
		}
	}
	return errors.Join(failed, err)
}

// ruleOf is the rule of a schedule; the error says what is wrong with it.
func ruleOf(n postgres.Schedule) (schedule.Rule, error) {
	switch {
	case n.Cron != nil && n.Zone != nil:
		return schedule.Cron(*n.Cron, *n.Zone)
	case n.IntervalSeconds != nil && n.AnchorAt != nil:
		if *n.IntervalSeconds > int64(schedule.MaxInterval/time.Second) {
			return schedule.Rule{}, fmt.Errorf("the interval of %d s is longer than %s", *n.IntervalSeconds, schedule.MaxInterval)
		}
		return schedule.Interval(time.Duration(*n.IntervalSeconds)*time.Second, *n.AnchorAt)
	default:
		return schedule.Rule{}, errors.New("neither a cron expression with a zone nor an interval is given")
	}
}

// nextSlot is the first slot of a schedule after an instant, within its start and
// end; zero where there is none.
func nextSlot(n postgres.Schedule, rule schedule.Rule, after time.Time) time.Time {
	if n.StartsAt != nil && after.Before(*n.StartsAt) {
		after = n.StartsAt.Add(-time.Nanosecond)
	}
	at := rule.Next(after)
	if n.EndsAt != nil && at.After(*n.EndsAt) {
		return time.Time{}
	}
	return at
}

// fireAt is when a slot is seen to.
func fireAt(n postgres.Schedule, due time.Time) time.Time {
	return due.Add(schedule.Jitter(n.Name, due, time.Duration(n.JitterSeconds)*time.Second))
}

// setNext works out which slot comes after an instant.
func setNext(n *postgres.Schedule, rule schedule.Rule, after time.Time) {
	n.NextDueAt, n.NextFireAt = nil, nil
	if due := nextSlot(*n, rule, after); !due.IsZero() {
		fire := fireAt(*n, due)
		n.NextDueAt, n.NextFireAt = &due, &fire
	}
}

// fire decides the slots of a schedule that are due, up to the first that opens a
// cycle, or fires a queued one.
func (s *scheduler) fire(ctx context.Context, f *postgres.Firing) error {
	if f.Queued != nil {
		return s.openSlot(ctx, f, f.Queued.DueAt, f.Queued.OpenedBy)
	}
	n := f.Schedule
	rule, err := ruleOf(n)
	if err != nil {
		s.log.Error("a schedule can't be read: it fires no more", "schedule", n.Name, "error", err)
		return f.Break(ctx, err)
	}
	alive, queued, err := f.Alive(ctx)
	if err != nil {
		return err
	}
	var decided []postgres.Slot
	due := *n.NextDueAt
	opened := false
	for len(decided) < slotBatch && !opened && !due.IsZero() && !fireAt(n, due).After(f.Now) {
		slot := postgres.Slot{DueAt: due, OpenedBy: plannedBySlot}
		verdict, reason := s.judge(n, rule, due, f.Now)
		if verdict == "catch_up" {
			slot.OpenedBy = verdict
		}
		switch {
		case reason != "":
			slot.Outcome, slot.Reason = "skipped", &reason
		case alive != "" && n.Overlap == "cancel" && slot.OpenedBy == plannedBySlot:
			if err := f.RequestCancel(ctx, alive); err != nil {
				return err
			}
			opened = true
		case alive != "" && slot.OpenedBy == plannedBySlot && (n.Overlap == "skip" || queued):
			slot.Outcome, slot.Reason = "skipped", new(plan.ReasonOverlap)
		case alive != "" || queued: // in their order, after one another
			slot.Outcome, queued = "queued", true
		default:
			opened = true
		}
		if !opened {
			decided = append(decided, slot)
			s.count(f, slot)
			due = nextSlot(n, rule, due)
			continue
		}
		if err := s.openSlot(ctx, f, due, slot.OpenedBy); err != nil {
			return err
		}
		decidedUntil := due
		due = nextSlot(n, rule, due)
		if err := f.Decide(ctx, decided...); err != nil {
			return err
		}
		return s.next(ctx, f, decidedUntil, due)
	}
	if len(decided) == 0 { // it was jittered away meanwhile
		return s.next(ctx, f, n.DecidedUntil, due)
	}
	if err := f.Decide(ctx, decided...); err != nil {
		return err
	}
	return s.next(ctx, f, decided[len(decided)-1].DueAt, due)
}

const plannedBySlot = "slot"

func (s *scheduler) next(ctx context.Context, f *postgres.Firing, decided, due time.Time) error {
	if due.IsZero() {
		return f.Next(ctx, decided, nil, nil)
	}
	fire := fireAt(f.Schedule, due)
	return f.Next(ctx, decided, &due, &fire)
}

// judge says whether a slot is fired in time, caught up, or skipped and why.
func (s *scheduler) judge(n postgres.Schedule, rule schedule.Rule, due, now time.Time) (openedBy, reason string) {
	late := now.Sub(fireAt(n, due))
	switch {
	case n.RestoredUntil != nil && !due.After(*n.RestoredUntil):
		return "", plan.ReasonRestored
	case n.PausedAt != nil:
		return "", plan.ReasonPaused
	case late <= slotGrace:
		return plannedBySlot, ""
	case n.CatchUp == "none" || late > time.Duration(n.CatchUpWindowSeconds)*time.Second:
		return "", plan.ReasonLate
	}
	limit := 1
	if n.CatchUp == "all" {
		limit = n.CatchUpLimit
	}
	// As many as the limit come after it: then it is not among the last ones.
	if after, more := rule.Slots(due, now, limit); more || len(after) == limit {
		return "", plan.ReasonLate
	}
	return "catch_up", ""
}

// openSlot opens a slot's cycle and writes what became of the slot.
func (s *scheduler) openSlot(ctx context.Context, f *postgres.Firing, due time.Time, openedBy string) error {
	n := f.Schedule
	c := postgres.Cycle{Schedule: &n.Name, DueAt: &due, OpenedBy: openedBy, MaxParallel: n.MaxParallel, DeadlineAt: f.Now.Add(time.Duration(n.DeadlineSeconds) * time.Second), Parameters: n.Parameters}
	id, reason, err := s.open(ctx, &f.Opening, c, n.Agents, n.Planned, n.CooldownSeconds)
	if err != nil {
		return err
	}
	slot := postgres.Slot{DueAt: due, OpenedBy: openedBy, CycleID: &id, Outcome: "fired"}
	switch {
	case reason != "":
		slot.Outcome, slot.Reason = "skipped", &reason
	case openedBy == "catch_up":
		slot.Outcome = "caught_up"
	}
	s.count(f, slot)
	s.log.Info("slot decided", "schedule", n.Name, "due_at", due, "outcome", slot.Outcome, "reason", reason, "cycle_id", id)
	return f.Decide(ctx, slot)
}

// count counts a slot once what was decided of it is stored. One that was queued
// before, by a backfill or while another cycle went on, waited on purpose.
func (s *scheduler) count(f *postgres.Firing, slot postgres.Slot) {
	outcome, late := slot.Outcome, f.Now.Sub(fireAt(f.Schedule, slot.DueAt))
	if slot.Reason != nil && *slot.Reason == plan.ReasonLate && slot.CycleID == nil {
		outcome = wasMissed
	}
	if f.Queued != nil {
		f.OnCommit(func() { s.meters.slots.WithLabelValues(outcome).Inc() })
		return
	}
	f.OnCommit(func() { s.meters.slot(outcome, late) })
}

// open plans a cycle, writes it and begins what may begin. The reason is that of the
// first decision where none of its agents runs.
func (s *scheduler) open(ctx context.Context, o *postgres.Opening, c postgres.Cycle, names []string, planned bool, cooldown int) (id, reason string, err error) {
	if len(names) == 0 {
		for _, m := range s.catalogue {
			if m.RunsByItself() {
				names = append(names, m.Name)
			}
		}
	}
	situation, err := s.situation(ctx, o, names, planned)
	if err != nil {
		return "", "", err
	}
	situation.OpenedBy, situation.Planned, situation.CooldownSeconds = c.OpenedBy, planned, cooldown
	if planned && c.Schedule != nil {
		if situation.Proposal, err = s.proposal(ctx, o, *c.Schedule); err != nil {
			return "", "", err
		}
	}
	decisions, planner, plannerError := s.decide(ctx, situation)
	snapshot, err := json.Marshal(situation)
	if err != nil {
		return "", "", fmt.Errorf("encode what the planner saw: %w", err)
	}
	c.ID, c.OpenedAt, c.Planner, c.PlannerError = postgres.NewCycleID(o.Now), o.Now, planner, plannerError
	var lines []postgres.CycleAgent
	running := false
	for _, d := range decisions {
		needs, err := json.Marshal(d.Needs)
		if err != nil {
			return "", "", fmt.Errorf("encode needs: %w", err)
		}
		line := postgres.CycleAgent{Agent: d.Agent, Decision: "skip", Reason: d.Reason, Detail: d.Detail, Needs: needs}
		if d.Run {
			line.Decision, running = "run", true
		}
		lines = append(lines, line)
	}
	if err := o.OpenCycle(ctx, c, snapshot, lines); err != nil {
		return "", "", err
	}
	if !running && len(decisions) > 0 {
		reason = decisions[0].Reason
	}
	return c.ID, reason, s.advance(ctx, o, c)
}

// decide asks the planner, and the rules where it fails or breaks them.
func (s *scheduler) decide(ctx context.Context, situation plan.Situation) (decisions []plan.Decision, planner string, failed *string) {
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	by := s.planner(situation)
	decisions, err := by.Plan(ctx, situation)
	if err == nil {
		err = plan.Check(situation, decisions)
	}
	if err == nil {
		return decisions, by.Name(), nil
	}
	s.log.Warn("the planner failed: the rules decide", "planner", by.Name(), "error", err)
	decisions, _ = plan.Rules{}.Plan(ctx, situation) // never fails
	text := err.Error()
	return decisions, plan.Rules{}.Name(), &text
}

// proposal is the newest one for a schedule; nil where there is none, or it can't be read.
func (s *scheduler) proposal(ctx context.Context, o *postgres.Opening, schedule string) (*plan.Proposal, error) {
	result, err := o.Proposal(ctx, schedule)
	if err != nil || result == nil {
		return nil, err
	}
	var p plan.Proposal
	if err := json.Unmarshal(result, &p); err != nil {
		s.log.Warn("the newest proposal can't be read: the rules decide", "schedule", schedule, "error", err)
		return nil, nil //nolint:nilnil // documented
	}
	return &p, nil
}

// situation is what a planner sees.
func (s *scheduler) situation(ctx context.Context, o *postgres.Opening, names []string, planned bool) (plan.Situation, error) {
	situation := plan.Situation{Now: o.Now.UTC(), LocalHour: o.Now.In(s.zone).Hour(), Agents: []plan.Candidate{}}
	seen, err := o.See(ctx, names, planned)
	if err != nil {
		return situation, err
	}
	clients, why, err := o.NewClients(ctx)
	if err != nil {
		return situation, err
	}
	if why != nil {
		s.log.Warn("the planner doesn't know of new clients", "error", why)
	}
	situation.NewClientsOfTheDay = clients
	ratings, why, err := o.LowRatings(ctx)
	if err != nil {
		return situation, err
	}
	if why != nil {
		s.log.Warn("the planner doesn't know of low ratings", "error", why)
	}
	situation.LowRatingsOfTheWeek = ratings
	for _, one := range seen {
		c := plan.Candidate{
			Agent: one.Agent, Pause: one.Pause, Alive: one.Alive, LastStartedAt: one.LastStartedAt, LastCompletedAt: one.LastCompletedAt, LastStatus: one.LastStatus,
			QueueAgeSeconds: one.QueueAgeSeconds, FailuresOfTheDay: one.FailuresOfTheDay, LastSlotAt: one.LastSlotAt, BehindSince: one.BehindSince, Needs: []plan.Need{},
		}
		if m := s.catalogue.Find(one.Agent); m != nil {
			c.Known, c.Priority, c.Heavy = true, m.Priority, m.Heavy
			for _, need := range m.Needs {
				c.Needs = append(c.Needs, plan.Need(need))
			}
		}
		situation.Agents = append(situation.Agents, c)
	}
	return situation, nil
}

// lost are the reasons of agents that were to be run in a cycle and were not.
var lost = map[string]bool{plan.ReasonRestored: true, plan.ReasonDependency: true, plan.ReasonLate: true, plan.ReasonEnded: true}

// advance begins what may begin in a cycle, and ends it where nothing is left.
func (s *scheduler) advance(ctx context.Context, o *postgres.Opening, c postgres.Cycle) error {
	lines, err := o.Agents(ctx, c.ID)
	if err != nil {
		return err
	}
	items := make([]plan.Item, len(lines))
	for i, line := range lines {
		items[i] = plan.Item{Agent: line.Agent, Run: line.Decision == "run", CompletedSince: line.CompletedSince, Lost: line.Decision == "skip" && lost[line.Reason]}
		if line.Status != nil {
			items[i].Status = string(*line.Status)
		}
		if err := json.Unmarshal(line.Needs, &items[i].Needs); err != nil {
			return fmt.Errorf("read the needs of %s: %w", line.Agent, err)
		}
	}
	for {
		step := plan.Advance(items, c.MaxParallel, !o.Now.Before(c.DeadlineAt), c.CancelRequestedAt != nil)
		for agent, reason := range step.Skip {
			if err := o.SkipAgent(ctx, c.ID, agent, reason, skipDetails[reason]); err != nil {
				return err
			}
		}
		again := false
		for _, agent := range step.Begin {
			begun, err := s.begin(ctx, o, c, agent)
			if err != nil {
				return err
			}
			again = again || !begun
		}
		if again { // others may begin in its place
			if lines, err = o.Agents(ctx, c.ID); err != nil {
				return err
			}
			for i, line := range lines {
				items[i].Run, items[i].Lost = line.Decision == "run", line.Decision == "skip" && lost[line.Reason]
				if line.Status != nil {
					items[i].Status = string(*line.Status)
				}
			}
			continue
		}
		if step.Status != plan.Running {
			s.log.Info("cycle ended", "cycle_id", c.ID, "status", step.Status)
			return o.EndCycle(ctx, c.ID, step.Status)
		}
		return nil
	}
}

var skipDetails = map[string]string{
	plan.ReasonDependency: "an agent that it needs did not complete",
	plan.ReasonLate:       "the cycle's deadline passed before it could begin",
	plan.ReasonEnded:      "the cycle was cancelled before it could begin",
}

// begin accepts the execution of an agent in a cycle. False where it is skipped,
// since one of it is in flight or the manifest changed.
func (s *scheduler) begin(ctx context.Context, o *postgres.Opening, c postgres.Cycle, agent string) (bool, error) {
	manifest := s.catalogue.Find(agent)
	if manifest == nil {
		return false, o.SkipAgent(ctx, c.ID, agent, plan.ReasonUnknownAgent, "there is no such agent any more")
	}
	parameters, err := s.parameters(manifest, c)
	if err != nil {
		return false, o.SkipAgent(ctx, c.ID, agent, plan.ReasonUnknownAgent, "its parameters are not allowed any more: "+err.Error())
	}
	a := s.accept(ctx, manifest)
	a.Parameters, a.CycleID = parameters, c.ID
	if a.Origin = "schedule"; c.OpenedBy == "hand" {
		a.Origin = "request"
	}
	a.Reason = "opened by " + c.ID
	if c.RequestedBy != nil {
		a.RequestedBy = *c.RequestedBy
	}
	_, err = o.Begin(ctx, a)
	var inFlight *postgres.InFlightError
	if errors.As(err, &inFlight) {
		return false, o.SkipAgent(ctx, c.ID, agent, plan.ReasonOverlap, "it runs one at a time, and one is in flight")
	}
	if err == nil {
		o.OnCommit(func() { s.meters.executions.Moved(agent, string(execution.Started)) })
	}
	return err == nil, err
}

// parameters are those of the cycle, and the slot's day where a slot of the past is
// made up for.
func (s *scheduler) parameters(m *agents.Manifest, c postgres.Cycle) (json.RawMessage, error) {
	given := map[string]any{}
	if len(c.Parameters) > 0 {
		if err := json.Unmarshal(c.Parameters, &given); err != nil {
			return nil, fmt.Errorf("read the cycle's parameters: %w", err)
		}
	}
	if _, set := given[m.DueParameter]; m.DueParameter != "" && !set && c.DueAt != nil && (c.OpenedBy == "catch_up" || c.OpenedBy == "backfill") {
		given[m.DueParameter] = c.DueAt.In(s.zone).Format(time.DateOnly)
	}
	text, err := json.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	return m.CheckParameters(text)
}
