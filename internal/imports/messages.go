package imports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Messages are the turns of conversations, which must be known. A body may be empty,
// as of a picture.
var Messages = &Kind{
	Name: "messages",
	columns: []column{
		{name: "id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "conversation_id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "role", sql: "text", required: true, takes: word, parse: oneOf("client", "agent", "system")},
		{name: "body", sql: "text", takes: word, parse: parseBody},
		{name: "sent_at", sql: "timestamptz", required: true, takes: word, parse: parseInstant},
	},
	check: checkMessages,
	write: writeMessages,
}

// parseBody takes whatever text fits into a row.
func parseBody(dst []byte, c cell, _ *intake) ([]byte, error) {
	if err := checkText(c.text, maxRow); err != nil {
		return dst, err
	}
	return appendEscaped(dst, c.text), nil
}

func checkMessages(ctx context.Context, tx pgx.Tx, _ *intake) error {
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = format('conversation_id %s is not known: import conversations first', i.conversation_id)
		WHERE i.reason IS NULL AND NOT EXISTS (SELECT FROM crm.conversations c WHERE c.id = i.conversation_id)`); err != nil {
		return fmt.Errorf("look for the conversations: %w", err)
	}
	if err := refuseTwice(ctx, tx, "id", "id"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = format('id %s is there already with other content: %s', i.id, concat_ws(', ',
			CASE WHEN m.conversation_id <> i.conversation_id THEN format('conversation_id is %s', m.conversation_id) END,
			CASE WHEN m.role <> i.role THEN format('role is %s', m.role) END,
			CASE WHEN m.body <> coalesce(i.body, '') THEN 'another body' END,
			CASE WHEN m.sent_at <> i.sent_at THEN format('sent_at is %s', to_char(m.sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END))
		FROM crm.messages m
		WHERE m.id = i.id AND i.reason IS NULL
		  AND (m.conversation_id, m.role, m.body, m.sent_at) IS DISTINCT FROM (i.conversation_id, i.role, coalesce(i.body, ''), i.sent_at)`); err != nil {
		return fmt.Errorf("compare with the messages that are there: %w", err)
	}
	return nil
}

func writeMessages(ctx context.Context, tx pgx.Tx, _ *intake, _ int64, r *Report) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO crm.messages (id, conversation_id, role, body, sent_at)
		SELECT id, conversation_id, role, coalesce(body, ''), sent_at FROM incoming WHERE reason IS NULL
		ON CONFLICT (id) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("write messages: %w", err)
	}
	r.Rows = tag.RowsAffected()
	return nil
}
