package graph_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
)

func TestWhatTheDatabaseRefuses(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk, "anna")
	for name, sql := range map[string]string{
		"a surface that is not its place":          `UPDATE ciclo.mentions SET end_char = end_char + 1`,
		"an empty surface":                         `UPDATE ciclo.mentions SET surface = '', end_char = start_char`,
		"a place before the text":                  `UPDATE ciclo.mentions SET start_char = -1`,
		"no confidence":                            `UPDATE ciclo.mentions SET confidence = 0`,
		"more than certain":                        `UPDATE ciclo.edges SET confidence = 1.5`,
		"a type that there isn't":                  `UPDATE ciclo.mentions SET type = 'animal'`,
		"a relation that there isn't":              `UPDATE ciclo.edge_evidence SET relation = 'owns'`,
		"a quote that is not its place":            `UPDATE ciclo.edge_evidence SET quote = quote || '!'`,
		"an edge to itself":                        `UPDATE ciclo.edges SET object_id = subject_id`,
		"an end before the beginning":              `UPDATE ciclo.edges SET invalid_at = valid_at, expired_at = now()`,
		"contradicted, and held all the same":      `UPDATE ciclo.edges SET invalid_at = valid_at + interval '1 day', expired_at = NULL`,
		"two employers at a time":                  `UPDATE ciclo.edges SET expired_at = NULL, invalid_at = NULL WHERE relation = 'works_for'`,
		"a client that is a place":                 `UPDATE ciclo.graph_records SET client_id = 'C1' WHERE type = 'location'`,
		"a record of no entity":                    `UPDATE ciclo.graph_records SET entity_id = 'entity_0000000000000000'`,
		"an entity with records is removed":        `DELETE FROM ciclo.entities WHERE expired_at IS NULL`,
		"an entity that has expired has edges":     `UPDATE ciclo.entities SET expired_at = now() WHERE degree > 0`,
		"mentioned, and never seen":                `UPDATE ciclo.entities SET first_at = NULL, last_at = NULL WHERE mentions > 0`,
		"more conversations than mentions":         `UPDATE ciclo.entities SET conversations = mentions + 1`,
		"a review of one record":                   `INSERT INTO ciclo.entity_reviews (id, record_a, record_b) SELECT 'review_0000000000000000', id, id FROM ciclo.graph_records LIMIT 1`,
		"a decision of nobody":                     `INSERT INTO ciclo.entity_reviews (id, record_a, record_b, status) SELECT 'review_0000000000000000', min(id), max(id), 'same' FROM ciclo.graph_records`,
		"a merge by nobody":                        `INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records) VALUES ('merge', 'a', 'b', '{r}')`,
		"a message of no time":                     `UPDATE ciclo.graph_messages SET sent_at = 'infinity'`,
		"said by nobody":                           `UPDATE ciclo.graph_messages SET said = '{"names": []}'`,
		"said, and not an object":                  `UPDATE ciclo.graph_messages SET said = '["engine"]'`,
		"a hash that is none":                      `UPDATE ciclo.graph_messages SET body_hash = 'x'`,
		"a name of the firm's of no type":          `INSERT INTO crm.names (type, id, name) VALUES ('animal', 'a', 'b')`,
		"a name of the firm's that is empty":       `INSERT INTO crm.names (type, id, name) VALUES ('law', 'a', '')`,
		"a mention of a message that wasn't read":  `UPDATE ciclo.mentions SET message_id = 'elsewhere'`,
		"a revision of which there are two":        `INSERT INTO ciclo.graph_revision (singleton) VALUES (false)`,
		"evidence of one record about itself":      `UPDATE ciclo.edge_evidence SET object_id = subject_id`,
		"an alias that is empty":                   `UPDATE ciclo.entity_aliases SET alias = ''`,
		"more evidence of conversations than said": `UPDATE ciclo.edges SET conversations = evidence + 1`,
	} {
		err := pgx.BeginFunc(b.ctx, b.pool, func(tx pgx.Tx) error { _, err := tx.Exec(b.ctx, sql); return err })
		if !postgres.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrigrams(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for folded, want := range map[string]string{
		"anna": "[  a  an ann na  nna]", "a b": "[  a   b  a   b ]", "": "[]", "!?": "[]", "õ": "[  õ  õ ]",
	} {
		if got := b.lines(`SELECT ciclo.trigrams($1)`, folded); got[0] != want {
			t.Errorf("trigrams of %q: %q, want %q", folded, got[0], want)
		}
	}
}
