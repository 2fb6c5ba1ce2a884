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

const (
	// sortedMost is how many mentions of an entity are read and sorted for a page.
	sortedMost = 5000
	// walkedMost is how many messages are looked through for a page of an entity that
	// has more.
	walkedMost = 20_000
)

const mentionColumns = `m.message_id, g.conversation_id, g.sent_at, m.start_char, m.end_char, m.surface, m.record_id, m.extractor, m.version, m.confidence`

// Mentions returns a page of an entity's mentions, the last sent first. Those of an
// entity with many are looked for in the latest messages; where these have not
// enough, as of one with few, all of the entity's are read.
func (s *Store) Mentions(ctx context.Context, e Entity, after *MentionPlace, limit int) ([]Mention, error) {
	if e.Mentions > sortedMost {
		list, err := s.mentions(ctx, e.ID, true, after, limit)
		if err != nil || len(list) == limit {
			return list, err
		}
	}
	return s.mentions(ctx, e.ID, false, after, limit)
}

func (s *Store) mentions(ctx context.Context, entity string, latest bool, after *MentionPlace, limit int) ([]Mention, error) {
	where, from, args := `r.entity_id = $1`, ``, []any{entity}
	if after != nil {
		where += ` AND (g.sent_at < $2 OR g.sent_at = $2 AND (m.message_id, m.start_char, m.end_char, m.extractor) > ($3, $4, $5, $6))`
		from = ` WHERE g.sent_at <= $2`
		args = append(args, after.SentAt, after.MessageID, after.Start, after.End, after.Extractor)
	}
	read := `ciclo.graph_messages g JOIN ciclo.mentions m ON m.message_id = g.id JOIN ciclo.graph_records r ON r.id = m.record_id WHERE ` + where
	if latest { // each message in turn, until there are enough
		read = `(SELECT * FROM ciclo.graph_messages g` + from + ` ORDER BY g.sent_at DESC, g.id LIMIT ` + strconv.Itoa(walkedMost) + `) g
			CROSS JOIN LATERAL (SELECT m.* FROM ciclo.mentions m JOIN ciclo.graph_records r ON r.id = m.record_id WHERE m.message_id = g.id AND ` + where + ` OFFSET 0) m`
	}
	rows, err := s.Pool.Query(ctx, `SELECT `+mentionColumns+` FROM `+read+`
		ORDER BY g.sent_at DESC, g.id, m.start_char, m.end_char, m.extractor LIMIT `+strconv.Itoa(limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list the mentions of %s: %w", entity, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Mention])
	if err != nil {
		return nil, fmt.Errorf("list the mentions of %s: %w", entity, err)
	}
	return list, nil
}
