package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/orchestrator/dashboard/chart"
)

const (
	// mostDrawn is how many neighbours are drawn, mostEdges how many edges are listed.
	mostDrawn, mostEdges = 60, 80
)

// entityView is an entity with what lies around it.
type entityView struct {
	client.EntityDetail
	Around client.Neighbourhood
	// Latest are its mentions, the last sent first.
	Latest []client.Mention
	// Confidence is that of the surest of the latest mentions.
	Confidence *float64
	Filter     graphFilter
	Relation   string
	Relations  []string
	Depth      int
	// DepthOne and DepthTwo are the addresses of those.
	DepthOne, DepthTwo string
	Wide, Narrow       template.HTML
	Legend             []sign
	Drawn              int
	// More is how many edges of the entity itself are not listed; of depth 2 it is not known.
	More  int
	Edges []neighbourEdge
}

// sign is a type's in the drawing.
type sign struct {
	Name  string
	Shape template.HTML
}

// neighbourEdge is an edge in the list beneath the drawing.
type neighbourEdge struct {
	client.Edge
	Subject, Object client.Node
}

func readEntity(ctx context.Context, v *Visit) (any, error) {
	asked := v.URL.Query()
	e := entityView{Relations: edgeRelations, Relation: asked.Get("relation"), Depth: 1, Filter: graphFilter{asked.Get("as_of"), asked.Get("min_confidence")}}
	query := e.Filter.add(url.Values{"limit": {fmt.Sprint(mostDrawn)}})
	if depth := asked.Get("depth"); depth != "" {
		query.Set("depth", depth)
		if depth == "2" {
			e.Depth = 2
		}
	}
	if e.Relation != "" {
		query.Set("relation", e.Relation)
	}
	id := v.PathValue("id")
	ask, ctx := errgroup.WithContext(ctx)
	ask.Go(func() (err error) {
		e.EntityDetail, err = v.API.Entity(ctx, id)
		return err
	})
	ask.Go(func() (err error) {
		e.Around, err = v.API.Neighbours(ctx, id, query)
		return err
	})
	ask.Go(func() error {
		found, err := v.API.Mentions(ctx, id, url.Values{"limit": {listed}})
		e.Latest = found.Mentions
		return err
	})
	if err := ask.Wait(); err != nil {
		return nil, err
	}
	for _, m := range e.Latest {
		if e.Confidence == nil || m.Confidence > *e.Confidence {
			e.Confidence = &m.Confidence
		}
	}
	address := func(depth string) string {
		query := v.URL.Query()
		query.Set("depth", depth)
		return v.URL.Path + "?" + query.Encode()
	}
	e.DepthOne, e.DepthTwo = address("1"), address("2")
	e.draw()
	return e, nil
}

// draw makes the drawing and the list of what lies around.
func (e *entityView) draw() {
	known := map[string]client.Node{e.Around.Entity.ID: {ID: e.Around.Entity.ID, Type: e.Around.Entity.Type, Name: e.Around.Entity.Name}}
	for _, n := range e.Around.Nodes {
		known[n.ID] = n.Node
	}
	edges := slices.Clone(e.Around.Edges)
	slices.SortStableFunc(edges, func(a, b client.Edge) int { return cmp.Compare(b.Confidence, a.Confidence) })
	direct := 0
	for _, one := range edges {
		if one.SubjectID == e.Around.Entity.ID || one.ObjectID == e.Around.Entity.ID {
			direct++
		}
		if len(e.Edges) < mostEdges {
			e.Edges = append(e.Edges, neighbourEdge{one, known[one.SubjectID], known[one.ObjectID]})
		}
	}
	if e.Around.Truncated && e.Filter == (graphFilter{}) && e.Relation == "" {
		e.More = e.Around.Entity.Degree - direct
	}
	nodes, ties := tree(e.Around, edges, e.Filter.Query())
	e.Drawn = len(nodes) - 1
	title := "What lies around " + e.Around.Entity.Name
	description := fmt.Sprintf("%d entities up to %d edges away; the list beneath has the same", e.Drawn, e.Depth)
	e.Wide, e.Narrow = chart.Neighbourhood(title, description, nodes, ties), chart.NarrowNeighbourhood(title, description, nodes)
	for _, kind := range entityTypes {
		if slices.ContainsFunc(nodes, func(n chart.Node) bool { return n.Type == kind }) {
			e.Legend = append(e.Legend, sign{kind, chart.Shape(kind)})
		}
	}
}

// tree hangs each node on the one nearer to the middle to which its surest edge
// leads. Edges come surest first; those that nothing hangs by are ties.
func tree(around client.Neighbourhood, edges []client.Edge, query string) (nodes []chart.Node, ties []chart.Tie) {
	page := func(kind, id string) string { return "/graph/" + kind + "/" + id }
	middle := around.Entity
	nodes = []chart.Node{{Name: middle.Name, Type: middle.Type, Href: page("entities", middle.ID) + query, Parent: -1}}
	depths := map[string]int{middle.ID: 0}
	for _, n := range around.Nodes {
		depths[n.ID] = n.Depth
	}
	by := map[string]client.Edge{} // a node to the edge that it hangs by
	for _, e := range edges {
		for _, ends := range [][2]string{{e.SubjectID, e.ObjectID}, {e.ObjectID, e.SubjectID}} {
			if depths[ends[0]] == depths[ends[1]]+1 {
				if _, has := by[ends[0]]; !has {
					by[ends[0]] = e
				}
			}
		}
	}
	index := map[string]int{middle.ID: 0}
	drawn := map[string]bool{} // edges
	for _, n := range around.Nodes {
		if len(nodes) > mostDrawn {
			break
		}
		e, has := by[n.ID]
		if !has {
			continue
		}
		from, text := e.SubjectID, readable(e.Relation)+" →"
		if e.SubjectID == n.ID {
			from, text = e.ObjectID, "← "+readable(e.Relation)
		}
		parent, has := index[from]
		if !has {
			continue // what it hangs on had no room
		}
		index[n.ID] = len(nodes)
		drawn[e.ID] = true
		nodes = append(nodes, chart.Node{
			Name: n.Name, Type: n.Type, Href: page("entities", n.ID) + query, Parent: parent,
			Edge: text + " " + percent(e.Confidence), EdgeTitle: told(e), EdgeHref: page("edges", e.ID), Weight: e.Confidence,
		})
	}
	for _, e := range edges {
		from, has := index[e.SubjectID]
		to, both := index[e.ObjectID]
		if has && both && !drawn[e.ID] && len(ties) < mostDrawn {
			ties = append(ties, chart.Tie{From: from, To: to, Title: told(e), Href: page("edges", e.ID)})
		}
	}
	return nodes, ties
}

// told says an edge in words.
func told(e client.Edge) string {
	text := fmt.Sprintf("%s, confidence %s, since %s", readable(e.Relation), percent(e.Confidence), e.ValidAt.Format("2 Jan 2006"))
	if e.InvalidAt != nil {
		text += " until " + e.InvalidAt.Format("2 Jan 2006")
	}
	return text
}

func readable(name string) string { return strings.ReplaceAll(name, "_", " ") }
