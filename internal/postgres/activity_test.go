package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/postgres"
)

// countAll counts all moves that are there.
func (b *bundle) countAll() (total int) {
	b.t.Helper()
	for {
		n, err := b.CountMoves(b.ctx)
		b.must(err)
		if total += n; n == 0 {
			return total
		}
	}
}

// texts are the rows of a query with one column.
func (b *bundle) texts(sql string, args ...any) []string {
	b.t.Helper()
	rows, err := b.pool.Query(b.ctx, sql, args...)
	b.must(err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	b.must(err)
	return texts
}

const (
	// standing is how many executions the counts say are where, of each agent.
	standing = `
		SELECT agent || ' ' || status || ' ' || sum(n) FROM (
			SELECT agent, to_status AS status, executions AS n FROM ciclo.all_activity WHERE grain = $1
			UNION ALL
			SELECT agent, from_status, -executions FROM ciclo.all_activity WHERE grain = $1 AND from_status <> '') m
		WHERE status <> 'deleted' GROUP BY agent, status HAVING sum(n) <> 0 ORDER BY 1`
	// really is how many there are.
	really = `SELECT agent || ' ' || status || ' ' || count(*) FROM ciclo.executions WHERE NOT dry_run GROUP BY agent, status ORDER BY 1`
	// moved are the moves that the transitions have, by minute.
	moved = `
		SELECT date_trunc('minute', t.at) || ' ' || e.agent || ' ' || coalesce(t.from_status, '') || '>' || t.to_status || ' ' || count(*)
		FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id WHERE NOT e.dry_run
		GROUP BY date_trunc('minute', t.at), e.agent, t.from_status, t.to_status ORDER BY 1`
	// moves are those that are counted.
	moves = `SELECT at || ' ' || agent || ' ' || from_status || '>' || to_status || ' ' || sum(executions)
		FROM ciclo.all_activity WHERE grain = 'minute' GROUP BY at, agent, from_status, to_status ORDER BY 1`
	// ended are the executions that ended, by how long they took.
	ended = `
		SELECT agent || ' ' || status || ' ' || ciclo.duration_bucket(extract(epoch FROM ended_at - started_at)::float8) || ' ' || count(*)
		FROM ciclo.executions WHERE ended_at IS NOT NULL AND NOT dry_run
		GROUP BY agent, status, ciclo.duration_bucket(extract(epoch FROM ended_at - started_at)::float8) ORDER BY 1`
	// measured are those that are counted.
	measured = `SELECT agent || ' ' || status || ' ' || bucket || ' ' || sum(executions)
		FROM ciclo.all_durations WHERE grain = $1 GROUP BY agent, status, bucket ORDER BY 1`
)

// countsHold says whether the counts are those of the executions and transitions.
func (b *bundle) countsHold(when string) {
	b.t.Helper()
	for _, grain := range []string{"minute", "hour", "day", "ever", "accepted_hour"} {
		if diff := cmp.Diff(b.texts(really), b.texts(standing, grain)); diff != "" {
			b.t.Errorf("%s: by %s, executions (-) and counts (+): %s", when, grain, diff)
		}
	}
	if diff := cmp.Diff(b.texts(moved), b.texts(moves)); diff != "" {
		b.t.Errorf("%s: transitions (-) and counts (+): %s", when, diff)
	}
	for _, grain := range []string{"minute", "hour", "day", "accepted_day"} {
		if diff := cmp.Diff(b.texts(ended), b.texts(measured, grain)); diff != "" {
			b.t.Errorf("%s: by %s, durations of executions (-) and counts (+): %s", when, grain, diff)
		}
	}
}

// errKilled is of counting that was ended on purpose.
var errKilled = errors.New("killed")

// Whatever moves, however it ends, the counts say what the executions do: before they
// are counted, while they are, after that, and when counting was killed halfway.
func TestCountsAreExactWhateverHappens(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	ctx, stop := context.WithCancel(b.ctx)
	var counting sync.WaitGroup
	counting.Go(func() { // counted, rolled back, and cut off in turn
		random := rand.New(rand.NewPCG(seed, 1))
		for turn := 0; ctx.Err() == nil; turn++ {
			var err error
			switch turn % 3 {
			case 0:
				_, err = b.CountMoves(ctx)
			case 1:
				err = pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
					if _, err := tx.Exec(ctx, postgres.CountMovesQuery, 1, 7); err != nil {
						return err
					}
					return errKilled
				})
			case 2:
				cut, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(4000))*time.Microsecond)
				_, err = b.CountMoves(cut)
				if cut.Err() != nil {
					err = errKilled
				}
				cancel()
			}
			if err != nil && !errors.Is(err, errKilled) && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	var living sync.WaitGroup
	for i := range 3 {
		random := rand.New(rand.NewPCG(seed, uint64(100+i)))
		living.Go(func() {
			w := b.worker()
			for range 15 {
				if err := b.liveRandomly(random, w); err != nil {
					t.Error(err)
				}
			}
		})
	}
	living.Wait()
	stop()
	counting.Wait()
	b.countsHold("half counted")
	if t.Failed() {
		t.FailNow()
	}
	b.countAll()
	if n := b.count(`SELECT count(*) FROM ciclo.uncounted_moves`); n != 0 {
		t.Errorf("%d moves are left", n)
	}
	b.countsHold("counted")
	if n := b.countAll(); n != 0 {
		t.Errorf("counted again were %d", n)
	}
}

