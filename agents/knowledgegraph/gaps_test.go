package knowledgegraph

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/graph"
)

// send adds a message that was sent at a time.
func (f *firm) send(id, body, at string) {
	f.t.Helper()
	f.exec(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at) VALUES ($1, '1', 'client', $2, $3::timestamptz)`, id, body, at)
}

const week = `{"days_back": 7, "init_schema": false}`

func (f *firm) inGraph(id string) bool {
	f.t.Helper()
	return f.lines(`SELECT EXISTS (SELECT FROM ciclo.graph_messages WHERE id = '` + id + `')`)[0] == "true"
}

func TestWhatCameSinceTheLastRunIsReadWhoeverDies(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.run(year)
	// Before the window of a week, and in two batches.
	f.send("z1", "See you."+strings.Repeat(" ", 5<<20), "2026-10-03Z")
	f.send("a1", "Anna Ruiz again. "+strings.Repeat(" ", 5<<20), "2026-10-04Z")
	f.begin()
	reads := 0
	if r := f.attempt(week, func(step string) bool {
		if strings.HasPrefix(step, "read ") {
			reads++
		}
		return reads == 2
	}); r != nil {
		t.Fatalf("it did not die: %+v", r)
	}
	if f.inGraph("a1") == f.inGraph("z1") {
		t.Fatal("not one of both was read")
	}
	if r := f.attempt(week, nil); !f.inGraph("a1") || !f.inGraph("z1") {
		t.Errorf("one of both is lost: %+v", r.Messages)
	}
}

func TestAMessageFromTheFuture(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.send("future", "Anna Ruiz, see you in Ubud", "2999-01-01Z")
	f.run(year)
	f.send("later", "Anna Ruiz, I was in Ubud", "2026-10-20Z") // before the window
	if f.run(week); !f.inGraph("future") || !f.inGraph("later") {
		t.Error("a message of the future has others be passed over")
	}
	f.send("old", "Anna Ruiz in Ubud", "2026-09-01Z")
	r := f.run(week)
	if f.inGraph("old") || r.Messages.Older != 1 || !strings.Contains(strings.Join(r.Notes, " "), "1 messages sent before 2026-10-25 were never read") {
		t.Errorf("an old message: %+v %q", r.Messages, r.Notes)
	}
}

func TestWhatHundredsOfConversationsSay(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.exec(`INSERT INTO crm.conversations (id, client_id, started_at) SELECT 'x' || n, 'C2', '2026-10-01Z' FROM generate_series(1, 400) n`)
	f.exec(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at) SELECT 'x' || n, 'x' || n, 'agent', 'For a KITAS you need a passport.', '2026-10-05Z' FROM generate_series(1, 400) n`)
	f.run(year)
	if got := f.lines(`SELECT confidence, conversations FROM ciclo.edges WHERE relation = 'requires' AND expired_at IS NULL`); len(got) != 1 || got[0] != "1 401" {
		t.Errorf("the edge is %q", got)
	}
}

func TestDecisionsOutliveTheirRecords(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.run(year)
	entity := func(client string) string {
		return f.lines(`SELECT entity_id FROM ciclo.graph_records WHERE scope = 'client:` + client + `'`)[0]
	}
	err := pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
		_, err := graph.Merge(t.Context(), tx, entity("C2"), entity("C3"), "analyst")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.run(year)
	want := f.graph()
	if entity("C2") != entity("C3") {
		t.Fatal("the next run parts what was merged")
	}
	f.exec(`UPDATE crm.clients SET name = NULL WHERE id = 'C3'`)
	f.run(year)
	f.exec(`UPDATE crm.clients SET name = 'Anna Ruiz' WHERE id = 'C3'`)
	f.run(year)
	f.same(want, "with the client gone and back")

	err = pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error {
		var merge int64
		if err := tx.QueryRow(t.Context(), `SELECT max(id) FROM ciclo.entity_merges WHERE decided_by = 'analyst'`).Scan(&merge); err != nil {
			return err
		}
		_, err := graph.Undo(t.Context(), tx, merge, "analyst")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.run(year)
	if entity("C2") == entity("C3") {
		t.Error("the next run puts together what was parted")
	}
}

func TestWhatComesBetweenTwoAttempts(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.begin()
	if r := f.attempt(year, func(step string) bool { return strings.HasPrefix(step, "derive") }); r != nil {
		t.Fatalf("it did not die: %+v", r)
	}
	f.exec(`INSERT INTO crm.clients (id, name) VALUES ('C9', 'Dora Maar')`)
	f.say("9", "C9", "I'm Dora Maar, I work for PT Sinar Laut. Anna Ruiz too.")
	f.attempt(year, nil)
	if left := f.lines(`SELECT record_id FROM ciclo.graph_changed_records UNION ALL SELECT id FROM ciclo.graph_records WHERE entity_id IS NULL`); len(left) > 0 {
		t.Errorf("it is half built: %q", left)
	}
	got := f.graph()
	f.run(year)
	f.same(got, "after another run")
	if !strings.Contains(strings.Join(f.edges(), "\n"), "Dora Maar works_for PT Sinar Laut holds") {
		t.Errorf("the edges are %q", f.edges())
	}
}

func TestOddClients(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.exec(`INSERT INTO crm.clients (id, name) VALUES ('long', repeat('Anna Ruiz ', 700)), ('wide', repeat('王', 5000))`)
	f.exec(`CREATE OR REPLACE VIEW source.conversations AS
		SELECT id, coalesce(client_id, '') AS client_id, agent_version, channel, segment, started_at, ended_at, outcome, outcome_at, NULL::smallint AS rating FROM crm.conversations`)
	f.exec(`INSERT INTO crm.conversations (id, started_at) VALUES ('nobody', '2026-10-01Z')`)
	f.exec(`INSERT INTO crm.messages VALUES ('n1', 'nobody', 'agent', 'Anna'||repeat(chr(8203), 5000)||' Ruiz', '2026-10-01Z')`)
	f.run(year)
	if r := f.run(year); r.Messages.Due != 0 {
		t.Errorf("%d messages are read again", r.Messages.Due)
	}
}

func TestWhatAPersonMergesStaysWhole(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.run(year)
	entity := func(client string) string {
		return f.lines(`SELECT entity_id FROM ciclo.graph_records WHERE scope = 'client:` + client + `'`)[0]
	}
	if entity("C1") != entity("C4") {
		t.Fatal("C1 and C4 are two")
	}
	err := pgx.BeginFunc(t.Context(), f.pool, func(tx pgx.Tx) error { // a maiden name
		_, err := graph.Merge(t.Context(), tx, entity("C1"), entity("C2"), "analyst")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.run(year)
	if entity("C1") != entity("C4") || entity("C1") != entity("C2") {
		t.Errorf("C1, C2 and C4 are %s, %s, %s", entity("C1"), entity("C2"), entity("C4"))
	}
}
