package orchestrator

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/graph"
)

var (
	errUnknownReview = newProblem(http.StatusNotFound, "review-unknown", "No such review", "GET graph/reviews lists them")
	errUnknownMerge  = newProblem(http.StatusNotFound, "merge-unknown", "No such merge", "GET graph/entities/{id} shows what was merged into an entity")
)

const decidedOtherwise = "It was decided otherwise before, or the records have moved since."

// decideRequest is a person's answer to a review.
type decideRequest struct {
	Same *bool `json:"same" jsonschema:"Whether both are one."`
}

// mergeRequest names two entities that are one.
type mergeRequest struct {
	Entities []string `json:"entities" jsonschema:"The ids of two."`
}

// decided says what a decision led to.
type decided struct {
	EntityIDs []string `json:"entity_ids" jsonschema:"What the records are part of now: one id, or two."`
}

// postReview takes a person's answer to a review.
func (o *Orchestrator) postReview(c echo.Context) (decided, error) {
	if err := noQuery(c); err != nil {
		return decided{}, err
	}
	var r decideRequest
	if err := readJSON(c, &r); err != nil {
		return decided{}, err
	}
	if r.Same == nil {
		return decided{}, invalid(agents.FieldError{Field: "same", Detail: "must be given"})
	}
	if !graph.ValidID(c.Param("id")) {
		return decided{}, errUnknownReview
	}
	return o.decide(c, errUnknownReview, func(tx pgx.Tx, by string) ([]string, error) {
		return graph.Decide(c.Request().Context(), tx, c.Param("id"), *r.Same, by)
	})
}

// postMerge puts two entities together.
func (o *Orchestrator) postMerge(c echo.Context) (decided, error) {
	if err := noQuery(c); err != nil {
		return decided{}, err
	}
	var r mergeRequest
	if err := readJSON(c, &r); err != nil {
		return decided{}, err
	}
	if len(r.Entities) != 2 || r.Entities[0] == r.Entities[1] {
		return decided{}, invalid(agents.FieldError{Field: "entities", Detail: "must be two different ids"})
	}
	if !entityID(r.Entities[0]) || !entityID(r.Entities[1]) {
		return decided{}, errUnknownEntity
	}
	return o.decide(c, errUnknownEntity, func(tx pgx.Tx, by string) ([]string, error) {
		return graph.Merge(c.Request().Context(), tx, r.Entities[0], r.Entities[1], by)
	})
}

// undoMerge takes a merge back.
func (o *Orchestrator) undoMerge(c echo.Context) (decided, error) {
	if err := noQuery(c); err != nil {
		return decided{}, err
	}
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id <= 0 {
		return decided{}, errUnknownMerge
	}
	return o.decide(c, errUnknownMerge, func(tx pgx.Tx, by string) ([]string, error) {
		return graph.Undo(c.Request().Context(), tx, id, by)
	})
}

// decide runs a decision of who asks in a transaction.
func (o *Orchestrator) decide(c echo.Context, unknown *problem, decide func(tx pgx.Tx, by string) ([]string, error)) (done decided, err error) {
	err = pgx.BeginFunc(c.Request().Context(), o.cfg.Pool, func(tx pgx.Tx) (err error) {
		done.EntityIDs, err = decide(tx, granted(c).name)
		return err
	})
	if err == nil {
		o.graphSummary.forget()
	}
	var conflict *problem
	switch {
	case errors.Is(err, graph.ErrNotFound):
		return decided{}, unknown
	case errors.Is(err, graph.ErrDecided):
		conflict = newProblem(http.StatusConflict, "decided-otherwise", "It was decided otherwise", err.Error())
	case errors.Is(err, graph.ErrKinds):
		conflict = newProblem(http.StatusConflict, "entities-unlike", "They can't be one", err.Error())
	case errors.Is(err, graph.ErrMoved):
		conflict = newProblem(http.StatusConflict, "records-moved", "The records have moved since", err.Error())
	default:
		return done, err
	}
	return decided{}, conflict
}
