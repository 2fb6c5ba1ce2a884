package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Finding is one invariant and what breaks it: nothing, on a healthy system.
type Finding struct {
	Invariant string   `json:"invariant"`
	Settled   bool     `json:"settled" jsonschema:"Whether it holds only after three leases without a gap in the database; others hold at any instant."`
	Checked   bool     `json:"checked" jsonschema:"False for a settled one that can't be judged yet."`
	Count     int      `json:"count"`
	Samples   []string `json:"samples"`
}

// invariant is a query that returns the ids of the executions that break it. $1
// is the start of the window: histories that ended before it are not looked at, nor
// are those that were pruned.
// $2 is the lease.
type invariant struct {
	text    string
	settled bool
	query   string
}

var invariants = []invariant{
	{text: "a final execution has no worker and no due time", query: `
		SELECT id FROM ciclo.executions
		WHERE status IN ('completed', 'failed', 'cancelled') AND status_at >= $1 AND $2::interval IS NOT NULL
		  AND (worker_id IS NOT NULL OR next_attempt_at IS NOT NULL OR ended_at IS NULL)`},
	{text: "a started execution has either a due time or a River row", query: `
		SELECT id FROM ciclo.executions
		WHERE status = 'started' AND $1::timestamptz IS NOT NULL AND $2::interval IS NOT NULL
		  AND ((next_attempt_at IS NULL) = (river_job_id IS NULL) OR worker_id IS NOT NULL)`},
	{text: "a running execution has a worker, a River row and no due time", query: `
		SELECT id FROM ciclo.executions
		WHERE status = 'running' AND $1::timestamptz IS NOT NULL AND $2::interval IS NOT NULL
		  AND (worker_id IS NULL OR river_job_id IS NULL OR next_attempt_at IS NOT NULL OR attempt = 0)`},
	{text: "transitions form a legal path: each begins where the one before ended, by a move that is allowed, and an attempt ends by the worker that ran it", query: `
		SELECT DISTINCT execution_id FROM (
			SELECT t.execution_id, t.from_status, t.to_status, t.attempt, t.worker_id,
			       lag(t.to_status) OVER path AS before, lag(t.attempt) OVER path AS attempt_before, lag(t.worker_id) OVER path AS worker_before
			FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id
			WHERE (e.status_at >= $1 OR e.ended_at IS NULL) AND $2::interval IS NOT NULL
			WINDOW path AS (PARTITION BY t.execution_id ORDER BY t.id)) t
		WHERE from_status IS DISTINCT FROM before
		   OR (from_status, to_status) NOT IN (
			('started', 'running'), ('started', 'failed'), ('started', 'cancelled'),
			('running', 'started'), ('running', 'completed'), ('running', 'failed'), ('running', 'cancelled'))
		   OR attempt <> coalesce(attempt_before, 0) + CASE WHEN to_status = 'running' THEN 1 ELSE 0 END
		   OR from_status = 'running' AND worker_id IS DISTINCT FROM worker_before`},
	{text: "an execution's status and attempt are those of its last transition", query: `
		SELECT e.id FROM ciclo.executions e
		LEFT JOIN LATERAL (SELECT to_status, attempt FROM ciclo.transitions t WHERE t.execution_id = e.id ORDER BY t.id DESC LIMIT 1) t ON true
		WHERE (e.status_at >= $1 OR e.ended_at IS NULL) AND e.pruned_at IS NULL AND $2::interval IS NOT NULL
		  AND (t.to_status, t.attempt) IS DISTINCT FROM (e.status, e.attempt)`},
	{text: "failures counts the attempts that failed or were lost", query: `
		SELECT e.id FROM ciclo.executions e
		WHERE (e.status_at >= $1 OR e.ended_at IS NULL) AND e.pruned_at IS NULL AND $2::interval IS NOT NULL
		  AND e.failures <> (SELECT count(*) FROM ciclo.transitions t
			WHERE t.execution_id = e.id AND (t.outcome IN ('failed', 'lost') OR t.outcome = 'cancelled' AND t.error_class IS NOT NULL))`},
	{text: "a step was finished by an attempt while that ran", query: `
		SELECT DISTINCT s.execution_id FROM ciclo.steps s
		JOIN ciclo.executions e ON e.id = s.execution_id
		LEFT JOIN ciclo.attempts a ON a.execution_id = s.execution_id AND a.attempt = s.attempt AND a.worker_id = s.worker_id
		WHERE (e.status_at >= $1 OR e.ended_at IS NULL) AND $2::interval IS NOT NULL
		  AND s.copied_from IS NULL AND (a.execution_id IS NULL OR s.ended_at < a.started_at OR s.ended_at > coalesce(a.ended_at, 'infinity') + interval '1 second')`},
	{text: "an effect is settled, or its execution has an attempt to come", query: `
		SELECT DISTINCT f.execution_id FROM ciclo.effects f JOIN ciclo.executions e ON e.id = f.execution_id
		WHERE f.state = 'intended' AND e.ended_at IS NOT NULL AND $1::timestamptz IS NOT NULL AND $2::interval IS NOT NULL`},
	{text: "a message that is being sent has its contact, and an execution with an attempt to come; one that was sent has its effect", query: `
		SELECT m.id FROM ciclo.messages m JOIN ciclo.executions e ON e.id = m.execution_id
		WHERE $1::timestamptz IS NOT NULL AND $2::interval IS NOT NULL
		  AND (m.status = 'sending' AND (e.ended_at IS NOT NULL OR NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.message_id = m.id))
		    OR m.status = 'sent' AND m.status_at >= $1 AND e.pruned_at IS NULL
		       AND NOT EXISTS (SELECT FROM ciclo.effects f WHERE f.execution_id = e.id AND f.name = 'send' AND f.state = 'done'))`},
	{text: "a slot that was fired names a cycle of its schedule and its due time, and no other slot does", query: `
		SELECT s.schedule || ' ' || s.due_at FROM ciclo.slots s LEFT JOIN ciclo.cycles c ON c.id = s.cycle_id
		WHERE s.decided_at >= $1 AND $2::interval IS NOT NULL
		  AND (s.outcome IN ('fired', 'caught_up') AND (c.schedule IS DISTINCT FROM s.schedule OR c.due_at IS DISTINCT FROM s.due_at)
		    OR s.outcome = 'queued' AND s.cycle_id IS NOT NULL)
		UNION ALL
		SELECT c.id FROM ciclo.cycles c WHERE c.opened_by <> 'hand' AND c.opened_at >= $1
		  AND NOT EXISTS (SELECT FROM ciclo.slots s WHERE s.cycle_id = c.id)`},
	{text: "an execution of a cycle is named by it, and a cycle that has ended has none that is alive", query: `
		SELECT e.id FROM ciclo.executions e JOIN ciclo.cycles c ON c.id = e.cycle_id
		WHERE (e.status_at >= $1 OR e.ended_at IS NULL) AND $2::interval IS NOT NULL AND e.retry_of IS NULL
		  AND (NOT EXISTS (SELECT FROM ciclo.cycle_agents a WHERE a.cycle_id = c.id AND a.execution_id = e.id) OR c.ended_at IS NOT NULL AND e.ended_at IS NULL)`},
	{text: "the counts of moves say how many executions of each agent are started and running", query: `
		SELECT agent || ' ' || status FROM (
			SELECT agent, to_status AS status, executions FROM ciclo.all_activity WHERE grain = 'ever' AND to_status IN ('started', 'running')
			UNION ALL
			SELECT agent, from_status, -executions FROM ciclo.all_activity WHERE grain = 'ever' AND from_status <> ''
			UNION ALL
			SELECT agent, status, -1 FROM ciclo.executions WHERE status = 'started' AND NOT dry_run
			UNION ALL
			SELECT agent, status, -1 FROM ciclo.executions WHERE status = 'running' AND NOT dry_run) counts
		WHERE $1::timestamptz IS NOT NULL AND $2::interval IS NOT NULL
		GROUP BY agent, status HAVING sum(executions) <> 0`},
	{text: "the River row that a started execution names is live", settled: true, query: `
		SELECT e.id FROM ciclo.executions e LEFT JOIN ciclo.river_job j ON j.id = e.river_job_id
		WHERE e.status = 'started' AND e.next_attempt_at IS NULL AND e.status_at < now() - 3 * $2::interval AND $1::timestamptz IS NOT NULL
		  AND (j.id IS NULL OR j.state IN ('cancelled', 'completed', 'discarded'))
		  AND coalesce(j.finalized_at, '-infinity') < now() - 3 * $2::interval`},
	{text: "the worker of a running execution holds a lease", settled: true, query: `
		SELECT e.id FROM ciclo.executions e LEFT JOIN ciclo.workers w ON w.id = e.worker_id
		WHERE e.status = 'running' AND coalesce(w.lease_until, '-infinity') < now() - 3 * $2::interval AND $1::timestamptz IS NOT NULL`},
	{text: "an execution whose time has come is enqueued", settled: true, query: `
		SELECT e.id FROM ciclo.executions e
		WHERE e.next_attempt_at < now() - 3 * $2::interval AND $1::timestamptz IS NOT NULL AND NOT ` + paused},
	{text: "a final execution has no River row in the queue", settled: true, query: `
		SELECT e.id FROM ciclo.executions e JOIN ciclo.river_job j ON j.id = e.river_job_id
		WHERE e.ended_at >= $1 AND e.ended_at < now() - 3 * $2::interval AND j.state = 'available'`},
}

const auditSamples = 5

// Audit checks every invariant on one snapshot, histories no further back than
// window.
func (s *Store) Audit(ctx context.Context, lease, window time.Duration) ([]Finding, error) {
	var findings []Finding
	err := s.Read(ctx, func(tx pgx.Tx) error {
		var since time.Time
		var settled bool
		err := tx.QueryRow(ctx, `SELECT now() - $1::interval, pg_postmaster_start_time() < now() - 3 * $2::interval`, window, lease).Scan(&since, &settled)
		if err != nil {
			return err
		}
		for _, i := range invariants {
			f := Finding{Invariant: i.text, Settled: i.settled, Checked: settled || !i.settled, Samples: []string{}}
			if f.Checked {
				rows, err := tx.Query(ctx, i.query, since, lease)
				if err != nil {
					return fmt.Errorf("%s: %w", i.text, err)
				}
				var id string
				_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
					if f.Count++; f.Count <= auditSamples {
						f.Samples = append(f.Samples, id)
					}
					return nil
				})
				if err != nil {
					return fmt.Errorf("%s: %w", i.text, err)
				}
			}
			findings = append(findings, f)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return findings, nil
}
