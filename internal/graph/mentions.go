package graph

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Mention is a place in a message that names an entity. Characters are Unicode
// code points from 0, the end excluded.
type Mention struct {
	MessageID      string    `json:"message_id"`
	ConversationID string    `json:"conversation_id"`
	SentAt         time.Time `json:"sent_at"`
	Start          int32     `json:"start" jsonschema:"Characters (Unicode code points) from 0."`
	End            int32     `json:"end" jsonschema:"The end, excluded."`
	Surface        string    `json:"surface" jsonschema:"The very words."`
	RecordID       string    `json:"record_id"`
	Extractor      string    `json:"extractor"`
	Version        string    `json:"version"`
	Confidence     float64   `json:"confidence" jsonschema:"The chance that the place and type are right."`
}

// MentionPlace is where a mention lies in the list of its entity.
type MentionPlace struct {
	SentAt    time.Time `json:"t"`
	MessageID string    `json:"m"`
	Start     int32     `json:"s"`
	End       int32     `json:"e"`
	Extractor string    `json:"x"`
}

// Place is the mention's.
func (m Mention) Place() MentionPlace {
	return MentionPlace{m.SentAt, m.MessageID, m.Start, m.End, m.Extractor}
}

// Mentions returns a page of an entity's mentions, the last sent first. It reads
// all of the entity's for each page.
func (s *Store) Mentions(ctx context.Context, entity string, after *MentionPlace, limit int) ([]Mention, error) {
	where, args := ``, []any{entity}
	if after != nil {
		where = ` AND (g.sent_at < $2 OR g.sent_at = $2 AND (m.message_id, m.start_char, m.end_char, m.extractor) > ($3, $4, $5, $6))`
		args = append(args, after.SentAt, after.MessageID, after.Start, after.End, after.Extractor)
	}
	rows, err := s.Pool.Query(ctx, `
		SELECT m.message_id, g.conversation_id, g.sent_at, m.start_char, m.end_char, m.surface, m.record_id, m.extractor, m.version, m.confidence
		FROM ciclo.graph_records r JOIN ciclo.mentions m ON m.record_id = r.id JOIN ciclo.graph_messages g ON g.id = m.message_id
		WHERE r.entity_id = $1`+where+`
		ORDER BY g.sent_at DESC, m.message_id, m.start_char, m.end_char, m.extractor LIMIT `+strconv.Itoa(limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list the mentions of %s: %w", entity, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Mention])
	if err != nil {
		return nil, fmt.Errorf("list the mentions of %s: %w", entity, err)
	}
	return list, nil
}
