package graph_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/graph"
)

// The words behind each edge are those that it was made of: as many, in the time
// that it held, and after a merge and an undo too.
func TestEvidenceIsWhatEdgesWereMadeOf(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	check := func(when string) (quotes []string) {
		t.Helper()
		for _, id := range b.lines(`SELECT id FROM ciclo.edges e WHERE expired_at IS NULL OR invalid_at IS NOT NULL ORDER BY id`) {
			e, err := b.Edge(b.ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			list, err := b.Evidence(b.ctx, e, nil, 100)
			if err != nil {
				t.Fatal(err)
			}
			messages := map[string]bool{}
			for _, one := range list {
				messages[one.MessageID] = true
				quotes = append(quotes, fmt.Sprint(e.Relation, " ", one.Quote))
			}
			if len(messages) != e.Evidence || len(list) > 0 && !list[0].SentAt.Equal(e.ValidAt) {
				t.Errorf("%s: edge %+v has the evidence %+v", when, e, list)
			}
		}
		slices.Sort(quotes)
		return quotes
	}
	b.read(10, talk)
	apart := check("apart")
	want := []string{
		"client_of Ben CoB", "located_in CoA PlaceBali", "located_in PlaceUbud PlaceBali",
		"works_for Anna CoA", "works_for Anna CoA", "works_for Anna CoA", "works_for Anna CoA", "works_for Anna CoB",
	}
	if diff := cmp.Diff(want, apart); diff != "" {
		t.Error(diff)
	}
	annas := b.lines(`SELECT DISTINCT entity_id FROM ciclo.graph_records WHERE key = 'anna' ORDER BY 1`)
	b.tx(func(tx pgx.Tx) error { _, err := graph.Merge(b.ctx, tx, annas[0], annas[1], "analyst"); return err })
	check("merged")
	gone := annas[0]
	e, err := b.Resolve(b.ctx, gone)
	if err == nil && e.ID == gone {
		gone = annas[1]
		e, err = b.Resolve(b.ctx, gone)
	}
	if err != nil || e.ID == gone || e.ExpiredAt != nil {
		t.Errorf("%s is now %+v, %v", gone, e, err)
	}
	merges, err := b.Merges(b.ctx, e.ID)
	if err != nil || len(merges) != 1 || merges[0].FromID != gone || *merges[0].DecidedBy != "analyst" {
		t.Fatalf("the merges are %+v, %v", merges, err)
	}
	b.tx(func(tx pgx.Tx) error { _, err := graph.Undo(b.ctx, tx, merges[0].ID, "analyst"); return err })
	if diff := cmp.Diff(apart, check("parted")); diff != "" {
		t.Error(diff)
	}
	if e, err := b.Resolve(b.ctx, gone); err != nil || e.ID != gone {
		t.Errorf("after the undo %s is %+v, %v", gone, e, err)
	}
}
