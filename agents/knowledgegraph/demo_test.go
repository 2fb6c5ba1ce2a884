package knowledgegraph

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/eval"
	"github.com/nuzantara/ciclo/internal/demo"
)

// collect reads rows into structs by the order of their columns.
func collect[T any](f *firm, sql string) []T {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), sql)
	if err != nil {
		f.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// built is the graph as it is held against the demo's truth.
func (f *firm) built() eval.Built {
	return eval.Built{
		Entities: collect[eval.BuiltEntity](f, `
			SELECT id, type, ARRAY(SELECT alias::text FROM ciclo.entity_aliases a WHERE a.entity_id = e.id ORDER BY 1), client_ids
			FROM ciclo.entities e WHERE expired_at IS NULL ORDER BY id`),
		Mentions: collect[eval.BuiltMention](f, `
			SELECT m.message_id, m.start_char, m.end_char, r.entity_id FROM ciclo.mentions m JOIN ciclo.graph_records r ON r.id = m.record_id ORDER BY 1, 2`),
		Contacts: collect[eval.BuiltContact](f, `
			SELECT DISTINCT a.message_id, r.entity_id, a.kind, a.value FROM ciclo.record_attributes a JOIN ciclo.graph_records r ON r.id = a.record_id WHERE a.kind <> 'url' ORDER BY 1, 2`),
		Edges: collect[eval.BuiltEdge](f, `
			SELECT subject_id, relation, object_id, valid_at, coalesce(invalid_at, '0001-01-01Z') FROM ciclo.edges
			WHERE expired_at IS NULL OR invalid_at IS NOT NULL ORDER BY 1, 2, 3, 4`),
	}
}

func TestTheDemosTruth(t *testing.T) {
	t.Parallel()
	f := demoFirm(t)
	f.run(year)
	for _, figure := range eval.Compare(demo.Graph(demo.DefaultTruth, 1, today), f.built()) {
		if !figure.Pass {
			t.Errorf("%s: %s, wanted %s", figure.Name, figure.Measured, figure.Target)
		} else {
			t.Logf("%s: %s", figure.Name, figure.Measured)
		}
	}
}
