package orchestrator

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// shown is an execution with what happened to it.
type shown struct {
	execution.Execution
	Message       string                 `json:"message" jsonschema:"Where it stands, for people."`
	QueuePosition *int                   `json:"queue_position" jsonschema:"Its place among its agent's waiting ones, from 1, while it waits in the queue; at most 1000 is counted."`
	ETAAt         *time.Time             `json:"eta_at" jsonschema:"When it probably ends, by what its agent's runs usually take; null where nothing is known."`
	Attempts      []execution.Attempt    `json:"attempts"`
	Transitions   []execution.Transition `json:"transitions"`
}

// find looks up the execution that the path names.
func (o *Orchestrator) find(c echo.Context) (*postgres.Found, error) {
	return o.findID(c.Request().Context(), c.Param("id"))
}

func (o *Orchestrator) findID(ctx context.Context, id string) (*postgres.Found, error) {
	if !execution.ValidID(id) {
		return nil, execution.ErrNotFound
	}
	reads := o.reads
	if postgres.IsOnReplica(ctx) {
		reads = o.replicaReads
	}
	found, err := reads.Do(ctx, id)
	if err == nil && found == nil {
		err = execution.ErrNotFound
	}
	return found, err
}

// listTransitions, listAttempts, listSteps, listEffects and listCalls show what
// happened to an execution, when, by which worker, what it did to the outside world,
// and what it asked of language models.
func (o *Orchestrator) listTransitions(c echo.Context) (transitions, error) {
	return part(o, c, func(_ context.Context, found *postgres.Found) (transitions, error) {
		return transitions{found.Transitions}, nil
	})
}

func (o *Orchestrator) listAttempts(c echo.Context) (attempts, error) {
	return part(o, c, func(_ context.Context, found *postgres.Found) (attempts, error) {
		return attempts{execution.Attempts(found.Transitions)}, nil
	})
}

func (o *Orchestrator) listSteps(c echo.Context) (steps, error) {
	return part(o, c, func(ctx context.Context, found *postgres.Found) (steps, error) {
		list, err := o.store.Steps(ctx, found.Execution.ID)
		return steps{list}, err
	})
}

func (o *Orchestrator) listEffects(c echo.Context) (effects, error) {
	return part(o, c, func(ctx context.Context, found *postgres.Found) (effects, error) {
		list, err := o.store.Effects(ctx, found.Execution.ID)
		return effects{list}, err
	})
}

func (o *Orchestrator) listCalls(c echo.Context) (calls, error) {
	return part(o, c, func(ctx context.Context, found *postgres.Found) (calls, error) {
		list, err := o.store.LLMCalls(ctx, found.Execution.ID)
		return calls{list}, err
	})
}

type transitions struct {
	Transitions []execution.Transition `json:"transitions"`
}

type attempts struct {
	Attempts []execution.Attempt `json:"attempts"`
}

type steps struct {
	Steps []postgres.Step `json:"steps"`
}

type calls struct {
	Calls []postgres.LLMCall `json:"calls"`
}

type effects struct {
	Effects []postgres.Effect `json:"effects"`
}

// part is a part of the execution that the path names.
func part[T any](o *Orchestrator, c echo.Context, of func(context.Context, *postgres.Found) (T, error)) (T, error) {
	var none T
	if err := noQuery(c); err != nil {
		return none, err
	}
	found, err := o.find(c)
	if err != nil {
		return none, err
	}
	return of(c.Request().Context(), found)
}

func (o *Orchestrator) cancelExecution(c echo.Context) (shownBriefly, error) {
	if err := noQuery(c); err != nil {
		return shownBriefly{}, err
	}
	e, err := o.store.Cancel(c.Request().Context(), c.Param("id"))
	if err != nil {
		return shownBriefly{}, err
	}
	if e.Moved {
		o.meters.ended(e.Execution)
	}
	return brief(e.Execution), nil
}

// shownBriefly is an execution without its history and result, for lists.
type shownBriefly struct {
	execution.Execution
	Message string    `json:"message"`
	Result  *struct{} `json:"result,omitempty"` // hides the execution's own
}

func brief(e execution.Execution) shownBriefly {
	return shownBriefly{Execution: e, Message: message(e)}
}

// message says where an execution stands, for people.
func message(e execution.Execution) string {
	switch e.Status {
	case execution.Started:
		switch {
		case e.NextAttemptAt != nil:
			return fmt.Sprintf("attempt %d follows at %s", e.Attempt+1, e.NextAttemptAt.Format(time.RFC3339))
		case e.Attempt > 0:
			return fmt.Sprintf("waits for a worker to begin attempt %d", e.Attempt+1)
		}
		return "accepted; waits for a worker"
	case execution.Running:
		if e.CancelRequestedAt != nil {
			return "is being cancelled"
		}
		return fmt.Sprintf("attempt %d is running", e.Attempt)
	case execution.Failed:
		return "failed: " + strings.SplitN(e.Error.Text, "\n", 2)[0]
	default:
		return string(e.Status)
	}
}

