package orchestrator

import (
	"context"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/internal/graph"
)

const (
	// summaryWorth is from which cost on a summary of the graph is kept, and
	// summaryKept for how many times its cost: counting never takes more than a
	// hundredth of a connection, however large the graph is and often it is asked for.
	summaryWorth = 50 * time.Millisecond
	summaryKept  = 100
)

// graphSummary counts the graph, which reads all of it, for those who ask at a time
// together, and keeps what was dear to count.
type graphSummary struct {
	read func(context.Context) (graph.Summary, error)
	// turn has room for one who counts.
	turn chan struct{}

	mu    sync.Mutex
	kept  graph.Summary
	until time.Time
	// changes grows with what makes a summary that is being counted untrue.
	changes int
}

func newGraphSummary(read func(context.Context) (graph.Summary, error)) *graphSummary {
	return &graphSummary{read: read, turn: make(chan struct{}, 1)}
}

func (s *graphSummary) look() (sum graph.Summary, known bool, changes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept, time.Now().Before(s.until), s.changes
}

// get is how much the graph holds.
func (s *graphSummary) get(ctx context.Context) (graph.Summary, error) {
	if sum, known, _ := s.look(); known {
		return sum, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return graph.Summary{}, ctx.Err()
	}
	sum, known, changes := s.look()
	if known {
		return sum, nil // counted while waiting
	}
	began := time.Now()
	sum, err := s.read(ctx)
	cost := time.Since(began)
	if err != nil || cost < summaryWorth {
		return sum, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == changes {
		s.kept, s.until = sum, time.Now().Add(summaryKept*cost)
	}
	return sum, nil
}

// forget lets the next one count anew: somebody here has changed the graph.
func (s *graphSummary) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until, s.changes = time.Time{}, s.changes+1
}
