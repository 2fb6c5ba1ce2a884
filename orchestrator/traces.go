package orchestrator

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/telemetry"
)

// untraced are the paths that supervisors ask every few seconds.
var untraced = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// traced makes a span of each request. It answers errors itself, since the span
// says how the request was answered.
func (o *Orchestrator) traced(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if untraced[c.Path()] {
			return next(c)
		}
		route, _ := pathOf(c.Path())
		ctx, end := o.cfg.Traces.Request(c.Request(), route)
		defer func() { end(c.Response().Status) }()
		c.SetRequest(c.Request().WithContext(ctx))
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// traceLost writes the span of an attempt that was taken from a lost worker, and
// returns the context that names it. Without its history there is no span.
func (r *reaper) traceLost(ctx context.Context, lost postgres.Suspect) context.Context {
	if !r.traces.On() {
		return ctx
	}
	e, transitions, err := r.store.Get(ctx, lost.ID)
	if err != nil {
		r.log.WarnContext(ctx, "a lost attempt has no span", "execution_id", lost.ID, "attempt", lost.Attempt, "error", err)
		return ctx
	}
	for _, one := range execution.Attempts(transitions) {
		if one.Attempt == lost.Attempt && one.EndedAt != nil {
			return r.traces.Lost(ctx, telemetry.Attempt{
				ExecutionID: e.ID, Agent: e.Agent, WorkerID: *lost.WorkerID, Number: one.Attempt, DryRun: e.DryRun, Traceparent: e.Traceparent,
			}, one.StartedAt, *one.EndedAt)
		}
	}
	return ctx // its history is no longer kept
}
