package graph

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Evidence is where a message says that an edge's relation holds.
type Evidence struct {
	Quote          string    `json:"quote" jsonschema:"The very words."`
	MessageID      string    `json:"message_id"`
	ConversationID string    `json:"conversation_id"`
	SentAt         time.Time `json:"sent_at"`
	Start          int       `json:"start" jsonschema:"Characters (Unicode code points) from 0."`
	End            int       `json:"end" jsonschema:"The end, excluded."`
	Extractor      string    `json:"extractor"`
	Version        string    `json:"version"`
	Confidence     float64   `json:"confidence"`
	SubjectRecord  string    `json:"subject_record"`
	ObjectRecord   string    `json:"object_record"`
}

// EvidencePlace is where evidence lies in the list of its edge.
type EvidencePlace struct {
	SentAt    time.Time `json:"t"`
	MessageID string    `json:"m"`
	Subject   string    `json:"s"`
	Object    string    `json:"o"`
}

// Place is the evidence's.
func (e Evidence) Place() EvidencePlace {
	return EvidencePlace{e.SentAt, e.MessageID, e.SubjectRecord, e.ObjectRecord}
}

// Evidence returns a page of the words behind an edge, the first sent first. An
// edge's evidence is that of the records which its entities are made of now; of
// employers, what was sent while this one was.
func (s *Store) Evidence(ctx context.Context, e Edge, after *EvidencePlace, limit int) ([]Evidence, error) {
	where, args := ``, []any{e.SubjectID, e.Relation, e.ObjectID}
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	if e.Relation == "works_for" {
		where += ` AND g.sent_at >= ` + arg(e.ValidAt)
		if e.InvalidAt != nil {
			where += ` AND g.sent_at < ` + arg(*e.InvalidAt)
		}
	}
	if after != nil {
		where += ` AND (g.sent_at, v.message_id, v.subject_id, v.object_id) > (` + arg(after.SentAt) + `, ` + arg(after.MessageID) + `, ` + arg(after.Subject) + `, ` + arg(after.Object) + `)`
	}
	rows, err := s.Pool.Query(ctx, `
		SELECT v.quote, v.message_id, g.conversation_id, g.sent_at, v.start_char, v.end_char, v.extractor, v.version, v.confidence, v.subject_id, v.object_id
		FROM ciclo.graph_records s CROSS JOIN ciclo.graph_records o
		JOIN ciclo.edge_evidence v ON v.subject_id = s.id AND v.relation = $2 AND v.object_id = o.id
		JOIN ciclo.graph_messages g ON g.id = v.message_id
		WHERE s.entity_id = $1 AND o.entity_id = $3`+where+`
		ORDER BY g.sent_at, v.message_id, v.subject_id, v.object_id LIMIT `+strconv.Itoa(limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list the evidence of %s: %w", e.ID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Evidence])
	if err != nil {
		return nil, fmt.Errorf("list the evidence of %s: %w", e.ID, err)
	}
	return list, nil
}
