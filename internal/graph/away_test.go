package graph_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/graph"
)

func TestReviewsWhoseRecordsAreAway(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk)
	b.exec(`INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability) VALUES ('review_0000000000000001', 'record_0000000000000000', 'record_zzzzzzzzzzzzzzzz', .9)`)
	b.exec(`
		INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability)
		SELECT 'review_000000000000000' || (n + 1), least(a, b), greatest(a, b), .5
		FROM (SELECT row_number() OVER (ORDER BY a.id, b.id) AS n, a.id AS a, b.id AS b FROM ciclo.graph_records a JOIN ciclo.graph_records b ON a.key = 'anna' AND b.key = 'anna' AND a.id < b.id) AS pairs
		WHERE n <= 2`)
	list, err := (&graph.Store{Pool: b.pool}).Reviews(b.ctx, "open", nil, 2)
	if err != nil || len(list) != 2 {
		t.Errorf("a page of two has %d, %v", len(list), err)
	}
}

func TestErasedAfterTheRecordsWent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk)
	annas := b.lines(`SELECT DISTINCT entity_id FROM ciclo.graph_records WHERE key = 'anna' ORDER BY 1`)
	b.tx(func(tx pgx.Tx) error { _, err := graph.Merge(b.ctx, tx, annas[0], annas[1], "analyst"); return err })
	b.tx(func(tx pgx.Tx) error {
		_, err := graph.Forget(b.ctx, tx, []string{"m1", "m2", "m3", "m4", "m5", "m6"})
		return err
	})
	b.settle()
	if left := b.lines(`SELECT name FROM ciclo.entities WHERE name = 'Anna'`); len(left) == 0 {
		t.Fatal("nothing is left to erase")
	}
	b.tx(func(tx pgx.Tx) error {
		rows, err := graph.Erase(b.ctx, tx, graph.Erasure{ClientID: "C1", Patterns: []string{"Anna"}, Batch: 1000})
		if rows["ciclo.entities"] == 0 {
			t.Errorf("erased are %v", rows)
		}
		return err
	})
	for _, left := range b.lines(`
		SELECT name FROM ciclo.entities WHERE name ~ 'Anna' UNION ALL SELECT alias FROM ciclo.entity_aliases WHERE alias ~ 'Anna'
		UNION ALL SELECT id FROM ciclo.edges e WHERE NOT EXISTS (SELECT FROM ciclo.entities WHERE id = e.subject_id)
		UNION ALL SELECT from_id FROM ciclo.entity_merges`) {
		t.Errorf("left is %s", left)
	}
}
