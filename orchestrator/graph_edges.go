package orchestrator

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"

	"github.com/nuzantara/ciclo/internal/graph"
)

const (
	// mostDepth and mostNeighbours bound a neighbourhood; usually are the defaults.
	mostDepth, mostNeighbours        = 3, 500
	usualNeighbours, usualEdgesANode = 100, 25
	// mostLength bounds a path, in edges.
	mostLength = 6
)

// wholeIn is an integer with its bounds and default.
func wholeIn(least, most, usually int) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: new(float64(least)), Maximum: new(float64(most)), Default: fmt.Appendf(nil, "%d", usually)}
}

// neighbourhood is what lies around an entity.
type neighbourhood struct {
	Entity     graph.Entity      `json:"entity"`
	MergedFrom *string           `json:"merged_from" jsonschema:"The id that was asked for, where that is part of this entity now; else null."`
	AsOf       time.Time         `json:"as_of"`
	Nodes      []graph.Neighbour `json:"nodes" jsonschema:"The nearest first, without the entity itself; of each node the ends of its strongest edges first."`
	Edges      []graph.Edge      `json:"edges" jsonschema:"Those by which they were found, and others that were seen between them."`
	Truncated  bool              `json:"truncated" jsonschema:"Whether there is more than limit, per_node or the bounds of looking let in."`
}

var neighbourParameters = []parameter{
	{"depth", "The most edges away.", wholeIn(1, mostDepth, 1)},
	{"relation", "By edges of these relations alone.", someOf(graph.Relations)},
	{"type", "To and through entities of these types alone.", someOf(graph.Types)},
	asOfParameter,
	{"min_confidence", "By edges with that confidence or more.", &jsonschema.Schema{Type: "number", Minimum: new(0.), Maximum: new(1.)}},
	{"per_node", "The most edges followed of each node, the strongest first. Default: 25, and with depth 1 as many as limit.", wholeIn(1, mostNeighbours, usualEdgesANode)},
	{"limit", "The most neighbours.", wholeIn(1, mostNeighbours, usualNeighbours)},
}

func (o *Orchestrator) getNeighbours(c echo.Context) (n neighbourhood, err error) {
	q, _, _ := readGraphQuery(c, false, "depth", "relation", "type", "as_of", "min_confidence", "per_node", "limit")
	f := graph.NeighbourFilter{
		Depth: q.integer("depth", 1, mostDepth, 1), Relations: q.some("relation", graph.Relations), Types: q.some("type", graph.Types),
		AsOf: q.asOf(), MinConfidence: q.part("min_confidence"), Limit: q.integer("limit", 1, mostNeighbours, usualNeighbours),
	}
	usually := usualEdgesANode
	if f.Depth == 1 {
		usually = f.Limit
	}
	f.PerNode = q.integer("per_node", 1, mostNeighbours, usually)
	if err := q.err(); err != nil {
		return n, err
	}
	if n.Entity, n.MergedFrom, err = o.entityOf(c); err != nil {
		return n, err
	}
	f.Entity, n.AsOf = n.Entity.ID, f.AsOf
	found, err := o.graphFor(c.Request().Context()).Neighbours(c.Request().Context(), f)
	n.Nodes, n.Edges, n.Truncated = found.Nodes, found.Edges, found.Truncated
	return n, err
}

// pathAnswer is how two entities hang together.
type pathAnswer struct {
	From   string       `json:"from" jsonschema:"The entity that the one asked for is part of now."`
	To     string       `json:"to"`
	AsOf   time.Time    `json:"as_of"`
	Found  bool         `json:"found"`
	Length *int         `json:"length" jsonschema:"Edges between them; null where no path of max_length was found."`
	Nodes  []graph.Node `json:"nodes" jsonschema:"From one to the other."`
	Edges  []graph.Edge `json:"edges" jsonschema:"Between them in order, whichever way each points."`
}

var pathParameters = []parameter{
	{"from", "The id of an entity.", text},
	{"to", "The id of another.", text},
	asOfParameter,
	{"max_length", "The most edges.", wholeIn(1, mostLength, mostLength)},
}

func (o *Orchestrator) getPath(c echo.Context) (p pathAnswer, err error) {
	q, _, _ := readGraphQuery(c, false, "from", "to", "as_of", "max_length")
	f := graph.PathFilter{From: q.entity("from"), To: q.entity("to"), AsOf: q.asOf(), MaxLength: q.integer("max_length", 1, mostLength, mostLength)}
	if err := q.err(); err != nil {
		return p, err
	}
	for _, end := range []*string{&f.From, &f.To} {
		e, _, err := o.resolve(c, *end)
		if err != nil {
			return p, err
		}
		*end = e.ID
	}
	found, err := o.graphFor(c.Request().Context()).Path(c.Request().Context(), f)
	p = pathAnswer{From: f.From, To: f.To, AsOf: f.AsOf, Found: found.Found, Nodes: found.Nodes, Edges: found.Edges}
	if p.Found {
		p.Length = new(len(p.Edges))
	}
	return p, err
}

// gaveUp is the answer to a path that takes too long to find.
func gaveUp(err *graph.GaveUpError) *problem {
	return newProblem(http.StatusUnprocessableEntity, "path-gave-up", "The search for a path was given up", err.Error()+": too much lies around both; ask with a smaller max_length, or for the neighbours of one")
}

// evidencePage is a page of the words behind an edge.
type evidencePage struct {
	Edge       graph.Edge       `json:"edge"`
	Subject    graph.Node       `json:"subject"`
	Object     graph.Node       `json:"object"`
	Evidence   []graph.Evidence `json:"evidence" jsonschema:"The first sent first."`
	NextCursor *string          `json:"next_cursor" jsonschema:"For the next page's cursor; null on the last one."`
}

func (o *Orchestrator) listEvidence(c echo.Context) (evidencePage, error) {
	q, limit, cursor := readGraphQuery(c, true)
	id := c.Param("id")
	after := readGraphCursor[graph.EvidencePlace](q, cursor, "evidence "+id)
	if err := q.err(); err != nil {
		return evidencePage{}, err
	}
	if !strings.HasPrefix(id, "edge_") || !graph.ValidID(id) {
		return evidencePage{}, graph.ErrNoEdge
	}
	ctx := c.Request().Context()
	edge, err := o.graphFor(ctx).Edge(ctx, id)
	if err != nil {
		return evidencePage{}, err
	}
	ends, err := o.graphFor(ctx).Nodes(ctx, []string{edge.SubjectID, edge.ObjectID})
	if err != nil {
		return evidencePage{}, err
	}
	list, err := o.graphFor(ctx).Evidence(ctx, edge, after, limit+1)
	page := evidencePage{Edge: edge, Subject: ends[edge.SubjectID], Object: ends[edge.ObjectID], Evidence: list}
	if len(list) > limit {
		page.Evidence, page.NextCursor = list[:limit], graphCursor("evidence "+id, list[limit-1].Place())
	}
	if err != nil {
		return page, err
	}
	if err := o.graphFor(ctx).Around(ctx, page.Evidence); err != nil {
		o.cfg.Log.WarnContext(ctx, "evidence is shown without what lies around it", "edge", id, "error", err)
	}
	return page, nil
}
