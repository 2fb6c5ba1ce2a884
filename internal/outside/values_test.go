package outside

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// scoreSums are what can be added up over the scores of an execution.
type scoreSums struct {
	Rows, Clients, VIP int
	Spend              string
	// Previous are the scores whose previous segment isn't the one in the run
	// before, Changes the rows of changes, and Wrong the changes of segment
	// between the two runs that have no row, and the rows that are none.
	Previous, Changes, Wrong int
}

// TestKilledWhileScoresAreWritten kills the worker with -9 between two batches of
// scores, and pays, deletes and imports payments before another worker goes on:
// each client is written once, as the first attempt saw it.
func TestKilledWhileScoresAreWritten(t *testing.T) {
	t.Parallel()
	const clients = 100_000 // five batches
	ctx := context.Background()
	database, address := testdatabase.New(t), freePort(t)
	env := []string{
		"DATABASE_URL=" + database, "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + address,
		"CICLO_LEASE=2s", "CICLO_BEAT=500ms",
	}
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`INSERT INTO crm.clients (id) SELECT 'K' || i FROM generate_series(1, $1::int) i`, clients)
	exec(`INSERT INTO crm.payments (client_id, paid_at, amount, currency)
		SELECT 'K' || i, now() - (20 + (i * 7 + k * k * 13) % 400) * interval '1 day', (i * 31 + k * 17) % 900 + 1.25, 'EUR'
		FROM generate_series(1, $1::int) i, generate_series(1, 1 + i % 3) k`, clients)
	start(t, "", "orchestrator", env)
	first := start(t, "", "worker", env)
	s := &system{t: t, api: &client.Client{URL: "http://" + address, Token: token}}
	s.ready()

	run := func() string {
		t.Helper()
		e, err := s.api.Run(ctx, "client-value-predictor", json.RawMessage(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		return e.ID
	}
	completed := func(id string) {
		t.Helper()
		eventually(t, 2*time.Minute, "the run completes", func() bool {
			var status string
			if err := pool.QueryRow(ctx, `SELECT status FROM ciclo.executions WHERE id = $1`, id).Scan(&status); err != nil {
				t.Fatal(err)
			}
			if status == "failed" {
				t.Fatal("the run failed")
			}
			return status == "completed"
		})
	}
	sums := func(id, before string) scoreSums {
		t.Helper()
		rows, err := pool.Query(ctx, `
			WITH a AS (SELECT client_id, segment FROM ciclo.client_scores WHERE execution_id = $2),
			     b AS (SELECT client_id, segment, previous_segment, total_spend FROM ciclo.client_scores WHERE execution_id = $1),
			     want AS (SELECT client_id, a.segment AS was, b.segment AS is FROM a JOIN b USING (client_id) WHERE a.segment <> b.segment),
			     got AS (SELECT client_id, from_segment AS was, to_segment AS is FROM ciclo.segment_changes WHERE execution_id = $1 AND previous_execution_id = $2)
			SELECT count(*), count(DISTINCT client_id), count(*) FILTER (WHERE segment = 'VIP'), sum(total_spend)::text,
			       (SELECT count(*) FROM b LEFT JOIN a USING (client_id) WHERE a.segment IS DISTINCT FROM b.previous_segment),
			       (SELECT count(*) FROM ciclo.segment_changes WHERE execution_id = $1),
			       (SELECT count(*) FROM ((TABLE want EXCEPT ALL TABLE got) UNION ALL (TABLE got EXCEPT ALL TABLE want)) x)
			FROM b`, id, before)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[scoreSums])
		if err != nil {
			t.Fatal(err)
		}
		return got
	}

	before := run()
	completed(before)
	// Many clients buy again, so that segments change.
	exec(`INSERT INTO crm.payments (client_id, paid_at, amount, currency)
		SELECT 'K' || i, now() - (i % 15) * interval '1 day', 500 + i % 700, 'EUR' FROM generate_series(1, $1::int, 5) i`, clients)
	var spend string
	if err := pool.QueryRow(ctx, `SELECT trim_scale(sum(amount))::text FROM crm.payments`).Scan(&spend); err != nil {
		t.Fatal(err)
	}
	killed := run()
	written := func() (n int) {
		if err := pool.QueryRow(ctx, `SELECT count(*) FROM ciclo.steps WHERE execution_id = $1 AND name LIKE 'write scores%'`, killed).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for deadline := time.Now().Add(time.Minute); written() == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is written")
		}
	}
	first.signal(syscall.SIGKILL)
	<-first.done
	if n := written(); n >= clients/20_000 {
		t.Fatalf("all %d batches were written before the kill", n)
	}
	// What comes in between must move nobody.
	exec(`CREATE TABLE public.payments_then AS SELECT client_id, paid_at, amount, currency FROM crm.payments`)
	exec(`INSERT INTO crm.payments (client_id, paid_at, amount, currency)
		SELECT 'K' || i, now() - interval '2 days', 5000, 'EUR' FROM generate_series(1, $1::int, 2) i`, clients)
	exec(`DELETE FROM crm.payments WHERE client_id = 'K99999'`)
	exec(`INSERT INTO crm.clients (id) VALUES ('A0'), ('K500000x')`)
	exec(`INSERT INTO crm.payments (client_id, paid_at, amount, currency) VALUES ('A0', now(), 9, 'EUR'), ('K500000x', now(), 9, 'EUR')`)
	start(t, "", "worker", env)
	completed(killed)

	got := sums(killed, before)
	if got.Changes < clients/100 {
		t.Errorf("%d changes of segment are too few to say anything", got.Changes)
	}
	want := scoreSums{Rows: clients, Clients: clients, VIP: clients / 20, Spend: got.Spend, Changes: got.Changes}
	if got != want {
		t.Errorf("after the kill %+v, want %+v", got, want)
	}
	var sumRight bool
	var attempts, kept int
	err = pool.QueryRow(ctx, `
		SELECT attempt, (SELECT count(*) FROM ciclo.value_payments WHERE part > 0), $2::numeric = $3::numeric
		FROM ciclo.executions WHERE id = $1`, killed, got.Spend, spend).Scan(&attempts, &kept, &sumRight)
	if err != nil || attempts != 2 || kept != 0 || !sumRight {
		t.Errorf("%d attempts, %d parts of payments are still kept, spend %s of %s, %v", attempts, kept, got.Spend, spend, err)
	}

	// An undisturbed run over the payments of then says the same of each client.
	exec(`DELETE FROM crm.payments`)
	exec(`INSERT INTO crm.payments (client_id, paid_at, amount, currency) TABLE public.payments_then`)
	undisturbed := run()
	completed(undisturbed)
	var differ int
	err = pool.QueryRow(ctx, `
		SELECT count(*) FROM (SELECT * FROM ciclo.client_scores WHERE execution_id = $1) a
		FULL JOIN (SELECT * FROM ciclo.client_scores WHERE execution_id = $2) b ON b.client_id = a.client_id
		WHERE (a.clv, a.segment, a.total_spend, a.clv_high, a.purchases_high, a.expected_purchases_low)
			IS DISTINCT FROM (b.clv, b.segment, b.total_spend, b.clv_high, b.purchases_high, b.expected_purchases_low)`,
		undisturbed, killed).Scan(&differ)
	if err != nil || differ != 0 {
		t.Errorf("%d scores differ from the undisturbed run's, %v", differ, err)
	}
	if again := sums(undisturbed, killed); again.Changes != 0 || again.Wrong != 0 || again.Previous != 0 {
		t.Errorf("changes of segment without a change: %+v", again)
	}
}

