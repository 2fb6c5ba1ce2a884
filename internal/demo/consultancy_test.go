package demo

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// Seeded, the database has the truth's places by SQL's own count of characters.
func TestSeed(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), Name: "demo", MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for range 2 { // the second time it is there
		if err := Seed(t.Context(), pool, DefaultTruth, 1, day); err != nil {
			t.Fatal(err)
		}
	}
	k := Graph(DefaultTruth, 1, day)
	got := map[string]string{}
	rows, err := pool.Query(t.Context(), `SELECT id, body, sent_at FROM source.messages`)
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]time.Time{}
	var id, body string
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &body, &at}, func() error { got[id], sent[id] = body, at; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, e := range k.Edges {
		if !slices.ContainsFunc(e.Messages, func(id string) bool { return sent[id].Equal(e.ValidAt) }) {
			t.Errorf("%v begins with none of its messages", e)
		}
	}
	places := make([][]any, len(k.Places))
	for i, p := range k.Places {
		places[i] = []any{p.Message, p.Start, p.End, p.Surface}
	}
	ctx := t.Context()
	if _, err := pool.Exec(ctx, `CREATE TABLE places (message text, start_char int, end_char int, surface text)`); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.CopyFrom(ctx, pgx.Identifier{"places"}, []string{"message", "start_char", "end_char", "surface"}, pgx.CopyFromRows(places)); err != nil {
		t.Fatal(err)
	}
	var right, names, inquiries, strangers, noClients int
	err = pool.QueryRow(ctx, `SELECT
		(SELECT count(*) FROM places p JOIN source.messages m ON m.id = p.message WHERE substr(m.body, p.start_char + 1, p.end_char - p.start_char) = p.surface),
		(SELECT count(*) FROM source.names), (SELECT count(*) FROM source.conversations WHERE outcome = 'open'),
		(SELECT count(*) FROM source.conversations WHERE client_id IS NULL),
		(SELECT count(*) FROM source.clients WHERE name = '' OR email = '' OR phone = '')`).Scan(&right, &names, &inquiries, &strangers, &noClients)
	if err != nil || right != len(k.Places) || names != len(listed())+len(practiceTypes) || inquiries != demoInquiries || strangers != visitors || noClients != 0 {
		t.Errorf("%v: %d of %d places, %d names, %d inquiries, %d of strangers, %d empty texts", err, right, len(k.Places), names, inquiries, strangers, noClients)
	}
}
