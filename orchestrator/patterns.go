package orchestrator

import (
	"encoding/base64"
	"fmt"
	"net/url"
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

// patternKinds are what the trainer looks at.
var patternKinds = []string{"ngram", "length", "turns", "questions", "response_time", "call_to_action", "money", "politeness"}

// patterns is a page of one run's patterns.
type patterns struct {
	ExecutionID *string            `json:"execution_id" jsonschema:"Whose they are; null where no run is complete."`
	Patterns    []postgres.Pattern `json:"patterns" jsonschema:"The strongest first."`
	NextCursor  *string            `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

var patternParameters = append([]parameter{
	{"execution", "Those of one run of the trainer. Default: the last complete one.", text},
	{"confirmed", "Those that the later conversations confirm, or do not.", &jsonschema.Schema{Type: "boolean"}},
	{"kind", "Those of one kind.", func() *jsonschema.Schema {
		s := &jsonschema.Schema{Type: "string"}
		for _, k := range patternKinds {
			s.Enum = append(s.Enum, k)
		}
		return s
	}()},
}, pageParameters...)

func once(query url.Values, name string) (string, bool) {
	texts, given := query[name]
	return query.Get(name), !given || len(texts) == 1 && texts[0] != ""
}

func (o *Orchestrator) listPatterns(c echo.Context) (patterns, error) {
	query := c.QueryParams()
	limit, cursor, err := readPage(query, "execution", "confirmed", "kind")
	if err != nil {
		return patterns{}, err
	}
	f := postgres.PatternFilter{Limit: limit + 1}
	var wrong []agents.FieldError
	var ok bool
	if f.Execution, ok = once(query, "execution"); !ok {
		wrong = append(wrong, agents.FieldError{Field: "execution", Detail: "must be the id of one execution"})
	}
	if f.Kind, ok = once(query, "kind"); !ok || f.Kind != "" && !slices.Contains(patternKinds, f.Kind) {
		wrong = append(wrong, agents.FieldError{Field: "kind", Detail: fmt.Sprintf("%q is not one of %v", f.Kind, patternKinds)})
	}
	confirmed, ok := once(query, "confirmed")
	switch {
	case ok && confirmed == "":
	case ok && (confirmed == "true" || confirmed == "false"):
		f.Confirmed = new(confirmed == "true")
	default:
		wrong = append(wrong, agents.FieldError{Field: "confirmed", Detail: fmt.Sprintf("%q is not true or false", confirmed)})
	}
	if cursor != "" {
		of, after, ok := decodePatternCursor(cursor)
		if !ok || f.Execution != "" && f.Execution != of {
			wrong = append(wrong, agents.FieldError{Field: "cursor", Detail: "is not one that this list gave"})
		}
		f.Execution, f.After = of, after
	}
	if len(wrong) > 0 {
		return patterns{}, invalid(wrong...)
	}
	ctx := c.Request().Context()
	if f.Execution == "" {
		if f.Execution, err = o.store.LastTraining(ctx); err != nil || f.Execution == "" {
			return patterns{Patterns: []postgres.Pattern{}}, err
		}
	} else if known, err := o.store.TrainingKnown(ctx, f.Execution); err != nil || !known {
		if err == nil {
			err = execution.ErrNotFound
		}
		return patterns{}, err
	}
	list, err := o.store.Patterns(ctx, f)
	if err != nil {
		return patterns{}, err
	}
	page := patterns{ExecutionID: &f.Execution, Patterns: list}
	if len(list) > limit {
		page.Patterns = list[:limit]
		page.NextCursor = new(encodePatternCursor(f.Execution, list[limit-1].Rank))
	}
	return page, nil
}

// A cursor of patterns names the run, so that a page goes on with the one that it
// began with.
func encodePatternCursor(execution string, rank int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(rank) + "." + execution))
}

func decodePatternCursor(text string) (id string, rank int, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", 0, false
	}
	number, id, _ := strings.Cut(string(raw), ".")
	n, err := strconv.ParseInt(number, 10, 32)
	return id, int(n), err == nil && n > 0 && execution.ValidID(id)
}

// patternHistory is a page of the trainer's complete runs, by one feature.
type patternHistory struct {
	Feature    string                `json:"feature"`
	Runs       []postgres.PatternRun `json:"runs" jsonschema:"The last one first."`
	NextCursor *string               `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

func (o *Orchestrator) getPatternHistory(c echo.Context) (patternHistory, error) {
	query := c.QueryParams()
	limit, cursor, err := readPage(query, "feature")
	if err != nil {
		return patternHistory{}, err
	}
	feature, ok := once(query, "feature")
	if !ok || feature == "" || !storable(feature) {
		return patternHistory{}, invalid(agents.FieldError{Field: "feature", Detail: "must be given once, as GET patterns shows it"})
	}
	var before postgres.Position
	if cursor != "" {
		if before, ok = decodeCursor(cursor); !ok {
			return patternHistory{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
	}
	runs, err := o.store.PatternHistory(c.Request().Context(), feature, before, limit+1)
	if err != nil {
		return patternHistory{}, err
	}
	page := patternHistory{Feature: feature, Runs: runs}
	if len(runs) > limit {
		page.Runs = runs[:limit]
		last := runs[limit-1]
		page.NextCursor = new(encodeCursor(postgres.Position{StartedAt: last.EndedAt, ID: last.ExecutionID}))
	}
	return page, nil
}

// storable reports whether Postgres keeps the text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// ratingRequest is how good a conversation was.
type ratingRequest struct {
	Rating int `json:"rating" jsonschema:"1 is worst, 5 is best."`
}

const lowestRating, highestRating = 1, 5

func (o *Orchestrator) rateConversation(c echo.Context) (postgres.Rating, error) {
	if err := noQuery(c); err != nil {
		return postgres.Rating{}, err
	}
	var request ratingRequest
	if err := readJSON(c, &request); err != nil {
		return postgres.Rating{}, err
	}
	if request.Rating < lowestRating || request.Rating > highestRating {
		return postgres.Rating{}, invalid(agents.FieldError{Field: "rating", Detail: fmt.Sprintf("must be in %d..%d", lowestRating, highestRating)})
	}
	id, err := c.Param("id"), error(nil)
	if c.Request().URL.RawPath != "" { // then echo's parameter is of that one
		id, err = url.PathUnescape(id)
	}
	if err != nil || !storable(id) {
		return postgres.Rating{}, errUnknownConversation
	}
	return o.store.Rate(c.Request().Context(), id, request.Rating)
}