// TestARetryFitsToThePaymentsItReads retries an execution from where it ended
// after more was paid: the old fit isn't taken for the new payments.
func TestARetryFitsToThePaymentsItReads(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	database, address := testdatabase.New(t), freePort(t)
	env := []string{"DATABASE_URL=" + database, "CICLO_TOKEN=" + token, "CICLO_LISTEN=" + address}
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	pay := func(k int) {
		t.Helper()
		_, err := pool.Exec(ctx, `INSERT INTO crm.payments (client_id, paid_at, amount, currency)
			SELECT 'K' || i, now() - (i % 300 + 30 * $1::int) * interval '1 day', 10 + i % 7, 'EUR' FROM generate_series(1, 300) i`, k)
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(ctx, `INSERT INTO crm.clients (id) SELECT 'K' || i FROM generate_series(1, 300) i`); err != nil {
		t.Fatal(err)
	}
	pay(1)
	start(t, "", "orchestrator", env)
	start(t, "", "worker", env)
	s := &system{t: t, api: &client.Client{URL: "http://" + address, Token: token}}
	s.ready()
	first, err := s.api.Run(ctx, "client-value-predictor", json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	result := func(id string) (r struct {
		Payments, Clients int
		RepeatBuyers      int `json:"repeat_buyers"`
		Fits              []struct {
			RepeatBuyers int `json:"repeat_buyers"`
		}
	}) {
		t.Helper()
		e, err := s.api.Wait(ctx, id, nil)
		if err != nil || e.Status != "completed" {
			t.Fatalf("%s: %v, %s", id, err, e.Raw)
		}
		if err := json.Unmarshal(e.Result, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := result(first.ID); r.Payments != 300 || r.RepeatBuyers != 0 {
		t.Fatalf("the first run: %+v", r)
	}
	same, err := s.api.Retry(ctx, first.ID, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if r := result(same.ID); r.Payments != 300 || r.Fits[0].RepeatBuyers != 0 {
		t.Errorf("a retry over the same payments: %+v", r)
	}
	pay(2)
	again, err := s.api.Retry(ctx, first.ID, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if r := result(again.ID); r.Payments != 600 || r.Clients != 300 || r.RepeatBuyers != 300 || r.Fits[0].RepeatBuyers != 300 {
		t.Errorf("a retry after more was paid: %+v", r)
	}
	var models, steps int
	err = pool.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM ciclo.value_models WHERE execution_id = $1 AND (fit->>'repeat_buyers')::int = 300),
		       (SELECT count(*) FROM ciclo.steps WHERE execution_id = $1 AND name LIKE 'fit%')`, again.ID).Scan(&models, &steps)
	if err != nil || models != 2 || steps != 2 {
		t.Errorf("%d models of the payments as they are, %d fits, %v", models, steps, err)
	}
}
