package graph

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Entity is who or what conversations are about.
type Entity struct {
	ID            string     `json:"entity_id"`
	Type          string     `json:"type"`
	Name          string     `json:"name"`
	ClientIDs     []string   `json:"client_ids" jsonschema:"The firm's clients that it is."`
	Mentions      int        `json:"mentions"`
	Conversations int        `json:"conversations" jsonschema:"How many mention it."`
	Degree        int        `json:"degree" jsonschema:"Edges that hold, from it and to it."`
	FirstAt       *time.Time `json:"first_at" jsonschema:"When the first message that mentions it was sent; null where none does."`
	LastAt        *time.Time `json:"last_at"`
	CreatedAt     time.Time  `json:"created_at" jsonschema:"When it came into the graph."`
	ExpiredAt     *time.Time `json:"expired_at" jsonschema:"Since when nothing is it any more; null while something is."`
}

// entityColumns are Entity's, of entities e.
const entityColumns = `e.id, e.type, e.name, e.client_ids, e.mentions, e.conversations, e.degree, e.first_at, e.last_at, e.created_at, e.expired_at`

// EntityOrder is the order of a list of entities.
type EntityOrder string

// The orders: those in the most conversations first, those with the most edges,
// those mentioned last. Equal ones follow by id.
const (
	ByConversations EntityOrder = "conversations"
	ByDegree        EntityOrder = "degree"
	ByLastSeen      EntityOrder = "last_seen"
)

// EntityOrders are all of them, the default first.
var EntityOrders = []EntityOrder{ByConversations, ByDegree, ByLastSeen}

// entityKeys are what the orders go by, and their types.
var entityKeys = map[EntityOrder][2]string{
	ByConversations: {"e.conversations", "integer"},
	ByDegree:        {"e.degree", "integer"},
	ByLastSeen:      {"coalesce(e.last_at, '-infinity'::timestamptz)", "timestamptz"},
}

// EntityFilter narrows a list of entities; zero values don't.
type EntityFilter struct {
	Order EntityOrder
	Types []string
	After *EntityPlace
	Limit int
}

// EntityPlace is where an entity lies in a list: its key, as the database writes
// it, and its id.
type EntityPlace struct {
	Key string `json:"k"`
	ID  string `json:"i"`
}

// PlacedEntity is an entity with the key that it lies by in a list.
type PlacedEntity struct {
	Entity
	Key string
}

