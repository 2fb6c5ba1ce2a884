package graph

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// examinedEach is how many of a node's edges are looked at in each direction for
	// those that the filters let pass, examinedAll how many of all nodes of a depth.
	examinedEach, examinedAll = 5000, 100_000
)

// NeighbourFilter is whose neighbourhood to find, how far, and through what.
type NeighbourFilter struct {
	Entity string
	// Depth is the most edges from it.
	Depth int
	// Relations and Types are those that edges and neighbours must have; none is any.
	Relations, Types []string
	AsOf             time.Time
	MinConfidence    float64
	// PerNode is the most edges followed of a node, Limit the most neighbours.
	PerNode, Limit int
}

// Neighbour is a node of a neighbourhood.
type Neighbour struct {
	Node
	Depth int `json:"depth" jsonschema:"Edges from the one that was asked for."`
}

// Neighbourhood is what lies around an entity.
type Neighbourhood struct {
	// Nodes are neighbours in the order they were found in, without the entity itself.
	Nodes []Neighbour
	// Edges are those by which they were found, and others that were seen between them.
	Edges []Edge
	// Truncated says that there is more than the bounds let in.
	Truncated bool
}

// followed is an edge of a node of the frontier.
type followed struct {
	Nth int64
	Edge
	Far Node
	// Beyond says that the node has more edges than were looked at.
	Beyond bool
}

// Neighbours finds an entity's neighbourhood breadth first, of each node the
// strongest edges first, equal ones by id.
func (s *Store) Neighbours(ctx context.Context, f NeighbourFilter) (Neighbourhood, error) {
	found := Neighbourhood{Nodes: []Neighbour{}, Edges: []Edge{}}
	nodes, edges := map[string]bool{f.Entity: true}, map[string]bool{}
	frontier := []string{f.Entity}
	for depth := 1; depth <= f.Depth && len(frontier) > 0; depth++ {
		rows, err := s.follow(ctx, f, frontier)
		if err != nil {
			return found, fmt.Errorf("find the neighbours of %s: %w", f.Entity, err)
		}
		var next []string
		var of int64
		taken := 0
		for _, r := range rows {
			if r.Nth != of {
				of, taken = r.Nth, 0
			}
			if r.Beyond || taken == f.PerNode {
				found.Truncated = true
				continue
			}
			taken++
			if !nodes[r.Far.ID] {
				if len(found.Nodes) == f.Limit {
					found.Truncated = true
					continue
				}
				nodes[r.Far.ID] = true
				found.Nodes = append(found.Nodes, Neighbour{r.Far, depth})
				next = append(next, r.Far.ID)
			}
			if !edges[r.ID] {
				edges[r.ID] = true
				found.Edges = append(found.Edges, r.Edge)
			}
		}
		frontier = next
	}
	return found, nil
}

// follow returns the edges of the nodes, in their order, the strongest first, and
// of each, or of each and relation, one more than may be followed.
func (s *Store) follow(ctx context.Context, f NeighbourFilter, nodes []string) ([]followed, error) {
	args := []any{f.AsOf, nodes}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	inIndex, passes := ``, `o.expired_at IS NULL`
	if f.MinConfidence > 0 {
		inIndex = ` AND e.confidence >= ` + arg(f.MinConfidence)
	}
	if len(f.Types) > 0 {
		passes += ` AND o.type = ANY (` + arg(f.Types) + `)`
	}
	relations, ofRelation := ``, ``
	if len(f.Relations) > 0 {
		relations, ofRelation = ` CROSS JOIN unnest(`+arg(f.Relations)+`::text[]) AS wanted (relation)`, ` AND e.relation = wanted.relation`
	}
	looked := strconv.Itoa(max(1, min(examinedEach, examinedAll/len(nodes))))
	one := strconv.Itoa(f.PerNode + 1)
	// The edges of one end by its index; the first that is beyond what is looked at
	// passes as a sign of it.
	part := func(end, far string) string {
		return `(SELECT ` + edgeColumns + `, o.id AS far_id, o.type AS far_type, o.name AS far_name, o.degree AS far_degree, e.place > ` + looked + ` AS beyond FROM (
				SELECT e.*, row_number() OVER (ORDER BY e.confidence DESC, e.id) AS place FROM ciclo.edges e
				WHERE e.` + end + ` = asked.id` + ofRelation + inIndex + ` ORDER BY e.confidence DESC, e.id LIMIT ` + looked + ` + 1) e
			JOIN ciclo.entities o ON o.id = e.` + far + `
			WHERE e.place > ` + looked + ` OR ` + holds + ` AND ` + passes + `
			ORDER BY e.confidence DESC, e.id LIMIT ` + one + `)`
	}
	rows, err := s.Pool.Query(ctx, `SELECT asked.nth, `+edgeColumns+`, e.far_id, e.far_type, e.far_name, e.far_degree, e.beyond
		FROM unnest($2::text[]) WITH ORDINALITY AS asked (id, nth)`+relations+`
		CROSS JOIN LATERAL (
			SELECT * FROM (`+part("subject_id", "object_id")+` UNION ALL `+part("object_id", "subject_id")+`) e
			ORDER BY e.confidence DESC, e.id LIMIT `+one+`) e`, args...)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r followed, err error) {
		err = row.Scan(&r.Nth, &r.ID, &r.SubjectID, &r.Relation, &r.ObjectID, &r.ValidAt, &r.InvalidAt, &r.ExpiredAt, &r.Confidence, &r.Evidence, &r.Conversations,
			&r.Far.ID, &r.Far.Type, &r.Far.Name, &r.Far.Degree, &r.Beyond)
		return r, err
	})
	slices.SortFunc(list, func(a, b followed) int {
		return cmp.Or(cmp.Compare(a.Nth, b.Nth), cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}
