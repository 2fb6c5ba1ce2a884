package graph_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/graph"
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

const execution = "kg_builder_test"

// bundle is a graph on a database of the test's own.
type bundle struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // it is the test's
	pool *pgxpool.Pool
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: t.Name(), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b := &bundle{t, t.Context(), pool}
	b.exec(`INSERT INTO ciclo.executions (id, agent, status, tries, timeout_seconds, next_attempt_at) VALUES ($1, 'knowledge-graph-builder', 'started', 1, 60, now())`, execution)
	return b
}

func (b *bundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) exec(sql string, args ...any) {
	b.t.Helper()
	_, err := b.pool.Exec(b.ctx, sql, args...)
	b.must(err)
}

func (b *bundle) tx(fn func(tx pgx.Tx) error) {
	b.t.Helper()
	b.must(pgx.BeginFunc(b.ctx, b.pool, fn))
}

// lines are the rows of a query as text, a line each.
func (b *bundle) lines(sql string, args ...any) []string {
	b.t.Helper()
	rows, err := b.pool.Query(b.ctx, sql, args...)
	b.must(err)
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		return strings.TrimSpace(fmt.Sprintln(values...)), err
	})
	b.must(err)
	return lines
}

// present is the graph as it holds, without when its rows came.
func (b *bundle) present() []string {
	b.t.Helper()
	return b.lines(`
		SELECT to_jsonb(e) - 'created_at' FROM ciclo.entities e WHERE expired_at IS NULL
		UNION ALL SELECT to_jsonb(a) - 'words' - 'trigrams' FROM ciclo.entity_aliases a
		UNION ALL SELECT to_jsonb(e) - 'created_at' - 'expired_at' FROM ciclo.edges e WHERE expired_at IS NULL OR invalid_at IS NOT NULL
		UNION ALL SELECT to_jsonb(r) FROM ciclo.graph_records r
		UNION ALL SELECT to_jsonb(m) FROM ciclo.mentions m
		UNION ALL SELECT to_jsonb(a) FROM ciclo.record_attributes a
		UNION ALL SELECT to_jsonb(e) FROM ciclo.edge_evidence e ORDER BY 1`)
}

// rows are all rows that can be shown, with when they came.
func (b *bundle) rows() []string {
	b.t.Helper()
	return b.lines(`
		SELECT to_jsonb(e) FROM ciclo.entities e WHERE expired_at IS NULL
		UNION ALL SELECT to_jsonb(a) - 'words' - 'trigrams' FROM ciclo.entity_aliases a
		UNION ALL SELECT to_jsonb(e) FROM ciclo.edges e WHERE expired_at IS NULL OR invalid_at IS NOT NULL
		UNION ALL SELECT to_jsonb(r) FROM ciclo.graph_records r ORDER BY 1`)
}

var start = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

// saying is a message: who, what and whom it relates. Names of people are of the
// conversation; "Co" and "Place" begin what is one wherever it is named.
type saying struct {
	conversation, id string
	day              int
	facts            []fact
}

type fact struct {
	subject, relation, object string
	confidence                float64
}

func recordOf(conversation, name string) graph.Record {
	kind, scope := "person", graph.ConversationScope(conversation)
	switch {
	case strings.HasPrefix(name, "Co"):
		kind, scope = "company", graph.FirmScope
	case strings.HasPrefix(name, "Place"):
		kind, scope = "location", graph.FirmScope
	}
	return graph.Record{Type: kind, Scope: scope, Key: strings.ToLower(name), Name: name}
}

func (s saying) reading() graph.Reading {
	var body string
	r := graph.Reading{MessageID: s.id, ConversationID: s.conversation, SentAt: start.AddDate(0, 0, s.day)}
	mention := func(name string) {
		at := len(body)
		body += name + " "
		r.Mentions = append(r.Mentions, graph.FoundMention{
			Start: at, End: at + len(name), Surface: name, Record: recordOf(s.conversation, name), Extractor: "test", Version: "1", Confidence: .9,
		})
	}
	for _, f := range s.facts {
		at := len(body)
		mention(f.subject)
		if f.relation == "" {
			continue
		}
		mention(f.object)
		quote := strings.TrimSpace(body[at:])
		r.Evidence = append(r.Evidence, graph.FoundEvidence{
			Subject: recordOf(s.conversation, f.subject), Relation: f.relation, Object: recordOf(s.conversation, f.object),
			Start: at, End: at + len(quote), Quote: quote, Extractor: "test", Version: "1", Confidence: f.confidence,
		})
	}
	hash := sha256.Sum256([]byte(body))
	r.BodyHash = hash[:]
	return r
}

