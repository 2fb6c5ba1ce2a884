package knowledgegraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func TestMain(m *testing.M) {
	fingerprint, err := postgres.SchemaFingerprint()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testdatabase.Main(m, testdatabase.Options{Migrate: postgres.Migrate, Fingerprint: fingerprint})
}

var today = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// firm is a database and the journal of the execution that runs on it, which keeps
// steps in memory over attempts. It dies before it stores the step dies.
type firm struct {
	agents.Journal
	t         *testing.T
	pool      *pgxpool.Pool
	execution string
	steps     map[string]json.RawMessage
	done      []string
	dies      func(step string) bool
}

var errDied = errors.New("the worker died")

func newFirm(t *testing.T) *firm {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: "knowledgegraph", MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &firm{t: t, pool: pool}
}

// demoFirm is the demo's.
func demoFirm(t *testing.T) *firm {
	t.Helper()
	f := newFirm(t)
	if err := demo.Seed(t.Context(), f.pool, demo.DefaultTruth, 1, today); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *firm) Read(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, f.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, fn)
}

func (f *firm) Output(_ context.Context, step string) (json.RawMessage, error) {
	return f.steps[step], nil
}

func (f *firm) Record(ctx context.Context, step string, _ time.Time, _ bool, fn func(ctx context.Context, tx pgx.Tx) (json.RawMessage, error)) error {
	return pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		output, err := fn(ctx, tx)
		switch {
		case err != nil:
			return err
		case f.dies != nil && f.dies(step):
			return errDied
		}
		f.steps[step] = output
		f.done = append(f.done, step)
		return nil
	})
}

func (f *firm) Progress(int64, int64, string) {}

func (f *firm) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.pool.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatal(err)
	}
}

// begin accepts another execution.
func (f *firm) begin() {
	f.t.Helper()
	f.execution = fmt.Sprintf("kg_builder_%d", time.Now().UnixNano())
	f.steps, f.done = map[string]json.RawMessage{}, nil
	f.exec(`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ($1, 'knowledge-graph-builder', 'started', 1, 60, now())`, f.execution)
}

// attempt is one of the execution that was begun; nil where it died.
func (f *firm) attempt(parameters string, dies func(step string) bool) *Result {
	f.t.Helper()
	f.dies = dies
	task := agents.NewTask(agents.Task{ExecutionID: f.execution, StartedAt: today, Parameters: json.RawMessage(parameters)}, f)
	result, err := Builder{}.Run(f.t.Context(), task)
	if errors.Is(err, errDied) {
		return nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return result.(*Result) //nolint:forcetypeassert // it is this package's
}

// run is a whole execution.
func (f *firm) run(parameters string) *Result {
	f.t.Helper()
	f.begin()
	return f.attempt(parameters, nil)
}

const year = `{"days_back": 365, "init_schema": false}`

// lines are the rows of a query as text.
func (f *firm) lines(sql string) []string {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), sql)
	if err != nil {
		f.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		return strings.TrimSpace(fmt.Sprintln(values...)), err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return lines
}

// graph is all of it as it holds, without when rows were written and by which run.
func (f *firm) graph() []string {
	f.t.Helper()
	return f.lines(`
		SELECT to_jsonb(e) - 'created_at' FROM ciclo.entities e WHERE expired_at IS NULL
		UNION ALL SELECT to_jsonb(a) - 'words' - 'trigrams' FROM ciclo.entity_aliases a
		UNION ALL SELECT to_jsonb(e) - 'created_at' - 'expired_at' FROM ciclo.edges e WHERE expired_at IS NULL OR invalid_at IS NOT NULL
		UNION ALL SELECT to_jsonb(r) FROM ciclo.graph_records r
		UNION ALL SELECT to_jsonb(m) FROM ciclo.mentions m
		UNION ALL SELECT to_jsonb(a) FROM ciclo.record_attributes a
		UNION ALL SELECT to_jsonb(e) FROM ciclo.edge_evidence e
		UNION ALL SELECT to_jsonb(r) - 'created_at' FROM ciclo.entity_reviews r WHERE status <> 'obsolete'
		UNION ALL SELECT to_jsonb(m) - 'read_at' - 'execution_id' FROM ciclo.graph_messages m
		UNION ALL SELECT to_jsonb(m) - 'model' - 'trained_at' - 'messages' FROM ciclo.graph_models m ORDER BY 1`)
}

