package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/internal/graph"
)

// around shows a neighbourhood: nodes with their depths, edges, and whether there is more.
func (b *drawing) around(f graph.NeighbourFilter) string {
	b.t.Helper()
	f.Entity = id("entity", f.Entity)
	if f.AsOf.IsZero() {
		f.AsOf = day(100)
	}
	if f.PerNode == 0 {
		f.PerNode = 25
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	n, err := b.Neighbours(b.ctx, f)
	if err != nil {
		b.t.Fatal(err)
	}
	var text []string
	for _, one := range n.Nodes {
		text = append(text, fmt.Sprintf("%s%d", name(one.ID), one.Depth))
	}
	text = append(text, "|")
	for _, e := range n.Edges {
		text = append(text, name(e.ID))
	}
	if n.Truncated {
		text = append(text, "…")
	}
	return strings.Join(text, " ")
}

func TestNeighboursBreadthFirstTheStrongestFirst(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	b.nodes("a", "b", "c", "d", "e", "x")
	b.entity("law", "law", "Law 11", 1)
	b.edge("ab", "a", "requires", "b", .5)
	b.edge("ac", "c", "relates_to", "a", .9) // edges are followed both ways
	b.edge("cd", "c", "requires", "d", .6)
	b.edge("bd", "b", "requires", "d", .7)
	b.edge("de", "d", "requires", "e", .4)
	b.edge("al", "a", "governed_by", "law", .5)
	b.edge("old", "a", "requires", "x", .99)
	b.ended("old", 10, 20)
	for name, c := range map[string]struct {
		filter graph.NeighbourFilter
		want   string
	}{
		"one step":                   {graph.NeighbourFilter{Depth: 1}, "c1 b1 law1 | ac ab al"},
		"two steps":                  {graph.NeighbourFilter{Depth: 2}, "c1 b1 law1 d2 | ac ab al cd bd"},
		"three steps":                {graph.NeighbourFilter{Depth: 3}, "c1 b1 law1 d2 e3 | ac ab al cd bd de"},
		"of a relation":              {graph.NeighbourFilter{Depth: 3, Relations: []string{"requires"}}, "b1 d2 c3 e3 | ab bd cd de"},
		"of two":                     {graph.NeighbourFilter{Depth: 1, Relations: []string{"governed_by", "relates_to"}}, "c1 law1 | ac al"},
		"of a type":                  {graph.NeighbourFilter{Depth: 3, Types: []string{"law"}}, "law1 | al"},
		"the sure ones":              {graph.NeighbourFilter{Depth: 3, MinConfidence: .55}, "c1 d2 b3 | ac cd bd"},
		"as of a day":                {graph.NeighbourFilter{Depth: 1, AsOf: day(10)}, "x1 c1 b1 law1 | old ac ab al"},
		"as of the end":              {graph.NeighbourFilter{Depth: 1, AsOf: day(20)}, "c1 b1 law1 | ac ab al"},
		"before all":                 {graph.NeighbourFilter{Depth: 3, AsOf: day(-1)}, "|"},
		"two of each":                {graph.NeighbourFilter{Depth: 3, PerNode: 2}, "c1 b1 d2 | ac ab cd bd …"},
		"three nodes":                {graph.NeighbourFilter{Depth: 3, Limit: 3}, "c1 b1 law1 | ac ab al …"},
		"as many as there are":       {graph.NeighbourFilter{Depth: 1, PerNode: 3, Limit: 3}, "c1 b1 law1 | ac ab al"},
		"one that nobody knows":      {graph.NeighbourFilter{Entity: "zz", Depth: 3}, "|"},
		"of which nothing is known":  {graph.NeighbourFilter{Entity: "x", Depth: 3}, "|"},
		"from the other end of them": {graph.NeighbourFilter{Entity: "e", Depth: 2}, "d1 b2 c2 | de bd cd"},
	} {
		if c.filter.Entity == "" {
			c.filter.Entity = "a"
		}
		if got := b.around(c.filter); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Seminyak lies in Bali, Bali in Indonesia, and somebody wrote that Indonesia lies in Seminyak.
func TestCyclesEnd(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	b.nodes("s", "b", "i", "far")
	b.edge("sb", "s", "located_in", "b", .9)
	b.edge("bi", "b", "located_in", "i", .9)
	b.edge("is", "i", "located_in", "s", .9)
	b.edge("bs", "b", "located_in", "s", .8) // and the other way round
	if got, want := b.around(graph.NeighbourFilter{Entity: "s", Depth: 3}), "i1 b1 | is sb bs bi"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := b.between("s", "far", 6), "none"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := b.between("s", "b", 6), "s sb b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A hub's edges are bounded, and so is the looking for those that a filter lets pass.
func TestHubsDoNotExplode(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	b.entity("hub", "topic", "hub", 1)
	b.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at)
		SELECT 'entity_' || lpad('n' || i, 16, '0'), CASE WHEN i = 6001 THEN 'law' ELSE 'person' END, 'n' || i, 1, 1, now(), now() FROM generate_series(1, 6001) i`)
	b.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations)
		SELECT 'edge_' || lpad('n' || i, 16, '0'), $1, CASE WHEN i = 6001 THEN 'governed_by' ELSE 'relates_to' END, 'entity_' || lpad('n' || i, 16, '0'), '2026-01-01', 1 - i / 10000.0, 1, 1 FROM generate_series(1, 6001) i`, id("entity", "hub"))
	if got, want := b.around(graph.NeighbourFilter{Entity: "hub", Depth: 3, PerNode: 2}), "n11 n21 | n1 n2 …"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := b.around(graph.NeighbourFilter{Entity: "hub", Depth: 1, Types: []string{"law"}}), "| …"; got != want {
		t.Errorf("beyond what is looked at: %q, want %q", got, want)
	}
	if got, want := b.around(graph.NeighbourFilter{Entity: "hub", Depth: 1, Relations: []string{"governed_by"}}), "n60011 | n6001"; got != want {
		t.Errorf("a relation has an index: %q, want %q", got, want)
	}
}
