package imports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Conversations are made where their id isn't known, and else get the columns that
// the file has: a conversation is open at first and won or lost later. An empty cell
// empties its column; that of outcome is open, and that of rating leaves it.
var Conversations = &Kind{
	Name: "conversations",
	// The bits of these columns are in conversationsAfter.
	columns: []column{
		{name: "id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "client_id", sql: "text", takes: word | number, parse: parseID},
		{name: "agent_version", sql: "text", takes: word | number, parse: parseText},
		{name: "channel", sql: "text", takes: word, parse: parseText},
		{name: "segment", sql: "text", takes: word, parse: parseText},
		{name: "started_at", sql: "timestamptz", required: true, takes: word, parse: parseInstant},
		{name: "ended_at", sql: "timestamptz", takes: word, parse: parseInstant},
		{name: "outcome", sql: "text", takes: word, parse: oneOf("won", "lost", "open")},
		{name: "outcome_at", sql: "timestamptz", takes: word, parse: parseInstant},
		{name: "rating", sql: "smallint", takes: word | number, parse: oneOf("1", "2", "3", "4", "5")},
	},
	check: checkConversations,
	write: writeConversations,
}

// conversationsAfter are the good rows' conversations as they are to be.
const conversationsAfter = `
	SELECT i.line, i.id, c.id IS NULL AS new, i.started_at, i.rating,
	       CASE WHEN i.given & 2 > 0 THEN i.client_id ELSE c.client_id END AS client_id,
	       CASE WHEN i.given & 4 > 0 THEN i.agent_version ELSE c.agent_version END AS agent_version,
	       CASE WHEN i.given & 8 > 0 THEN i.channel ELSE c.channel END AS channel,
	       CASE WHEN i.given & 16 > 0 THEN i.segment ELSE c.segment END AS segment,
	       CASE WHEN i.given & 64 > 0 THEN i.ended_at ELSE c.ended_at END AS ended_at,
	       CASE WHEN i.given & 128 > 0 THEN coalesce(i.outcome, 'open') ELSE coalesce(c.outcome, 'open') END AS outcome,
	       CASE WHEN i.given & 256 > 0 THEN i.outcome_at ELSE c.outcome_at END AS outcome_at
	FROM incoming i LEFT JOIN crm.conversations c ON c.id = i.id
	WHERE i.reason IS NULL`

func checkConversations(ctx context.Context, tx pgx.Tx, _ *intake) error {
	if err := refuseTwice(ctx, tx, "id", "id"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = CASE
			WHEN a.client_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.clients c WHERE c.id = a.client_id)
				THEN format('client_id %s is not known: import clients, or payments, first', a.client_id)
			WHEN a.outcome = 'open' AND a.outcome_at IS NOT NULL THEN 'outcome_at is of a conversation that is open'
			WHEN a.outcome_at < a.started_at THEN 'outcome_at is before started_at'
			WHEN a.ended_at < a.started_at THEN 'ended_at is before started_at' END
		FROM (`+conversationsAfter+`) a WHERE a.line = i.line`); err != nil {
		return fmt.Errorf("check conversations: %w", err)
	}
	return nil
}

func writeConversations(ctx context.Context, tx pgx.Tx, _ *intake, _ int64, r *Report) error {
	err := tx.QueryRow(ctx, `
		WITH after AS (`+conversationsAfter+`), rated AS (
			SELECT a.id FROM after a LEFT JOIN crm.ratings r ON r.conversation_id = a.id WHERE a.rating IS NOT NULL AND r.rating IS DISTINCT FROM a.rating
		), changed AS (
			UPDATE crm.conversations c SET (client_id, agent_version, channel, segment, started_at, ended_at, outcome, outcome_at)
			                             = (a.client_id, a.agent_version, a.channel, a.segment, a.started_at, a.ended_at, a.outcome, a.outcome_at)
			FROM after a
			WHERE c.id = a.id
			  AND ((c.client_id, c.agent_version, c.channel, c.segment, c.started_at, c.ended_at, c.outcome, c.outcome_at)
			       IS DISTINCT FROM (a.client_id, a.agent_version, a.channel, a.segment, a.started_at, a.ended_at, a.outcome, a.outcome_at)
			       OR c.id IN (SELECT id FROM rated))
			RETURNING c.id
		), made AS (
			INSERT INTO crm.conversations (id, client_id, agent_version, channel, segment, started_at, ended_at, outcome, outcome_at)
			SELECT id, client_id, agent_version, channel, segment, started_at, ended_at, outcome, outcome_at FROM after WHERE new
			RETURNING id
		)
		SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM changed)`).Scan(&r.Rows, &r.Changed)
	if err != nil {
		return fmt.Errorf("write conversations: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO crm.ratings AS r (conversation_id, rating)
		SELECT id, rating FROM incoming WHERE reason IS NULL AND rating IS NOT NULL
		ON CONFLICT (conversation_id) DO UPDATE SET rating = excluded.rating, rated_at = now() WHERE r.rating <> excluded.rating`); err != nil {
		return fmt.Errorf("write ratings: %w", err)
	}
	return nil
}
