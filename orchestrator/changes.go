package orchestrator

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// changes is a page of the audit log.
type changes struct {
	Changes    []postgres.Change `json:"changes"`
	NextCursor *string           `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

func (o *Orchestrator) listChanges(c echo.Context) (changes, error) {
	limit, cursor, err := readPage(c.QueryParams())
	if err != nil {
		return changes{}, err
	}
	var before int64
	if cursor != "" {
		if before, err = strconv.ParseInt(cursor, 10, 64); err != nil || before < 1 {
			return changes{}, invalid(agents.FieldError{Field: "cursor", Detail: "is not one that a list gave"})
		}
	}
	list, err := o.store.Changes(c.Request().Context(), before, limit+1)
	if err != nil {
		return changes{}, err
	}
	page := changes{Changes: list}
	if len(list) > limit {
		page.Changes = list[:limit]
		next := strconv.FormatInt(list[limit-1].ID, 10)
		page.NextCursor = &next
	}
	return page, nil
}
