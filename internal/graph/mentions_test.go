package graph_test

import (
	"slices"
	"testing"

	"github.com/nuzantara/ciclo/internal/graph"
)

// An entity with many mentions, of which the latest messages have few: pages come
// from a walk through messages first, and from all of its mentions at last.
func TestMentionsOfWhatAllTalkAbout(t *testing.T) {
	t.Parallel()
	b := newDrawing(t)
	b.entity("a", "topic", "tax", 5200)
	b.entity("z", "topic", "other", 1)
	b.exec(`INSERT INTO ciclo.graph_messages (id, conversation_id, sent_at, body_hash, versions, execution_id)
		SELECT 'm' || i, 'c', timestamptz '2026-01-01' + (i / 3) * interval '1 minute', decode(repeat('00', 32), 'hex'), '{}', $1 FROM generate_series(1, 27000) i`, execution)
	// 200 in the latest tenth, 5000 in the oldest fifth.
	b.exec(`INSERT INTO ciclo.mentions SELECT 'm' || i, i % 5, i % 5 + 3, 'tax', 'topic', CASE WHEN i > 26800 OR i <= 5000 THEN $1 ELSE $2 END, 'x', '1', 1 FROM generate_series(1, 27000) i`, id("record", "a"), id("record", "z"))
	e, err := b.Resolve(b.ctx, id("entity", "a"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	rows, err := b.Pool.Query(b.ctx, `SELECT g.id FROM ciclo.mentions m JOIN ciclo.graph_messages g ON g.id = m.message_id WHERE m.record_id = $1 ORDER BY g.sent_at DESC, g.id`, id("record", "a"))
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var message string
		if err := rows.Scan(&message); err != nil {
			t.Fatal(err)
		}
		want = append(want, message)
	}
	var got []string
	var after *graph.MentionPlace
	for {
		page, err := b.Mentions(b.ctx, e, after, 130)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, m.MessageID)
		}
		place := page[len(page)-1].Place()
		after = &place
	}
	if len(want) != 5200 || !slices.Equal(got, want) {
		t.Errorf("%d mentions, want %d", len(got), len(want))
	}
}
