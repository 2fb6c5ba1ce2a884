// Package plan decides which agents a cycle runs, in which order, and why, and
// when each of them may begin. It is pure: it knows neither the database nor the
// clock.
package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a need does where what it names did not complete.
const (
	// IfFailedSkip skips the one that needs it. The default.
	IfFailedSkip = "skip"
	// IfFailedRun runs it all the same.
	IfFailedRun = "run"
	// IfFailedWait has it wait until the needed agent has completed by another
	// execution, or the cycle's deadline has passed.
	IfFailedWait = "wait"
)

// Need is another agent that must be over before one begins.
type Need struct {
	Agent    string `json:"agent"`
	IfFailed string `json:"if_failed"`
}

// Reasons of decisions.
const (
	ReasonDue           = "due"            // its schedule, or somebody, says so
	ReasonBehind        = "behind"         // its last slot did not end in a completed execution
	ReasonNotDue        = "not_due"        // it is not behind
	ReasonPaused        = "paused"         // by hand
	ReasonBreaker       = "breaker"        // by its failures
	ReasonCooldown      = "cooldown"       // it ran a short while ago
	ReasonBusinessHours = "business_hours" // it is heavy, and people work
	ReasonDependency    = "dependency"     // what it needs did not complete
	ReasonUnknownAgent  = "unknown_agent"
	ReasonProposed      = "proposed" // a model proposed it, and the rules leave it open
	ReasonRestored      = "restored" // it lies before a restore of the database
	ReasonOverlap       = "overlap"  // it runs one at a time, and one is in flight
	ReasonLate          = "late"     // the cycle's deadline passed first
	ReasonEnded         = "ended"    // the cycle was cancelled first
)

// Situation is what a planner sees; it is stored with the cycle.
type Situation struct {
	// Now is the database's clock, LocalHour the hour of it in the firm's zone.
	Now       time.Time `json:"now"`
	LocalHour int       `json:"local_hour"`
	// OpenedBy is slot, catch_up, backfill or hand. The last two say what to do, so
	// that no cooldown and no hours hold them up; nor a slot that is made up for.
	OpenedBy string `json:"opened_by"`
	// Planned cycles run what is behind; others what they name.
	Planned         bool `json:"planned"`
	CooldownSeconds int  `json:"cooldown_seconds"`
	// NewClientsOfTheDay is nil where the firm's view doesn't say.
	NewClientsOfTheDay *int `json:"new_clients_of_the_day"`
	// LowRatingsOfTheWeek are conversations rated 1 or 2; nil as above.
	LowRatingsOfTheWeek *int        `json:"low_ratings_of_the_week"`
	Agents              []Candidate `json:"agents"`
	// Proposal is the newest one for the schedule; nil without one, and in cycles that
	// aren't planned.
	Proposal *Proposal `json:"proposal,omitempty"`
}

// Candidate is one agent that the cycle considers.
type Candidate struct {
	Agent    string `json:"agent_name"`
	Known    bool   `json:"known"`
	Priority int    `json:"priority"`
	// Heavy work stays out of business hours.
	Heavy bool   `json:"heavy"`
	Needs []Need `json:"needs"`

	// Pause is hand or breaker, or empty.
	Pause string `json:"pause"`
	// Alive is how many of its executions have not ended.
	Alive            int        `json:"alive"`
	LastStartedAt    *time.Time `json:"last_started_at"`
	LastCompletedAt  *time.Time `json:"last_completed_at"`
	LastStatus       *string    `json:"last_status"`
	QueueAgeSeconds  *float64   `json:"queue_age_seconds"`
	FailuresOfTheDay int        `json:"failures_of_the_day"`
	LastSlotAt       *time.Time `json:"last_slot_at"` // of a schedule that names it; of planned cycles alone
	// BehindSince is the first such slot since it completed; nil where there is none.
	BehindSince *time.Time `json:"behind_since"`
}

