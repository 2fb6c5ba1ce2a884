package graph

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Erasure is whose part of the graph goes.
type Erasure struct {
	ClientID string
	// Conversations are the client's, beside those that messages themselves say.
	Conversations []string
	// Patterns are regular expressions of the client's addresses and names.
	Patterns []string
	// Batch bounds how many messages one call erases.
	Batch int
}

// Erase deletes what came of a client: the messages that were read with their
// mentions, attributes and evidence, the client's own record, and the mentions of the
// client in other people's conversations, as far as resolution knows them. Records and
// entities that nothing else speaks of go with their names and history, edges that
// rested on this evidence alone too; the others are derived anew. The rows that it
// deleted or changed, by table; none when there is nothing left: messages go batch by
// batch.
func Erase(ctx context.Context, tx pgx.Tx, e Erasure) (map[string]int64, error) {
	if _, err := Lock(ctx, tx); err != nil {
		return nil, err
	}
	e.Conversations, e.Patterns = append([]string{}, e.Conversations...), append([]string{}, e.Patterns...) // never NULL
	x := &erasing{Erasure: e, ctx: ctx, tx: tx, rows: map[string]int64{}}
	x.look()
	x.deleteEdges()
	x.deleteEvidence()
	x.deleteRecords()
	x.deleteEntities()
	x.deleteGhosts()
	if len(x.rows) > 0 {
		x.deriveOthers()
	}
	if x.err != nil {
		return nil, fmt.Errorf("erase client's part of the graph: %w", x.err)
	}
	return x.rows, nil
}

// erasing is one call of Erase; the first error stays.
type erasing struct {
	Erasure
	ctx  context.Context //nolint:containedctx // it lives as long as one call
	tx   pgx.Tx
	rows map[string]int64
	err  error

	// messages were read of the client; named are records of the client itself, wherever
	// it is mentioned; gone are these and those that nothing else mentions.
	messages, named, gone []string
	// held are edges that rested on what goes, among others.
	held []string
	// touched are the entities of records that lose something; left are those of them
	// that stay.
	touched, left []string
}

func (x *erasing) args() pgx.NamedArgs {
	return pgx.NamedArgs{
		"client": x.ClientID, "conversations": x.Conversations, "patterns": x.Patterns, "batch": x.Batch,
		"messages": x.messages, "named": x.named, "gone": x.gone, "held": x.held, "touched": x.touched, "left": x.left,
	}
}

