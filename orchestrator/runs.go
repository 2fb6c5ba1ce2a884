package orchestrator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
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
	Parameters  json.RawMessage  `json:"parameters" jsonschema:"As asked for, with the defaults."`
	DryRun      bool             `json:"dry_run" jsonschema:"Whether it only computes and shows: it writes and sends nothing."`
	RetryOf     *string          `json:"retry_of,omitempty"`
}

// postRun accepts an execution durably and answers at once.
func (o *Orchestrator) postRun(c echo.Context) (accepted, error) {
	manifest := o.cfg.Catalogue.Find(c.Param("agent"))
	if manifest == nil {
		return accepted{}, errUnknownAgent
	}
	parameters, asked, dryRun, err := readParameters(c, manifest)
	if err != nil {
		return accepted{}, err
	}
	// The defaults don't count for a key, since a new version may have others; nor
	// do the order and spacing of what was asked for.
	standsFor := func() (any, error) {
		plain, err := agents.ReadParameters(asked)
		of := []any{manifest.Name, plain}
		if dryRun {
			of = append(of, agents.DryRunParameter)
		}
		return of, err
	}
	return o.accept(c, manifest, postgres.Acceptance{Parameters: parameters, DryRun: dryRun, Reason: "accepted over the API"}, standsFor)
}

// retryRequest says what a retry reuses: the steps before one, all that is
// finished, or nothing. The body may be left out.
type retryRequest struct {
	FromStep string `json:"from_step,omitempty" jsonschema:"Takes over the finished steps before this one."`
	Resume   bool   `json:"resume,omitempty" jsonschema:"Takes over all that is finished."`
}

// postRetry accepts another try of an execution that has ended, with its
// parameters; that of a dry run is one too.
func (o *Orchestrator) postRetry(c echo.Context) (accepted, error) {
	if err := noQuery(c); err != nil {
		return accepted{}, err
	}
	var request retryRequest
	if err := readJSON(c, &request); err != nil {
		return accepted{}, err
	}
	if request.Resume && request.FromStep != "" {
		return accepted{}, invalid(agents.FieldError{Field: "resume", Detail: "takes over all that is finished, from_step what is before it: give one of them"})
	}
	found, err := o.find(c)
	if err != nil {
		return accepted{}, err
	}
	old := found.Execution
	manifest := o.cfg.Catalogue.Find(old.Agent)
	switch {
	case manifest == nil:
		return accepted{}, errUnknownAgent
	case !old.Status.Final():
		return accepted{}, errAlive
	case old.PrunedAt != nil && (request.Resume || request.FromStep != ""):
		return accepted{}, errPruned
	}
	if request.FromStep != "" {
		steps, err := o.store.Steps(c.Request().Context(), old.ID)
		if err != nil {
			return accepted{}, err
		}
		var names []string
		for _, s := range steps {
			names = append(names, s.Name)
		}
		if !slices.Contains(names, request.FromStep) {
			return accepted{}, invalid(agents.FieldError{Field: "from_step", Detail: fmt.Sprintf("%q is none of the finished steps %q", request.FromStep, names)})
		}
	}
	parameters, err := manifest.CheckParameters(old.Parameters) // the schema may be another one by now
	if err != nil {
		return accepted{}, err
	}
	return o.accept(c, manifest, postgres.Acceptance{
		Parameters: parameters,
		DryRun:     old.DryRun,
		Reason:     "accepted over the API, as a retry of " + old.ID,
		Retry:      postgres.Retry{Of: old.ID, Reuse: request.Resume || request.FromStep != "", FromStep: request.FromStep},
	}, func() (any, error) { return []any{"retry of " + old.ID, request}, nil })
}

// readJSON reads a body into a request with fields of the API's names; one that
// is left out changes nothing.
func readJSON(c echo.Context, request any) error {
	body, err := readBody(c)
	if err != nil {
		return err
	}
	return decodeJSON(body, request)
}

func decodeJSON(body []byte, request any) error {
	switch {
	case len(body) == 0:
		return nil
	case !json.Valid(body):
		return errNotJSON
	}
	if err := strictly(body, reflect.TypeOf(request).Elem()); err != nil {
		return err
	}
	err := json.Unmarshal(body, request)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return invalid(agents.FieldError{Field: kind.Field, Detail: fmt.Sprintf("is a %s, not a %s", kind.Value, kind.Type)})
	case err != nil:
		return invalid(agents.FieldError{Detail: strings.TrimPrefix(err.Error(), "json: ")})
	}
	return nil
}

// strictly refuses what encoding/json would let pass: a name that is not there, or
// in other letters, a member that is there twice, a null for what has none.
func strictly(body []byte, request reflect.Type) error {
	members := map[string]reflect.Type{}
	for i := range request.NumField() {
		name, _, _ := strings.Cut(request.Field(i).Tag.Get("json"), ",")
		members[name] = request.Field(i).Type
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return invalid(agents.FieldError{Detail: "must be an object"})
	}
	var wrong []agents.FieldError
	refuse := func(field, detail string) { wrong = append(wrong, agents.FieldError{Field: field, Detail: detail}) }
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err := errors.Join(err, decoder.Decode(&value)); err != nil {
			return errNotJSON
		}
		of, known := members[name]
		switch {
		case !known:
			refuse(name, fmt.Sprintf("unknown field %q", name))
		case seen[name]:
			refuse(name, "is given more than once")
		case string(value) == "null" && (of.Kind() != reflect.Pointer || of.Elem().Kind() == reflect.Slice) && of != reflect.TypeFor[json.RawMessage]():
			refuse(name, "must not be null")
		}
		seen[name] = true
	}
	if len(wrong) > 0 {
		return invalid(wrong...)
	}
	return nil
}

