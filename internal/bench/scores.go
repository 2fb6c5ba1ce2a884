package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/process"
)

const (
	// scoredClients are scored in a full run, a tenth of them in a quick one.
	scoredClients = 1_000_000
	// scoresAim is how long a run may take, in milliseconds, from running to
	// completed; scoresRatio how many times as long as a bare COPY of its rows.
	scoresAim   = 60_000
	scoresRatio = 8
	// scoresMemory is what the worker may hold at its peak, in MB.
	scoresMemory = 2000
)

// fillPayments makes $1 clients who came within two years, some 2.6 payments of
// each, most of them of one or two, few of dozens.
const fillPayments = `
	WITH people AS (
		SELECT 'K-' || lpad(i::text, 8, '0') AS id, now() - interval '1 day' - random() * interval '730 days' AS first,
		       1 + floor(2 * (-ln(1 - random())) * (-ln(1 - random())))::int AS n, exp(3.5 + .7 * random()) AS spend, .02 + random() * .3 AS gap
		FROM generate_series(1, $1::bigint) i
	), clients AS (
		INSERT INTO crm.clients (id, created_at) SELECT id, first FROM people
	)
	INSERT INTO crm.payments (client_id, paid_at, amount, currency)
	SELECT id, least(first + (k - 1) * gap * interval '100 days' * (.5 + random()), now()), round((spend * (.5 + random()))::numeric, 2), 'EUR'
	FROM people, generate_series(1, n) k`

// scores measures a run of the Client Value Predictor over a million clients, by
// the shipped services, beside a bare COPY of the rows that it wrote into a table
// with the same constraints and indexes.
func (b *bench) scores(ctx context.Context) (_ []figure, err error) {
	clients := scoredClients
	if b.plan.repeats == 1 {
		clients /= 10
	}
	shipped := filepath.Join(b.dir, "shipped")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", shipped+"/", "github.com/nuzantara/ciclo/cmd/orchestrator", "github.com/nuzantara/ciclo/cmd/worker").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the shipped services: %w\n%s", err, out)
	}
	database, err := b.database.create(ctx, "scores")
	if err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, database); err != nil {
		return nil, err
	}
	pool, err := postgres.Connect(ctx, postgres.PoolConfig{URL: database, Name: "ciclo bench scores", MaxConns: 4})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	b.say("filling a database with the payments of %d clients …", clients)
	if _, err := pool.Exec(ctx, fillPayments, clients); err != nil {
		return nil, fmt.Errorf("fill with payments: %w", err)
	}
	if err := analyze(ctx, pool); err != nil {
		return nil, err
	}
	var ours, floor, memory series
	// The second run also reads the segments of the first.
	for range 2 {
		seconds, peak, id, err := b.scoreOnce(ctx, shipped, database, pool)
		if err != nil {
			return nil, err
		}
		bare, err := copyBare(ctx, pool, id, filepath.Join(b.dir, "scores.copy"), clients)
		if err != nil {
			return nil, err
		}
		b.say("scored in %.1f s, copied in %.1f s", seconds, bare)
		ours, floor, memory = append(ours, 1000*seconds), append(floor, 1000*bare), append(memory, peak)
	}
	name := fmt.Sprintf("%d clients scored and written", clients)
	return []figure{
		timeWithin(name, floor, ours, scoresAim),
		ratioAtMost(name+", beside a bare COPY of the rows", "ms", floor, ours, scoresRatio),
		atMost(name+", peak resident memory of the worker", "MB", memory, scoresMemory),
	}, nil
}

// scoreOnce runs the agent once by services of its own and returns how long the
// execution ran, what the worker held at its peak, and the execution.
func (b *bench) scoreOnce(ctx context.Context, shipped, database string, pool *pgxpool.Pool) (seconds, peak float64, id string, err error) {
	address, err := process.FreeAddress()
	if err != nil {
		return 0, 0, "", err
	}
	a := &api{url: "http://" + address, token: "a-token-of-the-bench"}
	if a.Process, err = b.start("orchestrator", filepath.Join(shipped, "orchestrator"), nil, "DATABASE_URL="+database, "CICLO_LISTEN="+address, "CICLO_TOKEN="+a.token); err != nil {
		return 0, 0, "", err
	}
	defer func() { err = errors.Join(err, a.Stop()) }()
	if err := a.await(ctx, "/readyz"); err != nil {
		return 0, 0, "", err
	}
	worker, err := b.start("worker", filepath.Join(shipped, "worker"), nil, "DATABASE_URL="+database)
	if err != nil {
		return 0, 0, "", err
	}
	defer func() { err = errors.Join(err, worker.Stop()) }()
	var body bytes.Buffer
	if err := newClient().do(ctx, request{http.MethodPost, a.url + "/api/autonomous-agents/client-value-predictor/run", a.token, http.StatusAccepted}, &body); err != nil {
		return 0, 0, "", err
	}
	const ended = `SELECT count(*) FROM ciclo.executions WHERE ended_at IS NOT NULL AND id = (SELECT max(id) FROM ciclo.executions)`
	if err := await(ctx, pool, 1, ended, a.Process, worker); err != nil {
		return 0, 0, "", err
	}
	var status, why string
	err = pool.QueryRow(ctx, `
		SELECT id, status, coalesce(error_text, ''), extract(epoch FROM ended_at - running_at)::float8
		FROM ciclo.executions ORDER BY id DESC LIMIT 1`).Scan(&id, &status, &why, &seconds)
	if err != nil {
		return 0, 0, "", err
	}
	if status != "completed" {
		return 0, 0, "", fmt.Errorf("the execution is %s: %s", status, why)
	}
	return seconds, procKB(fmt.Sprintf("/proc/%d/status", worker.PID()), "VmHWM") / 1024, id, nil
}

// copyBare returns how long a bare COPY of an execution's rows takes.
func copyBare(ctx context.Context, pool *pgxpool.Pool, id, path string, want int) (seconds float64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(path)) }()
	connection, err := pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer connection.Release()
	wire := connection.Conn().PgConn()
	if _, err := wire.CopyTo(ctx, file, `COPY (SELECT * FROM ciclo.client_scores WHERE execution_id = '`+id+`' ORDER BY client_id COLLATE "C") TO STDOUT (FORMAT binary)`); err != nil {
		return 0, fmt.Errorf("copy the scores out: %w", err)
	}
	if _, err := connection.Exec(ctx, `DROP TABLE IF EXISTS public.bare_scores; CREATE TABLE public.bare_scores (LIKE ciclo.client_scores INCLUDING ALL)`); err != nil {
		return 0, err
	}
	if _, err := file.Seek(0, 0); err != nil {
		return 0, err
	}
	began := time.Now()
	tag, err := wire.CopyFrom(ctx, file, `COPY public.bare_scores FROM STDIN (FORMAT binary)`)
	if err != nil {
		return 0, fmt.Errorf("copy the scores in: %w", err)
	}
	if tag.RowsAffected() != int64(want) {
		return 0, fmt.Errorf("%d of %d clients have a score", tag.RowsAffected(), want)
	}
	return time.Since(began).Seconds(), nil
}
