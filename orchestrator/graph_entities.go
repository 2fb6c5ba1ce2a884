package orchestrator

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/graph"
)

// listedEntity is an entity in a list; what it was found by is null where nothing
// was searched.
type listedEntity struct {
	graph.Entity
	Alias *string  `json:"alias" jsonschema:"The name by which a search found it; null where nothing was searched."`
	Score *float64 `json:"score" jsonschema:"How well that fits what was searched, 1 for the same name but for case, accents and blanks."`
}

// entityPage is a page of entities.
type entityPage struct {
	Entities   []listedEntity `json:"entities"`
	NextCursor *string        `json:"next_cursor" jsonschema:"For the next page's cursor, with the same filters; null on the last one."`
}

// mostSearched is the longest text that is searched, in characters.
const mostSearched = 200

var entityParameters = append([]parameter{
	{"q", "Those with such a name, the best first: case, accents and the words' order don't matter, words may be cut short, and typos are forgiven.", &jsonschema.Schema{Type: "string", MinLength: new(1), MaxLength: new(mostSearched)}},
	{"type", "Those of these types.", someOf(graph.Types)},
	{"sort", "Without q: those in the most conversations first, those with the most edges, or those mentioned last.", enumerated(entityOrders)},
}, pageParameters...)

var entityOrders = func() (all []string) {
	for _, o := range graph.EntityOrders {
		all = append(all, string(o))
	}
	return all
}()

func (o *Orchestrator) listEntities(c echo.Context) (entityPage, error) {
	q, limit, cursor := readGraphQuery(c, true, "q", "type", "sort")
	types := q.some("type", graph.Types)
	if q.query.Has("q") {
		return o.searchEntities(c, q, types, limit, cursor)
	}
	order := q.oneOf("sort", entityOrders)
	list := "entities " + order + " " + strings.Join(types, " ")
	f := graph.EntityFilter{Order: graph.EntityOrder(order), Types: types, Limit: limit + 1} // one more says whether there is a next page
	f.After = readGraphCursor[graph.EntityPlace](q, cursor, list)
	if f.After != nil && !placeKey(f.Order, f.After.Key) {
		q.refuse("cursor", "is not one that a list gave")
	}
	if err := q.err(); err != nil {
		return entityPage{}, err
	}
	found, err := o.graphFor(c.Request().Context()).Entities(c.Request().Context(), f)
	if err != nil {
		return entityPage{}, err
	}
	page := entityPage{Entities: []listedEntity{}}
	for i, e := range found {
		if i == limit {
			last := found[limit-1]
			page.NextCursor = graphCursor(list, graph.EntityPlace{Key: last.Key, ID: last.ID})
			break
		}
		page.Entities = append(page.Entities, listedEntity{Entity: e.Entity})
	}
	return page, nil
}

// searchEntities answers a list with q.
func (o *Orchestrator) searchEntities(c echo.Context, q *graphQuery, types []string, limit int, cursor string) (entityPage, error) {
	searched, _ := q.one("q")
	if n := utf8.RuneCountInString(searched); n > mostSearched {
		q.refuse("q", "has %d characters; at most %d are searched", n, mostSearched)
		searched = ""
	}
	if !utf8.ValidString(searched) || strings.ContainsFunc(searched, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
		q.refuse("q", "holds characters that no name has")
	}
	if q.query.Has("sort") {
		q.refuse("sort", "is not of a search, whose best come first")
	}
	list := "found " + strings.Join(types, " ") + " " + searched
	f := graph.Search{Text: searched, Types: types, Limit: limit + 1}
	f.After = readGraphCursor[graph.FoundPlace](q, cursor, list)
	if err := q.err(); err != nil {
		return entityPage{}, err
	}
	found, err := o.graphFor(c.Request().Context()).Search(c.Request().Context(), f)
	if err != nil {
		return entityPage{}, err
	}
	page := entityPage{Entities: []listedEntity{}}
	for i, e := range found {
		if i == limit {
			page.NextCursor = graphCursor(list, found[limit-1].Place())
			break
		}
		page.Entities = append(page.Entities, listedEntity{e.Entity, &e.Alias, &e.Score})
	}
	return page, nil
}

