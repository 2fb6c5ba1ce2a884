package orchestrator

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nuzantara/ciclo/internal/graph"
)

func TestTheSummaryOfALargeGraphIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		edges, counted := int64(99_000), int64(0)
		s := newGraphSummary(func(context.Context) (graph.Summary, error) {
			time.Sleep(100 * time.Millisecond)
			counted++
			return graph.Summary{Entities: counted, Edges: edges}, nil
		})
		expect := func(when string, want int64) {
			t.Helper()
			if sum, err := s.get(t.Context()); err != nil || sum.Entities != want {
				t.Errorf("%s: %d, %v; want %d", when, sum.Entities, err, want)
			}
		}
		expect("at first", 1)
		expect("a small graph is counted anew", 2)
		edges = 100_000
		expect("a large one", 3)
		expect("is kept", 3)
		time.Sleep(summaryKept - time.Second)
		expect("for long", 3)
		time.Sleep(2 * time.Second)
		var together sync.WaitGroup
		for range 10 {
			together.Go(func() { expect("counted once for all who ask", 4) })
		}
		together.Wait()
		s.forget()
		expect("after a change", 5)
		s.forget()
		together.Go(func() { expect("asked before a change", 6) })
		time.Sleep(50 * time.Millisecond)
		s.forget()
		together.Wait()
		expect("and after it", 7)
	})
}

func TestASummaryThatFailsIsNotKept(t *testing.T) {
	t.Parallel()
	broken := errors.New("no database")
	s := newGraphSummary(func(context.Context) (graph.Summary, error) { return graph.Summary{}, broken })
	if _, err := s.get(t.Context()); !errors.Is(err, broken) {
		t.Errorf("it says %v", err)
	}
	s.turn <- struct{}{} // somebody counts for ever
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.get(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits no more gets %v", err)
	}
}