// Entities returns a page of the entities that have not expired, merged from the
// first of each type.
func (s *Store) Entities(ctx context.Context, f EntityFilter) ([]PlacedEntity, error) {
	key, kind, limit := entityKeys[f.Order][0], entityKeys[f.Order][1], strconv.Itoa(f.Limit) // a limit that the planner knows
	types := f.Types
	if len(types) == 0 {
		types = Types
	}
	args := []any{types}
	first := func(more string) string {
		return `(SELECT e.*, ` + key + ` AS key FROM ciclo.entities e WHERE e.expired_at IS NULL AND e.type = asked.type` + more + ` ORDER BY ` + key + ` DESC, e.id LIMIT ` + limit + `)`
	}
	part := first("")
	if f.After != nil { // among equal ones, and behind them: each a range of the index
		after := `$2::text::` + kind
		part = first(` AND `+key+` = `+after+` AND e.id > $3`) + ` UNION ALL ` + first(` AND `+key+` < `+after)
		args = append(args, f.After.Key, f.After.ID)
	}
	rows, err := s.Pool.Query(ctx, `SELECT `+entityColumns+`, e.key::text FROM unnest($1::text[]) AS asked (type)
		CROSS JOIN LATERAL (`+part+`) e ORDER BY e.key DESC, e.id LIMIT `+limit, args...)
	if err != nil {
		return nil, fmt.Errorf("list entities: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[PlacedEntity])
	if err != nil {
		return nil, fmt.Errorf("list entities: %w", err)
	}
	return list, nil
}

// Resolve returns the entity that an id names now: itself, or the one that it is
// part of since merges. What expired without a merge is itself. ErrNoEntity where
// none has the id, and none that it was part of is there.
func (s *Store) Resolve(ctx context.Context, id string) (Entity, error) {
	rows, err := s.Pool.Query(ctx, `
		WITH RECURSIVE chain AS (
			SELECT $1::text COLLATE "C" AS id, ARRAY[$1::text COLLATE "C"] AS path
			UNION ALL
			SELECT m.to_id, c.path || m.to_id FROM chain c CROSS JOIN LATERAL (
				SELECT m.to_id FROM ciclo.entity_merges m WHERE m.from_id = c.id AND m.kind = 'merge' ORDER BY m.id DESC LIMIT 1) m
			WHERE m.to_id <> ALL (c.path) AND NOT EXISTS (SELECT FROM ciclo.entities WHERE id = c.id AND expired_at IS NULL))
		SELECT `+entityColumns+` FROM chain c JOIN ciclo.entities e ON e.id = c.id ORDER BY cardinality(c.path) DESC LIMIT 1`, id)
	if err != nil {
		return Entity{}, fmt.Errorf("find entity %s: %w", id, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Entity])
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNoEntity
	}
	if err != nil {
		return e, fmt.Errorf("find entity %s: %w", id, err)
	}
	return e, nil
}

// Alias is a name of an entity as it is written.
type Alias struct {
	Alias    string `json:"alias"`
	Mentions int    `json:"mentions"`
}

// EntityMerge is what became of entities: records that came from one to another.
type EntityMerge struct {
	ID          int64         `json:"merge_id"`
	Kind        string        `json:"kind" jsonschema:"merge: all records of from came into to; split: some left from for to."`
	FromID      string        `json:"from_id"`
	FromName    *string       `json:"from_name" jsonschema:"Null where there was never such an entity by itself, or it was erased."`
	ToID        string        `json:"to_id"`
	ToName      *string       `json:"to_name"`
	Records     []string      `json:"records"`
	Probability *float64      `json:"probability" jsonschema:"Of the strongest pair across both; null where a person decided."`
	Fields      []ReviewField `json:"fields"`
	ExecutionID *string       `json:"execution_id"`
	DecidedBy   *string       `json:"decided_by"`
	MergedAt    time.Time     `json:"merged_at"`
}

// mostOfOne bounds how many names, and how many merges, one entity is shown with.
const mostOfOne = 100

// Aliases returns an entity's names, the most used first, and at most a hundred.
func (s *Store) Aliases(ctx context.Context, id string) ([]Alias, error) {
	rows, err := s.Pool.Query(ctx, `SELECT alias, mentions FROM ciclo.entity_aliases WHERE entity_id = $1 ORDER BY mentions DESC, alias LIMIT `+strconv.Itoa(mostOfOne), id)
	if err != nil {
		return nil, fmt.Errorf("list the names of %s: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Alias])
	if err != nil {
		return nil, fmt.Errorf("list the names of %s: %w", id, err)
	}
	return list, nil
}

// Contacts returns how messages say that an entity is reached, and at most twenty.
func (s *Store) Contacts(ctx context.Context, id string) ([]Contact, error) {
	rows, err := s.Pool.Query(ctx, `
		SELECT DISTINCT c.kind, c.value FROM ciclo.graph_records r JOIN ciclo.record_attributes c ON c.record_id = r.id
		WHERE r.entity_id = $1 ORDER BY 1, 2 LIMIT 20`, id)
	if err != nil {
		return nil, fmt.Errorf("list how %s is reached: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Contact])
	if err != nil {
		return nil, fmt.Errorf("list how %s is reached: %w", id, err)
	}
	return list, nil
}

// Merges returns what became of an entity, the last first, and at most a hundred.
func (s *Store) Merges(ctx context.Context, id string) ([]EntityMerge, error) {
	rows, err := s.Pool.Query(ctx, `
		SELECT m.id, m.kind, m.from_id, f.name, m.to_id, t.name, m.records, m.probability, m.fields, m.execution_id, m.decided_by, m.merged_at
		FROM (
			(SELECT * FROM ciclo.entity_merges WHERE from_id = $1 ORDER BY id DESC LIMIT `+strconv.Itoa(mostOfOne)+`)
			UNION ALL
			(SELECT * FROM ciclo.entity_merges WHERE to_id = $1 ORDER BY id DESC LIMIT `+strconv.Itoa(mostOfOne)+`)) m
		LEFT JOIN ciclo.entities f ON f.id = m.from_id LEFT JOIN ciclo.entities t ON t.id = m.to_id
		ORDER BY m.id DESC LIMIT `+strconv.Itoa(mostOfOne), id)
	if err != nil {
		return nil, fmt.Errorf("list the merges of %s: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[EntityMerge])
	if err != nil {
		return nil, fmt.Errorf("list the merges of %s: %w", id, err)
	}
	return list, nil
}
