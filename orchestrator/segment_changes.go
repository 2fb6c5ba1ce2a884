package orchestrator

import (
	"errors"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// segmentChanges is a page of changes of segment.
type segmentChanges struct {
	Changes    []postgres.SegmentChange `json:"changes"`
	Names      map[string]string        `json:"names" jsonschema:"The names of their clients that the firm's view knows, by client_id."`
	NamesError *string                  `json:"names_error" jsonschema:"Why names are missing: the firm's view of clients is broken, or did not answer within a second; else null."`
	NextCursor *string                  `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one, and with after."`
	NextAfter  *int64                   `json:"next_after" jsonschema:"With after: what to ask for next, at once where the page is full and later where it isn't; else null."`
}

// changeParameters are those of the list of changes.
var changeParameters = append([]parameter{
	{"client", "Those of one client.", &jsonschema.Schema{Type: "string", MinLength: new(1)}},
	{"to", "Those into one of these segments.", &jsonschema.Schema{Type: "array", Items: segmentSchema}},
	{
		"after", "The changes after the one of this id, the oldest first, instead of the newest; 0 is from the beginning. " +
			"Who goes on with next_after gets each change once.",
		&jsonschema.Schema{Type: "integer", Minimum: new(0.)},
	},
}, pageParameters...)

// listSegmentChanges lists changes of segment: the newest first, or for whoever
// follows them the oldest first.
func (o *Orchestrator) listSegmentChanges(c echo.Context) (segmentChanges, error) {
	query := c.QueryParams()
	limit, cursor, err := readPage(query, "client", "to", "after")
	var wrong []agents.FieldError
	var p *problem
	if errors.As(err, &p) {
		wrong = p.Fields
	}
	refuse := func(field, detail string) {
		wrong = append(wrong, agents.FieldError{Field: field, Detail: detail})
	}
	f := postgres.ChangeFilter{Client: query.Get("client"), Limit: limit + 1}
	if given := query["client"]; len(given) > 1 || len(given) == 1 && !storableID(f.Client) {
		refuse("client", "must be given once, as an id of a client")
	}
	f.To, wrong = readSegments("to", query["to"], wrong)
	id := func(field, text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n == 0 && field == "cursor" {
			refuse(field, "is no id of a change that a list gave")
		}
		return n
	}
	position := "cursor"
	if cursor != "" {
		f.After = id("cursor", cursor)
	}
	if given, following := query["after"]; following {
		position, f.Oldest, f.Limit = "after", true, limit
		f.After = id("after", given[0])
		if len(given) > 1 || cursor != "" {
			refuse("after", "must be given once, and without cursor")
		}
	}
	if len(wrong) > 0 {
		return segmentChanges{}, invalid(wrong...)
	}
	list, err := o.store.SegmentChanges(c.Request().Context(), f)
	if errors.Is(err, postgres.ErrNoChange) {
		err = invalid(agents.FieldError{Field: position, Detail: "is no id of a change that a list gave"})
	}
	if err != nil {
		return segmentChanges{}, err
	}
	page := segmentChanges{Changes: list}
	switch {
	case f.Oldest:
		page.NextAfter = &f.After // nothing is new
		if len(list) > 0 {
			page.NextAfter = &list[len(list)-1].ID
		}
	case len(list) > limit:
		page.Changes = list[:limit]
		page.NextCursor = new(strconv.FormatInt(list[limit-1].ID, 10))
	}
	page.Names, page.NamesError = namesOf(c.Request().Context(), o, page.Changes, func(c postgres.SegmentChange) string { return c.ClientID })
	return page, nil
}