// accept completes an acceptance with what the manifest and the request say, and
// answers. A key stands for what was asked for.
func (o *Orchestrator) accept(c echo.Context, manifest *agents.Manifest, a postgres.Acceptance, asked func() (any, error)) (accepted, error) {
	restricted, err := manifest.Restricted(a.Parameters)
	if err != nil {
		return accepted{}, err
	}
	if restricted != "" && !allows(granted(c).scopes, Admin) {
		return accepted{}, newProblem(http.StatusForbidden, "scope-missing", "The token may not do this", "the parameter "+restricted+" needs the scope "+string(Admin))
	}
	if a.Key, err = idempotencyKey(c.Request().Header); err != nil {
		return accepted{}, err
	}
	if a.Key != "" {
		standsFor, err := asked()
		if err != nil {
			return accepted{}, err
		}
		if a.RequestHash, err = requestHash(standsFor); err != nil {
			return accepted{}, err
		}
	}
	ctx := c.Request().Context()
	of := o.acceptance(ctx, manifest)
	of.Parameters, of.Reason, of.Retry, of.Key, of.RequestHash = a.Parameters, a.Reason, a.Retry, a.Key, a.RequestHash
	of.RequestedBy, of.DryRun = granted(c).name, a.DryRun
	message := manifest.Title + " was accepted"
	if a.DryRun {
		message += " as a dry run"
		of.SingleFlight = false // what writes nothing is in no other's way
	}
	e, err := o.store.Accept(ctx, of)
	if err != nil {
		return accepted{}, err
	}
	url := Prefix + "/executions/" + e.ID
	c.Response().Header().Set("Location", url)
	if e.Replayed {
		c.Response().Header().Set("Idempotency-Replayed", "true")
	}
	return accepted{
		ExecutionID: e.ID,
		Agent:       e.Agent,
		Status:      e.Status,
		Message:     message + "; poll GET " + url,
		StartedAt:   e.StartedAt,
		Parameters:  e.Parameters,
		DryRun:      e.DryRun,
		RetryOf:     e.RetryOf,
	}, nil
}

// acceptance is what the manifest says of an execution.
func (o *Orchestrator) acceptance(ctx context.Context, m *agents.Manifest) postgres.Acceptance {
	return postgres.Acceptance{
		Agent: m.Name, IDPrefix: m.IDPrefix, Tries: m.Tries, TimeoutSeconds: m.TimeoutSeconds, Priority: m.Priority,
		DeadlineSeconds: m.DeadlineSeconds, SingleFlight: m.SingleFlight, StallSeconds: o.stalls.seconds(ctx, m, time.Now()),
	}
}

// readBody reads a request's body. What is wrong with it is the client's.
func readBody(c echo.Context) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	var tooLarge *http.MaxBytesError
	var network net.Error
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case errors.As(err, &network) && network.Timeout():
		return nil, errSlowBody
	default:
		return nil, errBadBody
	}
}

// readParameters takes a run's parameters from the body or the query, not both:
// checked and with their defaults, and as they were asked for. dry_run, which is not
// the agent's, may be in either.
func readParameters(c echo.Context, manifest *agents.Manifest) (parameters, asked json.RawMessage, dryRun bool, err error) {
	body, err := readBody(c)
	if err != nil {
		return nil, nil, false, err
	}
	query := c.Request().URL.Query()
	if len(body) > 0 && !json.Valid(body) {
		return nil, nil, false, errNotJSON
	}
	body, given, err := takeDryRun(body)
	if err != nil {
		return nil, nil, false, err
	}
	if values, has := query[agents.DryRunParameter]; has {
		given = append(given, values...)
		delete(query, agents.DryRunParameter)
	}
	switch {
	case len(given) > 1:
		return nil, nil, false, invalid(agents.FieldError{Field: agents.DryRunParameter, Detail: "is given more than once"})
	case len(given) == 1 && given[0] != "true" && given[0] != "false":
		return nil, nil, false, invalid(agents.FieldError{Field: agents.DryRunParameter, Detail: fmt.Sprintf("%.40q is not true or false", given[0])})
	case len(body) > 0 && len(query) > 0:
		return nil, nil, false, invalid(agents.FieldError{Detail: "send parameters in the body or in the query, not in both"})
	case len(query) > 0:
		if body, err = manifest.QueryParameters(query); err != nil {
			return nil, nil, false, err
		}
	}
	parameters, err = manifest.CheckParameters(body)
	return parameters, body, len(given) == 1 && given[0] == "true", err
}

// takeDryRun takes dry_run out of a body, each of its values as JSON. A body without
// it, or that is no object, is left as it is; one of it alone is none.
func takeDryRun(body []byte) (rest []byte, given []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return body, nil, nil //nolint:nilerr // whoever reads the parameters says what is wrong
	}
	var members [][]byte
	for decoder.More() {
		token, err := decoder.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err := errors.Join(err, decoder.Decode(&value)); err != nil {
			return nil, nil, errNotJSON
		}
		if name == agents.DryRunParameter {
			given = append(given, string(value))
			continue
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			return nil, nil, fmt.Errorf("encode the name of a parameter: %w", err)
		}
		members = append(members, slices.Concat(quoted, []byte(":"), value))
	}
	switch {
	case given == nil:
		return body, nil, nil
	case members == nil:
		return nil, given, nil
	}
	return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}")), given, nil
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

// requestHash is the SHA-256 of what a key stands for, such as the agent and its
// parameters.
func requestHash(asked any) ([]byte, error) {
	text, err := json.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("encode what was asked for: %w", err)
	}
	hash := sha256.Sum256(text)
	return hash[:], nil
}
