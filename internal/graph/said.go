package graph

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// WriteSaid keeps what a language model said of messages that were read, by their ids,
// in place of what was said of them before. It is JSON of the reader's, an object whose
// engine says who.
func WriteSaid(ctx context.Context, tx pgx.Tx, said map[string]json.RawMessage) error {
	ids, texts := make([]string, 0, len(said)), make([]string, 0, len(said))
	for id, text := range said {
		ids, texts = append(ids, id), append(texts, string(text))
	}
	tag, err := tx.Exec(ctx, `
		UPDATE ciclo.graph_messages g SET said = s.said::jsonb
		FROM unnest($1::text[], $2::text[]) AS s (id, said) WHERE g.id = s.id`, ids, texts)
	if err != nil {
		return fmt.Errorf("write what was said of messages: %w", err)
	}
	if n := tag.RowsAffected(); n != int64(len(said)) {
		return fmt.Errorf("write what was said of messages: %d of %d are in the graph", n, len(said))
	}
	return nil
}

// SaidOf is what was said of those of the messages of which something was.
func SaidOf(ctx context.Context, tx pgx.Tx, messages []string) (map[string]json.RawMessage, error) {
	rows, err := tx.Query(ctx, `SELECT id, said FROM ciclo.graph_messages WHERE id = ANY ($1) AND said IS NOT NULL`, messages)
	if err != nil {
		return nil, fmt.Errorf("read what was said of messages: %w", err)
	}
	said := map[string]json.RawMessage{}
	var id string
	var text []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
		said[id] = append(json.RawMessage(nil), text...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what was said of messages: %w", err)
	}
	return said, nil
}

// SaidBy are the engines that said something, in order.
func SaidBy(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT (said ->> 'engine') COLLATE "C" FROM ciclo.graph_messages WHERE said IS NOT NULL ORDER BY 1`)
	if err != nil {
		return nil, fmt.Errorf("read who said something of messages: %w", err)
	}
	engines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read who said something of messages: %w", err)
	}
	return engines, nil
}
