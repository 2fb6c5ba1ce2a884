package graph_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/graph"
)

// What was said of a message stays while the message is read again, and goes with it.
func TestWhatWasSaidOfMessages(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk, "anna")
	one, other := talk[0].id, talk[1].id
	b.tx(func(tx pgx.Tx) error {
		return graph.WriteSaid(b.ctx, tx, map[string]json.RawMessage{one: json.RawMessage(`{"engine": "old/1"}`), other: json.RawMessage(`{"engine": "own/2"}`)})
	})
	b.tx(func(tx pgx.Tx) error {
		return graph.WriteSaid(b.ctx, tx, map[string]json.RawMessage{one: json.RawMessage(`{"engine": "an/3"}`)})
	})
	b.read(10, talk, "anna")
	look := func() (said map[string]json.RawMessage, by []string) {
		b.tx(func(tx pgx.Tx) (err error) {
			if said, err = graph.SaidOf(b.ctx, tx, []string{one, other, talk[2].id, "nowhere"}); err == nil {
				by, err = graph.SaidBy(b.ctx, tx)
			}
			return err
		})
		return said, by
	}
	said, by := look()
	if len(said) != 2 || string(said[one]) != `{"engine": "an/3"}` || string(said[other]) != `{"engine": "own/2"}` || !slices.Equal(by, []string{"an/3", "own/2"}) {
		t.Errorf("%s by %v", said, by)
	}
	b.tx(func(tx pgx.Tx) error { _, err := graph.Forget(b.ctx, tx, []string{one}); return err })
	if said, by = look(); len(said) != 1 || !slices.Equal(by, []string{"own/2"}) {
		t.Errorf("with the message gone %s by %v", said, by)
	}
	err := pgx.BeginFunc(b.ctx, b.pool, func(tx pgx.Tx) error {
		return graph.WriteSaid(b.ctx, tx, map[string]json.RawMessage{one: json.RawMessage(`{"engine": "an/3"}`)})
	})
	if err == nil {
		t.Error("something is said of a message that isn't there")
	}
}
