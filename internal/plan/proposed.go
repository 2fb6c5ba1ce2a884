package plan

import (
	"context"
	"slices"
	"time"
)

// What a proposal wants of an agent.
const (
	// ProposeRun runs it though it isn't behind.
	ProposeRun = "run"
	// ProposePutOff leaves it for a later cycle though it is behind.
	ProposePutOff = "put_off"
	// ProposeNothing leaves it to the rules.
	ProposeNothing = "rules"
)

// Proposal is what a model proposed for the cycles of a planned schedule.
type Proposal struct {
	Schedule string `json:"schedule"`
	// Engine is the provider's name and the model's, such as claude/m; none where nobody
	// was asked, and then Reason says why.
	Engine string `json:"engine"`
	Reason string `json:"reason,omitempty"`
	// From its making until then cycles go by it.
	MadeAt     time.Time  `json:"made_at"`
	ValidUntil time.Time  `json:"valid_until"`
	Agents     []Proposed `json:"agents"`
	// LeftOut is how many lines of the answer were about no agent of the schedule, about
	// one twice, or without a decision or a reason that can be shown.
	LeftOut int `json:"left_out"`
}

// Proposed is what is proposed for one agent.
type Proposed struct {
	Agent    string `json:"agent_name"`
	Decision string `json:"decision"`
	Why      string `json:"why"`
}

// NoEngine is the engine of a proposal that nobody made.
const NoEngine = "none"

// MaxPutOff is how long after the first slot that it missed an agent may be put off: a
// proposal delays, and forbids nothing, however many there are.
const MaxPutOff = 24 * time.Hour

// For is the planner of a situation: the rules, or a proposal within them where one holds
// for it. What somebody asks for by hand, and what is made up for, goes by the rules alone.
func For(s Situation) Planner {
	if p := s.Proposal; p != nil && p.Engine != NoEngine && s.Planned && s.OpenedBy == "slot" && s.Now.Before(p.ValidUntil) {
		return proposed{p.Engine}
	}
	return Rules{}
}

// proposed is the planner that follows a proposal where the rules leave room.
type proposed struct{ engine string }

// Name is the engine that wrote the proposal.
func (p proposed) Name() string { return p.engine }

// Plan begins with what the rules decide and changes two kinds of decisions: one that is
// not behind runs, if it has a slot of its own, nothing of it is under way, its hours allow
// it and it has not run since the proposal was made; one that is behind waits, for
// MaxPutOff at most.
func (p proposed) Plan(ctx context.Context, s Situation) ([]Decision, error) {
	decisions, err := Rules{}.Plan(ctx, s)
	if err != nil {
		return nil, err
	}
	for i := range decisions {
		d := &decisions[i]
		at := slices.IndexFunc(s.Proposal.Agents, func(one Proposed) bool { return one.Agent == d.Agent })
		if at < 0 {
			continue
		}
		want := s.Proposal.Agents[at]
		c := s.Agents[slices.IndexFunc(s.Agents, func(c Candidate) bool { return c.Agent == d.Agent })]
		switch {
		case want.Decision == ProposeRun && !d.Run && d.Reason == ReasonNotDue && c.Alive == 0 && c.LastSlotAt != nil && !s.busy(c) && (c.LastStartedAt == nil || c.LastStartedAt.Before(s.Proposal.MadeAt)):
			d.Run, d.Needs = true, needsOf(c, s.Agents)
		case want.Decision == ProposePutOff && d.Run && c.BehindSince != nil && s.Now.Sub(*c.BehindSince) < MaxPutOff:
			d.Run, d.Needs = false, []Need{}
		default:
			continue
		}
		d.Reason, d.Detail = ReasonProposed, want.Why
	}
	return decisions, nil
}
