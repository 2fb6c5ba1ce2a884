package graph_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/graph"
)

// known is a small graph, written by names: ids are made of them.
type known struct {
	t    *testing.T
	pool *pgxpool.Pool
}

func newKnown(t *testing.T) *known {
	t.Helper()
	return &known{t, newBundle(t).pool}
}

func (k *known) exec(sql string, args ...any) {
	k.t.Helper()
	if _, err := k.pool.Exec(k.t.Context(), sql, args...); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
}

func idOf(kind, name string) string {
	digits := []byte(strings.Repeat("0", 16))
	copy(digits, strings.ToLower(name))
	return kind + "_" + string(digits)
}

func (k *known) entity(name, kind, called string, clients ...string) {
	k.t.Helper()
	k.exec(`INSERT INTO ciclo.entities (id, type, name, client_ids, mentions, conversations, first_at, last_at) VALUES ($1, $2, $3, $4, 1, 1, now(), now())`,
		idOf("entity", name), kind, called, append([]string{}, clients...))
	k.exec(`INSERT INTO ciclo.entity_aliases VALUES ($1, $2, lower($2), 1)`, idOf("entity", name), called)
}

// record is part of an entity; client may be empty.
func (k *known) record(name, kind, scope, called, client, entity string) {
	k.t.Helper()
	k.exec(`INSERT INTO ciclo.graph_records VALUES ($1, $2, $3, lower($4), $4, nullif($5, ''), $6)`, idOf("record", name), kind, scope, called, client, idOf("entity", entity))
}

// message mentions records in its order, ten characters apart.
func (k *known) message(name, client string, records ...string) {
	k.t.Helper()
	k.exec(`INSERT INTO ciclo.graph_messages VALUES ($1, 'talk of ' || $1, nullif($2, ''), '2026-01-01', sha256('x'), '{}', '2026-01-01', $3)`, name, client, execution)
	for i, r := range records {
		k.exec(`INSERT INTO ciclo.mentions SELECT $1, 100 * $3::int, 100 * $3::int + char_length(name), name, type, id, 'x', '1', 1 FROM ciclo.graph_records WHERE id = $2`, name, idOf("record", r), i)
	}
}