// Decision is what becomes of an agent in a cycle, and why.
type Decision struct {
	Agent  string `json:"agent_name"`
	Run    bool   `json:"run"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	Needs  []Need `json:"needs"`
}

// Planner decides. Decisions come in the order in which agents begin.
type Planner interface {
	// Name is rules, or a model's.
	Name() string
	Plan(ctx context.Context, s Situation) ([]Decision, error)
}

// Business hours, in the firm's zone: from the first to before the last.
const (
	businessFrom = 9
	businessTo   = 17
)

// Rules is the planner that follows fixed rules: the same situation gives the same
// decisions.
type Rules struct{}

// Name is rules.
func (Rules) Name() string { return "rules" }

// Plan never fails.
func (Rules) Plan(_ context.Context, s Situation) ([]Decision, error) {
	ordered := order(s.Agents)
	decisions := make([]Decision, 0, len(ordered))
	for _, c := range ordered {
		d := Decision{Agent: c.Agent, Needs: []Need{}}
		d.Run, d.Reason, d.Detail = decide(s, c)
		if d.Run {
			d.Needs = needsOf(c, s.Agents)
		}
		decisions = append(decisions, d)
	}
	return decisions, nil
}

// needsOf are an agent's needs in a cycle: what isn't in the cycle is no need of it.
func needsOf(c Candidate, all []Candidate) []Need {
	needs := []Need{}
	for _, n := range c.Needs {
		if slices.ContainsFunc(all, func(o Candidate) bool { return o.Agent == n.Agent }) {
			needs = append(needs, Need{n.Agent, cmp.Or(n.IfFailed, IfFailedSkip)})
		}
	}
	return needs
}

// busy says that it is heavy, and people work.
func (s Situation) busy(c Candidate) bool {
	return c.Heavy && s.LocalHour >= businessFrom && s.LocalHour < businessTo
}

func decide(s Situation, c Candidate) (run bool, reason, detail string) {
	obeyed := s.OpenedBy != "slot" // somebody, or a time that has passed, asks for it
	local := fmt.Sprintf("it is heavy, and %d:00 lies in %d-%d", s.LocalHour, businessFrom, businessTo)
	switch {
	case !c.Known:
		return false, ReasonUnknownAgent, "there is no such agent any more"
	case c.Pause == "hand":
		return false, ReasonPaused, "it is paused by hand"
	case c.Pause != "":
		return false, ReasonBreaker, "its breaker is open"
	case !obeyed && s.CooldownSeconds > 0 && c.LastStartedAt != nil && s.Now.Sub(*c.LastStartedAt) < time.Duration(s.CooldownSeconds)*time.Second:
		return false, ReasonCooldown, fmt.Sprintf("it was started at %s, less than %d s ago", c.LastStartedAt.UTC().Format(time.RFC3339), s.CooldownSeconds)
	case !s.Planned:
		return true, ReasonDue, "its time has come"
	case c.Alive > 0:
		return false, ReasonNotDue, "one of it is under way"
	case c.LastSlotAt == nil:
		return false, ReasonNotDue, "it has had no slot yet"
	case c.LastCompletedAt != nil && !c.LastCompletedAt.Before(*c.LastSlotAt):
		return false, ReasonNotDue, "it has completed since its last slot"
	case !obeyed && s.busy(c):
		return false, ReasonBusinessHours, local
	default:
		return true, ReasonBehind, "it has not completed since its slot of " + c.LastSlotAt.UTC().Format(time.RFC3339)
	}
}

// order puts agents after what they need, then by priority and name. In a circle
// of needs the one that comes first by priority and name goes first.
func order(candidates []Candidate) []Candidate {
	left := slices.SortedFunc(slices.Values(candidates), func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Agent, b.Agent))
	})
	ordered := make([]Candidate, 0, len(left))
	for len(left) > 0 {
		next := slices.IndexFunc(left, func(c Candidate) bool {
			return !slices.ContainsFunc(c.Needs, func(n Need) bool {
				return n.Agent != c.Agent && slices.ContainsFunc(left, func(o Candidate) bool { return o.Agent == n.Agent })
			})
		})
		next = max(next, 0)
		ordered = append(ordered, left[next])
		left = slices.Delete(left, next, next+1)
	}
	return ordered
}

// Check reports whether decisions fit the rules: they cover each agent of the
// situation once, and run nothing that the rules forbid. A model's proposals must
// pass it.
func Check(s Situation, decisions []Decision) error {
	seen := map[string]bool{}
	for _, d := range decisions {
		i := slices.IndexFunc(s.Agents, func(c Candidate) bool { return c.Agent == d.Agent })
		if i < 0 || seen[d.Agent] {
			return fmt.Errorf("the plan names %s, which is not in the cycle, or twice", d.Agent)
		}
		seen[d.Agent] = true
		if run, reason, detail := decide(s, s.Agents[i]); d.Run && !run && reason != ReasonNotDue {
			return fmt.Errorf("the plan runs %s, which the rules forbid: %s", d.Agent, detail)
		}
		if d.Reason == "" {
			return fmt.Errorf("the plan doesn't say why about %s", d.Agent)
		}
	}
	if len(seen) != len(s.Agents) {
		return fmt.Errorf("the plan decides about %d of %d agents", len(seen), len(s.Agents))
	}
	return nil
}