// read applies messages in batches, resolves people by these groups of names, and
// derives.
func (b *bundle) read(batch int, sayings []saying, together ...string) (w graph.Written, d graph.Derived) {
	b.t.Helper()
	for some := range slices.Chunk(sayings, batch) {
		b.tx(func(tx pgx.Tx) error {
			var readings []graph.Reading
			for _, s := range some {
				readings = append(readings, s.reading())
			}
			one, err := graph.Apply(b.ctx, tx, execution, map[string]string{"test": "1"}, readings)
			w.Mentions, w.Attributes, w.Evidence = w.Mentions+one.Mentions, w.Attributes+one.Attributes, w.Evidence+one.Evidence
			return err
		})
	}
	return w, b.settle(together...)
}

// settle resolves, each record by itself but for these names, and derives.
func (b *bundle) settle(together ...string) (all graph.Derived) {
	b.t.Helper()
	b.tx(func(tx pgx.Tx) error {
		revision, err := graph.Lock(b.ctx, tx)
		b.must(err)
		b.must(graph.WriteClients(b.ctx, tx, nil))
		_, err = graph.Collect(b.ctx, tx)
		b.must(err)
		records, err := graph.Resolvable(b.ctx, tx)
		b.must(err)
		clusters := map[string][]graph.Stored{}
		for _, r := range records {
			key := r.ID
			if slices.Contains(together, r.Name) {
				key = "=" + r.Name
			}
			clusters[key] = append(clusters[key], r)
		}
		var resolution graph.Resolution
		for _, c := range clusters {
			resolution.Clusters = append(resolution.Clusters, c)
			for _, r := range c[1:] {
				resolution.Joined = append(resolution.Joined, graph.Link{A: c[0].ID, B: r.ID, Probability: .99, Fields: json.RawMessage(`[]`)})
			}
		}
		_, err = graph.WriteResolution(b.ctx, tx, revision, execution, resolution)
		b.must(err)
		return graph.NoteChanged(b.ctx, tx, false)
	})
	for more := true; more; {
		b.tx(func(tx pgx.Tx) error {
			var d graph.Derived
			var err error
			d, more, err = graph.DeriveChanged(b.ctx, tx, 3)
			all.Entities, all.Aliases, all.Edges = all.Entities+d.Entities, all.Aliases+d.Aliases, all.Edges+d.Edges
			return err
		})
	}
	return all
}

// edges are as people would write them, with when they held.
func (b *bundle) edges() []string {
	b.t.Helper()
	return b.lines(`
		SELECT concat_ws(' ', s.name, e.relation, o.name, (e.valid_at::date - '2026-01-01'), coalesce('until ' || (e.invalid_at::date - '2026-01-01'), CASE WHEN e.expired_at IS NULL THEN 'holds' ELSE 'withdrawn' END),
		                 round(e.confidence::numeric, 3), e.conversations || '/' || e.evidence)
		FROM ciclo.edges e JOIN ciclo.entities s ON s.id = e.subject_id JOIN ciclo.entities o ON o.id = e.object_id ORDER BY 1`)
}

func works(person, company string) fact { return fact{person, "works_for", company, .8} }

var talk = []saying{
	{"c1", "m1", 0, []fact{works("Anna", "CoA"), {"CoA", "located_in", "PlaceBali", .7}}},
	{"c1", "m2", 1, []fact{works("Anna", "CoA")}},
	{"c2", "m3", 2, []fact{works("Anna", "CoA"), {"Ben", "", "", 0}}},
	{"c3", "m4", 5, []fact{works("Anna", "CoB"), {"PlaceUbud", "located_in", "PlaceBali", .9}}},
	{"c4", "m5", 6, []fact{{"PlaceBali", "located_in", "PlaceUbud", .6}, {"Ben", "client_of", "CoB", .8}}},
	{"c5", "m6", 9, []fact{{"Anna", "works_for", "CoA", .85}, works("Anna", "CoB")}},
}

func TestWhatIsSaidBecomesEdges(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk, "anna")
	want := []string{
		"Anna works_for CoA 0 until 5 0.960 2/3", // two conversations at .8, the one counts once
		"Anna works_for CoA 9 holds 0.850 1/1",   // the surer, or first of equal ones
		"Anna works_for CoB 5 until 9 0.800 1/1", //
		"Ben client_of CoB 6 holds 0.800 1/1",    //
		"CoA located_in PlaceBali 0 holds 0.700 1/1",
		"PlaceUbud located_in PlaceBali 5 holds 0.900 1/1", // the weaker contrary is left out
	}
	got := b.edges()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := b.lines(`SELECT name, mentions, conversations, degree FROM ciclo.entities WHERE expired_at IS NULL ORDER BY conversations DESC, name LIMIT 3`); got[0] != "Anna 6 4 1" {
		t.Errorf("the top entities are %q", got)
	}
}

