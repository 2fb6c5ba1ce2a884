package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Grain is how long the periods are that activity is counted by.
type Grain string

// The grains, and how far back each is kept; days are kept for ever.
const (
	ByMinute Grain = "minute"
	ByHour   Grain = "hour"
	ByDay    Grain = "day"

	MinutesKept = 48 * time.Hour
	HoursKept   = 90 * 24 * time.Hour
)

// Length is of one period.
func (g Grain) Length() time.Duration {
	switch g {
	case ByMinute:
		return time.Minute
	case ByHour:
		return time.Hour
	default:
		return 24 * time.Hour
	}
}

// Activity is what an agent's executions did in one period, without dry runs.
type Activity struct {
	At          time.Time `json:"at" jsonschema:"The beginning of the minute, hour or day (UTC)."`
	Agent       string    `json:"agent"`
	Accepted    int64     `json:"accepted"`
	Running     int64     `json:"running" jsonschema:"Attempts that began."`
	Retried     int64     `json:"retried" jsonschema:"Attempts after which the execution waits for another one: they failed, were interrupted or lost."`
	Completed   int64     `json:"completed"`
	Failed      int64     `json:"failed"`
	Cancelled   int64     `json:"cancelled"`
	MeanSeconds *float64  `json:"mean_seconds" jsonschema:"From the acceptance to the end, of those that completed then; null where none did."`
	P50Seconds  *float64  `json:"p50_seconds" jsonschema:"Their median, within 9 %."`
	P95Seconds  *float64  `json:"p95_seconds" jsonschema:"Their 95th percentile, within 9 %."`
}

// ActivityFilter says which periods: those that begin at Since or later, and before
// Until. Agent empty is each.
type ActivityFilter struct {
	By           Grain
	Since, Until time.Time
	Agent        string
}

// activityQuery reads counts alone: $1 is the grain, $2 and $3 the bounds, $4 the agent.
const activityQuery = `
	SELECT m.at, m.agent,
	       coalesce(sum(m.executions) FILTER (WHERE m.from_status = ''), 0)::bigint,
	       coalesce(sum(m.executions) FILTER (WHERE m.to_status = 'running'), 0)::bigint,
	       coalesce(sum(m.executions) FILTER (WHERE m.to_status = 'started' AND m.from_status <> ''), 0)::bigint,
	       coalesce(sum(m.executions) FILTER (WHERE m.to_status = 'completed'), 0)::bigint,
	       coalesce(sum(m.executions) FILTER (WHERE m.to_status = 'failed'), 0)::bigint,
	       coalesce(sum(m.executions) FILTER (WHERE m.to_status = 'cancelled'), 0)::bigint,
	       d.mean, d.p50, d.p95
	FROM ciclo.all_activity m LEFT JOIN (
		SELECT at, agent, sum(seconds) / sum(executions)::float8 AS mean,
		       ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.50 * total)) AS p50,
		       ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.95 * total)) AS p95
		FROM (
			SELECT at, agent, bucket, executions, seconds,
			       sum(executions) OVER (PARTITION BY at, agent ORDER BY bucket) AS upto, sum(executions) OVER (PARTITION BY at, agent) AS total
			FROM ciclo.all_durations
			WHERE grain = $1 AND at >= $2 AND at < $3 AND status = 'completed' AND ($4 = '' OR agent = $4)) buckets
		GROUP BY at, agent) d ON d.at = m.at AND d.agent = m.agent
	WHERE m.grain = $1 AND m.at >= $2 AND m.at < $3 AND m.to_status <> 'deleted' AND ($4 = '' OR m.agent = $4)
	GROUP BY m.at, m.agent, d.mean, d.p50, d.p95
	ORDER BY m.at, m.agent`

// ActivityBy returns what executions did by period and agent, the first period first;
// periods in which nothing moved are left out. It reads counts, whatever the history.
func (s *Store) ActivityBy(ctx context.Context, f ActivityFilter) ([]Activity, error) {
	rows, err := s.reading(ctx).Query(ctx, activityQuery, f.By, f.Since, f.Until, f.Agent)
	if err != nil {
		return nil, fmt.Errorf("activity by %s: %w", f.By, err)
	}
	points, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Activity, err error) {
		err = row.Scan(&a.At, &a.Agent, &a.Accepted, &a.Running, &a.Retried, &a.Completed, &a.Failed, &a.Cancelled, &a.MeanSeconds, &a.P50Seconds, &a.P95Seconds)
		a.At = a.At.UTC()
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("activity by %s: %w", f.By, err)
	}
	return points, nil
}

