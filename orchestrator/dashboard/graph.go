package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
)

// The types of entities and the relations of edges, as the API names them, for forms.
var (
	entityTypes   = []string{"person", "company", "location", "law", "topic", "practice_type", "document", "money", "date"}
	edgeRelations = []string{"works_for", "client_of", "located_in", "requires", "governed_by", "relates_to", "conflicts_with", "example_of"}
)

// graphPages are those of the knowledge graph.
func graphPages() []page {
	return []page{
		{path: "/graph", section: "Graph", template: "graph.html", read: readGraph},
		{path: "/graph/entities/{id}", section: "Graph", template: "graph-entity.html", read: readEntity, actions: []action{
			{path: "/graph/entities/{id}/merge", do: mergeEntities},
			{path: "/graph/entities/{id}/undo", do: undoMerge},
		}},
		{path: "/graph/edges/{id}", section: "Graph", template: "graph-edge.html", read: readEdge},
		{path: "/graph/path", section: "Graph", template: "graph-path.html", read: readPath},
		{path: "/graph/reviews", section: "Graph", template: "graph-reviews.html", read: readReviews, actions: []action{
			{path: "/graph/reviews/{id}", do: decideReview},
		}},
	}
}

// graphFilter narrows what is shown of edges. It goes along with links, so that who
// looks at the past stays there.
type graphFilter struct {
	AsOf, MinConfidence string
}

// readGraphFilter refuses what the API would, where the page itself asks nothing
// that is narrowed.
func readGraphFilter(query url.Values) (graphFilter, error) {
	f := graphFilter{AsOf: query.Get("as_of"), MinConfidence: query.Get("min_confidence")}
	var wrong []client.ProblemField
	if f.MinConfidence != "" {
		if n, err := strconv.ParseFloat(f.MinConfidence, 64); err != nil || !(n >= 0 && n <= 1) { // also NaN
			wrong = append(wrong, client.ProblemField{Field: "min_confidence", Detail: "must be a number in 0..1"})
		}
	}
	if f.AsOf != "" {
		_, asDay := time.Parse(time.DateOnly, f.AsOf)
		_, asInstant := time.Parse(time.RFC3339, f.AsOf)
		if asDay != nil && asInstant != nil {
			wrong = append(wrong, client.ProblemField{Field: "as_of", Detail: "must be a date such as 2026-01-31 or an instant such as 2026-01-31T10:00:00Z"})
		}
	}
	if len(wrong) > 0 {
		return f, &client.Problem{Status: http.StatusUnprocessableEntity, Title: "The filters can't be read", Fields: wrong}
	}
	return f, nil
}

// add puts what narrows into a query.
func (f graphFilter) add(query url.Values) url.Values {
	if f.AsOf != "" {
		query.Set("as_of", f.AsOf)
	}
	if f.MinConfidence != "" {
		query.Set("min_confidence", f.MinConfidence)
	}
	return query
}

// Query is what narrows as the end of an address.
func (f graphFilter) Query() string {
	if query := f.add(url.Values{}); len(query) > 0 {
		return "?" + query.Encode()
	}
	return ""
}

// graphView is what the graph holds, and what was searched in it.
type graphView struct {
	Summary  client.GraphSummary
	Types    []string
	Q, Type  string
	Sort     string
	Filter   graphFilter
	Searched bool
	Entities []client.ListedEntity
	otherPages
}

// graphPage is how many entities a page lists.
const graphPage = "25"

func readGraph(ctx context.Context, v *Visit) (any, error) {
	asked := v.URL.Query()
	g := graphView{Types: entityTypes, Q: strings.TrimSpace(asked.Get("q")), Type: asked.Get("type"), Sort: asked.Get("sort")}
	g.Searched = g.Q != "" || g.Type != "" || asked.Has("cursor")
	var err error
	if g.Filter, err = readGraphFilter(asked); err != nil {
		return nil, err
	}
	query := url.Values{"limit": {graphPage}}
	for name, value := range map[string]string{"q": g.Q, "type": g.Type, "cursor": asked.Get("cursor")} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if g.Q == "" && g.Sort != "" {
		query.Set("sort", g.Sort) // a search's best come first
	}
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		g.Summary, err = v.API.GraphSummary(ctx)
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Entities(ctx, query)
		g.Entities, g.otherPages = found.Entities, otherPagesOf(v.URL.Path, v.URL.Query(), found.NextCursor)
		return err
	})
	err = ask.Wait()
	return g, err
}

// edgeView is an edge's very words.
type edgeView struct {
	client.EvidencePage
	otherPages
}

