package orchestrator

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
)

// Prefix is where the API lies.
const Prefix = "/api/autonomous-agents"

// requestTimeout bounds what one request may ask of the database.
const requestTimeout = 10 * time.Second

func (o *Orchestrator) routes() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = o.answerError
	e.Use(o.recoverPanic, wellFormed, bounded, o.authenticate)

	// Who calls: supervisors and load balancers, without a token.
	e.GET("/healthz", o.healthz)
	e.GET("/readyz", o.readyz)

	api := e.Group(Prefix)
	// Who calls: people, the CLI, the firm's own systems.
	api.POST("/:agent/run", o.postRun, needs(Run))
	api.GET("/status", o.getStatus, needs(Read))
	// Who calls: pollers.
	api.GET("/executions", o.listExecutions, needs(Read))
	api.GET("/executions/:id", o.getExecution, needs(Read))
	api.POST("/executions/:id/cancel", o.cancelExecution, needs(Run), o.logged)
	api.POST("/executions/:id/retry", o.postRetry, needs(Run))
	api.GET(eventsPath, o.streamEvents, needs(Read))
	api.GET("/executions/:id/attempts", o.listAttempts, needs(Read))
	api.GET("/executions/:id/transitions", o.listTransitions, needs(Read))
	api.GET("/executions/:id/steps", o.listSteps, needs(Read))
	api.GET("/executions/:id/effects", o.listEffects, needs(Read))
	// Who calls: operators.
	api.POST("/:agent/pause", o.pauseAgent, needs(Admin), o.logged)
	api.POST("/:agent/resume", o.resumeAgent, needs(Admin), o.logged)
	api.GET("/audit", o.getAudit, needs(Read))
	api.GET("/workers", o.listWorkers, needs(Read))
	api.GET("/workers/:id/drain-plan", o.drainPlan, needs(Read))
	api.POST("/workers/:id/drain", o.drainWorker, needs(Admin), o.logged)
	return e
}

// wellFormed refuses a query of which a part would be dropped in silence.
func wellFormed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if _, err := url.ParseQuery(c.Request().URL.RawQuery); err != nil {
			return invalid(agents.FieldError{Detail: "the query is malformed: " + err.Error()})
		}
		return next(c)
	}
}

// eventsPath is of streams, which last as long as their executions.
const eventsPath = "/executions/:id/events"

// bounded gives each request its time limit, beside what it wants to wait.
func bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() == Prefix+eventsPath {
			return next(c) // bounded in its parts
		}
		whole := c.Request()
		limit := requestTimeout
		if whole.URL.RawQuery != "" {
			if wait, ok := waitOf(c.QueryParams()); ok {
				limit += wait
			}
		}
		ctx, cancel := context.WithTimeout(whole.Context(), limit)
		defer cancel()
		c.SetRequest(whole.WithContext(ctx))
		defer c.SetRequest(whole) // the error's answer has time of its own
		return next(c)
	}
}

// recoverPanic turns a panic of a handler into a logged 500.
func (o *Orchestrator) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("panic in %s %s: %v", c.Request().Method, c.Path(), v)
			}
		}()
		return next(c)
	}
}
