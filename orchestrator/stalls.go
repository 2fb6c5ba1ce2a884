package orchestrator

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

const (
	// stallFactor times the 99th percentile of an agent's steps is how long a step
	// may take before its execution shows as stalled.
	stallFactor = 3
	// stallFloor is the least: three default leases, so that what an agent of quick
	// steps shows is an agent that hangs, and not a system that just recovers from a
	// lost worker or an outage.
	stallFloor = 30 * time.Second
	// stallSteps is how many steps it takes to say anything.
	stallSteps = 20
	// stallEvery is how long what was found is used.
	stallEvery = time.Minute
	// stallWait bounds how long an acceptance waits for the database to say.
	stallWait = 500 * time.Millisecond
)

// stalls knows for how long an agent's attempts may go without progress, where its
// manifest doesn't say. The first acceptance of an agent in a minute looks, the
// others take what was found before.
type stalls struct {
	store *postgres.Store
	log   *slog.Logger

	mu     sync.Mutex
	agents map[string]*stall
}

// stall is what is known of one agent.
type stall struct {
	seconds int // 0: never
	looked  time.Time
}

func newStalls(store *postgres.Store, log *slog.Logger) *stalls {
	return &stalls{store: store, log: log, agents: map[string]*stall{}}
}

// seconds is the manifest's own threshold, or the one that its agent's latest steps
// suggest; 0 is never. An error leaves what was known.
func (s *stalls) seconds(ctx context.Context, m *agents.Manifest, now time.Time) int {
	if m.StallSeconds > 0 {
		return m.StallSeconds
	}
	s.mu.Lock()
	known := s.agents[m.Name]
	if known == nil {
		known = &stall{}
		s.agents[m.Name] = known
	}
	seconds := known.seconds
	if !known.looked.IsZero() && now.Sub(known.looked) < stallEvery {
		s.mu.Unlock()
		return seconds
	}
	known.looked = now // whoever comes meanwhile doesn't look too
	s.mu.Unlock()

	// A client that goes away is no reason not to know for a minute.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stallWait)
	defer cancel()
	found, err := s.store.StepDurations(ctx, m.Name)
	if err != nil {
		s.log.Warn("the threshold of stalled executions stays as it was", "agent", m.Name, "seconds", seconds, "error", err)
		return seconds
	}
	seconds = stallThreshold(found, m.Timeout())
	s.mu.Lock()
	defer s.mu.Unlock()
	known.seconds = seconds
	return seconds
}

// stallThreshold is in whole seconds, rounded up; 0 is never.
func stallThreshold(d postgres.StepDurations, timeout time.Duration) int {
	if d.Steps < stallSteps {
		return 0
	}
	threshold := min(max(stallFactor*d.P99, stallFloor), timeout)
	return int(math.Ceil(threshold.Seconds()))
}