// entityDetail is an entity with its names and its history.
type entityDetail struct {
	graph.Entity
	MergedFrom *string             `json:"merged_from" jsonschema:"The id that was asked for, where that is part of this entity now; else null."`
	Aliases    []graph.Alias       `json:"aliases" jsonschema:"Its names as they are written, the most used first; at most a hundred."`
	Contacts   []graph.Contact     `json:"contacts" jsonschema:"How messages say that it is reached; at most twenty."`
	Merges     []graph.EntityMerge `json:"merges" jsonschema:"What became of it, the last first; at most a hundred."`
}

// entityOf is the entity that the path names, and the id that was asked for where
// that is part of it now.
func (o *Orchestrator) entityOf(c echo.Context) (e graph.Entity, mergedFrom *string, err error) {
	return o.resolve(c, c.Param("id"))
}

func (o *Orchestrator) resolve(c echo.Context, id string) (e graph.Entity, mergedFrom *string, err error) {
	if !entityID(id) {
		return e, nil, graph.ErrNoEntity
	}
	if e, err = o.graphFor(c.Request().Context()).Resolve(c.Request().Context(), id); err == nil && e.ID != id {
		mergedFrom = &id
	}
	return e, mergedFrom, err
}

func (o *Orchestrator) getEntity(c echo.Context) (d entityDetail, err error) {
	if err := noQuery(c); err != nil {
		return d, err
	}
	if d.Entity, d.MergedFrom, err = o.entityOf(c); err != nil {
		return d, err
	}
	ctx := c.Request().Context()
	if d.Aliases, err = o.graphFor(ctx).Aliases(ctx, d.ID); err != nil {
		return d, err
	}
	if d.Contacts, err = o.graphFor(ctx).Contacts(ctx, d.ID); err != nil {
		return d, err
	}
	d.Merges, err = o.graphFor(ctx).Merges(ctx, d.ID)
	return d, err
}

// mentionPage is a page of where messages name an entity.
type mentionPage struct {
	EntityID   string          `json:"entity_id"`
	MergedFrom *string         `json:"merged_from" jsonschema:"The id that was asked for, where that is part of this entity now; else null."`
	Mentions   []graph.Mention `json:"mentions" jsonschema:"The last sent first."`
	NextCursor *string         `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

func (o *Orchestrator) listMentions(c echo.Context) (mentionPage, error) {
	q, limit, cursor := readGraphQuery(c, true)
	if err := q.err(); err != nil {
		return mentionPage{}, err
	}
	e, mergedFrom, err := o.entityOf(c)
	if err != nil {
		return mentionPage{}, err
	}
	list := "mentions " + e.ID
	after := readGraphCursor[graph.MentionPlace](q, cursor, list)
	if err := q.err(); err != nil {
		return mentionPage{}, err
	}
	mentions, err := o.graphFor(c.Request().Context()).Mentions(c.Request().Context(), e, after, limit+1)
	page := mentionPage{EntityID: e.ID, MergedFrom: mergedFrom, Mentions: mentions}
	if len(mentions) > limit {
		page.Mentions, page.NextCursor = mentions[:limit], graphCursor(list, mentions[limit-1].Place())
	}
	return page, err
}

// seenKey is a time as Postgres writes it in UTC, or that of what nobody mentions.
var seenKey = regexp.MustCompile(`^(-infinity|[0-9]{4,6}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+00)$`)

// placeKey reports whether the text may be the key of a list in that order.
func placeKey(order graph.EntityOrder, key string) bool {
	if order == graph.ByLastSeen {
		return seenKey.MatchString(key)
	}
	_, err := strconv.ParseInt(key, 10, 32)
	return err == nil
}
