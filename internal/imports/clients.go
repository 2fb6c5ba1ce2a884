package imports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Clients are made where their id isn't known, and else get the columns that the
// file has. An empty cell empties name, email, phone, whatsapp, language and tags;
// status, consent_marketing and created_at, which can't be empty, stay as they are
// (a new client is active, without consent, made now).
var Clients = &Kind{
	Name: "clients",
	// The bits of these columns are in writeClients.
	columns: []column{
		{name: "id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "name", sql: "text", takes: word, parse: parseText},
		{name: "email", sql: "text", takes: word, parse: parseText},
		{name: "phone", sql: "text", takes: word, parse: parseText},
		{name: "whatsapp", sql: "text", takes: word, parse: parseText},
		{name: "language", sql: "text", takes: word, parse: parseText},
		{name: "status", sql: "text", takes: word, parse: oneOf("active", "inactive", "prospect")},
		{name: "consent_marketing", sql: "boolean", takes: word | truth, parse: parseBool},
		{name: "tags", sql: "text[]", takes: word | list, parse: parseTags},
		{name: "created_at", sql: "timestamptz", takes: word, parse: parseInstant},
	},
	check: func(ctx context.Context, tx pgx.Tx, _ *intake) error { return refuseTwice(ctx, tx, "id", "id") },
	write: writeClients,
}

func writeClients(ctx context.Context, tx pgx.Tx, _ *intake, _ int64, r *Report) error {
	changed, err := tx.Exec(ctx, `
		UPDATE crm.clients c SET (name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at)
		                       = (n.name, n.email, n.phone, n.whatsapp, n.language, n.status, n.consent_marketing, n.tags, n.created_at)
		FROM (
			SELECT o.id,
			       CASE WHEN i.given & 2 > 0 THEN i.name ELSE o.name END AS name,
			       CASE WHEN i.given & 4 > 0 THEN i.email ELSE o.email END AS email,
			       CASE WHEN i.given & 8 > 0 THEN i.phone ELSE o.phone END AS phone,
			       CASE WHEN i.given & 16 > 0 THEN i.whatsapp ELSE o.whatsapp END AS whatsapp,
			       CASE WHEN i.given & 32 > 0 THEN i.language ELSE o.language END AS language,
			       coalesce(i.status, o.status) AS status,
			       coalesce(i.consent_marketing, o.consent_marketing) AS consent_marketing,
			       CASE WHEN i.given & 256 > 0 THEN coalesce(i.tags, '{}') ELSE o.tags END AS tags,
			       coalesce(i.created_at, o.created_at) AS created_at
			FROM incoming i JOIN crm.clients o ON o.id = i.id
			WHERE i.reason IS NULL
		) n
		WHERE c.id = n.id
		  AND (c.name, c.email, c.phone, c.whatsapp, c.language, c.status, c.consent_marketing, c.tags, c.created_at)
		      IS DISTINCT FROM (n.name, n.email, n.phone, n.whatsapp, n.language, n.status, n.consent_marketing, n.tags, n.created_at)`)
	if err != nil {
		return fmt.Errorf("change clients: %w", err)
	}
	r.Changed = changed.RowsAffected()
	made, err := tx.Exec(ctx, `
		INSERT INTO crm.clients (id, name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at)
		SELECT id, name, email, phone, whatsapp, language, coalesce(status, 'active'), coalesce(consent_marketing, false),
		       coalesce(tags, '{}'), coalesce(created_at, now())
		FROM incoming WHERE reason IS NULL
		ON CONFLICT (id) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("make clients: %w", err)
	}
	r.Rows = made.RowsAffected()
	return nil
}
