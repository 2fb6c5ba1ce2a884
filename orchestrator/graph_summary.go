package orchestrator

import (
	"context"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/internal/graph"
)

const (
	// largeGraph is from how many entities, edges and messages on a summary is kept,
	// and for how long: counting reads all of them.
	largeGraph  = 100_000
	summaryKept = 30 * time.Second
)

// graphSummary counts the graph, which reads all of it, for those who ask at a time
// together, and keeps for a while what a large one holds.
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
	sum, err := s.read(ctx)
	if err != nil || sum.Entities+sum.Edges+sum.Messages < largeGraph {
		return sum, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == changes {
		s.kept, s.until = sum, time.Now().Add(summaryKept)
	}
	return sum, nil
}

// forget lets the next one count anew: somebody here has changed the graph.
func (s *graphSummary) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until, s.changes = time.Time{}, s.changes+1
}