func readEdge(ctx context.Context, v *Visit) (any, error) {
	query := url.Values{"limit": {"20"}}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		query.Set("cursor", cursor)
	}
	found, err := v.API.Evidence(ctx, v.PathValue("id"), query)
	return edgeView{found, otherPagesOf(v.URL.Path, v.URL.Query(), found.NextCursor)}, err
}

var entityID = regexp.MustCompile(`entity_[0-9a-z]{16}`)

// pathView is how two entities hang together, or who may be meant by a name.
type pathView struct {
	From, To pathEnd
	Filter   graphFilter
	Path     *client.GraphPath
	Steps    []pathStep
}

// pathEnd is one end of a path: an entity, or those that a name may mean.
type pathEnd struct {
	Text   string
	ID     string
	Name   string
	Choice []choice
	None   bool
}

// choice is an entity that may be meant, and where choosing it leads.
type choice struct {
	client.ListedEntity
	Address string
}

// pathStep is an edge of a path with the node that it leads to.
type pathStep struct {
	client.Edge
	Node client.Node
	// Forth says that the edge points the way that is gone.
	Forth bool
	Words []client.Evidence
}

func readPath(ctx context.Context, v *Visit) (any, error) {
	asked := v.URL.Query()
	var p pathView
	var err error
	if p.Filter, err = readGraphFilter(asked); err != nil {
		return nil, err
	}
	ask, asking := errgroup.WithContext(ctx)
	for name, end := range map[string]*pathEnd{"from": &p.From, "to": &p.To} {
		end.Text = strings.TrimSpace(asked.Get(name))
		ask.Go(func() error { return findEnd(asking, v, name, end) })
	}
	if err := ask.Wait(); err != nil || p.From.ID == "" || p.To.ID == "" {
		return p, err
	}
	query := url.Values{"from": {p.From.ID}, "to": {p.To.ID}}
	if p.Filter.AsOf != "" {
		query.Set("as_of", p.Filter.AsOf)
	}
	path, err := v.API.Path(ctx, query)
	if err != nil {
		return p, err
	}
	p.Path, p.Steps = &path, make([]pathStep, len(path.Edges))
	ask, asking = errgroup.WithContext(ctx)
	for i, e := range path.Edges {
		p.Steps[i] = pathStep{Edge: e, Node: path.Nodes[i+1], Forth: e.SubjectID == path.Nodes[i].ID}
		ask.Go(func() error {
			found, err := v.API.Evidence(asking, e.ID, url.Values{"limit": {"2"}})
			p.Steps[i].Words = found.Evidence
			return err
		})
	}
	err = ask.Wait()
	return p, err
}

// findEnd finds the entity that a text names by its id, or those that it may mean.
func findEnd(ctx context.Context, v *Visit, name string, end *pathEnd) error {
	if end.Text == "" {
		return nil
	}
	if id := entityID.FindString(end.Text); id != "" {
		e, err := v.API.Entity(ctx, id)
		end.ID, end.Name = e.ID, e.Name
		return err
	}
	found, err := v.API.Entities(ctx, url.Values{"q": {end.Text}, "limit": {"10"}})
	if err != nil {
		return err
	}
	end.None = len(found.Entities) == 0
	for _, e := range found.Entities {
		query := v.URL.Query()
		query.Set(name, e.ID)
		end.Choice = append(end.Choice, choice{e, v.URL.Path + "?" + query.Encode()})
	}
	return nil
}

// mergeEntities puts two entities together.
func mergeEntities(ctx context.Context, v *Visit) (next, said string, err error) {
	other := entityID.FindString(v.PostForm.Get("other"))
	if other == "" {
		return "", "", &client.Problem{Status: http.StatusUnprocessableEntity, Title: "The other one isn't named", Detail: "give the id, or the address of the page, of the entity that is the same as this one"}
	}
	done, err := v.API.MergeEntities(ctx, v.PathValue("id"), other)
	if err != nil || len(done.EntityIDs) == 0 {
		return "", "", err
	}
	return "/graph/entities/" + done.EntityIDs[0], "Both are one now.", nil
}

// undoMerge takes a merge back.
func undoMerge(ctx context.Context, v *Visit) (next, said string, err error) {
	merge, err := strconv.ParseInt(v.PostForm.Get("merge"), 10, 64)
	if err != nil {
		return "", "", &client.Problem{Status: http.StatusNotFound, Title: "No such merge"}
	}
	if _, err := v.API.UndoMerge(ctx, merge); err != nil {
		return "", "", err
	}
	return "/graph/entities/" + v.PathValue("id"), "The merge is taken back: what came by it is by itself again.", nil
}