// same reports where the graph is another.
func (f *firm) same(want []string, when string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.graph()); diff != "" {
		f.t.Errorf("%s it is another graph: %.3000s", when, diff)
	}
}

func TestASecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	f := demoFirm(t)
	f.exec(`DELETE FROM crm.messages WHERE abs(hashtext(conversation_id)) % 5 <> 0`) // a fifth of it is enough here
	first := f.run(year)
	if first.Messages.Due == 0 || first.Messages.Graph != first.Messages.Due || first.Edges["works_for"] == 0 {
		t.Fatalf("the first run: %+v", first)
	}
	whole := f.lines(`SELECT to_jsonb(e) FROM ciclo.entities e UNION ALL SELECT to_jsonb(e) FROM ciclo.edges e UNION ALL SELECT to_jsonb(m) FROM ciclo.entity_merges m ORDER BY 1`)
	graph := f.graph()
	second := f.run(year)
	if second.Messages.Due != 0 || second.Resolution.Merges != 0 || second.Resolution.Splits != 0 {
		t.Errorf("the second run: %+v", second)
	}
	f.same(graph, "after a second run")
	if diff := cmp.Diff(whole, f.lines(`SELECT to_jsonb(e) FROM ciclo.entities e UNION ALL SELECT to_jsonb(e) FROM ciclo.edges e UNION ALL SELECT to_jsonb(m) FROM ciclo.entity_merges m ORDER BY 1`)); diff != "" {
		t.Errorf("rows were written again: %.2000s", diff)
	}
	zero := f.run(`{"days_back": 365, "init_schema": true}`)
	if zero.Messages.Due != first.Messages.Due {
		t.Errorf("from zero: %+v", zero)
	}
	f.same(graph, "built from zero")
}

// smallFirm is one by hand: eight clients, one conversation each.
func smallFirm(t *testing.T) *firm {
	t.Helper()
	f := newFirm(t)
	f.exec(`INSERT INTO crm.names (type, id, name) VALUES
		('company', 'laut', 'PT Sinar Laut'), ('company', 'gunung', 'PT Gunung Emas'), ('location', 'bali', 'Bali'), ('location', 'ubud', 'Ubud'),
		('document', 'passport', 'passport'), ('document', 'passport', 'paspor'), ('practice_type', 'kitas', 'KITAS')`)
	f.exec(`INSERT INTO crm.clients (id, name, email, phone) VALUES
		('C1', 'Anna Ruiz', 'anna@example.com', '+447700900001'), ('C2', 'Bela Kovacs', NULL, NULL), ('C3', 'Anna Ruiz', 'ruiz@example.org', NULL),
		('C4', 'Anna Ruizz', 'anna@example.com', '+447700900001')`)
	for _, m := range [][3]string{
		{"1", "C1", "My name is Anna Ruiz, I work for PT Sinar Laut."},
		{"1", "C1", "For a KITAS you need a passport. PT Sinar Laut is based in Ubud, Ubud is located in Bali."},
		{"2", "C2", "I'm Bela Kovacs and I work for PT Gunung Emas. You can reach me at bela@example.com."},
		{"3", "C3", "I'm Anna Ruiz, I work for PT Gunung Emas."},
		{"4", "C2", "Since May I work for PT Sinar Laut."}, // it is C2 who says so
		{"4", "C2", "Per un KITAS serve il passaporto? Do you work for PT Gunung Emas?"},
	} {
		f.say(m[0], m[1], m[2])
	}
	return f
}

