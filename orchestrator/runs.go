package orchestrator

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// accepted is the answer to an accepted run.
type accepted struct {
	ExecutionID string           `json:"execution_id"`
	Agent       string           `json:"agent_name"`
	Status      execution.Status `json:"status"`
	Message     string           `json:"message"`
	StartedAt   time.Time        `json:"started_at"`
	Parameters  json.RawMessage  `json:"parameters"`
}

// postRun accepts an execution durably and answers at once.
func (o *Orchestrator) postRun(c echo.Context) error {
	manifest := o.cfg.Catalogue.Find(c.Param("agent"))
	if manifest == nil {
		return errUnknownAgent
	}
	parameters, err := readParameters(c, manifest)
	if err != nil {
		return err
	}
	e, err := o.store.Accept(c.Request().Context(), postgres.Acceptance{
		Agent:           manifest.Name,
		IDPrefix:        manifest.IDPrefix,
		Parameters:      parameters,
		Tries:           manifest.Tries,
		TimeoutSeconds:  manifest.TimeoutSeconds,
		Priority:        manifest.Priority,
		DeadlineSeconds: manifest.DeadlineSeconds,
		StallSeconds:    manifest.StallSeconds,
		Reason:          "accepted over the API",
	})
	if err != nil {
		return err
	}
	url := Prefix + "/executions/" + e.ID
	c.Response().Header().Set("Location", url)
	return c.JSON(http.StatusAccepted, accepted{
		ExecutionID: e.ID,
		Agent:       e.Agent,
		Status:      e.Status,
		Message:     manifest.Title + " was accepted; poll GET " + url,
		StartedAt:   e.StartedAt,
		Parameters:  e.Parameters,
	})
}

// readParameters takes a run's parameters from the body or the query, not both.
func readParameters(c echo.Context, manifest *agents.Manifest) (json.RawMessage, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	if err != nil {
		return nil, err
	}
	query := c.Request().URL.Query()
	switch {
	case len(body) > 0 && !json.Valid(body):
		return nil, errNotJSON
	case len(body) > 0 && len(query) > 0:
		return nil, invalid(agents.FieldError{Detail: "send parameters in the body or in the query, not in both"})
	case len(query) > 0:
		if body, err = manifest.QueryParameters(query); err != nil {
			return nil, err
		}
	}
	return manifest.CheckParameters(body)
}
