package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/graph"
	"github.com/nuzantara/ciclo/internal/postgres"
)

const problemMedia = "application/problem+json"

// problem is an RFC 9457 document and the error that handlers return. Type is
// stable; what follows "urn:ciclo:" names the problem.
type problem struct {
	Type        string              `json:"type" jsonschema:"Stable; what follows urn:ciclo: names the problem."`
	Title       string              `json:"title"`
	Status      int                 `json:"status"`
	Detail      string              `json:"detail,omitempty"`
	Fields      []agents.FieldError `json:"errors,omitempty" jsonschema:"All that is wrong with the request, field by field."`
	ExecutionID string              `json:"execution_id,omitempty" jsonschema:"The execution that is in the way."`
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func newProblem(status int, name, title, detail string) *problem {
	return &problem{Type: "urn:ciclo:" + name, Title: title, Status: status, Detail: detail}
}

var (
	errUnknownProposal     = newProblem(http.StatusNotFound, "proposal-unknown", "No such proposal of a prompt", "GET prompts lists them")
	errUnknownConversation = newProblem(http.StatusNotFound, "conversation-unknown", "No such conversation", "source.conversations has none of this id")
	errNoToken             = newProblem(http.StatusUnauthorized, "token-missing", "A bearer token is needed", "send the header Authorization: Bearer TOKEN")
	errWrongToken          = newProblem(http.StatusUnauthorized, "token-wrong", "The token is not known", "")
	errUnknownAgent        = newProblem(http.StatusNotFound, "agent-unknown", "No such agent", "GET status lists the agents")
	errUnknownWorker       = newProblem(http.StatusNotFound, "worker-unknown", "No such worker", "GET workers lists those that are alive")
	errUnknownWebhook      = newProblem(http.StatusNotFound, "webhook-unknown", "No such webhook", "GET webhooks lists them; one that has ended stays so")
	errUnknownDelivery     = newProblem(http.StatusNotFound, "delivery-unknown", "No such delivery can be sent again", "GET webhooks/{id}/deliveries lists them; what was delivered is not sent again")
	errTooMany             = newProblem(http.StatusTooManyRequests, "too-many-requests", "The token asks too often", "Retry-After says when it may ask again")
	errScheduleNotPaused   = newProblem(http.StatusConflict, "schedule-not-paused", "The schedule is not paused", "")
	errCycleEnded          = newProblem(http.StatusConflict, "cycle-ended", "The cycle has already ended", "")
	errAlive               = newProblem(http.StatusConflict, "execution-alive", "The execution has not ended", "cancel it first, or wait")
	errPruned              = newProblem(http.StatusConflict, "execution-pruned", "What the execution finished is no longer kept", "a retry without resume and from_step runs it afresh")
	errSlotsPruned         = newProblem(http.StatusConflict, "slots-pruned", "The slots are no longer kept", "which of them were run is not known any more")
	errNotPaused           = newProblem(http.StatusConflict, "agent-not-paused", "The agent is not paused", "")
	errNotJSON             = newProblem(http.StatusBadRequest, "not-json", "The body is not JSON", "")
	errBadBody             = newProblem(http.StatusBadRequest, "bad-body", "The body can't be read", "it broke off, or its chunks are malformed")
	errSlowBody            = newProblem(http.StatusRequestTimeout, "slow-body", "The body did not arrive in time", "")
	errTooLarge            = newProblem(http.StatusRequestEntityTooLarge, "too-large", "The body is too large", "at most 1 MiB is read")
	errUnavailable         = newProblem(http.StatusServiceUnavailable, "unavailable", "The database does not answer", "try again in a few seconds")
	errInternal            = newProblem(http.StatusInternalServerError, "internal", "Something broke here", "the orchestrator's log says what")
)

// invalid is the answer to what is JSON, or a query, but not allowed.
func invalid(fields ...agents.FieldError) *problem {
	p := newProblem(http.StatusUnprocessableEntity, "invalid", "The request is not allowed", "")
	p.Fields = fields
	return p
}

// problemOf is the one place where an error becomes an HTTP answer. What is not
// known here is opaque to the client and logged.
func problemOf(err error) *problem {
	var p *problem
	var parameters *agents.ParametersError
	var tooLarge *http.MaxBytesError
	var routing *echo.HTTPError
	var schema *postgres.SchemaError
	var rights *postgres.RightsError
	var inFlight *postgres.InFlightError
	var message *postgres.MessageStatusError
	var pathGaveUp *graph.GaveUpError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &parameters):
		return invalid(parameters.Fields...)
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.Is(err, execution.ErrNotFound):
		return newProblem(http.StatusNotFound, "execution-unknown", "No such execution", "")
	case errors.Is(err, postgres.ErrNoScores):
		return errNoScores
	case errors.Is(err, graph.ErrNoEntity):
		return errUnknownEntity
	case errors.Is(err, graph.ErrNoEdge):
		return errUnknownEdge
	case errors.As(err, &pathGaveUp):
		return gaveUp(pathGaveUp)
	case errors.Is(err, postgres.ErrNoSchedule):
		return newProblem(http.StatusNotFound, "schedule-unknown", "No such schedule", "GET schedules lists them")
	case errors.Is(err, postgres.ErrScheduleKnown):
		return newProblem(http.StatusConflict, "schedule-known", "A schedule of this name exists", "change it by PATCH, or take another name")
	case errors.Is(err, postgres.ErrNoCycle):
		return newProblem(http.StatusNotFound, "cycle-unknown", "No such cycle", "GET cycles lists them")
	case errors.Is(err, postgres.ErrNoWebhook):
		return errUnknownWebhook
	case errors.Is(err, postgres.ErrNoDelivery):
		return errUnknownDelivery
	case errors.Is(err, postgres.ErrNoMessage):
		return newProblem(http.StatusNotFound, "message-unknown", "No such message", "GET messages lists them")
	case errors.Is(err, postgres.ErrNoOptOut):
		return newProblem(http.StatusNotFound, "opt-out-unknown", "No such opt-out", "GET messages/opt-outs lists them; one that has ended stays so")
	case errors.As(err, &message):
		return newProblem(http.StatusConflict, "message-status", "The message is not where this can be done", message.Error())
	case errors.Is(err, postgres.ErrNoProposal):
		return errUnknownProposal
	case errors.Is(err, postgres.ErrNoConversation):
		return errUnknownConversation
	case errors.Is(err, postgres.ErrRatedElsewhere):
		return newProblem(http.StatusConflict, "conversation-elsewhere", "The conversation lies in the firm's own tables", "its rating is kept there too: source.conversations shows it")
	case errors.Is(err, execution.ErrFinal):
		return newProblem(http.StatusConflict, "execution-final", "The execution has already ended", "")
	case errors.Is(err, execution.ErrPruned):
		return errPruned
	case errors.Is(err, execution.ErrKeyReused):
		return newProblem(http.StatusUnprocessableEntity, "idempotency-key-reused", "The Idempotency-Key was used for another request", "take a new key for a new request")
	case errors.As(err, &inFlight):
		p := newProblem(http.StatusConflict, "in-flight", "The agent runs one execution at a time", inFlight.ID+" is in flight")
		p.ExecutionID = inFlight.ID
		return p
	case errors.As(err, &rights):
		return newProblem(http.StatusServiceUnavailable, "rights", "The database's role may not do what this service does", rights.Error())
	case errors.As(err, &schema):
		return newProblem(http.StatusServiceUnavailable, "schema", "The database's schema is not this service's", schema.Error())
	case unavailable(err), errors.Is(err, postgres.ErrContended):
		return errUnavailable
	case postgres.Refused(err):
		return newProblem(http.StatusUnprocessableEntity, "refused", "The database refuses a value of the request", "")
	case errors.As(err, &routing) && routing.Code < http.StatusInternalServerError:
		return newProblem(routing.Code, fmt.Sprintf("http-%d", routing.Code), http.StatusText(routing.Code), "")
	default:
		return errInternal
	}
}

