package orchestrator

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// status is how the whole system stands.
type status struct {
	Version          string            `json:"version"`
	Scheduling       bool              `json:"scheduling" jsonschema:"Whether this orchestrator opens cycles (ENABLE_ORCHESTRATOR)."`
	Agents           []agentStatus     `json:"agents"`
	Paused           []postgres.Pause  `json:"paused"`
	Workers          []postgres.Worker `json:"workers"`
	RecentExecutions []shownBriefly    `json:"recent_executions"`

	UnservedAgents []postgres.UnservedAgent `json:"unserved_agents" jsonschema:"Agents that this version doesn't have, with executions that are alive: none of its workers runs them."`
}

// agentStatus is how one agent stands.
type agentStatus struct {
	ID                     string            `json:"id"`
	Name                   string            `json:"name"`
	Description            string            `json:"description"`
	Schedule               string            `json:"schedule" jsonschema:"When it runs by default: a cron expression in the firm's zone."`
	Parameters             json.RawMessage   `json:"parameters" jsonschema:"JSON Schema (2020-12) of a run's parameters."`
	RunsByItself           bool              `json:"runs_by_itself" jsonschema:"Whether it can run without being given parameters; others are in no cycle of all agents."`
	Started                int               `json:"started"`
	Running                int               `json:"running"`
	QueueAgeSeconds        *float64          `json:"queue_age_seconds" jsonschema:"The age of the oldest that waits."`
	NextRunAt              *time.Time        `json:"next_run_at" jsonschema:"Its next slot in a schedule that names it; null where there is none."`
	LastExecutionID        *string           `json:"last_execution_id"`
	LastRunAt              *time.Time        `json:"last_run_at"`
	LastStatus             *execution.Status `json:"last_status"`
	SuccessRate            *float64          `json:"success_rate" jsonschema:"Of its last hundred final executions."`
	TypicalDurationSeconds *float64          `json:"typical_duration_seconds" jsonschema:"The median of its last hundred final executions."`
}

// nextRun is the first slot to come of the schedules that name an agent.
func nextRun(all []postgres.Schedule, agent string) *time.Time {
	var first *time.Time
	for _, n := range all {
		if slices.Contains(n.Agents, agent) && n.PausedAt == nil && n.NextDueAt != nil && (first == nil || n.NextDueAt.Before(*first)) {
			first = n.NextDueAt
		}
	}
	return first
}

const recentExecutions = 10

func (o *Orchestrator) getStatus(c echo.Context) (status, error) {
	if err := noQuery(c); err != nil {
		return status{}, err
	}
	ctx := c.Request().Context()
	s := status{Version: o.cfg.Version, Scheduling: !o.cfg.NoScheduling, Agents: []agentStatus{}, RecentExecutions: []shownBriefly{}}
	all, err := o.store.Schedules(ctx)
	if err != nil {
		return s, err
	}
	for _, manifest := range o.cfg.Catalogue {
		activity, err := o.store.Activity(ctx, manifest.Name)
		if err != nil {
			return s, err
		}
		a := agentStatus{
			ID: manifest.Name, Name: manifest.Title, Description: manifest.Description, Schedule: manifest.Schedule, Parameters: manifest.Parameters, RunsByItself: manifest.RunsByItself(),
			Started: activity.Started, Running: activity.Running, QueueAgeSeconds: activity.OldestQueuedSeconds,
			SuccessRate: activity.SuccessRate, TypicalDurationSeconds: activity.TypicalSeconds,
		}
		a.NextRunAt = nextRun(all, manifest.Name)
		if last := activity.Last; last != nil {
			a.LastExecutionID, a.LastRunAt, a.LastStatus = &last.ID, &last.StartedAt, &last.Status
		}
		s.Agents = append(s.Agents, a)
	}
	if s.Paused, err = o.store.Pauses(ctx); err != nil {
		return s, err
	}
	if s.Workers, err = o.store.Workers(ctx); err != nil {
		return s, err
	}
	if s.UnservedAgents, err = o.store.UnservedAgents(ctx, o.names()); err != nil {
		return s, err
	}
	recent, err := o.store.List(ctx, postgres.Filter{Limit: recentExecutions})
	if err != nil {
		return s, err
	}
	for _, e := range recent {
		s.RecentExecutions = append(s.RecentExecutions, brief(e))
	}
	return s, nil
}

// names are the catalogue's agents.
func (o *Orchestrator) names() []string {
	names := make([]string, len(o.cfg.Catalogue))
	for i, m := range o.cfg.Catalogue {
		names[i] = m.Name
	}
	return names
}

// health is the answer of a probe.
type health struct {
	Status string `json:"status"`
}

// healthz says that the process answers.
func (o *Orchestrator) healthz(echo.Context) (health, error) { return health{"ok"}, nil }

// readyz says that the database answers, has this service's schema, and lets it accept
// executions.
func (o *Orchestrator) readyz(c echo.Context) (health, error) {
	err := postgres.CheckSchema(c.Request().Context(), o.cfg.Pool)
	if err == nil {
		err = postgres.CheckAccepts(c.Request().Context(), o.cfg.Pool)
	}
	return health{"ready"}, err
}
