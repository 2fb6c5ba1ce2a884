// Package graph keeps the knowledge graph in Postgres: all SQL of its tables is
// here, for the agent that builds it and for the services that show it. Imports:
// pgx, and the fold of names.
package graph

import (
	"errors"
	"regexp"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Store reads the graph.
type Store struct{ Pool *pgxpool.Pool }

// What the graph may be asked for and does not have.
var (
	ErrNoEntity = errors.New("no such entity")
	ErrNoEdge   = errors.New("no such edge")
)

// Types are those of entities.
var Types = []string{"person", "company", "location", "law", "topic", "practice_type", "document", "money", "date"}

// Relations are those of edges, read from subject to object.
var Relations = []string{"requires", "governed_by", "relates_to", "conflicts_with", "example_of", "works_for", "located_in", "client_of"}

var ids = regexp.MustCompile(`^(entity|edge|review)_[0-9a-z]{16}$`)

// ValidID reports whether the text may be the id of an entity, an edge or a review.
func ValidID(id string) bool { return ids.MatchString(id) }
