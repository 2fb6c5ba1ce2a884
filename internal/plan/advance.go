package plan

import "slices"

// Statuses of a cycle.
const (
	Running   = "running"
	Completed = "completed"
	Partial   = "partial" // some completed
	Failed    = "failed"  // none completed
	Skipped   = "skipped" // nothing was run
	Cancelled = "cancelled"
)

// Item is an agent in a cycle that is under way.
type Item struct {
	Agent string
	Run   bool
	Needs []Need
	// Status is its execution's; empty where it has none yet.
	Status string
	// CompletedSince says that the agent has completed, by whichever execution, since
	// the cycle was opened.
	CompletedSince bool
	// Lost says that it was to be run and wasn't: its needs failed, or it was late.
	Lost bool
}

func (i Item) final() bool {
	return i.Status == "completed" || i.Status == "failed" || i.Status == "cancelled"
}

// Step is what is next in a cycle.
type Step struct {
	// Begin are the agents to begin now.
	Begin []string
	// Skip are those that are not run after all, and why.
	Skip map[string]string
	// Status is Running, or how the cycle ended.
	Status string
}

// Advance says what is next, where at most so many run at once. Past the deadline,
// or once it is cancelled, nothing begins any more.
func Advance(items []Item, atOnce int, late, cancelled bool) Step {
	items = slices.Clone(items)
	s := Step{Skip: map[string]string{}}
	alive := 0
	for _, i := range items {
		if i.Status != "" && !i.final() {
			alive++
		}
	}
	for changed := true; changed; { // what is skipped may decide about others
		changed = false
		for n := range items {
			i := &items[n]
			if !i.Run || i.Status != "" || slices.Contains(s.Begin, i.Agent) {
				continue
			}
			reason, ready := i.ready(items)
			switch {
			case cancelled:
				reason = ReasonEnded
			case late:
				reason = ReasonLate
			}
			switch {
			case reason != "":
				i.Run, i.Lost = false, true
				s.Skip[i.Agent] = reason
				changed = true
			case ready && alive < atOnce:
				s.Begin = append(s.Begin, i.Agent)
				alive++
			}
		}
	}
	s.Status = status(items, alive, cancelled)
	return s
}

// ready reports whether an item may begin, or the reason why it never will.
func (i *Item) ready(items []Item) (reason string, ready bool) {
	ready = true
	for _, need := range i.Needs {
		n := slices.IndexFunc(items, func(o Item) bool { return o.Agent == need.Agent })
		if n < 0 || need.Agent == i.Agent {
			continue
		}
		needed := items[n]
		switch {
		case needed.Status == "completed" || needed.CompletedSince:
		case needed.Run && !needed.final(): // under way, or yet to come
			ready = false
		case need.IfFailed == IfFailedRun:
		case need.IfFailed == IfFailedWait:
			ready = false
		default:
			return ReasonDependency, false
		}
	}
	return "", ready
}

func status(items []Item, alive int, cancelled bool) string {
	count := map[string]int{}
	waiting, lost := 0, 0
	for _, i := range items {
		count[i.Status]++
		switch {
		case i.Run && i.Status == "":
			waiting++
		case i.Lost:
			lost++
		}
	}
	switch {
	case alive > 0 || waiting > 0:
		return Running
	case cancelled:
		return Cancelled
	case count["completed"] > 0 && count["failed"]+count["cancelled"]+lost == 0:
		return Completed
	case count["completed"] > 0:
		return Partial
	case count["failed"] > 0 || lost > 0:
		return Failed
	case count["cancelled"] > 0:
		return Cancelled
	default:
		return Skipped
	}
}