// evidence is words from one character to another that relate two records; the edge
// between their entities is there then too.
func (k *known) evidence(message, subject, relation, object string, from, to int) {
	k.t.Helper()
	k.exec(`INSERT INTO ciclo.edge_evidence VALUES ($1, $2, $3, $4, $5, $6, repeat('q', $6::int - $5::int), 'x', '1', .5)`, message, idOf("record", subject), relation, idOf("record", object), from, to)
	k.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, confidence, evidence, conversations)
		SELECT 'edge_' || left(md5(s.entity_id || $3 || o.entity_id), 16), s.entity_id, $3, o.entity_id, '2026-01-01', .5, 1, 1
		FROM ciclo.graph_records s, ciclo.graph_records o WHERE s.id = $1 AND o.id = $2 ON CONFLICT DO NOTHING`, idOf("record", subject), idOf("record", object), relation)
}

// erase derives the graph, and erases until there is no more.
func (k *known) erase(client string) {
	k.t.Helper()
	derive := func(tx pgx.Tx) error {
		_, err := graph.Derive(k.t.Context(), tx, k.left(`SELECT id FROM ciclo.entities`))
		return err
	}
	if err := pgx.BeginFunc(k.t.Context(), k.pool, derive); err != nil {
		k.t.Fatal(err)
	}
	for more := true; more; {
		err := pgx.BeginFunc(k.t.Context(), k.pool, func(tx pgx.Tx) error {
			rows, err := graph.Erase(k.t.Context(), tx, graph.Erasure{ClientID: client, Batch: 1})
			more = len(rows) > 0
			return err
		})
		if err != nil {
			k.t.Fatal(err)
		}
	}
}

// left is what a query shows, a row a text.
func (k *known) left(sql string) []string {
	k.t.Helper()
	rows, err := k.pool.Query(k.t.Context(), sql)
	if err != nil {
		k.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		k.t.Fatal(err)
	}
	return all
}

func (k *known) want(what, sql string, want ...string) {
	k.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), append([]string{}, k.left(sql)...)); diff != "" {
		k.t.Errorf("%s: %s", what, diff)
	}
}

const (
	edgesLeft    = `SELECT s.name || ' ' || relation || ' ' || o.name FROM ciclo.edges e JOIN ciclo.entities s ON s.id = subject_id JOIN ciclo.entities o ON o.id = object_id ORDER BY 1`
	entitiesLeft = `SELECT name || client_ids::text FROM ciclo.entities ORDER BY 1`
	mentionsLeft = `SELECT message_id || ': ' || surface FROM ciclo.mentions ORDER BY 1`
)

// Anna is a client; she and others speak of Acme, and Bruno's message recommends her.
func (k *known) town() {
	k.t.Helper()
	k.entity("anna", "person", "Anna Ruiz", "a")
	k.entity("acme", "company", "Acme")
	k.entity("rome", "location", "Rome")
	k.entity("only", "topic", "her own matter")
	k.record("annaown", "person", "client:a", "Anna Ruiz", "a", "anna")
	k.record("annahers", "person", "talk 1", "Anna Ruiz", "", "anna")
	k.record("annahis", "person", "talk 2", "Anna Ruiz", "", "anna")
	k.record("acme", "company", "", "Acme", "", "acme")
	k.record("rome", "location", "", "Rome", "", "rome")
	k.record("only", "topic", "", "her own matter", "", "only")
	k.message("m1", "a", "annahers", "acme", "rome", "only")
	k.message("m2", "a", "acme", "only")
	k.message("m3", "b", "annahis", "acme", "rome")
	k.evidence("m1", "annahers", "works_for", "acme", 0, 110)
	k.evidence("m1", "acme", "located_in", "rome", 100, 210)
	k.evidence("m2", "acme", "relates_to", "only", 0, 110)
	k.evidence("m3", "annahis", "works_for", "acme", 0, 110)
	k.evidence("m3", "acme", "located_in", "rome", 100, 210)
}

func TestWhatOthersSayStays(t *testing.T) {
	t.Parallel()
	k := newKnown(t)
	k.town()
	k.erase("a")
	k.want("entities", entitiesLeft, "Acme{}", "Rome{}")
	k.want("edges", edgesLeft, "Acme located_in Rome")
	k.want("mentions", mentionsLeft, "m3: Acme", "m3: Rome")
	k.want("messages", `SELECT id FROM ciclo.graph_messages ORDER BY 1`, "m3")
	k.want("evidence", `SELECT message_id || ' ' || relation FROM ciclo.edge_evidence ORDER BY 1`, "m3 located_in")
	k.want("records", `SELECT name FROM ciclo.graph_records ORDER BY 1`, "Acme", "Rome")
	k.want("what is said of them", `SELECT name || ' ' || mentions || ' ' || degree FROM ciclo.entities ORDER BY 1`, "Acme 1 1", "Rome 1 1")
	k.want("what remains to do", `SELECT record_id FROM ciclo.graph_changed_records WHERE record_id NOT IN (SELECT id FROM ciclo.graph_records)`)
}

// Words of others that hold the client's name go with the mention, also where they are
// about something else.
func TestWordsThatHoldTheName(t *testing.T) {
	t.Parallel()
	k := newKnown(t)
	k.town()
	k.exec(`UPDATE ciclo.edge_evidence SET start_char = 5, quote = repeat('q', end_char - 5) WHERE message_id = 'm3' AND relation = 'located_in'`)
	k.erase("a")
	k.want("edges", edgesLeft)
}

// One entity of two clients, such as a person who is there twice: the other's stays.
func TestAnEntityOfTwoClients(t *testing.T) {
	t.Parallel()
	k := newKnown(t)
	k.town()
	k.record("annaagain", "person", "client:c", "A. Ruiz", "c", "anna")
	k.exec(`UPDATE ciclo.entities SET client_ids = '{a,c}' WHERE name = 'Anna Ruiz'`)
	k.erase("a")
	k.want("entities", entitiesLeft, "A. Ruiz{c}", "Acme{}", "Rome{}")
	k.want("mentions", mentionsLeft, "m3: Acme", "m3: Anna Ruiz", "m3: Rome")
	k.want("edges", edgesLeft, "A. Ruiz works_for Acme", "Acme located_in Rome")
}

// What an entity was part of before is history, and goes with it; the history of others
// stays, without the client's records.
func TestHistoryGoesToo(t *testing.T) {
	t.Parallel()
	k := newKnown(t)
	k.town()
	k.entity("before", "person", "Anna R.")
	k.exec(`UPDATE ciclo.entities SET expired_at = now(), mentions = 0, conversations = 0, first_at = NULL, last_at = NULL WHERE name = 'Anna R.'`)
	k.exec(`INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records, decided_by) VALUES ('merge', $1, $2, $3, 'test')`,
		idOf("entity", "before"), idOf("entity", "anna"), []string{idOf("record", "annahers")})
	k.exec(`INSERT INTO ciclo.edges (id, subject_id, relation, object_id, valid_at, expired_at, confidence, evidence, conversations) VALUES ('edge_0000000000000001', $1, 'works_for', $2, '2026-01-01', now(), .5, 1, 1)`,
		idOf("entity", "before"), idOf("entity", "acme"))
	// Another merge has a record of the client and one of somebody else.
	k.entity("bert", "person", "Bert")
	k.record("bert", "person", "talk 9", "Bert", "", "bert")
	k.exec(`INSERT INTO ciclo.entity_merges (kind, from_id, to_id, records, decided_by) VALUES ('split', $1, $2, $3, 'test')`,
		idOf("entity", "rome"), idOf("entity", "bert"), []string{idOf("record", "annahers"), idOf("record", "bert")})
	k.exec(`INSERT INTO ciclo.entity_reviews (id, record_a, record_b) VALUES ('review_0000000000000001', $1, $2)`, idOf("record", "annahers"), idOf("record", "bert"))
	k.erase("a")
	k.want("entities", entitiesLeft, "Acme{}", "Bert{}", "Rome{}")
	k.want("edges", edgesLeft, "Acme located_in Rome")
	k.want("merges", `SELECT records::text FROM ciclo.entity_merges`, "{"+idOf("record", "bert")+"}")
	k.want("reviews", `SELECT id FROM ciclo.entity_reviews`)
}

// A client that is a company: its name is no person's, and stays where others say it.
func TestACompany(t *testing.T) {
	t.Parallel()
	k := newKnown(t)
	k.town()
	k.record("acmeown", "company", "client:f", "Acme", "f", "acme")
	k.exec(`UPDATE ciclo.entities SET client_ids = '{f}' WHERE name = 'Acme'`)
	before := k.left(mentionsLeft)
	k.erase("f")
	k.want("mentions", mentionsLeft, before...)
	k.want("its own record", `SELECT id FROM ciclo.graph_records WHERE client_id = 'f'`)
	k.want("whose it is", `SELECT client_ids::text FROM ciclo.entities WHERE name = 'Acme'`, "{}")
}

func TestNobodysGraph(t *testing.T) {
	t.Parallel()
	k := newKnown(t)
	k.town()
	before := k.left(entitiesLeft)
	k.erase("nobody")
	k.want("entities", entitiesLeft, before...)
}
