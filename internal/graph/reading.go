package graph

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Reading is what was found in one message. Places are characters from 0, the end
// excluded.
type Reading struct {
	MessageID, ConversationID string
	ClientID                  string // empty where the conversation is nobody's
	SentAt                    time.Time
	BodyHash                  []byte
	Mentions                  []FoundMention
	Attributes                []FoundAttribute
	Evidence                  []FoundEvidence
}

// FoundMention is a place that names a record.
type FoundMention struct {
	Start, End         int
	Surface            string
	Record             Record
	Extractor, Version string
	Confidence         float64
}

// FoundAttribute is an e-mail address, phone number or URL of a record.
type FoundAttribute struct {
	Record             Record
	Kind, Value        string
	Extractor, Version string
}

// FoundEvidence is a place that says that a relation holds.
type FoundEvidence struct {
	Subject            Record
	Relation           string
	Object             Record
	Start, End         int
	Quote              string
	Extractor, Version string
	Confidence         float64
}

// Written says how many rows of one kind came, went or became others.
type Written struct {
	Mentions   int64 `json:"mentions"`
	Attributes int64 `json:"attributes"`
	Evidence   int64 `json:"evidence"`
}

// stage is a table of what a batch gave, beside the one it is brought to. A dry
// run's steps share a transaction, so that it may be there already.
type stage struct {
	table string
	// key tells rows apart, rest is what they say.
	key, rest []string
}

var stages = struct{ mentions, attributes, evidence stage }{
	mentions:   stage{"mentions", []string{"message_id", "start_char", "end_char", "extractor"}, []string{"surface", "type", "record_id", "version", "confidence"}},
	attributes: stage{"record_attributes", []string{"message_id", "record_id", "kind", "value"}, []string{"extractor", "version"}},
	evidence:   stage{"edge_evidence", []string{"message_id", "subject_id", "relation", "object_id"}, []string{"start_char", "end_char", "quote", "extractor", "version", "confidence"}},
}

// Apply writes what was found in messages in place of what was known of them: rows
// that are the same stay as they are. execution is the run that read them and
// versions its extractors'.
func Apply(ctx context.Context, tx pgx.Tx, execution string, versions map[string]string, readings []Reading) (Written, error) {
	var w Written
	if len(readings) == 0 {
		return w, nil
	}
	if err := applyMessages(ctx, tx, execution, versions, readings); err != nil {
		return w, fmt.Errorf("write the messages read: %w", err)
	}
	records, mentions, attributes, evidence := rowsOf(readings)
	if err := applyRecords(ctx, tx, records); err != nil {
		return w, fmt.Errorf("write records: %w", err)
	}
	var err error
	if w.Mentions, err = stages.mentions.apply(ctx, tx, mentions); err != nil {
		return w, err
	}
	if w.Attributes, err = stages.attributes.apply(ctx, tx, attributes); err != nil {
		return w, err
	}
	w.Evidence, err = stages.evidence.apply(ctx, tx, evidence)
	return w, err
}