// passing are SQLSTATEs of what may go well the next time: a statement that was
// cancelled, a lock, a serialization failure or a deadlock.
var passing = []string{"57014", "55P03", "40001", "40P01"}

// unavailable reports whether the database was away, didn't answer in time, lacked
// resources (SQLSTATE 53), or answered with one of the passing ones.
func unavailable(err error) bool {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (strings.HasPrefix(pgErr.Code, "53") || slices.Contains(passing, pgErr.Code)) {
		return true
	}
	return postgres.Away(err) || errors.Is(err, context.DeadlineExceeded)
}

// answerError is echo's error handler.
func (o *Orchestrator) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if errors.Is(c.Request().Context().Err(), context.Canceled) {
		// The client went away. One that only closed its half must not take an empty
		// 200 for an answer.
		err = errUnavailable
	}
	p := problemOf(err)
	switch p.Status {
	case http.StatusInternalServerError:
		o.cfg.Log.ErrorContext(c.Request().Context(), "request failed", "method", c.Request().Method, "path", c.Path(), "error", err)
	case http.StatusServiceUnavailable:
		o.cfg.Log.WarnContext(c.Request().Context(), "request refused for now", "method", c.Request().Method, "path", c.Path(), "error", err)
		c.Response().Header().Set("Retry-After", "2")
	case http.StatusUnauthorized:
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="ciclo"`)
		if browsed(c.Path()) {
			c.Response().Header().Set("WWW-Authenticate", `Basic realm="Ciclo: any user, and an API token as the password", charset="UTF-8"`)
		}
	}
	body, marshalErr := json.Marshal(p)
	if marshalErr != nil {
		o.cfg.Log.ErrorContext(c.Request().Context(), "encode problem", "error", marshalErr)
		return
	}
	if err := c.Blob(p.Status, problemMedia, body); err != nil {
		o.cfg.Log.DebugContext(c.Request().Context(), "the answer did not reach the client", "error", err)
	}
}