func TestWhoIsNotSureEndsNoEmployment(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, []saying{
		{"c1", "m1", 0, []fact{works("Anna", "CoA")}},
		{"c1", "m2", 1, []fact{{"Anna", "works_for", "CoB", .4}}},
		{"c1", "m3", 2, []fact{{"Anna", "works_for", "CoA", .4}}},
	})
	if diff := cmp.Diff([]string{"Anna works_for CoA 0 holds 0.800 1/2"}, b.edges()); diff != "" {
		t.Error(diff)
	}
}

func TestTheSameMessagesChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	if w, d := b.read(2, talk, "anna"); w.Mentions == 0 || w.Evidence == 0 || d.Edges == 0 || d.Aliases == 0 {
		t.Fatalf("the first reading wrote %+v %+v", w, d)
	}
	before, log := b.rows(), b.lines(`SELECT * FROM ciclo.entity_merges`)
	if w, d := b.read(3, talk, "anna"); w != (graph.Written{}) || d != (graph.Derived{}) {
		t.Errorf("reading again wrote %+v %+v", w, d)
	}
	if diff := cmp.Diff(before, b.rows()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(log, b.lines(`SELECT * FROM ciclo.entity_merges`)); diff != "" {
		t.Error(diff)
	}
}

func TestAnyOrderOfMessages(t *testing.T) {
	t.Parallel()
	var want []string
	for seed := range uint64(20) {
		b := newBundle(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		shuffled := slices.Clone(talk)
		if seed > 0 {
			rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		}
		for some := range slices.Chunk(shuffled, 1+rng.IntN(len(shuffled))) { // in runs of their own
			b.read(1+rng.IntN(3), some, "anna")
		}
		got := b.present()
		if seed == 0 {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in order %d it is another graph: %s", seed, diff)
		}
	}
}

func TestAMergeIsUndone(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk)
	apart := b.rows()
	entities := b.lines(`SELECT DISTINCT entity_id FROM ciclo.graph_records WHERE key = 'anna' ORDER BY 1`)
	if len(entities) != 4 {
		t.Fatalf("%d Annas", len(entities))
	}
	b.tx(func(tx pgx.Tx) error {
		_, err := graph.Merge(b.ctx, tx, entities[0], entities[1], "analyst")
		return err
	})
	if got := b.lines(`SELECT count(DISTINCT entity_id) FROM ciclo.graph_records WHERE key = 'anna'`); got[0] != "3" {
		t.Errorf("after the merge there are %v Annas", got)
	}
	together := b.rows()
	if cmp.Equal(apart, together) {
		t.Error("the merge changed nothing")
	}
	merge := b.lines(`SELECT id FROM ciclo.entity_merges WHERE decided_by = 'analyst'`)
	if len(merge) != 1 {
		t.Fatalf("the merge is logged as %v", merge)
	}
	undo := func() error {
		return pgx.BeginFunc(b.ctx, b.pool, func(tx pgx.Tx) error {
			var id int64
			if _, err := fmt.Sscan(merge[0], &id); err != nil {
				return err
			}
			_, err := graph.Undo(b.ctx, tx, id, "analyst")
			return err
		})
	}
	b.must(undo())
	if diff := cmp.Diff(apart, b.rows()); diff != "" {
		t.Errorf("after the undo: %s", diff)
	}
	b.settle()
	if diff := cmp.Diff(apart, b.rows()); diff != "" {
		t.Errorf("after the next run: %s", diff)
	}
	if err := undo(); err == nil {
		t.Error("a merge is undone twice")
	}
	b.tx(func(tx pgx.Tx) error {
		_, err := graph.Merge(b.ctx, tx, entities[0], entities[1], "analyst")
		return err
	})
	if diff := cmp.Diff(together, b.rows()); diff != "" {
		t.Errorf("merged once more, as the last word counts: %s", diff)
	}
}

func TestMessagesThatAreGone(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk[:4], "anna")
	want := b.present()
	b.read(10, talk, "anna")
	b.tx(func(tx pgx.Tx) error { _, err := graph.Forget(b.ctx, tx, []string{"m5", "m6"}); return err })
	b.settle("anna")
	if diff := cmp.Diff(want, b.present()); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(b.edges(), "Ben client_of CoB 6 withdrawn 0.800 1/1") {
		t.Errorf("the edge whose message is gone is not withdrawn: %q", b.edges())
	}
}

func TestARevisedGraphIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.read(10, talk)
	err := pgx.BeginFunc(b.ctx, b.pool, func(tx pgx.Tx) error {
		revision, err := graph.Lock(b.ctx, tx)
		b.must(err)
		b.must(graph.Revise(b.ctx, tx))
		_, err = graph.WriteResolution(b.ctx, tx, revision, execution, graph.Resolution{})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "revised") {
		t.Errorf("written over: %v", err)
	}
}