func applyMessages(ctx context.Context, tx pgx.Tx, execution string, versions map[string]string, readings []Reading) error {
	encoded, err := json.Marshal(versions)
	if err != nil {
		return err
	}
	if err := freshTable(ctx, tx, "graph_read", `id text COLLATE "C", conversation_id text COLLATE "C", client_id text COLLATE "C", sent_at timestamptz, body_hash bytea`); err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "graph_read"}, []string{"id", "conversation_id", "client_id", "sent_at", "body_hash"},
		pgx.CopyFromSlice(len(readings), func(i int) ([]any, error) {
			r := readings[i]
			var client *string
			if r.ClientID != "" {
				client = &r.ClientID
			}
			return []any{r.MessageID, r.ConversationID, client, r.SentAt, r.BodyHash}, nil
		}))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO ciclo.graph_messages AS g (id, conversation_id, client_id, sent_at, body_hash, versions, execution_id)
		SELECT id, conversation_id, client_id, sent_at, body_hash, $1::jsonb, $2 FROM pg_temp.graph_read
		ON CONFLICT (id) DO UPDATE SET
			conversation_id = excluded.conversation_id, client_id = excluded.client_id, sent_at = excluded.sent_at, body_hash = excluded.body_hash,
			versions = excluded.versions, execution_id = excluded.execution_id, read_at = now()`, string(encoded), execution)
	return err
}

// rowsOf are the rows of a batch by table, in the order of the stages' columns, and
// its records. Of two that have one key the first stays: a message gives the surest
// first.
func rowsOf(readings []Reading) (records []Record, mentions, attributes, evidence [][]any) {
	known := map[string]bool{}
	add := func(r Record) string {
		id := r.ID()
		if !known[id] {
			known[id] = true
			records = append(records, r)
		}
		return id
	}
	for _, r := range readings {
		for _, m := range r.Mentions {
			mentions = append(mentions, []any{r.MessageID, m.Start, m.End, m.Extractor, m.Surface, m.Record.Type, add(m.Record), m.Version, m.Confidence})
		}
		type attributeKey struct{ record, kind, value string }
		attributed := map[attributeKey]bool{}
		for _, a := range r.Attributes {
			id := add(a.Record)
			if key := (attributeKey{id, a.Kind, a.Value}); !attributed[key] {
				attributed[key] = true
				attributes = append(attributes, []any{r.MessageID, id, a.Kind, a.Value, a.Extractor, a.Version})
			}
		}
		type evidenceKey struct{ subject, relation, object string }
		said := map[evidenceKey]bool{}
		all := slices.Clone(r.Evidence)
		slices.SortStableFunc(all, func(a, b FoundEvidence) int {
			return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Extractor, b.Extractor))
		})
		for _, e := range all {
			subject, object := add(e.Subject), add(e.Object)
			if key := (evidenceKey{subject, e.Relation, object}); subject != object && !said[key] {
				said[key] = true
				evidence = append(evidence, []any{r.MessageID, subject, e.Relation, object, e.Start, e.End, e.Quote, e.Extractor, e.Version, e.Confidence})
			}
		}
	}
	return records, mentions, attributes, evidence
}

// applyRecords writes records that are new, with their entities where each is one by
// itself.
func applyRecords(ctx context.Context, tx pgx.Tx, records []Record) error {
	if err := freshTable(ctx, tx, "graph_found", `id text COLLATE "C", type text, scope text COLLATE "C", key text COLLATE "C", name text, client_id text COLLATE "C", entity_id text COLLATE "C"`); err != nil {
		return err
	}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "graph_found"}, []string{"id", "type", "scope", "key", "name", "client_id", "entity_id"},
		pgx.CopyFromSlice(len(records), func(i int) ([]any, error) {
			r := records[i]
			var client, entity *string
			if r.ClientID != "" {
				client = &r.ClientID
			}
			if !Resolved(r.Type) {
				entity = new(EntityOf(r.ID()))
			}
			return []any{r.ID(), r.Type, r.Scope, r.Key, r.Name, client, entity}, nil
		}))
	if err != nil {
		return err
	}
	for _, sql := range []string{`
		INSERT INTO ciclo.entities (id, type, name)
		SELECT entity_id, type, name FROM pg_temp.graph_found WHERE entity_id IS NOT NULL
		ON CONFLICT (id) DO NOTHING`, `
		INSERT INTO ciclo.graph_records AS r (id, type, scope, key, name, client_id, entity_id)
		SELECT id, type, scope, key, name, client_id, entity_id FROM pg_temp.graph_found
		ON CONFLICT (id) DO NOTHING`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// apply brings the rows of the messages in pg_temp.graph_read to these.
func (s stage) apply(ctx context.Context, tx pgx.Tx, rows [][]any) (changed int64, err error) {
	columns := slices.Concat(s.key, s.rest)
	staged := "staged_" + s.table
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", s.table, err)
		}
	}()
	if _, err := tx.Exec(ctx, `CREATE TEMP TABLE IF NOT EXISTS `+staged+` (LIKE ciclo.`+s.table+`) ON COMMIT DROP`); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `TRUNCATE pg_temp.`+staged); err != nil {
		return 0, err
	}
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", staged}, columns, pgx.CopyFromRows(rows)); err != nil {
		return 0, err
	}
	same := joined(s.key, " AND ", func(c string) string { return "t." + c + " = n." + c })
	gone, err := tx.Exec(ctx, `
		DELETE FROM ciclo.`+s.table+` AS t USING pg_temp.graph_read AS m
		WHERE t.message_id = m.id AND NOT EXISTS (SELECT FROM pg_temp.`+staged+` AS n WHERE `+same+`)`)
	if err != nil {
		return 0, err
	}
	come, err := tx.Exec(ctx, `
		INSERT INTO ciclo.`+s.table+` AS t (`+joined(columns, ", ", nil)+`)
		SELECT `+joined(columns, ", ", nil)+` FROM pg_temp.`+staged+`
		ON CONFLICT (`+joined(s.key, ", ", nil)+`) DO UPDATE SET `+joined(s.rest, ", ", func(c string) string { return c + " = excluded." + c })+`
		WHERE (`+joined(s.rest, ", ", func(c string) string { return "t." + c })+`) IS DISTINCT FROM (`+joined(s.rest, ", ", func(c string) string { return "excluded." + c })+`)`)
	if err != nil {
		return 0, err
	}
	return gone.RowsAffected() + come.RowsAffected(), nil
}

// freshTable makes a temporary table, or empties it where a dry run's earlier step
// has made it.
func freshTable(ctx context.Context, tx pgx.Tx, name, columns string) error {
	if _, err := tx.Exec(ctx, `CREATE TEMP TABLE IF NOT EXISTS `+name+` (`+columns+`) ON COMMIT DROP`); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `TRUNCATE pg_temp.`+name)
	return err
}

func joined(columns []string, between string, each func(string) string) string {
	text := ""
	for i, c := range columns {
		if i > 0 {
			text += between
		}
		if each != nil {
			c = each(c)
		}
		text += c
	}
	return text
}

// Forget removes messages from the graph with all that was found in them.
func Forget(ctx context.Context, tx pgx.Tx, messages []string) (int64, error) {
	// The foreign keys would remove the rows of each message by a statement of its own.
	for _, s := range []stage{stages.mentions, stages.attributes, stages.evidence} {
		if _, err := tx.Exec(ctx, `DELETE FROM ciclo.`+s.table+` WHERE message_id = ANY ($1)`, messages); err != nil {
			return 0, fmt.Errorf("forget %s: %w", s.table, err)
		}
	}
	tag, err := tx.Exec(ctx, `DELETE FROM ciclo.graph_messages WHERE id = ANY ($1)`, messages)
	if err != nil {
		return 0, fmt.Errorf("forget messages: %w", err)
	}
	return tag.RowsAffected(), nil
}
