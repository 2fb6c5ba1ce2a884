package orchestrator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// clientValue is a client's score with the name that the firm's view knows.
type clientValue struct {
	Name *string `json:"name"`
	postgres.ClientScore
}

// clientValues is a page of a run's scores.
type clientValues struct {
	Run        postgres.ValueRun `json:"run"`
	Values     []clientValue     `json:"values"`
	NamesError *string           `json:"names_error" jsonschema:"Why names are missing: the firm's view of clients is broken, or did not answer within a second; else null."`
	NextCursor *string           `json:"next_cursor" jsonschema:"For the next page's cursor, which stays with this run; null on the last one."`
}

// clientHistory is a page of one client's scores, one a run.
type clientHistory struct {
	ClientID   string               `json:"client_id"`
	Name       *string              `json:"name"`
	NamesError *string              `json:"names_error" jsonschema:"Why the name is missing where the firm's view did not answer; else null."`
	Values     []postgres.PastScore `json:"values"`
	NextCursor *string              `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

var (
	errNoScores = newProblem(http.StatusNotFound, "scores-none", "There are no such scores",
		"no complete run of client-value-predictor wrote them: POST client-value-predictor/run begins one, GET executions?agent=client-value-predictor shows those there are")
	errUnscored = newProblem(http.StatusNotFound, "client-unscored", "No complete run has scored this client",
		"the id is the firm's own, with what is special in a path percent-encoded")
)

// valueOrders are the orders of lists, the default first.
var valueOrders = []any{string(postgres.ByCLV), string(postgres.ByChurn), string(postgres.ByID)}

// segmentSchema is of one segment.
var segmentSchema = func() *jsonschema.Schema {
	all := []any{}
	for _, s := range postgres.Segments {
		all = append(all, s)
	}
	return &jsonschema.Schema{Type: "string", Enum: all}
}()

// valueParameters are what narrows and orders a run's scores.
var valueParameters = []parameter{
	{"execution", "The scores of this complete run. Default: of the last one.", text},
	{"segment", "Those in one of these segments.", &jsonschema.Schema{Type: "array", Items: segmentSchema}},
	{"min_churn_risk", "Those whose churn_risk_90 is that or more.", &jsonschema.Schema{Type: "number", Minimum: new(0.), Maximum: new(1.)}},
	{"low_confidence", "Those that rest on too few clients, or those that don't.", &jsonschema.Schema{Type: "boolean"}},
	{
		"sort", "The most valuable first, those most at risk first, or by id.",
		&jsonschema.Schema{Type: "string", Enum: valueOrders, Default: json.RawMessage(`"` + string(postgres.ByCLV) + `"`)},
	},
}

// readValueFilter reads what valueParameters say, and collects what is wrong.
func readValueFilter(query url.Values) (f postgres.ValueFilter, wrong []agents.FieldError) {
	refuse := func(field, format string, args ...any) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	f.Order = postgres.ByCLV
	for name, values := range query {
		if len(values) > 1 && name != "segment" {
			refuse(name, "is given more than once")
		}
		value := values[0]
		switch name {
		case "execution":
			if f.Execution = value; !execution.ValidID(value) {
				refuse(name, "%q is no id of an execution", value)
			}
		case "segment":
			f.Segments, wrong = readSegments(name, values, wrong)
		case "min_churn_risk":
			risk, err := strconv.ParseFloat(value, 64)
			if err != nil || !(risk >= 0 && risk <= 1) { // also NaN
				refuse(name, "%q is not a number in 0..1", value)
			}
			f.MinChurnRisk = &risk
		case "low_confidence":
			if value != "true" && value != "false" {
				refuse(name, "%q is neither true nor false", value)
			}
			f.LowConfidence = new(value == "true")
		case "sort":
			if f.Order = postgres.ValueOrder(value); !slices.Contains(valueOrders, any(value)) {
				refuse(name, "%q is not one of clv, churn_risk_90 and client_id", value)
			}
		}
	}
	return f, wrong
}

// readSegments reads segments, each once, and adds to what is wrong.
func readSegments(field string, values []string, wrong []agents.FieldError) (segments []string, _ []agents.FieldError) {
	for _, value := range values {
		switch {
		case !slices.Contains(postgres.Segments, value):
			wrong = append(wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf("%q is not one of %s", value, strings.Join(postgres.Segments, ", "))})
		case !slices.Contains(segments, value):
			segments = append(segments, value)
		}
	}
	return segments, wrong
}

// valueCursor is a place in a list of scores, with the run and the order that it
// belongs to: a run that completes meanwhile is in nobody's pages.
type valueCursor struct {
	Execution string              `json:"e"`
	Order     postgres.ValueOrder `json:"o"`
	Key       string              `json:"k"`
	ClientID  string              `json:"c"`
}

// valueKey is a clv or a churn risk as Postgres writes it.
var valueKey = regexp.MustCompile(`^[0-9]{1,400}(\.[0-9]{1,400})?(e-?[0-9]{1,3})?$`)

func (v valueCursor) String() string {
	text, _ := json.Marshal(v) // strings always encode
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseValueCursor(text string) (v valueCursor, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || !utf8.Valid(raw) || json.Unmarshal(raw, &v) != nil {
		return v, false
	}
	known := slices.Contains(valueOrders, any(string(v.Order))) && (v.Key == "") == (v.Order == postgres.ByID) && (v.Key == "" || valueKey.MatchString(v.Key))
	return v, known && execution.ValidID(v.Execution) && storableID(v.ClientID)
}

// storableID reports whether the text may be a client's id.
func storableID(id string) bool {
	return id != "" && utf8.ValidString(id) && !strings.Contains(id, "\x00")
}

// listClientValues lists a run's scores.
func (o *Orchestrator) listClientValues(c echo.Context) (clientValues, error) {
	query, ctx := c.QueryParams(), c.Request().Context()
	f, wrong := readValueFilter(query)
	limit, cursor, err := readPage(query, "execution", "segment", "min_churn_risk", "low_confidence", "sort")
	var p *problem
	if errors.As(err, &p) {
		wrong = append(wrong, p.Fields...)
	}
	if cursor != "" {
		at, ok := parseValueCursor(cursor)
		switch {
		case !ok:
			wrong = append(wrong, agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		case at.Order != f.Order:
			wrong = append(wrong, agents.FieldError{Field: "cursor", Detail: "is of a list in another order: give the same sort"})
		case f.Execution != "" && f.Execution != at.Execution:
			wrong = append(wrong, agents.FieldError{Field: "cursor", Detail: "is of another run than execution"})
		}
		f.Execution, f.After = at.Execution, &postgres.ValuePlace{Key: at.Key, ClientID: at.ClientID}
	}
	if len(wrong) > 0 {
		return clientValues{}, invalid(wrong...)
	}
	var page clientValues
	if page.Run, err = o.store.ValueRun(ctx, f.Execution); err != nil {
		return clientValues{}, err
	}
	f.Execution, f.Limit = page.Run.ExecutionID, limit+1 // one more says whether there is a next page
	scores, err := o.store.Scores(ctx, f)
	if err != nil {
		return clientValues{}, err
	}
	if len(scores) > limit {
		scores = scores[:limit]
		last := scores[limit-1]
		page.NextCursor = new(valueCursor{f.Execution, f.Order, last.Key, last.ClientID}.String())
	}
	page.Values, page.NamesError = o.named(ctx, scores)
	return page, nil
}

// named are scores with their clients' names, or why there are none.
func (o *Orchestrator) named(ctx context.Context, scores []postgres.PlacedScore) (values []clientValue, why *string) {
	ids := make([]string, len(scores))
	for i, s := range scores {
		ids[i] = s.ClientID
	}
	names, why := o.clientNames(ctx, ids)
	values = make([]clientValue, len(scores))
	for i, s := range scores {
		values[i] = clientValue{nameOf(names, s.ClientID), s.ClientScore}
	}
	return values, why
}

// clientNames are clients' names, or why there are none.
func (o *Orchestrator) clientNames(ctx context.Context, ids []string) (names map[string]string, why *string) {
	if len(ids) == 0 {
		return nil, nil
	}
	names, err := o.store.ClientNames(ctx, ids)
	if err != nil {
		o.cfg.Log.Warn("clients are shown without names", "error", err)
		return nil, new("the view source.clients did not answer; the orchestrator's log says why")
	}
	return names, nil
}

func nameOf(names map[string]string, id string) *string {
	if name, known := names[id]; known {
		return &name
	}
	return nil
}

// clientID is the client that the path names. Echo takes the path as it was
// escaped wherever unescaping may change its meaning, and leaves its parts so.
func clientID(c echo.Context) (string, error) {
	id := c.Param("id")
	if c.Request().URL.RawPath != "" {
		var err error
		if id, err = url.PathUnescape(id); err != nil {
			return "", errUnscored
		}
	}
	if !storableID(id) {
		return "", errUnscored
	}
	return id, nil
}

// listClientHistory lists one client's scores, one a run.
func (o *Orchestrator) listClientHistory(c echo.Context) (clientHistory, error) {
	limit, cursor, err := readPage(c.QueryParams())
	if err != nil {
		return clientHistory{}, err
	}
	var before postgres.Position
	if cursor != "" {
		var ok bool
		if before, ok = decodeCursor(cursor); !ok {
			return clientHistory{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
	}
	id, err := clientID(c)
	if err != nil {
		return clientHistory{}, err
	}
	ctx := c.Request().Context()
	list, err := o.store.History(ctx, id, before, limit+1)
	if err == nil && len(list) == 0 {
		err = errUnscored
	}
	if err != nil {
		return clientHistory{}, err
	}
	page := clientHistory{ClientID: id, Values: list}
	if len(list) > limit {
		page.Values = list[:limit]
		last := list[limit-1]
		next := encodeCursor(postgres.Position{StartedAt: last.EndedAt, ID: last.ExecutionID})
		page.NextCursor = &next
	}
	names, why := o.clientNames(ctx, []string{id})
	page.Name, page.NamesError = nameOf(names, id), why
	return page, nil
}
