package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time {
	at := now.Add(-d)
	return &at
}

func TestRulesDecide(t *testing.T) {
	t.Parallel()
	behind := Candidate{Agent: "a", Known: true, LastSlotAt: ago(time.Hour), LastStartedAt: ago(2 * time.Hour), LastCompletedAt: ago(2 * time.Hour)}
	with := func(change func(*Candidate)) Candidate {
		c := behind
		change(&c)
		return c
	}
	night, day := Situation{Now: now, LocalHour: 3, OpenedBy: "slot", Planned: true, CooldownSeconds: 3600}, Situation{Now: now, LocalHour: 9, OpenedBy: "slot", Planned: true, CooldownSeconds: 3600}
	own := night
	own.Planned = false
	hand := day
	hand.OpenedBy = "hand"
	for name, c := range map[string]struct {
		situation Situation
		candidate Candidate
		run       bool
		reason    string
	}{
		"behind":                              {night, behind, true, ReasonBehind},
		"completed since its slot":            {night, with(func(c *Candidate) { c.LastCompletedAt = ago(time.Hour) }), false, ReasonNotDue},
		"never had a slot":                    {night, with(func(c *Candidate) { c.LastSlotAt = nil }), false, ReasonNotDue},
		"never completed":                     {night, with(func(c *Candidate) { c.LastCompletedAt = nil }), true, ReasonBehind},
		"under way":                           {night, with(func(c *Candidate) { c.Alive = 1 }), false, ReasonNotDue},
		"unknown":                             {night, with(func(c *Candidate) { c.Known = false }), false, ReasonUnknownAgent},
		"paused":                              {own, with(func(c *Candidate) { c.Pause = "hand" }), false, ReasonPaused},
		"its breaker is open":                 {own, with(func(c *Candidate) { c.Pause = "breaker" }), false, ReasonBreaker},
		"started an hour ago":                 {night, with(func(c *Candidate) { c.LastStartedAt = ago(time.Hour) }), true, ReasonBehind},
		"started less than an hour ago":       {night, with(func(c *Candidate) { c.LastStartedAt = ago(59 * time.Minute) }), false, ReasonCooldown},
		"the same of its own schedule":        {own, with(func(c *Candidate) { c.LastStartedAt = ago(59 * time.Minute) }), false, ReasonCooldown},
		"the same by hand":                    {hand, with(func(c *Candidate) { c.LastStartedAt = ago(time.Minute) }), true, ReasonBehind},
		"never started":                       {own, with(func(c *Candidate) { c.LastStartedAt = nil }), true, ReasonDue},
		"heavy, at night":                     {night, with(func(c *Candidate) { c.Heavy = true }), true, ReasonBehind},
		"heavy, in business hours":            {day, with(func(c *Candidate) { c.Heavy = true }), false, ReasonBusinessHours},
		"heavy, in business hours, by hand":   {hand, with(func(c *Candidate) { c.Heavy = true }), true, ReasonBehind},
		"heavy, by its own schedule":          {func() Situation { s := day; s.Planned = false; return s }(), with(func(c *Candidate) { c.Heavy = true }), true, ReasonDue},
		"light, in business hours":            {day, behind, true, ReasonBehind},
		"heavy, when business hours are over": {func() Situation { s := day; s.LocalHour = 17; return s }(), with(func(c *Candidate) { c.Heavy = true }), true, ReasonBehind},
	} {
		s := c.situation
		s.Agents = []Candidate{c.candidate}
		got, err := Rules{}.Plan(t.Context(), s)
		if err != nil || len(got) != 1 || got[0].Run != c.run || got[0].Reason != c.reason || got[0].Detail == "" {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		if err := Check(s, got); err != nil {
			t.Errorf("%s: the rules' own plan is refused: %v", name, err)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		agents []Candidate
		want   []string
	}{
		"by priority, then name":      {[]Candidate{{Agent: "b", Priority: 2}, {Agent: "c", Priority: 1}, {Agent: "a", Priority: 2}}, []string{"c", "a", "b"}},
		"after what it needs":         {[]Candidate{{Agent: "a", Priority: 1, Needs: []Need{{"b", ""}}}, {Agent: "b", Priority: 4}}, []string{"b", "a"}},
		"what isn't there is no need": {[]Candidate{{Agent: "a", Priority: 1, Needs: []Need{{"z", ""}}}, {Agent: "b", Priority: 4}}, []string{"a", "b"}},
		"a circle ends":               {[]Candidate{{Agent: "a", Needs: []Need{{"b", ""}}}, {Agent: "b", Needs: []Need{{"a", ""}}}}, []string{"a", "b"}},
	} {
		var got []string
		for _, o := range order(c.agents) {
			got = append(got, o.Agent)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestPlansThatBreakTheRules(t *testing.T) {
	t.Parallel()
	s := Situation{Now: now, OpenedBy: "slot", Planned: true, Agents: []Candidate{{Agent: "a", Known: true, Pause: "breaker"}, {Agent: "b", Known: true}}}
	good := []Decision{{Agent: "a", Reason: "x"}, {Agent: "b", Run: true, Reason: "x"}} // it may run what isn't due
	if err := Check(s, good); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string][]Decision{
		"what is paused":     {{Agent: "a", Run: true, Reason: "x"}, {Agent: "b", Reason: "x"}},
		"one is left out":    {{Agent: "a", Reason: "x"}},
		"one is there twice": {{Agent: "a", Reason: "x"}, {Agent: "a", Reason: "x"}},
		"a stranger":         {{Agent: "a", Reason: "x"}, {Agent: "z", Reason: "x"}},
		"no reason":          {{Agent: "a", Reason: "x"}, {Agent: "b"}},
	} {
		if Check(s, bad) == nil {
			t.Errorf("%s: the plan is taken", name)
		}
	}
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	run := func(agent, status string, needs ...Need) Item {
		return Item{Agent: agent, Run: true, Status: status, Needs: needs}
	}
	skip := func(agent string) Item { return Item{Agent: agent} }
	for name, c := range map[string]struct {
		items           []Item
		atOnce          int
		late, cancelled bool
		want            Step
	}{
		"all begin":                      {[]Item{run("a", ""), run("b", "")}, 3, false, false, Step{Begin: []string{"a", "b"}, Status: Running}},
		"as many as may":                 {[]Item{run("a", "started"), run("b", ""), run("c", "")}, 2, false, false, Step{Begin: []string{"b"}, Status: Running}},
		"one waits for another":          {[]Item{run("a", "running"), run("b", "", Need{"a", IfFailedSkip})}, 3, false, false, Step{Status: Running}},
		"the other is over":              {[]Item{run("a", "completed"), run("b", "", Need{"a", IfFailedSkip})}, 3, false, false, Step{Begin: []string{"b"}, Status: Running}},
		"the other failed: skipped":      {[]Item{run("a", "failed"), run("b", "", Need{"a", IfFailedSkip})}, 3, false, false, Step{Skip: map[string]string{"b": ReasonDependency}, Status: Failed}},
		"and what needs that":            {[]Item{run("a", "failed"), run("b", "", Need{"a", IfFailedSkip}), run("c", "", Need{"b", IfFailedSkip})}, 3, false, false, Step{Skip: map[string]string{"b": ReasonDependency, "c": ReasonDependency}, Status: Failed}},
		"whatever their order":           {[]Item{run("c", "", Need{"b", IfFailedSkip}), run("b", "", Need{"a", IfFailedSkip}), run("a", "cancelled")}, 3, false, false, Step{Skip: map[string]string{"b": ReasonDependency, "c": ReasonDependency}, Status: Failed}},
		"the other failed: run":          {[]Item{run("a", "failed"), run("b", "", Need{"a", IfFailedRun})}, 3, false, false, Step{Begin: []string{"b"}, Status: Running}},
		"the other failed: wait":         {[]Item{run("a", "failed"), run("b", "", Need{"a", IfFailedWait})}, 3, false, false, Step{Status: Running}},
		"and it completed by a retry":    {[]Item{{Agent: "a", Run: true, Status: "failed", CompletedSince: true}, run("b", "", Need{"a", IfFailedWait})}, 3, false, false, Step{Begin: []string{"b"}, Status: Running}},
		"the other was not run: skipped": {[]Item{skip("a"), run("b", "", Need{"a", IfFailedSkip})}, 3, false, false, Step{Skip: map[string]string{"b": ReasonDependency}, Status: Failed}},
		"the other was not run: run":     {[]Item{skip("a"), run("b", "", Need{"a", IfFailedRun})}, 3, false, false, Step{Begin: []string{"b"}, Status: Running}},
		"late":                           {[]Item{run("a", "completed"), run("b", "")}, 3, true, false, Step{Skip: map[string]string{"b": ReasonLate}, Status: Partial}},
		"late, and one runs":             {[]Item{run("a", "running"), run("b", "")}, 3, true, false, Step{Skip: map[string]string{"b": ReasonLate}, Status: Running}},
		"cancelled":                      {[]Item{run("a", "cancelled"), run("b", "")}, 3, false, true, Step{Skip: map[string]string{"b": ReasonEnded}, Status: Cancelled}},
		"completed":                      {[]Item{run("a", "completed"), skip("b")}, 3, false, false, Step{Status: Completed}},
		"partial":                        {[]Item{run("a", "completed"), run("b", "failed")}, 3, false, false, Step{Status: Partial}},
		"partial, by what was lost":      {[]Item{run("a", "completed"), {Agent: "b", Lost: true}}, 3, false, false, Step{Status: Partial}},
		"failed":                         {[]Item{run("a", "failed"), run("b", "cancelled")}, 3, false, false, Step{Status: Failed}},
		"all cancelled one by one":       {[]Item{run("a", "cancelled")}, 3, false, false, Step{Status: Cancelled}},
		"nothing was run":                {[]Item{skip("a"), skip("b")}, 3, false, false, Step{Status: Skipped}},
		"nothing at all":                 {nil, 3, false, false, Step{Status: Skipped}},
	} {
		if c.want.Skip == nil {
			c.want.Skip = map[string]string{}
		}
		if diff := cmp.Diff(c.want, Advance(c.items, c.atOnce, c.late, c.cancelled)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