func (x *erasing) list(sql string) (ids []string) {
	if x.err != nil {
		return nil
	}
	rows, err := x.tx.Query(x.ctx, sql, x.args())
	if err == nil {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	x.err = err
	return ids
}

// do counts the rows that a statement changes as the table's.
func (x *erasing) do(table, sql string) {
	if x.err != nil {
		return
	}
	tag, err := x.tx.Exec(x.ctx, sql, x.args())
	if x.err = err; err == nil && tag.RowsAffected() > 0 {
		x.rows["ciclo."+table] += tag.RowsAffected()
	}
}

// look finds what there is to erase.
func (x *erasing) look() {
	x.messages = x.list(`
		SELECT id FROM ciclo.graph_messages WHERE client_id = @client
		UNION SELECT id FROM ciclo.graph_messages WHERE conversation_id = ANY (@conversations)
		ORDER BY id LIMIT @batch`)
	// A person's other records are the client's too, unless another client is the same
	// entity. A company's name is no person's: of it only the firm's own record goes.
	x.named = x.list(`
		SELECT id FROM ciclo.graph_records WHERE client_id = @client
		UNION
		SELECT r.id FROM ciclo.graph_records own JOIN ciclo.graph_records r ON r.entity_id = own.entity_id
		WHERE own.client_id = @client AND own.type = 'person' AND r.type = 'person' AND r.client_id IS NULL
		  AND NOT EXISTS (SELECT FROM ciclo.graph_records o WHERE o.entity_id = own.entity_id AND o.client_id <> @client)`)
	x.gone = x.list(`
		SELECT unnest(@named::text[])
		UNION
		SELECT r.id FROM ciclo.graph_records r
		WHERE r.id IN (
			SELECT record_id FROM ciclo.mentions WHERE message_id = ANY (@messages)
			UNION SELECT record_id FROM ciclo.record_attributes WHERE message_id = ANY (@messages)
			UNION SELECT subject_id FROM ciclo.edge_evidence WHERE message_id = ANY (@messages)
			UNION SELECT object_id FROM ciclo.edge_evidence WHERE message_id = ANY (@messages))
		  AND r.client_id IS NULL
		  AND NOT EXISTS (SELECT FROM ciclo.mentions m WHERE m.record_id = r.id AND m.message_id <> ALL (@messages))
		  AND NOT EXISTS (SELECT FROM ciclo.record_attributes a WHERE a.record_id = r.id AND a.message_id <> ALL (@messages))
		  AND NOT EXISTS (SELECT FROM ciclo.edge_evidence v WHERE v.subject_id = r.id AND v.message_id <> ALL (@messages))
		  AND NOT EXISTS (SELECT FROM ciclo.edge_evidence v WHERE v.object_id = r.id AND v.message_id <> ALL (@messages))`)
	x.touched = x.list(`
		WITH records AS (
			SELECT record_id AS id FROM ciclo.mentions WHERE message_id = ANY (@messages)
			UNION SELECT record_id FROM ciclo.record_attributes WHERE message_id = ANY (@messages)
			UNION SELECT subject_id FROM ciclo.edge_evidence WHERE message_id = ANY (@messages) OR object_id = ANY (@named)
			UNION SELECT object_id FROM ciclo.edge_evidence WHERE message_id = ANY (@messages) OR subject_id = ANY (@named)
			UNION SELECT unnest(@gone::text[])
		)
		SELECT r.entity_id FROM records JOIN ciclo.graph_records r USING (id) WHERE r.entity_id IS NOT NULL
		UNION SELECT from_id FROM ciclo.entity_merges WHERE records && @gone
		UNION SELECT to_id FROM ciclo.entity_merges WHERE records && @gone
		UNION SELECT id FROM ciclo.entities WHERE client_ids @> ARRAY[@client]::text[]
		ORDER BY 1`)
}

// goingEvidence is the evidence that goes: the client's messages say it, it is about
// the client, or its words hold the client's name.
const goingEvidence = `
	SELECT v.message_id, v.subject_id, v.relation, v.object_id FROM ciclo.edge_evidence v
	WHERE v.message_id = ANY (@messages) OR v.subject_id = ANY (@named) OR v.object_id = ANY (@named)
	   OR v.message_id IN (SELECT message_id FROM ciclo.mentions WHERE record_id = ANY (@named))
	      AND EXISTS (SELECT FROM ciclo.mentions m WHERE m.record_id = ANY (@named) AND m.message_id = v.message_id
	                  AND m.start_char < v.end_char AND m.end_char > v.start_char)`

// toldEdges are the edges that this evidence speaks for, also those that are history:
// what an entity was part of before counts as it.
const toldEdges = `
		WITH going AS (` + goingEvidence + `), records AS (
			SELECT subject_id AS id FROM going UNION SELECT object_id FROM going
		), entities AS (
			SELECT r.id AS record, r.entity_id AS entity FROM ciclo.graph_records r JOIN records USING (id) WHERE r.entity_id IS NOT NULL
			UNION SELECT records.id, unnest(ARRAY[m.from_id, m.to_id]) FROM records JOIN ciclo.entity_merges m ON m.records @> ARRAY[records.id]
		), told AS (
			SELECT DISTINCT s.entity AS subject, going.relation, o.entity AS object
			FROM going JOIN entities s ON s.record = going.subject_id JOIN entities o ON o.record = going.object_id
		)`

// deleteEdges deletes the edges that rest on this evidence alone.
func (x *erasing) deleteEdges() {
	x.held = x.list(toldEdges + `
		SELECT e.id FROM ciclo.edges e JOIN told ON e.subject_id = told.subject AND e.relation = told.relation AND e.object_id = told.object
		WHERE e.expired_at IS NULL OR e.invalid_at IS NOT NULL`)
	x.do("edges", toldEdges+`, staying AS (
			SELECT v.subject_id, v.relation, v.object_id FROM told
			JOIN LATERAL (
				SELECT id FROM ciclo.graph_records WHERE entity_id = told.subject
				UNION SELECT unnest(records) FROM ciclo.entity_merges WHERE from_id = told.subject OR to_id = told.subject
			) s ON true
			JOIN ciclo.edge_evidence v ON v.subject_id = s.id AND v.relation = told.relation
			WHERE NOT EXISTS (SELECT FROM going g WHERE (g.message_id, g.subject_id, g.relation, g.object_id) = (v.message_id, v.subject_id, v.relation, v.object_id))
		)
		DELETE FROM ciclo.edges e USING told
		WHERE e.subject_id = told.subject AND e.relation = told.relation AND e.object_id = told.object
		  AND NOT EXISTS (
			SELECT FROM staying v WHERE v.relation = e.relation
			  AND v.subject_id IN (SELECT id FROM ciclo.graph_records WHERE entity_id = e.subject_id
			                       UNION SELECT unnest(records) FROM ciclo.entity_merges WHERE from_id = e.subject_id OR to_id = e.subject_id)
			  AND v.object_id IN (SELECT id FROM ciclo.graph_records WHERE entity_id = e.object_id
			                      UNION SELECT unnest(records) FROM ciclo.entity_merges WHERE from_id = e.object_id OR to_id = e.object_id))`)
}

// deleteEvidence deletes what is read from messages, and the messages.
func (x *erasing) deleteEvidence() {
	x.do("edge_evidence", `
		WITH going AS (`+goingEvidence+`)
		DELETE FROM ciclo.edge_evidence v USING going g
		WHERE (g.message_id, g.subject_id, g.relation, g.object_id) = (v.message_id, v.subject_id, v.relation, v.object_id)`)
	x.do("mentions", `DELETE FROM ciclo.mentions WHERE message_id = ANY (@messages) OR record_id = ANY (@gone)`)
	// An address of the client may stand in other people's messages.
	x.do("record_attributes", `
		DELETE FROM ciclo.record_attributes
		WHERE message_id = ANY (@messages) OR record_id = ANY (@gone)
		   OR kind IN ('email', 'phone') AND ciclo.erase_text(value, @patterns) = '[erased]'`)
	x.do("graph_messages", `DELETE FROM ciclo.graph_messages WHERE id = ANY (@messages)`)
}

// deleteRecords deletes the records that go, their reviews, and their names in the
// history of entities.
func (x *erasing) deleteRecords() {
	x.do("entity_reviews", `DELETE FROM ciclo.entity_reviews WHERE record_a = ANY (@gone) OR record_b = ANY (@gone)`)
	x.do("graph_records", `DELETE FROM ciclo.graph_records WHERE id = ANY (@gone)`)
	x.do("entity_merges", `DELETE FROM ciclo.entity_merges WHERE records <@ @gone`)
	x.do("entity_merges", `
		UPDATE ciclo.entity_merges SET records = ARRAY(SELECT r FROM unnest(records) WITH ORDINALITY AS t (r, n) WHERE r <> ALL (@gone) ORDER BY n)
		WHERE records && @gone`)
}

// deleteEntities deletes entities that are nothing any more, and of the others the
// names that came of the client alone.
func (x *erasing) deleteEntities() {
	x.do("entities", `
		UPDATE ciclo.entities SET client_ids = array_remove(client_ids, @client) WHERE client_ids @> ARRAY[@client]::text[]`)
	x.left = x.list(`
		SELECT e.id FROM ciclo.entities e WHERE e.id = ANY (@touched)
		  AND (EXISTS (SELECT FROM ciclo.graph_records r WHERE r.entity_id = e.id)
		       OR EXISTS (SELECT FROM ciclo.entity_merges m WHERE m.from_id = e.id OR m.to_id = e.id))
		ORDER BY e.id`)
	nothing := `ANY (ARRAY(SELECT unnest(@touched::text[]) EXCEPT SELECT unnest(@left::text[])))`
	x.do("edges", `DELETE FROM ciclo.edges WHERE subject_id = `+nothing+` OR object_id = `+nothing)
	x.do("entity_aliases", `DELETE FROM ciclo.entity_aliases WHERE entity_id = `+nothing)
	x.do("entities", `DELETE FROM ciclo.entities WHERE id = `+nothing)
	x.do("entity_aliases", `
		DELETE FROM ciclo.entity_aliases a WHERE a.entity_id = ANY (@left)
		  AND NOT EXISTS (SELECT FROM ciclo.graph_records r WHERE r.entity_id = a.entity_id AND r.name = a.alias)
		  AND NOT EXISTS (SELECT FROM ciclo.graph_records r JOIN ciclo.mentions m ON m.record_id = r.id WHERE r.entity_id = a.entity_id AND m.surface = a.alias)`)
	x.do("entities", `
		WITH names AS (
			SELECT r.entity_id AS id, r.name FROM ciclo.graph_records r WHERE r.entity_id = ANY (@left)
			UNION SELECT unnest(ARRAY[m.from_id, m.to_id]), r.name
			FROM ciclo.entity_merges m JOIN ciclo.graph_records r ON r.id = ANY (m.records) WHERE m.from_id = ANY (@left) OR m.to_id = ANY (@left)
			UNION SELECT entity_id, alias FROM ciclo.entity_aliases WHERE entity_id = ANY (@left)
		)
		UPDATE ciclo.entities e SET name = (SELECT min(name COLLATE "C") FROM names n WHERE n.id = e.id)
		WHERE e.id = ANY (@left) AND EXISTS (SELECT FROM names n WHERE n.id = e.id)
		  AND NOT EXISTS (SELECT FROM names n WHERE n.id = e.id AND n.name = e.name)`)
}

// deleteGhosts deletes entities that nothing is any more and that are called like the
// client, with their history: their records went before the erasure, so that nothing
// else leads to them. What people decided about the client's own records goes too.
func (x *erasing) deleteGhosts() {
	ghosts := x.list(`
		SELECT id FROM ciclo.entities e
		WHERE expired_at IS NOT NULL AND ciclo.erase_text(name, @patterns) <> name AND NOT EXISTS (SELECT FROM ciclo.graph_records r WHERE r.entity_id = e.id)`)
	own := []string{}
	for _, kind := range []string{"person", "company"} {
		own = append(own, Record{Type: kind, Scope: ClientScope(x.ClientID), Key: x.ClientID}.ID())
	}
	for _, d := range []struct{ table, where string }{
		{"entity_merges", `from_id = ANY (@ghosts) OR to_id = ANY (@ghosts)`},
		{"edges", `subject_id = ANY (@ghosts) OR object_id = ANY (@ghosts)`},
		{"entities", `id = ANY (@ghosts)`},
		{"entity_reviews", `record_a = ANY (@own) OR record_b = ANY (@own)`},
	} {
		if x.err != nil {
			return
		}
		tag, err := x.tx.Exec(x.ctx, `DELETE FROM ciclo.`+d.table+` WHERE `+d.where, pgx.NamedArgs{"ghosts": ghosts, "own": own})
		if x.err = err; err == nil && tag.RowsAffected() > 0 {
			x.rows["ciclo."+d.table] += tag.RowsAffected()
		}
	}
}

// deriveOthers derives what is left of the entities. An edge that holds no longer,
// such as one of two times at one employer, rested on what went; it goes too.
func (x *erasing) deriveOthers() {
	if x.err == nil {
		_, x.err = Derive(x.ctx, x.tx, x.left)
	}
	x.do("edges", `DELETE FROM ciclo.edges WHERE id = ANY (@held) AND expired_at IS NOT NULL AND invalid_at IS NULL`)
	x.note(`
		UPDATE ciclo.entities e SET degree = d.degree
		FROM (SELECT id, (SELECT count(*) FROM ciclo.edges WHERE subject_id = t.id AND expired_at IS NULL)
		               + (SELECT count(*) FROM ciclo.edges WHERE object_id = t.id AND expired_at IS NULL) AS degree
		      FROM unnest(@left::text[]) AS t (id)) AS d
		WHERE e.id = d.id AND e.degree <> d.degree`)
	x.note(`DELETE FROM ciclo.graph_changed_records WHERE record_id = ANY (@gone)`)
	x.note(`DELETE FROM ciclo.graph_changed_entities WHERE entity_id = ANY (@touched) AND NOT entity_id = ANY (@left)`)
	if x.err == nil {
		x.err = Revise(x.ctx, x.tx)
	}
}

// note changes what is no data of a client.
func (x *erasing) note(sql string) {
	if x.err == nil {
		_, x.err = x.tx.Exec(x.ctx, sql, x.args())
	}
}
