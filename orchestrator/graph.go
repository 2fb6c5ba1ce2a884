package orchestrator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/graph"
)

var (
	errUnknownEntity = newProblem(http.StatusNotFound, "entity-unknown", "No such entity", "GET graph/entities lists them, and finds them by name")
	errUnknownEdge   = newProblem(http.StatusNotFound, "edge-unknown", "No such edge", "GET graph/entities/{id}/neighbours shows edges with their ids")
)

// asOfParameter is of what is asked about another time than now.
var asOfParameter = parameter{"as_of", "As it was then: an RFC 3339 instant, or a date, which is its end in UTC. Default: now.", text}

// graphQuery reads the query of a call of the graph, and collects what is wrong.
type graphQuery struct {
	query url.Values
	wrong []agents.FieldError
}

func (q *graphQuery) refuse(field, format string, args ...any) {
	q.wrong = append(q.wrong, agents.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
}

// readGraphQuery reads a query that may have these parameters, and those of pages.
func readGraphQuery(c echo.Context, paged bool, known ...string) (q *graphQuery, limit int, cursor string) {
	q = &graphQuery{query: c.QueryParams()}
	var err error
	if paged {
		limit, cursor, err = readPage(q.query, known...)
	} else {
		err = onlyQuery(q.query, known...)
	}
	if err != nil {
		q.wrong = append(q.wrong, err.(*problem).Fields...) //nolint:errorlint,forcetypeassert // they return nothing else
	}
	return q, limit, cursor
}

// err is what is wrong, or nil.
func (q *graphQuery) err() error {
	if len(q.wrong) > 0 {
		return invalid(q.wrong...)
	}
	return nil
}

// one is a parameter that is given once, or not at all.
func (q *graphQuery) one(name string) (value string, given bool) {
	value, ok := once(q.query, name)
	if !ok {
		q.refuse(name, "must be given once, and not empty")
	}
	return value, ok && value != ""
}

// oneOf is one of some texts; the first is the default.
func (q *graphQuery) oneOf(name string, all []string) string {
	value, given := q.one(name)
	if !given {
		return all[0]
	}
	if !slices.Contains(all, value) {
		q.refuse(name, "%q is not one of %s", value, strings.Join(all, ", "))
	}
	return value
}

// some are any of some texts, each once.
func (q *graphQuery) some(name string, all []string) (some []string) {
	for _, value := range q.query[name] {
		switch {
		case !slices.Contains(all, value):
			q.refuse(name, "%q is not one of %s", value, strings.Join(all, ", "))
		case !slices.Contains(some, value):
			some = append(some, value)
		}
	}
	return some
}

func (q *graphQuery) integer(name string, least, most, otherwise int) int {
	value, given := q.one(name)
	if !given {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		q.refuse(name, "%q is not in %d..%d", value, least, most)
	}
	return n
}

// part is a number in 0..1.
func (q *graphQuery) part(name string) float64 {
	value, given := q.one(name)
	if !given {
		return 0
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= 1) { // also NaN
		q.refuse(name, "%q is not a number in 0..1", value)
	}
	return f
}

// asOf is the time that is asked about, to the microsecond, as Postgres has it.
func (q *graphQuery) asOf() time.Time {
	value, given := q.one("as_of")
	if !given {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	t, err := time.Parse(time.DateOnly, value)
	if err == nil {
		t = t.AddDate(0, 0, 1).Add(-time.Microsecond)
	} else {
		t, err = time.Parse(time.RFC3339, value)
	}
	if t = t.UTC().Truncate(time.Microsecond); err != nil || t.Year() < 1 || t.Year() > 9999 {
		q.refuse("as_of", "%q is neither a date such as 2026-01-31 nor an RFC 3339 instant such as 2026-01-31T10:00:00Z", value)
	}
	return t
}

// entity is the id of one, which must be given.
func (q *graphQuery) entity(name string) string {
	value, given := q.one(name)
	if !given || !entityID(value) {
		q.refuse(name, "must be the id of an entity, such as GET graph/entities shows")
	}
	return value
}

func entityID(id string) bool { return strings.HasPrefix(id, "entity_") && graph.ValidID(id) }

// graphCursor is a place in a list of the graph, with the list that it belongs to.
func graphCursor(list string, place any) *string {
	text, _ := json.Marshal([]any{list, place}) // texts, numbers and times of the database always encode
	return new(base64.RawURLEncoding.EncodeToString(text))
}

// readGraphCursor reads a place; nil where there is no cursor. One of another list
// is refused.
func readGraphCursor[T any](q *graphQuery, cursor, list string) *T {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	var parts []json.RawMessage
	var of string
	var place T
	if err == nil && utf8.Valid(raw) && !bytes.Contains(raw, []byte(`\u0000`)) && json.Unmarshal(raw, &parts) == nil && len(parts) == 2 && json.Unmarshal(parts[0], &of) == nil {
		decoder := json.NewDecoder(bytes.NewReader(parts[1]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&place); err == nil && of == list {
			return &place
		}
		if of != list {
			q.refuse("cursor", "is of another list: give the same path, filters and sort")
			return nil
		}
	}
	q.refuse("cursor", "is not one that a list gave")
	return nil
}

// enumerated is one of some texts; the first is the default.
func enumerated(all []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", Default: json.RawMessage(strconv.Quote(all[0]))}
	for _, one := range all {
		s.Enum = append(s.Enum, one)
	}
	return s
}

func (o *Orchestrator) getGraphSummary(c echo.Context) (graph.Summary, error) {
	if err := noQuery(c); err != nil {
		return graph.Summary{}, err
	}
	return o.graphSummary.get(c.Request().Context())
}

// reviewPage is a page of reviews.
type reviewPage struct {
	Reviews    []graph.Review `json:"reviews" jsonschema:"The likeliest first."`
	NextCursor *string        `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

var reviewParameters = append([]parameter{{"status", "Those of this status: open waits for a person.", enumerated(graph.ReviewStatuses)}}, pageParameters...)

func (o *Orchestrator) listReviews(c echo.Context) (reviewPage, error) {
	q, limit, cursor := readGraphQuery(c, true, "status")
	status := q.oneOf("status", graph.ReviewStatuses)
	after := readGraphCursor[graph.ReviewPlace](q, cursor, "reviews "+status)
	if err := q.err(); err != nil {
		return reviewPage{}, err
	}
	list, err := o.graphFor(c.Request().Context()).Reviews(c.Request().Context(), status, after, limit+1) // one more says whether there is a next page
	page := reviewPage{Reviews: list}
	if len(list) > limit {
		page.Reviews, page.NextCursor = list[:limit], graphCursor("reviews "+status, list[limit-1].Place())
	}
	return page, err
}
