package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// PathEdges is how many edges the search for a path looks at before it gives up,
// where nothing else is said.
const PathEdges = 300_000

// GaveUpError says that the search for a path was given up.
type GaveUpError struct{ Nodes int }

func (e *GaveUpError) Error() string {
	return fmt.Sprintf("gave up after %d nodes", e.Nodes)
}

// PathFilter is between which entities to look for a path, and how long it may be.
type PathFilter struct {
	From, To  string
	AsOf      time.Time
	MaxLength int
	// MaxEdges is how many edges are looked at; 0 is PathEdges.
	MaxEdges int
}

// Path is the nodes from one entity to another, with the edges between them in
// order, whichever way they point. Found is false where there is none; then both
// are empty.
type Path struct {
	Found bool
	Nodes []Node
	Edges []Edge
}

// Path finds a shortest path: of several the one whose edges' confidences have the
// greatest product, and of equal ones the first by ids. It goes level by level from
// both ends, on that side whose frontier has fewer edges; whole levels, since only
// then the best of the shortest paths is known when the sides meet. A *GaveUpError
// where that would take too long.
func (s *Store) Path(ctx context.Context, f PathFilter) (Path, error) {
	p, err := s.path(ctx, f)
	var gaveUp *GaveUpError
	if err != nil && !errors.As(err, &gaveUp) {
		err = fmt.Errorf("find a path from %s to %s: %w", f.From, f.To, err)
	}
	return p, err
}

func (s *Store) path(ctx context.Context, f PathFilter) (Path, error) {
	from, to := newSide(f.From, false), newSide(f.To, true)
	meet := from.meets(to)
	looked, most := 0, cmp.Or(f.MaxEdges, PathEdges)
	for length := 0; len(meet) == 0; length++ {
		if length == f.MaxLength || len(from.frontier) == 0 || len(to.frontier) == 0 {
			return Path{Nodes: []Node{}, Edges: []Edge{}}, nil
		}
		fewer, other := from, to
		edgesFrom, err := s.edgesAt(ctx, from)
		if err != nil {
			return Path{}, err
		}
		edgesTo, err := s.edgesAt(ctx, to)
		if err != nil {
			return Path{}, err
		}
		if edgesTo < edgesFrom {
			fewer, other = to, from
		}
		read, err := s.level(ctx, f.AsOf, fewer, most-looked)
		if err != nil {
			return Path{}, err
		}
		if looked += read; looked > most {
			return Path{}, &GaveUpError{len(from.steps) + len(to.steps)}
		}
		meet = fewer.meets(other)
	}
	var nodes, edges []string
	best := 0.
	for _, id := range meet {
		n, e := from.walk(id)
		back, backEdges := to.walk(id)
		slices.Reverse(n)
		slices.Reverse(e)
		n, e = append(n, back[1:]...), append(e, backEdges...)
		product := from.steps[id].product * to.steps[id].product
		if nodes == nil || product > best || product == best && before(n, e, nodes, edges) {
			nodes, edges, best = n, e, product
		}
	}
	return s.told(ctx, nodes, edges)
}

// told looks up what a path leads through.
func (s *Store) told(ctx context.Context, nodes, edges []string) (Path, error) {
	known, err := s.Nodes(ctx, nodes)
	if err != nil {
		return Path{}, err
	}
	p := Path{Found: true, Nodes: make([]Node, len(nodes)), Edges: make([]Edge, len(edges))}
	for i, id := range nodes {
		p.Nodes[i] = known[id]
	}
	rows, err := s.Pool.Query(ctx, `SELECT `+edgeColumns+` FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, nth) JOIN ciclo.edges e ON e.id = asked.id ORDER BY asked.nth`, edges)
	if err != nil {
		return Path{}, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Edge])
	if err == nil && (len(list) != len(edges) || len(known) != len(nodes)) {
		err = errors.New("the graph changed meanwhile")
	}
	copy(p.Edges, list)
	return p, err
}

