package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/internal/graph"
)

// between shows the path from one node to another: nodes and edges in turn.
func (b *drawing) between(from, to string, most int) string {
	b.t.Helper()
	p, err := b.Path(b.ctx, graph.PathFilter{From: id("entity", from), To: id("entity", to), AsOf: day(100), MaxLength: most})
	if err != nil {
		b.t.Fatal(err)
	}
	if !p.Found {
		return "none"
	}
	text := []string{name(p.Nodes[0].ID)}
	for i, e := range p.Edges {
		text = append(text, name(e.ID), name(p.Nodes[i+1].ID))
	}
	return strings.Join(text, " ")
}

func TestPath(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	b.nodes("a", "b", "c", "d", "e", "f", "g", "alone")
	b.edge("ab", "a", "requires", "b", .5)
	b.edge("cb", "c", "requires", "b", .5)
	b.edge("ad", "a", "requires", "d", .5)
	b.edge("dc", "d", "requires", "c", .5) // as short and as sure
	b.edge("ae", "a", "requires", "e", .4)
	b.edge("ec", "e", "requires", "c", .9) // surer in the product
	b.edge("cf", "c", "requires", "f", .5)
	b.edge("fc", "f", "relates_to", "c", .9) // a second edge of two
	b.edge("fg", "f", "requires", "g", .5)
	b.edge("old", "a", "requires", "g", 1)
	b.ended("old", 10, 20)
	for name, c := range map[string]struct {
		from, to string
		most     int
		want     string
	}{
		"itself":                    {"a", "a", 6, "a"},
		"one edge":                  {"a", "b", 6, "a ab b"},
		"against its direction":     {"b", "a", 6, "b ab a"},
		"the surest of three":       {"a", "c", 6, "a ae e ec c"},
		"the surer edge of two":     {"a", "f", 6, "a ae e ec c fc f"},
		"through all":               {"a", "g", 6, "a ae e ec c fc f fg g"},
		"and back":                  {"g", "a", 6, "g fg f fc c ec e ae a"},
		"just long enough":          {"a", "g", 4, "a ae e ec c fc f fg g"},
		"too long":                  {"a", "g", 3, "none"},
		"no way":                    {"a", "alone", 6, "none"},
		"to one that nobody knows":  {"a", "zz", 6, "none"},
		"the first by id of equals": {"b", "d", 6, "b ab a ad d"},
	} {
		if got := b.between(c.from, c.to, c.most); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Against all paths of random graphs, written down without a search from both ends.
func TestPathIsTheBestOfTheShortest(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	random := rand.New(rand.NewPCG(9, 9))
	const n = 14
	var shorts []string
	for i := range n {
		shorts = append(shorts, fmt.Sprintf("n%02d", i))
	}
	b.nodes(shorts...)
	type link struct {
		to, edge   string
		confidence float64
	}
	links := map[string][]link{}
	for i := range 26 {
		x, y := shorts[random.IntN(n)], shorts[random.IntN(n)]
		if x == y {
			continue
		}
		edge, confidence := fmt.Sprintf("e%02d", i), []float64{.25, .5, 1}[random.IntN(3)] // products are exact
		b.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ($1, $2, 'requires', $3, $4, $5, 1, 1)`,
			id("edge", edge), id("entity", x), id("entity", y), day(i), confidence)
		links[x] = append(links[x], link{y, edge, confidence})
		links[y] = append(links[y], link{x, edge, confidence})
	}
	for _, from := range shorts {
		for _, to := range shorts {
			best, length, product := "none", 7, 0.
			var walk func(at string, nodes, edges []string, p float64)
			walk = func(at string, nodes, edges []string, p float64) {
				if at == to && len(edges) <= length {
					text := nodes[0]
					for i, e := range edges {
						text += " " + e + " " + nodes[i+1]
					}
					if len(edges) < length || p > product || p == product && strings.Join(append(nodes, edges...), " ") < order(best) {
						best, length, product = text, len(edges), p
					}
					return
				}
				if len(edges) == min(length, 6) {
					return
				}
				for _, l := range links[at] {
					walk(l.to, append(nodes[:len(nodes):len(nodes)], l.to), append(edges[:len(edges):len(edges)], l.edge), p*l.confidence)
				}
			}
			walk(from, []string{from}, nil, 1)
			if got := b.between(from, to, 6); got != best {
				t.Errorf("%s to %s: %q, want %q", from, to, got, best)
			}
		}
	}
}

// order is a path as it is compared: its nodes, then its edges.
func order(path string) string {
	var nodes, edges []string
	for i, word := range strings.Fields(path) {
		if i%2 == 0 {
			nodes = append(nodes, word)
		} else {
			edges = append(edges, word)
		}
	}
	return strings.Join(append(nodes, edges...), " ")
}

// Three hubs in a row, of which the last leads on.
func TestPathGivesUp(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	b.nodes("a", "b", "c", "d")
	b.edge("ab", "a", "requires", "b", .5)
	b.edge("cd", "c", "requires", "d", .5)
	for _, hub := range []string{"b", "c"} {
		b.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at)
			SELECT 'entity_' || lpad($1 || i, 16, '0'), 'topic', $1 || i, 1, 1, now(), now() FROM generate_series(1, 50) i`, hub)
		b.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations)
			SELECT 'edge_' || lpad($1 || i, 16, '0'), $2, 'requires', 'entity_' || lpad($1 || i, 16, '0'), '2026-01-01', .5, 1, 1 FROM generate_series(1, 50) i`, hub, id("entity", hub))
		b.exec(`UPDATE ciclo.entities SET degree = 51 WHERE id = $1`, id("entity", hub))
	}
	b.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ($1, $2, 'requires', $3, '2026-01-01', .5, 1, 1)`,
		id("edge", "bc"), id("entity", "b50"), id("entity", "c50"))
	f := graph.PathFilter{From: id("entity", "a"), To: id("entity", "d"), AsOf: day(100), MaxLength: 6, MaxEdges: 200}
	if p, err := b.Path(b.ctx, f); err != nil || len(p.Edges) != 5 {
		t.Errorf("with 200 edges: %+v, %v", p, err)
	}
	f.MaxEdges = 60
	_, err := b.Path(b.ctx, f)
	var gaveUp *graph.GaveUpError
	if !errors.As(err, &gaveUp) || gaveUp.Nodes < 50 || gaveUp.Nodes > 110 {
		t.Errorf("with 60: %v", err)
	}
}
