package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/plan"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// cycleRequest is which agents to run now.
type cycleRequest struct {
	Agents          []string        `json:"agents,omitempty" jsonschema:"None is every agent."`
	Planned         bool            `json:"planned,omitempty" jsonschema:"Run only what is behind."`
	Parameters      json.RawMessage `json:"parameters,omitempty" jsonschema:"Of the run; for one agent alone."`
	MaxParallel     int             `json:"max_parallel,omitempty" jsonschema:"3 where none is given."`
	DeadlineSeconds int64           `json:"deadline_seconds,omitempty" jsonschema:"A day where none is given."`
}

// shownCycle is a cycle with its decisions and what its planner saw.
type shownCycle struct {
	postgres.Cycle
	Agents   []postgres.CycleAgent `json:"agents" jsonschema:"In the order in which they begin."`
	Snapshot json.RawMessage       `json:"snapshot" jsonschema:"What the planner saw."`
}

type cycles struct {
	Cycles     []postgres.Cycle `json:"cycles"`
	NextCursor *string          `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

var cycleStatuses = []string{plan.Running, plan.Completed, plan.Partial, plan.Failed, plan.Skipped, plan.Cancelled}

func (o *Orchestrator) showCycle(ctx context.Context, id string) (shownCycle, error) {
	c, lines, snapshot, err := o.store.Cycle(ctx, id)
	return shownCycle{c, lines, snapshot}, err
}

func (o *Orchestrator) getCycle(c echo.Context) (shownCycle, error) {
	if err := noQuery(c); err != nil {
		return shownCycle{}, err
	}
	return o.showCycle(c.Request().Context(), c.Param("id"))
}

func (o *Orchestrator) listCycles(c echo.Context) (cycles, error) {
	query := c.QueryParams()
	limit, cursor, err := readPage(query, "schedule", "status")
	if err != nil {
		return cycles{}, err
	}
	f := postgres.CycleFilter{Schedule: query.Get("schedule"), Statuses: query["status"], Limit: limit + 1}
	for _, s := range f.Statuses {
		if !slices.Contains(cycleStatuses, s) {
			return cycles{}, invalid(agents.FieldError{Field: "status", Detail: fmt.Sprintf("%q is not one of %v", s, cycleStatuses)})
		}
	}
	if len(query["schedule"]) > 1 || !scheduleName.MatchString(f.Schedule) && query.Has("schedule") {
		return cycles{}, invalid(agents.FieldError{Field: "schedule", Detail: "is no name of a schedule"})
	}
	if cursor != "" {
		position, ok := decodeCursor(cursor)
		if !ok {
			return cycles{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
		f.Before = position
	}
	list, err := o.store.Cycles(c.Request().Context(), f)
	if err != nil {
		return cycles{}, err
	}
	page := cycles{Cycles: list}
	if len(list) > limit {
		page.Cycles = list[:limit]
		last := list[limit-1]
		page.NextCursor = new(encodeCursor(postgres.Position{StartedAt: last.OpenedAt, ID: last.ID}))
	}
	return page, nil
}

func (o *Orchestrator) postCycle(c echo.Context) (shownCycle, error) {
	if err := noQuery(c); err != nil {
		return shownCycle{}, err
	}
	request := cycleRequest{MaxParallel: 3, DeadlineSeconds: 86_400}
	if err := readJSON(c, &request); err != nil {
		return shownCycle{}, err
	}
	n := newSchedule("by-hand", o.cfg.Zone.String())
	n.Cron, n.Agents, n.Parameters, n.MaxParallel, n.DeadlineSeconds = new("@daily"), request.Agents, request.Parameters, request.MaxParallel, request.DeadlineSeconds
	if err := o.checkSchedule(n); err != nil { // the same rules
		return shownCycle{}, err
	}
	if len(request.Parameters) == 0 || string(request.Parameters) == "null" {
		request.Parameters = json.RawMessage(`{}`)
	}
	return o.openCycle(c, func(now time.Time) postgres.Cycle {
		return postgres.Cycle{MaxParallel: request.MaxParallel, DeadlineAt: now.Add(time.Duration(request.DeadlineSeconds) * time.Second), Parameters: request.Parameters}
	}, request.Agents, request.Planned)
}

func (o *Orchestrator) cancelCycle(c echo.Context) (shownCycle, error) {
	if err := noQuery(c); err != nil {
		return shownCycle{}, err
	}
	ctx := c.Request().Context()
	found, err := o.showCycle(ctx, c.Param("id"))
	switch {
	case err != nil:
		return shownCycle{}, err
	case found.EndedAt != nil && found.Status != plan.Cancelled:
		return shownCycle{}, errCycleEnded
	}
	err = o.store.Open(ctx, func(ctx context.Context, opening *postgres.Opening) error {
		return opening.RequestCancel(ctx, found.ID)
	})
	if err != nil {
		return shownCycle{}, err
	}
	o.scheduler.wake()
	return o.showCycle(ctx, found.ID)
}
