package orchestrator

import (
	"context"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// keptSummaries is of how many runs a process keeps the summary.
const keptSummaries = 16

// summaries makes each run's summary once: the scores of a complete run never
// change. Those who ask meanwhile wait for the same one.
type summaries struct {
	read func(context.Context, postgres.ValueRun) (postgres.ValueSummary, error)

	mu    sync.Mutex
	known map[string]postgres.ValueSummary
	order []string // the oldest first
	// turn has room for one at a time: a summary reads all of a run.
	turn chan struct{}
	// stopped is closed when the service stops.
	stopped <-chan struct{}
}

func newSummaries(stopped <-chan struct{}, read func(context.Context, postgres.ValueRun) (postgres.ValueSummary, error)) *summaries {
	return &summaries{stopped: stopped, read: read, known: map[string]postgres.ValueSummary{}, turn: make(chan struct{}, 1)}
}

func (s *summaries) look(id string) (postgres.ValueSummary, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, known := s.known[id]
	return sum, known
}

// of is a run's summary.
func (s *summaries) of(ctx context.Context, run postgres.ValueRun) (postgres.ValueSummary, error) {
	if sum, known := s.look(run.ExecutionID); known {
		return sum, nil
	}
	made := make(chan summaryMade, 1)
	go func() { made <- s.make(context.WithoutCancel(ctx), run) }()
	select {
	case m := <-made:
		return m.summary, m.err
	case <-ctx.Done():
		return postgres.ValueSummary{}, ctx.Err()
	}
}

// summaryPatience bounds how long making one may take, with the wait for its turn.
const summaryPatience = 3 * time.Minute

type summaryMade struct {
	summary postgres.ValueSummary
	err     error
}

// make makes a run's summary, also where who asked first has gone meanwhile: else one
// that takes longer than people wait would never be made. It ends with the service.
func (s *summaries) make(ctx context.Context, run postgres.ValueRun) summaryMade {
	ctx, cancel := context.WithTimeout(ctx, summaryPatience)
	defer cancel()
	go func() {
		select {
		case <-s.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return summaryMade{err: ctx.Err()}
	}
	if sum, known := s.look(run.ExecutionID); known {
		return summaryMade{summary: sum} // made while waiting
	}
	sum, err := s.read(ctx, run)
	if err != nil {
		return summaryMade{err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[run.ExecutionID] = sum
	if s.order = append(s.order, run.ExecutionID); len(s.order) > keptSummaries {
		delete(s.known, s.order[0])
		s.order = s.order[1:]
	}
	return summaryMade{summary: sum}
}

// getValueSummary summarises a run's scores.
func (o *Orchestrator) getValueSummary(c echo.Context) (postgres.ValueSummary, error) {
	query := c.QueryParams()
	if err := onlyQuery(query, "execution"); err != nil {
		return postgres.ValueSummary{}, err
	}
	id := query.Get("execution")
	if given := query["execution"]; len(given) > 1 || len(given) == 1 && !execution.ValidID(id) {
		return postgres.ValueSummary{}, invalid(agents.FieldError{Field: "execution", Detail: "must be given once, as the id of an execution"})
	}
	ctx := c.Request().Context()
	run, err := o.store.ValueRun(ctx, id)
	if err != nil {
		return postgres.ValueSummary{}, err
	}
	return o.summaries.of(ctx, run)
}
