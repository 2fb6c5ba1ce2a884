package imports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Interactions are what was said between the firm and a client. The client must
// be known: an interaction doesn't make one.
var Interactions = &Kind{
	Name:  "interactions",
	named: "id",
	columns: []column{
		{name: "id", sql: "text", takes: word | number, parse: parseID},
		{name: "client_id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "channel", sql: "text", required: true, takes: word, parse: parseText},
		{name: "direction", sql: "text", required: true, takes: word, parse: oneOf("inbound", "outbound")},
		{name: "kind", sql: "text", required: true, takes: word, parse: parseText},
		{name: "sentiment", sql: "double precision", takes: word | number, parse: parseSentiment},
		{name: "occurred_at", sql: "timestamptz", required: true, takes: word, parse: parseInstant},
	},
	check: checkInteractions,
	write: writeInteractions,
}

func checkInteractions(ctx context.Context, tx pgx.Tx, in *intake) error {
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = format('client_id %s is not known: import clients, or payments, first', i.client_id)
		WHERE i.reason IS NULL AND NOT EXISTS (SELECT FROM crm.clients c WHERE c.id = i.client_id)`); err != nil {
		return fmt.Errorf("look for the clients: %w", err)
	}
	if in.named == 0 {
		return nil
	}
	if err := refuseTwice(ctx, tx, "id", "id"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = format('id %s is there already with other content: %s', i.id, concat_ws(', ',
			CASE WHEN p.client_id <> i.client_id THEN format('client_id is %s', p.client_id) END,
			CASE WHEN p.channel <> i.channel THEN format('channel is %s', p.channel) END,
			CASE WHEN p.direction <> i.direction THEN format('direction is %s', p.direction) END,
			CASE WHEN p.kind <> i.kind THEN format('kind is %s', p.kind) END,
			CASE WHEN p.sentiment IS DISTINCT FROM i.sentiment THEN format('sentiment is %s', coalesce(p.sentiment::text, 'none')) END,
			CASE WHEN p.occurred_at <> i.occurred_at THEN format('occurred_at is %s', to_char(p.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END))
		FROM crm.interactions p
		WHERE p.reference = i.id AND i.reason IS NULL
		  AND (p.client_id, p.channel, p.direction, p.kind, p.sentiment, p.occurred_at)
		      IS DISTINCT FROM (i.client_id, i.channel, i.direction, i.kind, i.sentiment, i.occurred_at)`); err != nil {
		return fmt.Errorf("compare with the interactions that are there: %w", err)
	}
	return nil
}

func writeInteractions(ctx context.Context, tx pgx.Tx, in *intake, imported int64, r *Report) error {
	known := ``
	if in.named > 0 {
		known = ` AND (i.id IS NULL OR NOT EXISTS (SELECT FROM crm.interactions p WHERE p.reference = i.id))`
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO crm.interactions (client_id, channel, direction, kind, sentiment, occurred_at, reference, import_id)
		SELECT client_id, channel, direction, kind, sentiment, occurred_at, id, $1
		FROM incoming i WHERE reason IS NULL`+known, imported)
	if err != nil {
		return fmt.Errorf("write interactions: %w", err)
	}
	r.Rows = tag.RowsAffected()
	return nil
}