// activityLock is the advisory lock under which one session at a time counts moves;
// it goes with its transaction.
const activityLock = 0x6369636c6f02 // "ciclo" and a number

// countBatch bounds the moves of one statement.
const countBatch = 5000

// countMoves takes moves away and adds them to their periods in one statement. Where
// another session is at it, that one's lock has it take nothing.
const countMoves = `
	WITH mine AS MATERIALIZED (
		SELECT pg_try_advisory_xact_lock($1) AS mine
	), taken AS (
		DELETE FROM ciclo.uncounted_moves
		WHERE ctid = ANY (ARRAY(SELECT ctid FROM ciclo.uncounted_moves WHERE (SELECT mine FROM mine) LIMIT $2 FOR UPDATE SKIP LOCKED))
		RETURNING at, agent, from_status, to_status, started_at
	), counted AS (
		INSERT INTO ciclo.activity AS a (grain, at, agent, from_status, to_status, executions)
		SELECT p.grain, p.at, t.agent, t.from_status, t.to_status, count(*)
		FROM taken t CROSS JOIN LATERAL ciclo.activity_periods(t.at, t.started_at) p
		WHERE p.grain <> 'accepted_day'
		GROUP BY 1, 2, 3, 4, 5
		ON CONFLICT (grain, at, agent, from_status, to_status) DO UPDATE SET executions = a.executions + excluded.executions
	), measured AS (
		INSERT INTO ciclo.activity_durations AS a (grain, at, agent, status, bucket, executions, seconds)
		SELECT p.grain, p.at, t.agent, t.to_status, ciclo.duration_bucket(s.seconds), count(*), sum(s.seconds)
		FROM taken t CROSS JOIN LATERAL ciclo.activity_periods(t.at, t.started_at) p
		CROSS JOIN LATERAL (SELECT greatest(extract(epoch FROM t.at - t.started_at), 0)::float8 AS seconds) s
		WHERE p.grain NOT IN ('ever', 'accepted_hour') AND t.to_status IN ('completed', 'failed', 'cancelled')
		GROUP BY 1, 2, 3, 4, 5
		ON CONFLICT (grain, at, agent, status, bucket) DO UPDATE
		SET executions = a.executions + excluded.executions, seconds = a.seconds + excluded.seconds
	)
	SELECT count(*) FROM taken`

// CountMoves adds moves that no period counts yet to their periods, at most a batch of
// them, and returns how many. Of several that do it at once, one does.
func (s *Store) CountMoves(ctx context.Context) (int, error) {
	var n int
	if err := s.pool.QueryRow(ctx, countMoves, int64(activityLock), countBatch).Scan(&n); err != nil {
		return 0, fmt.Errorf("count moves: %w", err)
	}
	return n, nil
}

// forgetActivity deletes the periods that are kept no longer, in both tables.
const forgetActivity = `
	WITH mine AS MATERIALIZED (
		SELECT grain, now() - ciclo.activity_kept(grain) AS since
		FROM unnest(ARRAY['minute', 'hour', 'accepted_hour', 'accepted_day']) grain
		WHERE (SELECT pg_try_advisory_xact_lock($1))
	), counts AS (
		DELETE FROM ciclo.activity a USING mine WHERE a.grain = mine.grain AND a.at < mine.since RETURNING 1
	), durations AS (
		DELETE FROM ciclo.activity_durations a USING mine WHERE a.grain = mine.grain AND a.at < mine.since RETURNING 1
	)
	SELECT (SELECT count(*) FROM counts) + (SELECT count(*) FROM durations)`

// ForgetActivity deletes the minutes and hours that are kept no longer, and returns how
// many counts went. Days and all history hold what they held.
func (s *Store) ForgetActivity(ctx context.Context) (int, error) {
	var n int
	if err := s.pool.QueryRow(ctx, forgetActivity, int64(activityLock)).Scan(&n); err != nil {
		return 0, fmt.Errorf("forget activity: %w", err)
	}
	return n, nil
}