// page is one page of a list; NextCursor is null on the last one.
type page struct {
	Executions []shownBriefly `json:"executions"`
	NextCursor *string        `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

func (o *Orchestrator) listExecutions(c echo.Context) (page, error) {
	gone, err := o.goneAgent(c.Request().Context(), c.QueryParam("agent"))
	if err != nil {
		return page{}, err
	}
	filter, err := o.readFilter(c.QueryParams(), gone)
	if err != nil {
		return page{}, err
	}
	limit := filter.Limit
	filter.Limit++ // one more says whether there is a next page
	list, err := o.store.List(c.Request().Context(), filter)
	if err != nil {
		return page{}, err
	}
	p := page{Executions: []shownBriefly{}}
	if len(list) > limit {
		list = list[:limit]
		last := list[limit-1]
		cursor := encodeCursor(postgres.Position{StartedAt: last.StartedAt, ID: last.ID})
		p.NextCursor = &cursor
	}
	for _, e := range list {
		p.Executions = append(p.Executions, brief(e))
	}
	return p, nil
}

var agentName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// goneAgent is the name again where it is of an agent that this version doesn't have
// and that has executions, which can be listed as ever; else it is empty.
func (o *Orchestrator) goneAgent(ctx context.Context, name string) (string, error) {
	if o.cfg.Catalogue.Find(name) != nil || len(name) > 64 || !agentName.MatchString(name) {
		return "", nil
	}
	has, err := o.store.HasRun(ctx, name)
	if !has {
		name = ""
	}
	return name, err
}

// readFilter reads a list's query and collects all that is wrong with it. gone is an
// agent's name that is good though the catalogue hasn't it.
func (o *Orchestrator) readFilter(query url.Values, gone string) (postgres.Filter, error) {
	f := postgres.Filter{Limit: defaultLimit}
	var wrong []agents.FieldError
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	instant := func(field string) time.Time {
		text := query.Get(field)
		if text == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			refuse(field, "%q is not an RFC 3339 instant such as 2026-01-31T10:00:00Z", text)
		}
		return t
	}
	if f.Agent = query.Get("agent"); f.Agent != "" && f.Agent != gone && o.cfg.Catalogue.Find(f.Agent) == nil {
		refuse("agent", "%q is not an agent", f.Agent)
	}
	for _, text := range query["status"] {
		status, err := execution.ParseStatus(text)
		if err != nil {
			refuse("status", "%s", err)
		}
		f.Statuses = append(f.Statuses, status)
	}
	if f.Cycle = query.Get("cycle"); f.Cycle != "" && !execution.ValidID(f.Cycle) {
		refuse("cycle", "%q is no id of a cycle", f.Cycle)
	}
	if f.RetryOf = query.Get("retry_of"); f.RetryOf != "" && !execution.ValidID(f.RetryOf) {
		refuse("retry_of", "%q is no id of an execution", f.RetryOf)
	}
	f.Since, f.Until = instant("since"), instant("until")
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			refuse("limit", "%q is not in 1..%d", text, maxLimit)
		}
		f.Limit = n
	}
	if text := query.Get("cursor"); text != "" {
		position, ok := decodeCursor(text)
		if !ok {
			refuse("cursor", "is not one that a list gave")
		}
		f.Before = position
	}
	if err := onlyQuery(query, "agent", "status", "since", "until", "cycle", "retry_of", "limit", "cursor"); err != nil {
		wrong = append(wrong, err.(*problem).Fields...) //nolint:errorlint // onlyQuery returns nothing else
	}
	for name, values := range query {
		switch {
		case len(values) > 1 && name != "status":
			refuse(name, "is given more than once")
		case values[0] == "" && name != "status": // a status that is empty is none
			refuse(name, "is empty")
		}
	}
	if len(wrong) > 0 {
		return f, invalid(wrong...)
	}
	return f, nil
}

// noQuery refuses any query.
func noQuery(c echo.Context) error {
	if c.Request().URL.RawQuery == "" {
		return nil
	}
	return onlyQuery(c.QueryParams())
}

// onlyQuery refuses query parameters other than the known ones.
func onlyQuery(query url.Values, known ...string) error {
	var wrong []agents.FieldError
	for name := range query {
		if !slices.Contains(known, name) {
			wrong = append(wrong, agents.FieldError{Field: name, Detail: "is not a parameter of this call"})
		}
	}
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// A cursor is the position of the last execution shown.
func encodeCursor(p postgres.Position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(p.StartedAt.UnixMicro(), 36) + "." + p.ID))
}

func decodeCursor(text string) (postgres.Position, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return postgres.Position{}, false
	}
	micros, id, _ := strings.Cut(string(raw), ".")
	n, err := strconv.ParseInt(micros, 36, 64)
	at := time.UnixMicro(n).UTC()
	if err != nil || !execution.ValidID(id) || at.Year() < 1 || at.Year() > 9999 {
		return postgres.Position{}, false
	}
	return postgres.Position{StartedAt: at, ID: id}, true
}
