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
	Role           *string   `json:"role" jsonschema:"Who said it: client, agent or system. Null where the firm's view has the message no more as it was read."`
	Before         *string   `json:"before" jsonschema:"What the message says before the quote, its last 200 characters; null as role is."`
	After          *string   `json:"after" jsonschema:"What it says after the quote, the first 200 characters; null as role is."`
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
		SELECT v.quote, v.message_id, g.conversation_id, g.sent_at, v.start_char, v.end_char, v.extractor, v.version, v.confidence, v.subject_id, v.object_id, NULL::text, NULL::text, NULL::text
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

const (
	// around is how much of a message is told on either side of a quote, in characters.
	around = 200
	// aroundTimeout bounds what the firm's view of messages may take: evidence is
	// worth showing without what lies around it.
	aroundTimeout = time.Second
)

// Around fills in who said what the evidence quotes, and what is said around it, of
// messages that still say it where they did.
func (s *Store) Around(ctx context.Context, list []Evidence) error {
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*aroundTimeout) // where the database itself is slow
	defer cancel()
	ids, quotes := make([]string, len(list)), make([]string, len(list))
	starts, ends := make([]int, len(list)), make([]int, len(list))
	for i, e := range list {
		ids[i], quotes[i], starts[i], ends[i] = e.MessageID, e.Quote, e.Start, e.End
	}
	err := pgx.BeginTxFunc(ctx, s.Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL statement_timeout = %d`, aroundTimeout.Milliseconds())); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT p.n, m.role::text, substr(m.body, greatest(p.begins - `+strconv.Itoa(around)+`, 0) + 1, least(p.begins, `+strconv.Itoa(around)+`)), substr(m.body, p.ends + 1, `+strconv.Itoa(around)+`)
			FROM (SELECT id::text, role, body::text FROM source.messages WHERE id = ANY ($1::text[])) m
			JOIN unnest($1::text[], $2::text[], $3::int[], $4::int[]) WITH ORDINALITY AS p (id, quote, begins, ends, n) ON p.id = m.id
			WHERE substr(m.body, p.begins + 1, p.ends - p.begins) = p.quote`, ids, quotes, starts, ends)
		if err != nil {
			return err
		}
		var n int
		var role, before, after *string
		_, err = pgx.ForEachRow(rows, []any{&n, &role, &before, &after}, func() error {
			list[n-1].Role, list[n-1].Before, list[n-1].After = role, before, after
			return nil
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("look up what lies around quotes: %w", err)
	}
	return nil
}
