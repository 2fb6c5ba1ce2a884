package graph

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Edge is a relation of two entities while it held.
type Edge struct {
	ID            string     `json:"edge_id"`
	SubjectID     string     `json:"subject_id"`
	Relation      string     `json:"relation" jsonschema:"Read from subject to object."`
	ObjectID      string     `json:"object_id"`
	ValidAt       time.Time  `json:"valid_at" jsonschema:"Since the first message that says so."`
	InvalidAt     *time.Time `json:"invalid_at" jsonschema:"Until one says otherwise; null where none does."`
	ExpiredAt     *time.Time `json:"expired_at" jsonschema:"Since when the graph holds it no longer; null while it does."`
	Confidence    float64    `json:"confidence"`
	Evidence      int        `json:"evidence" jsonschema:"How many messages say so."`
	Conversations int        `json:"conversations"`
}

// edgeColumns are Edge's, of edges e.
const edgeColumns = `e.id, e.subject_id, e.relation, e.object_id, e.valid_at, e.invalid_at, e.expired_at, e.confidence, e.evidence, e.conversations`

// holds is of edges e, that one holds as of $1.
const holds = `e.valid_at <= $1 AND (e.expired_at IS NULL OR e.invalid_at > $1)`

// Edge returns one edge, whether or not it holds. ErrNoEdge where there is none.
func (s *Store) Edge(ctx context.Context, id string) (Edge, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+edgeColumns+` FROM ciclo.edges e WHERE e.id = $1`, id)
	if err != nil {
		return Edge{}, fmt.Errorf("find edge %s: %w", id, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Edge])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoEdge
	}
	if err != nil {
		return e, fmt.Errorf("find edge %s: %w", id, err)
	}
	return e, nil
}

// Node is an entity as an edge's end.
type Node struct {
	ID     string `json:"entity_id"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Degree int    `json:"degree" jsonschema:"Edges that hold now, from it and to it."`
}

// Nodes returns the entities of these ids, by id.
func (s *Store) Nodes(ctx context.Context, ids []string) (map[string]Node, error) {
	rows, err := s.Pool.Query(ctx, `SELECT id, type, name, degree FROM ciclo.entities WHERE id = ANY ($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("look up entities: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Node])
	if err != nil {
		return nil, fmt.Errorf("look up entities: %w", err)
	}
	nodes := make(map[string]Node, len(list))
	for _, n := range list {
		nodes[n.ID] = n
	}
	return nodes, nil
}