// side is how far the search has come from one end.
type side struct {
	// backwards is of the side whose steps lead on to its end, and not from it.
	backwards bool
	steps     map[string]step
	frontier  []string
	// edges is how many of the frontier there are, or nearly; -1 while nobody counted.
	edges int64
}

// step is how a node is reached best: from which, by which edge, and the product of
// confidences from the end on.
type step struct {
	depth   int
	from    string
	edge    string
	product float64
}

func newSide(end string, backwards bool) *side {
	return &side{backwards: backwards, steps: map[string]step{end: {product: 1}}, frontier: []string{end}, edges: -1}
}

// walk is the way from a node back to the side's end.
func (s *side) walk(id string) (nodes, edges []string) {
	nodes = []string{id}
	for at := s.steps[id]; at.depth > 0; at = s.steps[at.from] {
		nodes, edges = append(nodes, at.from), append(edges, at.edge)
	}
	return nodes, edges
}

// meets are the nodes of the frontier that the other side has reached.
func (s *side) meets(other *side) (both []string) {
	for _, id := range s.frontier {
		if _, reached := other.steps[id]; reached {
			both = append(both, id)
		}
	}
	return both
}

// reach takes a step to a node where it is better than the one that is known.
func (s *side) reach(id string, to step) (first bool) {
	known, seen := s.steps[id]
	if seen && (known.depth < to.depth || known.product > to.product) {
		return false
	}
	if seen && known.product == to.product {
		nodes, edges := s.way(to)
		knownNodes, knownEdges := s.way(known)
		if !before(nodes, edges, knownNodes, knownEdges) {
			return false
		}
	}
	s.steps[id] = to
	return !seen
}

// way is what a step leads through, in the order of the path.
func (s *side) way(to step) (nodes, edges []string) {
	nodes, edges = s.walk(to.from)
	edges = append([]string{to.edge}, edges...)
	if !s.backwards {
		slices.Reverse(nodes)
		slices.Reverse(edges)
	}
	return nodes, edges
}

// before is the order of equal paths: by the ids of their nodes, then their edges.
func before(nodes, edges, otherNodes, otherEdges []string) bool {
	if c := slices.Compare(nodes, otherNodes); c != 0 {
		return c < 0
	}
	return slices.Compare(edges, otherEdges) < 0
}

// edgesAt counts the edges that a level from here would look at, or nearly.
func (s *Store) edgesAt(ctx context.Context, side *side) (int64, error) {
	if side.edges >= 0 {
		return side.edges, nil
	}
	err := s.Pool.QueryRow(ctx, `SELECT coalesce(sum(degree), 0) FROM ciclo.entities WHERE id = ANY ($1)`, side.frontier).Scan(&side.edges)
	return side.edges, err
}

// level goes one level on and returns how many edges it looked at, at most one more
// than it may.
func (s *Store) level(ctx context.Context, asOf time.Time, side *side, most int) (read int, err error) {
	// An edge that the graph held until it learned of its end may be of an entity
	// that is part of another since.
	const part = `SELECT e.id, e.%[1]s AS near, e.%[2]s AS far, e.confidence FROM ciclo.edges e
		WHERE e.%[1]s = ANY ($2) AND ` + holds + ` AND (e.expired_at IS NULL OR EXISTS (SELECT FROM ciclo.entities o WHERE o.id = e.%[2]s AND o.expired_at IS NULL))`
	rows, err := s.Pool.Query(ctx, strings.Join([]string{
		fmt.Sprintf(part, "subject_id", "object_id"), fmt.Sprintf(part, "object_id", "subject_id"),
	}, ` UNION ALL `)+fmt.Sprintf(` LIMIT %d`, most+1), asOf, side.frontier)
	if err != nil {
		return 0, err
	}
	var next []string
	var edge, near, far string
	var confidence float64
	_, err = pgx.ForEachRow(rows, []any{&edge, &near, &far, &confidence}, func() error {
		read++
		at := side.steps[near]
		if side.reach(far, step{at.depth + 1, near, edge, at.product * confidence}) {
			next = append(next, far)
		}
		return nil
	})
	side.frontier, side.edges = next, -1
	return read, err
}
