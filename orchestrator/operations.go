package orchestrator

import (
	"encoding/json"
	"net/http"
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

// pauseAgent pauses an agent for everyone; the body may give a reason.
func (o *Orchestrator) pauseAgent(c echo.Context) error {
	agent, err := o.agentOrAll(c)
	if err != nil {
		return err
	}
	if err := noQuery(c); err != nil {
		return err
	}
	body, err := readBody(c)
	if err != nil {
		return err
	}
	request := struct {
		Reason string `json:"reason"`
	}{Reason: "paused over the API"}
	if len(body) > 0 {
		if !json.Valid(body) {
			return errNotJSON
		}
		if err := json.Unmarshal(body, &request); err != nil || len(request.Reason) > 1000 {
			return invalid(agents.FieldError{Field: "reason", Detail: "must be a text of at most 1000 bytes"})
		}
	}
	if err := o.store.PauseAgent(c.Request().Context(), agent, request.Reason); err != nil {
		return err
	}
	o.cfg.Log.Warn("agent paused", "agent", agent, "reason", request.Reason)
	return o.listPauses(c)
}

func (o *Orchestrator) resumeAgent(c echo.Context) error {
	agent, err := o.agentOrAll(c)
	if err != nil {
		return err
	}
	if err := noQuery(c); err != nil {
		return err
	}
	resumed, err := o.store.ResumeAgent(c.Request().Context(), agent)
	if err != nil {
		return err
	}
	if !resumed {
		return errNotPaused
	}
	o.cfg.Log.Warn("agent resumed", "agent", agent)
	return o.listPauses(c)
}

func (o *Orchestrator) listPauses(c echo.Context) error {
	pauses, err := o.store.Pauses(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"paused": pauses})
}

// auditWindow is how far back the audit looks at histories that have ended.
const auditWindow = 24 * time.Hour

// auditReport is what the audit found; Violations is 0 on a healthy system.
type auditReport struct {
	Violations int                `json:"violations"`
	Findings   []postgres.Finding `json:"findings"`
}

func (o *Orchestrator) getAudit(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	findings, err := o.store.Audit(c.Request().Context(), o.cfg.Lease, auditWindow)
	if err != nil {
		return err
	}
	report := auditReport{Findings: findings}
	for _, f := range findings {
		report.Violations += f.Count
	}
	return c.JSON(http.StatusOK, report)
}

func (o *Orchestrator) listWorkers(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	workers, err := o.store.Workers(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"workers": workers})
}

// drainPlan says what stopping a worker now would lose.
func (o *Orchestrator) drainPlan(c echo.Context) error {
	id, err := workerID(c)
	if err != nil {
		return err
	}
	known, err := o.store.WorkerKnown(c.Request().Context(), id)
	if err != nil {
		return err
	}
	if !known {
		return errUnknownWorker
	}
	plan, err := o.store.DrainPlan(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"worker_id": id, "executions": plan})
}

// drainWorker asks a worker to stop; it learns so by its next beat.
func (o *Orchestrator) drainWorker(c echo.Context) error {
	id, err := workerID(c)
	if err != nil {
		return err
	}
	asked, err := o.store.Drain(c.Request().Context(), id)
	if err != nil {
		return err
	}
	if !asked {
		return errUnknownWorker
	}
	o.cfg.Log.Warn("worker asked to stop", "worker_id", id)
	return c.JSON(http.StatusAccepted, map[string]string{"worker_id": id, "message": "it stops at its next beat: what it runs is finished or handed on"})
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
