package orchestrator

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/webhook"
)

// webhookRequest is who wants to be told of what.
type webhookRequest struct {
	URL         string             `json:"url" jsonschema:"Where to post to: http or https, at most 2000 bytes."`
	Description string             `json:"description,omitempty" jsonschema:"At most 200 characters."`
	Agents      []string           `json:"agents,omitempty" jsonschema:"Whose executions; all where none is given."`
	Statuses    []execution.Status `json:"statuses,omitempty" jsonschema:"The moves to which of them; completed, failed and cancelled where none is given."`
}

// createdWebhook is a new webhook with its secret.
type createdWebhook struct {
	Webhook postgres.Webhook `json:"webhook"`
	Secret  string           `json:"secret" jsonschema:"Signs what is sent; it is shown this once. Receivers' libraries take it as it is."`
}

type webhooks struct {
	Webhooks []postgres.Webhook `json:"webhooks"`
}

// endedWebhook says that a webhook was ended.
type endedWebhook struct {
	WebhookID string `json:"webhook_id"`
	Message   string `json:"message"`
}

type deliveries struct {
	Deliveries []postgres.WebhookDelivery `json:"deliveries"`
	NextCursor *string                    `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

// redelivery says that a delivery is due now.
type redelivery struct {
	DeliveryID int64  `json:"delivery_id"`
	Message    string `json:"message"`
}

// webhookEvent is what a webhook is sent: the envelope of Standard Webhooks.
type webhookEvent struct {
	Type      string    `json:"type" jsonschema:"execution. and the status that it moved to, such as execution.completed."`
	Timestamp time.Time `json:"timestamp" jsonschema:"Of the move."`
	Data      moved     `json:"data"`
}

// moved says which execution moved, and how.
type moved struct {
	ExecutionID string               `json:"execution_id"`
	Agent       string               `json:"agent_name"`
	DryRun      bool                 `json:"dry_run"`
	URL         string               `json:"url" jsonschema:"The path at which the execution is polled for its result."`
	Transition  execution.Transition `json:"transition"`
}

// What the database bounds too.
const (
	maxURL         = 2000
	maxDescription = 200
)

func (o *Orchestrator) createWebhook(c echo.Context) (createdWebhook, error) {
	if err := noQuery(c); err != nil {
		return createdWebhook{}, err
	}
	var request webhookRequest
	if err := readJSON(c, &request); err != nil {
		return createdWebhook{}, err
	}
	var wrong []agents.FieldError
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	if err := webhook.CheckURL(request.URL); err != nil {
		refuse("url", "%s", err)
	} else if len(request.URL) > maxURL {
		refuse("url", "has more than %d bytes", maxURL)
	}
	if n := len([]rune(request.Description)); n > maxDescription {
		refuse("description", "has %d characters, more than %d", n, maxDescription)
	}
	for _, name := range request.Agents {
		if o.cfg.Catalogue.Find(name) == nil {
			refuse("agents", "%q is not an agent", name)
		}
	}
	for _, s := range request.Statuses {
		if _, err := execution.ParseStatus(string(s)); err != nil {
			refuse("statuses", "%s", err)
		}
	}
	if len(wrong) > 0 {
		return createdWebhook{}, invalid(wrong...)
	}
	if len(request.Statuses) == 0 {
		request.Statuses = slices.DeleteFunc(slices.Clone(execution.Statuses), func(s execution.Status) bool { return !s.Final() })
	}
	if request.Agents == nil {
		request.Agents = []string{}
	}
	secret := webhook.NewSecret()
	w, err := o.store.CreateWebhook(c.Request().Context(), postgres.Webhook{
		URL: request.URL, Description: request.Description, Agents: request.Agents, Statuses: request.Statuses, CreatedBy: granted(c).name,
	}, secret)
	if err != nil {
		return createdWebhook{}, err
	}
	c.Response().Header().Set("Location", Prefix+"/webhooks/"+w.ID+"/deliveries")
	return createdWebhook{w, webhook.SecretText(secret)}, nil
}

func (o *Orchestrator) listWebhooks(c echo.Context) (webhooks, error) {
	if err := noQuery(c); err != nil {
		return webhooks{}, err
	}
	list, err := o.store.Webhooks(c.Request().Context())
	return webhooks{list}, err
}

func (o *Orchestrator) endWebhook(c echo.Context) (endedWebhook, error) {
	if err := noQuery(c); err != nil {
		return endedWebhook{}, err
	}
	id, err := webhookID(c)
	if err != nil {
		return endedWebhook{}, err
	}
	if err := o.store.EndWebhook(c.Request().Context(), id, "deleted"); err != nil {
		return endedWebhook{}, err
	}
	return endedWebhook{id, "nothing more is sent to it"}, nil
}

func (o *Orchestrator) listDeliveries(c echo.Context) (deliveries, error) {
	id, err := webhookID(c)
	if err != nil {
		return deliveries{}, err
	}
	limit, cursor, err := readPage(c.QueryParams())
	if err != nil {
		return deliveries{}, err
	}
	var before int64
	if cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			return deliveries{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
	}
	list, err := o.store.Deliveries(c.Request().Context(), id, before, limit+1)
	if err != nil {
		return deliveries{}, err
	}
	page := deliveries{Deliveries: list}
	if len(list) > limit {
		page.Deliveries = list[:limit]
		cursor := strconv.FormatInt(list[limit-1].ID, 10)
		page.NextCursor = &cursor
	}
	return page, nil
}

func (o *Orchestrator) redeliver(c echo.Context) (redelivery, error) {
	if err := noQuery(c); err != nil {
		return redelivery{}, err
	}
	id, err := webhookID(c)
	if err != nil {
		return redelivery{}, err
	}
	delivery, err := strconv.ParseInt(c.Param("delivery"), 10, 64)
	if err != nil {
		return redelivery{}, errUnknownDelivery
	}
	if err := o.store.Redeliver(c.Request().Context(), id, delivery); err != nil {
		return redelivery{}, err
	}
	return redelivery{delivery, "it is sent within a second or two"}, nil
}

func webhookID(c echo.Context) (string, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return "", errUnknownWebhook
	}
	return id.String(), nil
}
