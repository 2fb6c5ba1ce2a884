package plan

import (
	"testing"
	"time"
)

func TestProposed(t *testing.T) {
	t.Parallel()
	behind := Candidate{Agent: "a", Known: true, LastSlotAt: ago(time.Hour), BehindSince: ago(time.Hour), LastStartedAt: ago(48 * time.Hour), LastCompletedAt: ago(48 * time.Hour)}
	done := behind
	done.LastCompletedAt = ago(time.Minute)
	with := func(c Candidate, change func(*Candidate)) Candidate {
		change(&c)
		return c
	}
	proposal := func(decision string) *Proposal {
		return &Proposal{Engine: "firm/m", MadeAt: now.Add(-2 * time.Hour), ValidUntil: now.Add(time.Hour), Agents: []Proposed{{"b", ProposeRun, "another"}, {"a", decision, "the model's words"}}}
	}
	situation := Situation{Now: now, LocalHour: 10, OpenedBy: "slot", Planned: true, CooldownSeconds: 3600}
	for name, c := range map[string]struct {
		decision  string
		candidate Candidate
		change    func(*Situation)
		run       bool
		reason    string
		planner   string
	}{
		"run what isn't behind":              {decision: ProposeRun, candidate: done, run: true, reason: ReasonProposed},
		"run what is":                        {decision: ProposeRun, candidate: behind, run: true, reason: ReasonBehind},
		"run what is paused":                 {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.Pause = "hand" }), reason: ReasonPaused},
		"run what its breaker stopped":       {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.Pause = "breaker" }), reason: ReasonBreaker},
		"run what ran a short while ago":     {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.LastStartedAt = ago(time.Minute) }), reason: ReasonCooldown},
		"run what is under way":              {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.Alive = 1 }), reason: ReasonNotDue},
		"run what has no slot":               {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.LastSlotAt = nil }), reason: ReasonNotDue},
		"run heavy work while people work":   {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.Heavy = true }), reason: ReasonNotDue},
		"run what isn't known":               {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.Known = false }), reason: ReasonUnknownAgent},
		"put off what is behind":             {decision: ProposePutOff, candidate: behind, reason: ReasonProposed},
		"put off what has waited for a day":  {decision: ProposePutOff, candidate: with(behind, func(c *Candidate) { c.BehindSince = ago(MaxPutOff) }), run: true, reason: ReasonBehind},
		"run what ran since":                 {decision: ProposeRun, candidate: with(done, func(c *Candidate) { c.LastStartedAt = ago(90 * time.Minute) }), reason: ReasonNotDue},
		"put off what isn't behind":          {decision: ProposePutOff, candidate: done, reason: ReasonNotDue},
		"no opinion":                         {decision: ProposeNothing, candidate: behind, run: true, reason: ReasonBehind},
		"a decision that there isn't":        {decision: "never", candidate: behind, run: true, reason: ReasonBehind},
		"too old":                            {decision: ProposePutOff, candidate: behind, change: func(s *Situation) { s.Proposal.ValidUntil = now }, run: true, reason: ReasonBehind, planner: "rules"},
		"nobody was asked":                   {decision: ProposePutOff, candidate: behind, change: func(s *Situation) { s.Proposal.Engine = NoEngine }, run: true, reason: ReasonBehind, planner: "rules"},
		"none":                               {candidate: behind, change: func(s *Situation) { s.Proposal = nil }, run: true, reason: ReasonBehind, planner: "rules"},
		"put off what is asked for by hand":  {decision: ProposePutOff, candidate: behind, change: func(s *Situation) { s.OpenedBy = "hand" }, run: true, reason: ReasonBehind, planner: "rules"},
		"put off what is made up for":        {decision: ProposePutOff, candidate: behind, change: func(s *Situation) { s.OpenedBy = "catch_up" }, run: true, reason: ReasonBehind, planner: "rules"},
		"put off what its own schedule runs": {decision: ProposePutOff, candidate: behind, change: func(s *Situation) { s.Planned = false }, run: true, reason: ReasonDue, planner: "rules"},
	} {
		s := situation
		s.Agents, s.Proposal = []Candidate{c.candidate}, proposal(c.decision)
		if c.change != nil {
			c.change(&s)
		}
		by := For(s)
		got, err := by.Plan(t.Context(), s)
		if err != nil || len(got) != 1 || got[0].Run != c.run || got[0].Reason != c.reason || got[0].Detail == "" {
			t.Errorf("%s: %+v %v", name, got, err)
			continue
		}
		if (got[0].Reason == ReasonProposed) != (got[0].Detail == "the model's words") {
			t.Errorf("%s: %s", name, got[0].Detail)
		}
		if want := c.planner; by.Name() != want && (want != "" || by.Name() != "firm/m") {
			t.Errorf("%s is by %s", name, by.Name())
		}
		if err := Check(s, got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is run early has its needs, and they come before it.
func TestProposedNeeds(t *testing.T) {
	t.Parallel()
	s := Situation{
		Now: now, LocalHour: 3, OpenedBy: "slot", Planned: true,
		Agents:   []Candidate{{Agent: "a", Known: true, LastSlotAt: ago(time.Hour), LastCompletedAt: ago(time.Minute), LastStartedAt: ago(time.Hour), Needs: []Need{{"b", ""}, {"z", ""}}}, {Agent: "b", Known: true, LastSlotAt: ago(time.Hour)}},
		Proposal: &Proposal{Engine: "firm/m", MadeAt: now, ValidUntil: now.Add(time.Hour), Agents: []Proposed{{"a", ProposeRun, "why"}}},
	}
	got, err := For(s).Plan(t.Context(), s)
	if err != nil || len(got) != 2 || got[0].Agent != "b" || !got[1].Run || len(got[1].Needs) != 1 || got[1].Needs[0] != (Need{"b", IfFailedSkip}) {
		t.Errorf("%+v %v", got, err)
	}
}
