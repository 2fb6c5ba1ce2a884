package orchestrator

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
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
	parameters, asked, err := readParameters(c, manifest)
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c.Request().Header)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	e, err := o.store.Accept(ctx, postgres.Acceptance{
		Agent:           manifest.Name,
		IDPrefix:        manifest.IDPrefix,
		Parameters:      parameters,
		Tries:           manifest.Tries,
		TimeoutSeconds:  manifest.TimeoutSeconds,
		Priority:        manifest.Priority,
		DeadlineSeconds: manifest.DeadlineSeconds,
		StallSeconds:    o.stalls.seconds(ctx, manifest, time.Now()),
		Reason:          "accepted over the API",
		Key:             key,
		RequestHash:     requestHash(key, manifest.Name, asked),
		SingleFlight:    manifest.SingleFlight,
		RequestedBy:     c.Get(tokenName).(string), //nolint:forcetypeassert // authenticate has set it
	})
	if err != nil {
		return err
	}
	url := Prefix + "/executions/" + e.ID
	c.Response().Header().Set("Location", url)
	if e.Replayed {
		c.Response().Header().Set("Idempotency-Replayed", "true")
	}
	return c.JSON(http.StatusAccepted, accepted{
		ExecutionID: e.ID,
		Agent:       e.Agent,
		Status:      e.Status,
		Message:     manifest.Title + " was accepted; poll GET " + url,
		StartedAt:   e.StartedAt,
		Parameters:  e.Parameters,
	})
}

// readParameters takes a run's parameters from the body or the query, not both:
// checked and with their defaults, and as they were asked for.
func readParameters(c echo.Context, manifest *agents.Manifest) (parameters, asked json.RawMessage, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	if err != nil {
		return nil, nil, err
	}
	query := c.Request().URL.Query()
	switch {
	case len(body) > 0 && !json.Valid(body):
		return nil, nil, errNotJSON
	case len(body) > 0 && len(query) > 0:
		return nil, nil, invalid(agents.FieldError{Detail: "send parameters in the body or in the query, not in both"})
	case len(query) > 0:
		if body, err = manifest.QueryParameters(query); err != nil {
			return nil, nil, err
		}
	}
	parameters, err = manifest.CheckParameters(body)
	return parameters, body, err
}

// maxKey bounds an Idempotency-Key, in bytes.
const maxKey = 255

// idempotencyKey reads the header of that name; empty where there is none.
func idempotencyKey(header http.Header) (string, error) {
	keys := header.Values("Idempotency-Key")
	if len(keys) == 0 {
		return "", nil
	}
	key := keys[0]
	visible := !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
	if len(keys) > 1 || key == "" || len(key) > maxKey || !visible {
		return "", invalid(agents.FieldError{Field: "Idempotency-Key", Detail: fmt.Sprintf("must be given once, with 1 to %d visible ASCII characters", maxKey)})
	}
	return key, nil
}

// requestHash is the SHA-256 of what a key stands for: the agent and the
// parameters as they were asked for, whatever their order and spacing. The
// defaults don't count, since a new version may have others. Nil without a key.
func requestHash(key, agent string, asked json.RawMessage) []byte {
	if key == "" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(asked))
	decoder.UseNumber()
	parameters := map[string]any{}
	if err := decoder.Decode(&parameters); err != nil && len(asked) > 0 {
		panic(err) //nolint:forbidigo // they were checked
	}
	text, err := json.Marshal([]any{agent, parameters})
	if err != nil {
		panic(err) //nolint:forbidigo // it was JSON
	}
	hash := sha256.Sum256(text)
	return hash[:]
}