// liveRandomly takes an execution some way, by some turns.
func (b *bundle) liveRandomly(random *rand.Rand, worker string) error {
	accepted, err := b.Accept(b.ctx, postgres.Acceptance{
		Agent: []string{"test-noop", "test-slow"}[random.IntN(2)], IDPrefix: "noop_", Parameters: []byte(`{}`), Tries: 2, TimeoutSeconds: 60, Priority: 2,
		Reason: "test", DryRun: random.IntN(10) == 0,
	})
	if err != nil {
		return err
	}
	id := accepted.ID
	for range 5 {
		if random.IntN(8) == 0 {
			if _, err := b.Cancel(b.ctx, id); err != nil && !errors.Is(err, execution.ErrFinal) {
				return err
			}
		}
		var job *int64
		var status execution.Status
		if _, err := b.pool.Exec(b.ctx, `UPDATE ciclo.executions SET next_attempt_at = now() WHERE id = $1 AND next_attempt_at > now()`, id); err != nil {
			return err
		}
		if _, err := b.Enqueue(b.ctx); err != nil {
			return err
		}
		if err := b.pool.QueryRow(b.ctx, `SELECT status, river_job_id FROM ciclo.executions WHERE id = $1`, id).Scan(&status, &job); err != nil {
			return err
		}
		if status.Final() || job == nil {
			return nil
		}
		attempts, err := b.Claim(b.ctx, []postgres.Delivery{{ExecutionID: id, JobID: *job}}, worker, lease)
		if err != nil || attempts[0] == nil {
			return err
		}
		switch random.IntN(6) {
		case 0:
			return nil // it runs on
		case 1, 2:
			answers, err := b.Complete(b.ctx, []postgres.Completion{{Attempt: attempts[0], Result: []byte(`{}`)}})
			if err == nil {
				err = answers[0]
			}
			return err
		case 3:
			_, err = b.Fail(b.ctx, attempts[0], postgres.Failure{Class: "error", Text: "no", Permanent: random.IntN(3) == 0})
		case 4:
			err = b.Interrupt(b.ctx, attempts[0])
		case 5: // its worker is killed
			_, err = b.Reap(b.ctx, postgres.Suspect{ID: id, Attempt: attempts[0].Execution.Attempt, JobID: *job, WorkerID: &worker}, func() bool { return true })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteByHand deletes an execution, alive or not, as one can who takes the guard away.
func (b *bundle) deleteByHand(id string) {
	b.t.Helper()
	b.exec(`ALTER TABLE ciclo.executions DISABLE TRIGGER executions_stay; ALTER TABLE ciclo.transitions DISABLE TRIGGER transitions_stay`)
	b.exec(`DELETE FROM ciclo.executions WHERE id = $1`, id)
	b.exec(`ALTER TABLE ciclo.executions ENABLE TRIGGER executions_stay; ALTER TABLE ciclo.transitions ENABLE TRIGGER transitions_stay`)
}

// What psql does is counted too: a deletion past the guard, a move without a transition,
// history that comes from elsewhere; and what is rolled back isn't.
func TestWhatPsqlDoesIsCounted(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	gone, moving, stays := b.accept().ID, b.accept().ID, b.accept().ID
	b.must(b.complete(b.run(stays, w), `{}`))
	b.deleteByHand(gone)
	b.exec(`UPDATE ciclo.executions SET status = 'cancelled', cancel_requested_at = now(), ended_at = now() WHERE id = $1`, moving)
	b.exec(`INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, started_at, running_at, ended_at, status_at, result)
		VALUES ('noop_old', 'test-noop', 'completed', 1, 1, 1, now() - interval '3 days 1 minute', now() - interval '3 days', now() - interval '3 days', now() - interval '3 days', '{}')`)
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	_, err = tx.Exec(b.ctx, `ALTER TABLE ciclo.executions DISABLE TRIGGER executions_stay; ALTER TABLE ciclo.transitions DISABLE TRIGGER transitions_stay; DELETE FROM ciclo.executions`)
	b.must(err)
	b.must(tx.Rollback(b.ctx))
	for _, counted := range []bool{false, true} {
		if counted {
			b.countAll()
		}
		if diff := cmp.Diff(b.texts(really), b.texts(standing, "ever")); diff != "" {
			t.Errorf("counted %v: executions (-) and counts (+): %s", counted, diff)
		}
		if n := b.count(`SELECT executions FROM ciclo.all_durations WHERE grain = 'day' AND at = date_trunc('day', now() - interval '3 days', 'UTC') AND bucket = ciclo.duration_bucket(60)`); n != 1 {
			t.Errorf("counted %v: %d of what came from elsewhere", counted, n)
		}
	}
	// What is pruned stays counted.
	b.exec(`SELECT ciclo.prune_executions(now() - interval '1 day', '', '-infinity', '', 100, false)`)
	if n := b.count(`SELECT count(*) FROM ciclo.executions WHERE status = 'completed'`); n != 1 {
		t.Errorf("after pruning %d completed ones are there, want the younger", n)
	}
	if n := b.count(`SELECT executions FROM dashboard.executions_by_status WHERE status = 'completed'`); n != 2 {
		t.Errorf("after one was pruned, %d completed", n)
	}
}

// Many sessions move one agent's executions in one minute, each in a transaction
// that stays open: nobody waits for anybody, and counting waits for none of them.
func TestMovesWaitForNoCounter(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	attempts := make([]*postgres.Attempt, 5) // the pool has one connection more
	for i := range attempts {
		attempts[i] = b.run(b.accept().ID, w)
	}
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	open := make([]pgx.Tx, len(attempts))
	for i, a := range attempts {
		tx, err := b.pool.Begin(ctx)
		b.must(err)
		open[i] = tx
		_, err = tx.Exec(ctx, `SET LOCAL lock_timeout = '100ms'`)
		b.must(err)
		_, err = tx.Exec(ctx, `UPDATE ciclo.executions SET status = 'completed', result = '{}', worker_id = NULL, ended_at = now(), status_at = now() WHERE id = $1`, a.Execution.ID)
		if err != nil {
			t.Fatalf("the move of session %d, while %d others are open: %v", i, i, err)
		}
	}
	n, err := b.CountMoves(ctx)
	b.must(err)
	if n != 2*len(attempts) {
		t.Errorf("counted %d moves, want the %d that were committed", n, 2*len(attempts))
	}
	for _, tx := range open {
		b.must(tx.Commit(ctx))
	}
	if n := b.countAll(); n != len(attempts) {
		t.Errorf("counted then were %d", n)
	}
	if diff := cmp.Diff(b.texts(really), b.texts(standing, "ever")); diff != "" {
		t.Error(diff)
	}
}

// While one counts, another takes nothing and waits for nothing.
func TestOneCountsAtATime(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.accept()
	tx, err := b.pool.Begin(b.ctx)
	b.must(err)
	_, err = tx.Exec(b.ctx, `SELECT pg_advisory_xact_lock($1)`, int64(0x6369636c6f02))
	b.must(err)
	if n, err := b.CountMoves(b.ctx); err != nil || n != 0 {
		t.Errorf("beside another it counted %d, %v", n, err)
	}
	b.must(tx.Rollback(b.ctx))
	if n, err := b.CountMoves(b.ctx); err != nil || n != 1 {
		t.Errorf("after it, it counted %d, %v", n, err)
	}
}

func TestOldPeriodsAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`INSERT INTO ciclo.uncounted_moves SELECT now() - interval '1 hour' - days * interval '1 day', 'test-noop', '', 'started', now() - interval '1 hour' - days * interval '1 day' FROM unnest(ARRAY[0, 1, 3, 40, 100]) days`)
	b.exec(`INSERT INTO ciclo.uncounted_moves SELECT at, agent, 'started', 'cancelled', started_at FROM ciclo.uncounted_moves`)
	b.countAll()
	_, err := b.ForgetActivity(b.ctx)
	b.must(err)
	const left = `SELECT grain || ' ' || sum(executions) FROM ciclo.%s GROUP BY grain ORDER BY 1`
	if diff := cmp.Diff([]string{"accepted_hour 6", "day 10", "ever 10", "hour 8", "minute 4"}, b.texts(fmt.Sprintf(left, "activity"))); diff != "" {
		t.Errorf("of moves there is %s", diff)
	}
	if diff := cmp.Diff([]string{"accepted_day 3", "day 5", "hour 4", "minute 2"}, b.texts(fmt.Sprintf(left, "activity_durations"))); diff != "" {
		t.Errorf("of durations there is %s", diff)
	}
	if n, err := b.ForgetActivity(b.ctx); n != 0 || err != nil {
		t.Errorf("forgotten again were %d, %v", n, err)
	}
}

// The buckets' function and its inverse agree, and the error is what is said of it.
func TestDurationBuckets(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for bucket := range 127 {
		var back int
		var shown float64
		b.scan([]any{&back, &shown}, `SELECT ciclo.duration_bucket(power(2, $1::int / 4.0::float8) / 1000), ciclo.duration_of_bucket($1)`, bucket)
		low, high := math.Pow(2, float64(bucket-1)/4)/1000, math.Pow(2, float64(bucket)/4)/1000
		if back != bucket || shown <= low || shown > high {
			t.Errorf("bucket %d: its bound lies in %d; it shows as %v, its bounds are %v and %v", bucket, back, shown, low, high)
		}
	}
	for seconds := .001; seconds < 30*86400; seconds *= 1.01 {
		var shown float64
		b.scan([]any{&shown}, `SELECT ciclo.duration_of_bucket(ciclo.duration_bucket($1))`, seconds)
		if e := math.Abs(shown-seconds) / seconds; e > .0865 {
			t.Fatalf("%v s shows as %v: an error of %v", seconds, shown, e)
		}
	}
	for seconds, want := range map[float64]int{-1: 0, 0: 0, .0005: 0, .00101: 1, 1e9: 126} {
		if got := b.count(`SELECT ciclo.duration_bucket($1)`, seconds); got != want {
			t.Errorf("%v s lies in %d, want %d", seconds, got, want)
		}
	}
}

// Percentiles are the exact ones (the least value that so many don't exceed), within
// the buckets' error.
func TestPercentilesOfManyDurations(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.exec(`INSERT INTO ciclo.uncounted_moves SELECT date_trunc('hour', now()), 'test-noop', 'running', 'completed', date_trunc('hour', now()) - (10 * 1.005 ^ i) * interval '1 ms' FROM generate_series(1, 1000) i`)
	for _, counted := range []bool{false, true} {
		if counted {
			b.countAll()
		}
		var n int
		var mean, exactMean float64
		var got, want [3]float64
		b.scan([]any{&n, &mean, &got[0], &got[1], &got[2]}, `SELECT executions, mean_seconds, p50_seconds, p95_seconds, p99_seconds FROM dashboard.durations_per_hour`)
		b.scan([]any{&exactMean}, `SELECT avg(0.01 * 1.005 ^ i)::float8 FROM generate_series(1, 1000) i`)
		for i, rank := range []float64{500, 950, 990} {
			want[i] = .01 * math.Pow(1.005, rank)
			if math.Abs(got[i]-want[i])/want[i] > .0866 {
				t.Errorf("counted %v: percentile %v is %v, want %v", counted, rank/10, got[i], want[i])
			}
		}
		if n != 1000 || math.Abs(mean-exactMean) > 1e-3 {
			t.Errorf("counted %v: %d with a mean of %v, want %v", counted, n, mean, exactMean)
		}
	}
}

func TestViewsOfActivity(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	w := b.worker()
	e := b.accept()
	b.must(b.Interrupt(b.ctx, b.run(e.ID, w)))
	b.must(b.complete(b.run(e.ID, w), `{}`))
	b.failed(b.run(b.accept().ID, w), postgres.Failure{Class: "permanent", Text: "no", Permanent: true})
	b.accept()
	_, err := b.Cancel(b.ctx, b.accept().ID)
	b.must(err)
	b.deleteByHand(b.accept().ID)
	want := "cancelled 1 0, completed 1 0, failed 1 0, running 3 0, started 5 1"
	for _, counted := range []bool{false, true} {
		if counted {
			b.countAll()
		}
		for _, view := range []string{"minute", "hour", "day"} {
			var got string
			b.scan([]any{&got}, `SELECT string_agg(status || ' ' || n || ' ' || r, ', ' ORDER BY status) FROM (
				SELECT status, sum(executions) n, sum(retried) r FROM dashboard.activity_per_`+view+` GROUP BY status) s`)
			if got != want {
				t.Errorf("counted %v, by %s: %q, want %q", counted, view, got, want)
			}
		}
		for _, by := range []postgres.Grain{postgres.ByMinute, postgres.ByHour, postgres.ByDay} {
			f := postgres.ActivityFilter{By: by, Since: time.Now().Add(-48 * time.Hour), Until: time.Now().Add(time.Hour)}
			var sum postgres.Activity
			points, err := b.ActivityBy(b.ctx, f)
			b.must(err)
			for _, p := range points {
				sum.Accepted, sum.Running, sum.Retried = sum.Accepted+p.Accepted, sum.Running+p.Running, sum.Retried+p.Retried
				sum.Completed, sum.Failed, sum.Cancelled = sum.Completed+p.Completed, sum.Failed+p.Failed, sum.Cancelled+p.Cancelled
				if (p.MeanSeconds == nil) != (p.Completed == 0) || (p.P50Seconds == nil) != (p.Completed == 0) || p.Agent != "test-noop" || !p.At.Equal(p.At.Truncate(by.Length())) {
					t.Errorf("counted %v, by %s: %+v", counted, by, p)
				}
			}
			if want := (postgres.Activity{Accepted: 5, Running: 3, Retried: 1, Completed: 1, Failed: 1, Cancelled: 1}); sum != want {
				t.Errorf("counted %v, by %s: %+v, want %+v", counted, by, sum, want)
			}
			f.Agent = "nobody"
			if points, err := b.ActivityBy(b.ctx, f); err != nil || len(points) != 0 {
				t.Errorf("of nobody: %v, %v", points, err)
			}
		}
	}
}

// No page that shows counts reads executions or transitions, but for the oldest and
// newest of a status, which are one look into an index each.
func TestCountsAreReadFromCounts(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.aMillion()
	bounds := []any{postgres.ByHour, time.Now().Add(-60 * 24 * time.Hour), time.Now(), ""}
	for name, sql := range map[string]string{
		"per minute":  `SELECT * FROM dashboard.activity_per_minute`,
		"per hour":    `SELECT * FROM dashboard.activity_per_hour`,
		"per day":     `SELECT * FROM dashboard.activity_per_day`,
		"durations":   `SELECT * FROM dashboard.durations`,
		"by hour":     `SELECT * FROM dashboard.durations_per_hour WHERE hour >= now() - interval '1 day'`,
		"by hour, of": `SELECT * FROM dashboard.executions_per_hour`,
		"by status":   `SELECT * FROM dashboard.executions_by_status`,
		"the API's":   postgres.ActivityQuery,
	} {
		var args []any
		if strings.Contains(sql, "$1") {
			args = bounds
		}
		plan := strings.Join(b.texts(`EXPLAIN `+sql, args...), "\n")
		if name == "by status" {
			if !strings.Contains(plan, "Index Cond: ((ROW(agent, status)") {
				t.Errorf("the oldest and newest aren't found by agent and status: %s", plan)
			}
			plan = strings.ReplaceAll(plan, "using executions_by_agent_status_start on executions", "")
		}
		if strings.Contains(plan, "on executions") || strings.Contains(plan, "on transitions") {
			t.Errorf("%s reads more than counts: %s", name, plan)
		}
	}
}

// aMillion counts as many as a year of a million executions leaves: three moves each,
// of four agents, in every minute, hour and day that is kept.
func (b *bundle) aMillion() {
	b.t.Helper()
	b.exec(`
		INSERT INTO ciclo.activity (grain, at, agent, from_status, to_status, executions)
		SELECT grain, at, agent, from_status, to_status, 1 + 1000000 / 4 / periods
		FROM (VALUES ('minute', interval '1 minute', 3000, 525600), ('hour', interval '1 hour', 2184, 8760), ('day', interval '1 day', 365, 365), ('accepted_hour', interval '1 hour', 744, 8760)) g (grain, length, kept, periods)
		CROSS JOIN LATERAL (SELECT date_trunc(ltrim(grain, 'accepted_'), now(), 'UTC') - n * length AS at FROM generate_series(0, kept - 1) n) periods
		CROSS JOIN unnest(ARRAY['test-noop', 'test-slow', 'test-steps', 'test-fail']) agent
		CROSS JOIN (VALUES ('', 'started'), ('started', 'running'), ('running', 'completed'), ('running', 'failed'), ('running', 'cancelled'), ('running', 'started'), ('started', 'cancelled'), ('started', 'failed')) m (from_status, to_status)
		WHERE grain <> 'minute' OR agent = 'test-noop'`)
	b.exec(`
		INSERT INTO ciclo.activity (grain, at, agent, from_status, to_status, executions)
		SELECT 'ever', '-infinity', agent, from_status, to_status, 250000
		FROM unnest(ARRAY['test-noop', 'test-slow', 'test-steps', 'test-fail']) agent
		CROSS JOIN (VALUES ('', 'started'), ('started', 'running'), ('running', 'completed')) m (from_status, to_status)`)
	b.exec(`
		INSERT INTO ciclo.activity_durations (grain, at, agent, status, bucket, executions, seconds)
		SELECT grain, at, agent, status, bucket, 1, 1
		FROM (VALUES ('minute', interval '1 minute', 3000, 1), ('hour', interval '1 hour', 2184, 20), ('day', interval '1 day', 365, 25), ('accepted_day', interval '1 day', 32, 25)) g (grain, length, kept, buckets)
		CROSS JOIN LATERAL (SELECT date_trunc(ltrim(grain, 'accepted_'), now(), 'UTC') - n * length AS at FROM generate_series(0, kept - 1) n) periods
		CROSS JOIN unnest(ARRAY['test-noop', 'test-slow', 'test-steps', 'test-fail']) agent
		CROSS JOIN (VALUES ('completed', 1), ('failed', 5)) s (status, rare)
		CROSS JOIN LATERAL generate_series(40, 40 + buckets / rare) bucket
		WHERE grain <> 'minute' OR agent = 'test-noop'`)
	b.exec(`
		INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, started_at, running_at, ended_at, status_at, result)
		SELECT 'noop_' || n, 'test-noop', 'completed', 1, 1, 1, at, at, at, at, '{}' FROM (SELECT n, now() - n * interval '1 minute' AS at FROM generate_series(1, 5000) n) e`)
	b.countAll()
	b.exec(`ANALYZE ciclo.executions, ciclo.uncounted_moves, ciclo.activity, ciclo.activity_durations`)
}

func TestTheDatabaseRefusesWrongCounts(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for name, sql := range map[string]string{
		"a minute that begins within one":   `INSERT INTO ciclo.activity VALUES ('minute', '2026-01-01 10:00:01Z', 'a', '', 'started', 1)`,
		"an hour that begins within one":    `INSERT INTO ciclo.activity VALUES ('hour', '2026-01-01 10:30Z', 'a', '', 'started', 1)`,
		"a day that begins elsewhere":       `INSERT INTO ciclo.activity VALUES ('day', '2026-01-01 01:00Z', 'a', '', 'started', 1)`,
		"all history that begins":           `INSERT INTO ciclo.activity VALUES ('ever', '2026-01-01 00:00Z', 'a', '', 'started', 1)`,
		"an unknown grain":                  `INSERT INTO ciclo.activity VALUES ('week', '2026-01-01 00:00Z', 'a', '', 'started', 1)`,
		"a move of nobody":                  `INSERT INTO ciclo.activity VALUES ('day', '2026-01-01 00:00Z', 'a', '', 'started', 0)`,
		"a move to nowhere":                 `INSERT INTO ciclo.activity VALUES ('day', '2026-01-01 00:00Z', 'a', '', 'done', 1)`,
		"a move from an end":                `INSERT INTO ciclo.uncounted_moves VALUES (now(), 'a', 'completed', 'started', now())`,
		"an end that isn't one":             `INSERT INTO ciclo.activity_durations VALUES ('day', '2026-01-01 00:00Z', 'a', 'running', 1, 1, 1)`,
		"a bucket that isn't one":           `INSERT INTO ciclo.activity_durations VALUES ('day', '2026-01-01 00:00Z', 'a', 'completed', 127, 1, 1)`,
		"durations of a grain without them": `INSERT INTO ciclo.activity_durations VALUES ('ever', '-infinity', 'a', 'completed', 1, 1, 1)`,
	} {
		_, err := b.pool.Exec(b.ctx, sql)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "23514" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