// say adds a message an hour after the one before.
func (f *firm) say(conversation, client, body string) {
	f.t.Helper()
	f.exec(`INSERT INTO crm.conversations (id, client_id, started_at) VALUES ($1, $2, '2026-10-01Z') ON CONFLICT DO NOTHING`, conversation, client)
	f.exec(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at)
		SELECT 'm' || count(*) + 1, $1, 'client', $2, timestamptz '2026-10-01Z' + (count(*) + 1) * interval '1 hour' FROM crm.messages`, conversation, body)
}

// edges are as people would write them.
func (f *firm) edges() []string {
	f.t.Helper()
	return f.lines(`
		SELECT concat_ws(' ', s.name, e.relation, o.name, CASE WHEN e.expired_at IS NULL THEN 'holds' WHEN e.invalid_at IS NULL THEN 'withdrawn' ELSE 'until ' || e.invalid_at::date END)
		FROM ciclo.edges e JOIN ciclo.entities s ON s.id = e.subject_id JOIN ciclo.entities o ON o.id = e.object_id ORDER BY 1`)
}

func TestAFirm(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	r := f.run(year)
	want := []string{
		"Anna Ruiz works_for PT Gunung Emas holds", // another Anna Ruiz
		"Anna Ruiz works_for PT Sinar Laut holds",
		"Bela Kovacs works_for PT Gunung Emas until 2026-10-01",
		"Bela Kovacs works_for PT Sinar Laut holds",
		"KITAS requires passport holds",
		"PT Sinar Laut located_in Ubud holds",
		"Ubud located_in Bali holds",
	}
	if diff := cmp.Diff(want, f.edges()); diff != "" {
		t.Error(diff)
	}
	if got := f.lines(`SELECT client_ids FROM ciclo.entities WHERE type = 'person' AND expired_at IS NULL ORDER BY client_ids`); len(got) != 3 || got[0] != "[C1 C4]" {
		t.Errorf("clients are %q: two rows are one person, by e-mail and telephone", got)
	}
	if r.Resolution.Merges != 1 || r.Messages.Graph != 6 {
		t.Errorf("%+v", r)
	}
	if got := f.lines(`SELECT value FROM ciclo.record_attributes`); len(got) != 1 || got[0] != "bela@example.com" {
		t.Errorf("contacts are %q", got)
	}
	f.places()
}

func TestPeopleAreOfTheirConversation(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	for _, conversation := range []string{"1", "1", "2"} {
		f.say(conversation, "C"+conversation, "Yes. My colleague Dora Maar works for PT Sinar Laut, in conversation "+conversation)
	}
	f.say("2", "C2", "PT Gunung Emas and Mr Dora Maar")
	f.run(year)
	if got := f.lines(`SELECT scope FROM ciclo.graph_records WHERE key = 'dora maar' ORDER BY 1`); len(got) != 2 || got[0] != "conversation:1" || got[1] != "conversation:2" {
		t.Errorf("Dora Maar is %q", got)
	}
	if got := f.lines(`SELECT count(*) FROM ciclo.graph_records WHERE type = 'company' AND scope <> ''`); got[0] != "0" {
		t.Errorf("%s companies are of a conversation", got[0])
	}
}

// places reports mentions and quotes that are not at their place in the message.
func (f *firm) places() {
	f.t.Helper()
	rows, err := f.pool.Query(f.t.Context(), `
		SELECT x.body, p.starts, p.ends, p.texts FROM crm.messages x JOIN (
			SELECT message_id, array_agg(start_char) AS starts, array_agg(end_char) AS ends, array_agg(text) AS texts
			FROM (SELECT message_id, start_char, end_char, surface AS text FROM ciclo.mentions UNION ALL SELECT message_id, start_char, end_char, quote FROM ciclo.edge_evidence) AS all_places
			GROUP BY 1) AS p ON p.message_id = x.id`)
	if err != nil {
		f.t.Fatal(err)
	}
	var body string
	var starts, ends []int
	var texts []string
	_, err = pgx.ForEachRow(rows, []any{&body, &starts, &ends, &texts}, func() error {
		characters := []rune(body)
		for i, text := range texts {
			if got := string(characters[starts[i]:ends[i]]); got != text {
				f.t.Errorf("%.100q is said to be %.100q", got, text)
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestARunThatIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	undisturbed := smallFirm(t)
	wanted, err := json.Marshal(undisturbed.run(year))
	if err != nil {
		t.Fatal(err)
	}
	want := undisturbed.graph()
	for i, step := range undisturbed.done {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			f := smallFirm(t)
			f.begin()
			n := 0
			if r := f.attempt(year, func(string) bool { n++; return n == i+1 }); r != nil {
				t.Fatalf("it did not die: %+v", r)
			}
			got, err := json.Marshal(f.attempt(year, nil))
			if err != nil {
				t.Fatal(err)
			}
			f.same(want, "after the kill")
			if diff := cmp.Diff(string(wanted), string(got)); diff != "" {
				t.Errorf("the result is another: %s", diff)
			}
		})
	}
}

func TestMessagesThatChange(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.run(year)
	before := f.graph()
	f.say("2", "C2", "My colleague works with PT Sinar Laut; Ubud again.")
	f.exec(`INSERT INTO crm.messages SELECT id || '-again', conversation_id, role, body, sent_at FROM crm.messages WHERE id = 'm1'`) // came twice
	f.exec(`INSERT INTO crm.messages VALUES ('m-late', '1', 'client', 'Anna Ruiz is a client of PT Gunung Emas', '2020-01-01Z')`)    // before the window
	f.exec(`UPDATE crm.messages SET body = 'For a KITAS you need nothing.' WHERE id = 'm2'`)
	r := f.run(year)
	if r.Messages.Due != 2 || r.Messages.Graph != 7 {
		t.Errorf("due are the new one and the changed one: %+v", r.Messages)
	}
	got := f.edges()
	for _, want := range []string{"KITAS requires passport withdrawn", "Ubud located_in Bali withdrawn", "Anna Ruiz works_for PT Sinar Laut holds"} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	if n := f.lines(`SELECT count(*) FROM ciclo.mentions WHERE message_id = 'm1-again'`); n[0] != "0" {
		t.Errorf("what came twice has %s mentions", n)
	}
	// Everything back as it was.
	f.exec(`UPDATE crm.messages SET body = 'For a KITAS you need a passport. PT Sinar Laut is based in Ubud, Ubud is located in Bali.' WHERE id = 'm2'`)
	f.exec(`DELETE FROM crm.messages WHERE id IN ('m7', 'm1-again', 'm-late')`)
	if r := f.run(year); r.Messages.Gone != 1 || r.Messages.Due != 1 {
		t.Errorf("going back: %+v", r.Messages)
	}
	f.same(before, "with the messages of before")
}

func TestNewNamesAreLookedForInOldMessages(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.run(year)
	f.exec(`INSERT INTO crm.names (type, id, name) VALUES ('document', 'passport', 'passaporto')`)
	f.run(year)
	if got := f.lines(`SELECT message_id FROM ciclo.mentions WHERE surface = 'passaporto'`); len(got) != 1 || got[0] != "m6" {
		t.Errorf("passaporto is mentioned in %q", got)
	}
}

func TestRowsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := smallFirm(t)
	f.exec(`CREATE OR REPLACE VIEW source.messages AS
		SELECT id, conversation_id, role, body, sent_at FROM crm.messages
		UNION ALL SELECT id, conversation_id, role, body, sent_at FROM crm.messages WHERE id = 'm1'
		UNION ALL VALUES (NULL, '1', 'client', 'Anna', timestamptz '2026-10-02Z'), ('x1', NULL, 'client', 'Anna', '2026-10-02Z'), ('x2', '1', 'client', NULL, '2026-10-02Z'),
			('x3', '1', 'client', 'Anna', NULL), ('x4', '1', 'client', 'Anna', 'infinity'), ('', '1', 'client', 'Anna', '2026-10-02Z')`)
	f.exec(`CREATE OR REPLACE VIEW source.clients AS
		SELECT id, name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at FROM crm.clients
		UNION ALL SELECT 'C9', NULL, NULL, 'not a number', NULL, NULL, 'active', false, '{}', now()
		UNION ALL SELECT 'C8', '  ', NULL, NULL, NULL, NULL, 'active', false, '{}', now()`)
	r := f.run(year)
	if r.Messages.Omitted != 6 || r.Messages.Graph != 6 {
		t.Errorf("%+v", r.Messages)
	}
	other := smallFirm(t)
	other.run(year)
	f.same(other.graph(), "with rows that can't be read")
}
