package orchestrator

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// agentOrAll is the agent that the path names; "all" is all of them.
func (o *Orchestrator) agentOrAll(c echo.Context) (string, error) {
	name := c.Param("agent")
	if name == "all" {
		return postgres.AllAgents, nil
	}
	if o.cfg.Catalogue.Find(name) == nil {
		return "", errUnknownAgent
	}
	return name, nil
}

// maxReason bounds the reason of a pause, in bytes.
const maxReason = 1000

// pauseRequest is the body of a pause; it may be left out.
type pauseRequest struct {
	Reason string `json:"reason,omitempty" jsonschema:"Shown to everyone who asks for the status; at most 1000 bytes."`
}

// pauseAgent pauses an agent for everyone.
func (o *Orchestrator) pauseAgent(c echo.Context) (paused, error) {
	agent, err := o.agentOrAll(c)
	if err != nil {
		return paused{}, err
	}
	if err := noQuery(c); err != nil {
		return paused{}, err
	}
	request := pauseRequest{Reason: "paused over the API"}
	if err := readJSON(c, &request); err != nil {
		return paused{}, err
	}
	if len(request.Reason) > maxReason {
		return paused{}, invalid(agents.FieldError{Field: "reason", Detail: fmt.Sprintf("has more than %d bytes", maxReason)})
	}
	if err := o.store.PauseAgent(c.Request().Context(), agent, request.Reason); err != nil {
		return paused{}, err
	}
	o.cfg.Log.Warn("agent paused", "agent", agent, "reason", request.Reason)
	return o.listPauses(c)
}

func (o *Orchestrator) resumeAgent(c echo.Context) (paused, error) {
	agent, err := o.agentOrAll(c)
	if err != nil {
		return paused{}, err
	}
	if err := noQuery(c); err != nil {
		return paused{}, err
	}
	resumed, err := o.store.ResumeAgent(c.Request().Context(), agent)
	if err != nil {
		return paused{}, err
	}
	if !resumed {
		return paused{}, errNotPaused
	}
	o.cfg.Log.Warn("agent resumed", "agent", agent)
	return o.listPauses(c)
}

// paused is what is paused.
type paused struct {
	Paused []postgres.Pause `json:"paused"`
}

func (o *Orchestrator) listPauses(c echo.Context) (paused, error) {
	pauses, err := o.store.Pauses(c.Request().Context())
	return paused{pauses}, err
}

// auditWindow is how far back the audit looks at histories that have ended.
const auditWindow = 24 * time.Hour

// auditReport is what the audit found; Violations is 0 on a healthy system.
type auditReport struct {
	Violations int                `json:"violations"`
	Findings   []postgres.Finding `json:"findings"`
}

func (o *Orchestrator) getAudit(c echo.Context) (auditReport, error) {
	if err := noQuery(c); err != nil {
		return auditReport{}, err
	}
	findings, err := o.store.Audit(c.Request().Context(), o.cfg.Lease, auditWindow)
	report := auditReport{Findings: findings}
	for _, f := range findings {
		report.Violations += f.Count
	}
	return report, err
}

// workers are the worker processes whose sessions have not ended.
type workers struct {
	Workers []postgres.Worker `json:"workers"`
}

func (o *Orchestrator) listWorkers(c echo.Context) (workers, error) {
	if err := noQuery(c); err != nil {
		return workers{}, err
	}
	list, err := o.store.Workers(c.Request().Context())
	return workers{list}, err
}

// drainPlan says what stopping a worker now would lose.
type drainPlan struct {
	WorkerID   string               `json:"worker_id"`
	Executions []postgres.DrainLine `json:"executions"`
}

func (o *Orchestrator) getDrainPlan(c echo.Context) (drainPlan, error) {
	id, err := workerID(c)
	if err != nil {
		return drainPlan{}, err
	}
	known, err := o.store.WorkerKnown(c.Request().Context(), id)
	if err != nil {
		return drainPlan{}, err
	}
	if !known {
		return drainPlan{}, errUnknownWorker
	}
	lines, err := o.store.DrainPlan(c.Request().Context(), id)
	return drainPlan{id, lines}, err
}

// draining says that a worker was asked to stop.
type draining struct {
	WorkerID string `json:"worker_id"`
	Message  string `json:"message"`
}

// drainWorker asks a worker to stop; it learns so by its next beat.
func (o *Orchestrator) drainWorker(c echo.Context) (draining, error) {
	id, err := workerID(c)
	if err != nil {
		return draining{}, err
	}
	asked, err := o.store.Drain(c.Request().Context(), id)
	if err != nil {
		return draining{}, err
	}
	if !asked {
		return draining{}, errUnknownWorker
	}
	o.cfg.Log.Warn("worker asked to stop", "worker_id", id)
	return draining{id, "it stops at its next beat: what it runs is finished or handed on"}, nil
}

func workerID(c echo.Context) (string, error) {
	if err := noQuery(c); err != nil {
		return "", err
	}
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return "", errUnknownWorker
	}
	return id.String(), nil
}
