package graph_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/fold"
	"github.com/nuzantara/ciclo/internal/graph"
)

// drawing is a graph whose entities and edges are written as they are, and not
// derived from what was read.
type drawing struct {
	*bundle
	graph.Store
}

func newDrawing(t *testing.T) *drawing {
	t.Helper()
	b := newBundle(t)
	return &drawing{b, graph.Store{Pool: b.pool}}
}

// id is an id of a kind made of a short name of letters and digits.
func id(kind, name string) string { return kind + "_" + strings.Repeat("0", 16-len(name)) + name }

// name is the short name in an id.
func name(id string) string {
	_, padded, _ := strings.Cut(id, "_")
	return strings.TrimLeft(padded, "0")
}

// day is a day of 2026, counted from 0.
func day(n int) time.Time { return time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC) }

// entity makes an entity of one record, mentioned in so many conversations.
func (b *drawing) entity(short, kind, shown string, conversations int) {
	b.t.Helper()
	b.exec(`INSERT INTO ciclo.entities (id, type, name, mentions, conversations, first_at, last_at)
		VALUES ($1, $2, $3, $4, $4, CASE WHEN $4 > 0 THEN $5::timestamptz END, CASE WHEN $4 > 0 THEN $5::timestamptz + $4 * interval '1 day' END)`, id("entity", short), kind, shown, conversations, day(0))
	b.exec(`INSERT INTO ciclo.graph_records (id, type, scope, key, name, entity_id) VALUES ($1, $2, '', $3, $4, $5)`, id("record", short), kind, short, shown, id("entity", short))
	b.alias(short, shown)
}

func (b *drawing) alias(short, alias string) {
	b.t.Helper()
	b.exec(`INSERT INTO ciclo.entity_aliases (entity_id, alias, folded, mentions) VALUES ($1, $2, $3, 1)`, id("entity", short), alias, fold.Text(alias))
}

// nodes makes topics of these short names.
func (b *drawing) nodes(shorts ...string) {
	b.t.Helper()
	for _, s := range shorts {
		b.entity(s, "topic", "topic "+s, 1)
	}
}

// edge makes an edge that holds since the first day.
func (b *drawing) edge(short, subject, relation, object string, confidence float64) {
	b.t.Helper()
	b.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations) VALUES ($1, $2, $3, $4, $5, $6, 1, 1)`,
		id("edge", short), id("entity", subject), relation, id("entity", object), day(0), confidence)
	b.exec(`UPDATE ciclo.entities SET degree = degree + 1 WHERE id IN ($1, $2)`, id("entity", subject), id("entity", object))
}

// ended lets an edge hold from one day to another.
func (b *drawing) ended(short string, from, to int) {
	b.t.Helper()
	b.exec(`UPDATE ciclo.edges SET valid_at = $2, invalid_at = $3, expired_at = now() WHERE id = $1`, id("edge", short), day(from), day(to))
}
