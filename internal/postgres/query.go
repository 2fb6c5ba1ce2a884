package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/nuzantara/ciclo/internal/execution"
	"github.com/nuzantara/ciclo/internal/queue"
)

// Found is an execution with its transitions, the oldest first.
type Found struct {
	Execution   execution.Execution
	Transitions []execution.Transition
	// Version differs whenever the execution does (Versions).
	Version string
	// QueuePosition is its place among the waiting ones of its agent, from 1, up to
	// maxPosition; nil where it doesn't lie in the queue.
	QueuePosition *int
}

// maxPosition bounds what is counted for one answer.
const maxPosition = 1000

// versionColumn differs with each update of the row of executions e, and when it
// begins to be stalled, which is no update.
const versionColumn = `e.xmin::text || CASE WHEN ` + stalled + ` THEN 's' ELSE '' END`

// Get returns one execution. ErrNotFound where there is none.
func (s *Store) Get(ctx context.Context, id string) (execution.Execution, []execution.Transition, error) {
	found, err := s.GetAll(ctx, []string{id})
	switch {
	case err != nil:
		return execution.Execution{}, nil, err
	case found[0] == nil:
		return execution.Execution{}, nil, fmt.Errorf("get execution %s: %w", id, execution.ErrNotFound)
	}
	return found[0].Execution, found[0].Transitions, nil
}

// findSQL is one statement, one snapshot: a row for each transition, the result
// in the first of its execution alone. OFFSET 0 has both tables looked up by
// index for each id, whatever the planner thinks of their sizes; the rows of one
// execution come together and in the order of its transitions. The ids come as
// one text, for Postgres plans a query over an array anew each time: it thinks
// the array's true length worth knowing.
var findSQL = `
	SELECT ` + strings.Replace(executionColumns, "e.result", "CASE WHEN t.from_status IS NULL THEN e.result END", 1) + `,
	       coalesce(t.from_status, ''), coalesce(t.to_status, ''), coalesce(t.at, e.started_at), coalesce(t.attempt, 0), t.worker_id::text,
	       coalesce(t.reason, ''), t.outcome, t.error_class, coalesce(t.error_text, ''), ` + versionColumn + `, e.position
	FROM string_to_table($1, ' ') AS asked (id)
	CROSS JOIN LATERAL (
		SELECT *, xmin, CASE WHEN status = 'started' AND river_job_id IS NOT NULL THEN (
			SELECT (
				SELECT count(*) + 1 FROM (
					SELECT priority, scheduled_at, id FROM ciclo.river_job
					WHERE state = 'available' AND queue = mine.queue
					ORDER BY priority, scheduled_at, id LIMIT ` + strconv.Itoa(maxPosition-1) + `) head
				WHERE (head.priority, head.scheduled_at, head.id) < (mine.priority, mine.scheduled_at, mine.id))
			FROM ciclo.river_job mine WHERE mine.id = executions.river_job_id AND mine.state = 'available') END AS position
		FROM ciclo.executions WHERE id = asked.id OFFSET 0) e
	LEFT JOIN LATERAL (SELECT * FROM ciclo.transitions WHERE execution_id = asked.id ORDER BY id OFFSET 0) t ON true`

// GetAll returns executions in the order of the ids; nil where there is none.
func (s *Store) GetAll(ctx context.Context, ids []string) ([]*Found, error) {
	known := map[string]*Found{}
	var asked []string
	for _, id := range ids {
		if _, again := known[id]; execution.ValidID(id) && !again {
			known[id] = nil
			asked = append(asked, id)
		}
	}
	rows, err := s.reading(ctx).Query(ctx, findSQL, strings.Join(asked, " "))
	if err != nil {
		return nil, fmt.Errorf("get executions: %w", err)
	}
	defer rows.Close()
	var last *Found
	for rows.Next() {
		var t execution.Transition
		var class *string
		var text string
		transition := []any{&t.From, &t.To, &t.At, &t.Attempt, &t.Worker, &t.Reason, &t.Outcome, &class, &text, nil, nil}
		if last != nil && last.Execution.ID == string(rows.RawValues()[0]) {
			skipped := make([]any, len(rows.RawValues())-len(transition)) // told by an earlier row
			err = rows.Scan(slices.Concat(skipped, transition)...)
		} else {
			last = &Found{Transitions: make([]execution.Transition, 0, 3)}
			transition[len(transition)-2], transition[len(transition)-1] = &last.Version, &last.QueuePosition
			last.Execution, err = scanExecution(rows, transition...)
			known[last.Execution.ID] = last
		}
		if err != nil {
			return nil, fmt.Errorf("get executions: %w", err)
		}
		if class != nil {
			t.Error = &execution.Error{Class: *class, Text: text}
		}
		if t.To != "" { // else its transitions are no longer kept
			last.Transitions = append(last.Transitions, t)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("get executions: %w", err)
	}
	found := make([]*Found, len(ids))
	for i, id := range ids {
		found[i] = known[id]
	}
	return found, nil
}

// Versions says how each execution's version reads now; those that don't exist
// are not in it. It is what a poller's question costs while nothing has changed.
func (s *Store) Versions(ctx context.Context, ids []string) (map[string]string, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT e.id, `+versionColumn+`
		FROM string_to_table($1, ' ') AS asked (id)
		CROSS JOIN LATERAL (SELECT *, xmin FROM ciclo.executions WHERE id = asked.id OFFSET 0) e`, strings.Join(ids, " "))
	if err != nil {
		return nil, fmt.Errorf("get versions: %w", err)
	}
	versions := make(map[string]string, len(ids))
	var id, version string
	if _, err := pgx.ForEachRow(rows, []any{&id, &version}, func() error { versions[id] = version; return nil }); err != nil {
		return nil, fmt.Errorf("get versions: %w", err)
	}
	return versions, nil
}

// Filter narrows a list; zero values don't.
type Filter struct {
	Agent    string
	Statuses []execution.Status
	Cycle    string
	// RetryOf is the execution that they retry.
	RetryOf string
	// Real leaves out dry runs.
	Real bool
	// Since and Until bound started_at: since inclusive, until exclusive.
	Since, Until time.Time
	// Before is the position after which the page begins, newest first.
	Before Position
	Limit  int
}

// Position is where an execution lies in the order of lists.
type Position struct {
	StartedAt time.Time
	ID        string
}

// eachAgent has a row for every agent that ever had an execution: one look into an
// index for each, since there is no list of them.
const eachAgent = `(
	WITH RECURSIVE known (agent) AS (
		(SELECT agent FROM ciclo.executions ORDER BY agent LIMIT 1)
		UNION ALL
		SELECT (SELECT agent FROM ciclo.executions WHERE agent > known.agent ORDER BY agent LIMIT 1) FROM known WHERE agent IS NOT NULL
	)
	SELECT agent FROM known WHERE agent IS NOT NULL)`

// List returns a page of executions, newest first, without their results. A page
// by agent or status is merged from the newest of each agent in each status, by
// their own index: to go through the history until the page is full would take
// the longer, the fewer there are of what is wanted.
func (s *Store) List(ctx context.Context, f Filter) ([]execution.Execution, error) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	// Agent and bounds are hidden from the planner (OFFSET 0, SELECT): where it sees
	// them it thinks the page cheaper than without, and plans each anew, which takes
	// longer than to read it.
	bound := func(v any, kind string) string { return `(SELECT ` + arg(v) + `::` + kind + `)` }
	var where []string
	from, merged := `ciclo.executions e`, f.Cycle == "" && f.RetryOf == "" && (f.Agent != "" || len(f.Statuses) > 0)
	if f.Cycle != "" || f.RetryOf != "" { // both are short, and have an index of their own
		if f.Cycle != "" {
			where = append(where, `e.cycle_id = `+arg(f.Cycle))
		}
		if f.RetryOf != "" { // OFFSET 0: else it might go through the history by time, looking for them
			from = `(SELECT * FROM ciclo.executions WHERE retry_of = ` + arg(f.RetryOf) + ` OFFSET 0) e`
		}
		if f.Agent != "" {
			where = append(where, `e.agent = `+arg(f.Agent))
		}
		if len(f.Statuses) > 0 {
			where = append(where, `e.status = ANY (`+arg(f.Statuses)+`)`)
		}
	}
	if merged {
		agents := eachAgent
		if f.Agent != "" {
			agents = `(SELECT ` + arg(f.Agent) + `::text AS agent OFFSET 0)`
		}
		statuses := f.Statuses
		if len(statuses) == 0 {
			statuses = execution.Statuses
		}
		var texts []string
		for _, status := range statuses {
			if !slices.Contains(texts, string(status)) { // else its executions came twice
				texts = append(texts, string(status))
			}
		}
		from = agents + ` agents CROSS JOIN string_to_table(` + arg(strings.Join(texts, " ")) + `, ' ') AS statuses (status) CROSS JOIN LATERAL (
			SELECT e.started_at, e.id FROM ciclo.executions e`
		where = append(where, `e.agent = agents.agent`, `e.status = statuses.status`)
	}
	if f.Real {
		where = append(where, `NOT e.dry_run`)
	}
	if !f.Since.IsZero() {
		where = append(where, `e.started_at >= `+bound(f.Since, `timestamptz`))
	}
	if !f.Until.IsZero() {
		where = append(where, `e.started_at < `+bound(f.Until, `timestamptz`))
	}
	if f.Before.ID != "" {
		where = append(where, `(e.started_at, e.id) < (`+bound(f.Before.StartedAt, `timestamptz`)+`, `+bound(f.Before.ID, `text`)+`)`)
	}
	// The limit is no parameter: Postgres would take it for a tenth of all, and plan
	// each page anew.
	page := ` ORDER BY e.started_at DESC, e.id DESC LIMIT ` + strconv.Itoa(f.Limit)
	if len(where) > 0 {
		from += ` WHERE ` + strings.Join(where, ` AND `)
	}
	if merged { // the whole rows are read of those alone that are shown; OFFSET 0 as in findSQL
		from = `(SELECT e.started_at, e.id FROM ` + from + page + `) e` + page + `) newest
			CROSS JOIN LATERAL (SELECT * FROM ciclo.executions WHERE id = newest.id OFFSET 0) e`
		page = ` ORDER BY newest.started_at DESC, newest.id DESC`
	}
	rows, err := s.reading(ctx).Query(ctx, `SELECT `+strings.Replace(executionColumns, "e.result", "NULL::jsonb", 1)+` FROM `+from+page, args...)
	if err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (execution.Execution, error) { return scanExecution(row) })
	if err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	return list, nil
}

// Cancellation is an execution that was asked to end, and whether this ended it.
type Cancellation struct {
	execution.Execution
	Moved bool
}

// Cancel asks for the execution's end: a started one is cancelled at once, a
// running one by its worker at the next beat. Asking twice is as asking once.
// ErrFinal where it has already ended otherwise.
func (s *Store) Cancel(ctx context.Context, id string) (Cancellation, error) {
	var e Cancellation
	if !execution.ValidID(id) {
		return e, execution.ErrNotFound
	}
	cancel := func(tx pgx.Tx) error {
		var job *int64
		err := tx.QueryRow(ctx, `SELECT river_job_id FROM ciclo.executions WHERE id = $1`, id).Scan(&job)
		if errors.Is(err, pgx.ErrNoRows) {
			return execution.ErrNotFound
		}
		if err != nil {
			return err
		}
		if job != nil { // River's row before the execution, as everywhere
			if _, err := tx.Exec(ctx, `SELECT FROM ciclo.river_job WHERE id = $1 FOR UPDATE`, *job); err != nil {
				return err
			}
		}
		var before execution.Status
		var jobNow *int64
		err = tx.QueryRow(ctx, `SELECT status, river_job_id FROM ciclo.executions WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&before, &jobNow)
		if err != nil {
			return err
		}
		if jobNow != nil && (job == nil || *job != *jobNow) {
			return errRowChanged
		}
		switch {
		case before == execution.Started && jobNow != nil:
			if err := s.endJob(ctx, tx, *jobNow); err != nil {
				return err
			}
		case before == execution.Running && jobNow != nil:
			// Tells the worker at once where it listens; its beat tells it anyway.
			if _, err := s.river.JobCancelTx(ctx, tx, *jobNow); err != nil && !errors.Is(err, river.ErrNotFound) {
				return fmt.Errorf("tell the worker: %w", err)
			}
		}
		e.Moved = before == execution.Started
		e.Execution, err = scanExecution(tx.QueryRow(ctx, `
			WITH e AS (
				UPDATE ciclo.executions
				SET cancel_requested_at = coalesce(cancel_requested_at, now()),
				    status          = CASE status WHEN 'started' THEN 'cancelled' ELSE status END,
				    next_attempt_at = CASE status WHEN 'started' THEN NULL ELSE next_attempt_at END,
				    ended_at        = CASE status WHEN 'started' THEN now() ELSE ended_at END,
				    status_at       = CASE status WHEN 'started' THEN now() ELSE status_at END
				WHERE id = $1 AND status = ANY ($2)
				RETURNING *
			), logged AS (
				INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, reason)
				SELECT id, 'started', status, attempt, 'cancelled on request' FROM e WHERE status = 'cancelled'
			)
			SELECT `+executionColumns+` FROM e`, id, sources(execution.Cancelled)))
		if errors.Is(err, execution.ErrNotFound) { // it is there, so it is final
			e.Execution, err = scanExecution(tx.QueryRow(ctx, `SELECT `+executionColumns+` FROM ciclo.executions e WHERE e.id = $1`, id))
			if err == nil && e.Status != execution.Cancelled {
				return execution.ErrFinal
			}
		}
		return err
	}
	err := errRowChanged
	for errors.Is(err, errRowChanged) && ctx.Err() == nil {
		err = s.inTx(ctx, cancel)
	}
	if err != nil {
		return e, fmt.Errorf("cancel %s: %w", id, err)
	}
	return e, nil
}

// errRowChanged says that the execution got another River row before both were
// locked: to lock that one now would be the wrong order.
var errRowChanged = errors.New("the execution has another River row by now")

// Typical is what an agent's runs usually take.
type Typical struct {
	// Half and MostSeconds are the median and the ninth decile of the last hundred
	// completed executions, from the last claim to the end; nil where there is none.
	// Dry runs don't count, since they have no effects to wait for.
	HalfSeconds, MostSeconds *float64
	// Slots is how many the living workers run at once.
	Slots int
}

// Typical looks at the agent's last executions and at its workers.
func (s *Store) Typical(ctx context.Context, agent string) (t Typical, err error) {
	err = s.reading(ctx).QueryRow(ctx, `
		WITH recent AS (
			SELECT extract(epoch FROM ended_at - running_at)::float8 AS seconds FROM ciclo.executions
			WHERE agent = $1 AND status = 'completed' AND NOT dry_run ORDER BY ended_at DESC, id DESC LIMIT 100
		)
		SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds),
		       (SELECT coalesce(sum((concurrency ->> $1)::int), 0) FROM ciclo.workers WHERE ended_at IS NULL AND lease_until > now())
		FROM recent`, agent).Scan(&t.HalfSeconds, &t.MostSeconds, &t.Slots)
	if err != nil {
		return t, fmt.Errorf("typical duration of %s: %w", agent, err)
	}
	return t, nil
}

// AgentActivity is what an agent's executions have been doing.
type AgentActivity struct {
	Started int
	Running int
	// OldestQueuedSeconds is how long the first in the queue has been waiting. As in
	// Started and Running, dry runs are among them: workers are busy with them too.
	OldestQueuedSeconds *float64
	// Last is not a dry run.
	Last *execution.Execution
	// SuccessRate and TypicalSeconds (the median) are of the last hundred final
	// executions, without dry runs; nil where there is none.
	SuccessRate    *float64
	TypicalSeconds *float64
}

// Activity returns what an agent's executions have been doing. Its cost depends
// on what is alive, not on history.
func (s *Store) Activity(ctx context.Context, agent string) (AgentActivity, error) {
	var a AgentActivity
	var waiting *time.Duration
	err := s.reading(ctx).QueryRow(ctx, `
		WITH recent AS (
			SELECT e.status, extract(epoch FROM e.ended_at - e.started_at)::float8 AS seconds
			FROM (
				SELECT e.started_at, e.id FROM (VALUES ('completed'), ('failed'), ('cancelled')) statuses (status) CROSS JOIN LATERAL (
					SELECT started_at, id FROM ciclo.executions WHERE agent = $1 AND status = statuses.status AND NOT dry_run
					ORDER BY started_at DESC, id DESC LIMIT 100) e
				ORDER BY e.started_at DESC, e.id DESC LIMIT 100) newest
			CROSS JOIN LATERAL (SELECT * FROM ciclo.executions WHERE id = newest.id OFFSET 0) e
		)
		SELECT
			(SELECT count(*) FROM ciclo.executions WHERE agent = $1 AND status = 'started'),
			(SELECT count(*) FROM ciclo.executions WHERE agent = $1 AND status = 'running'),
			(SELECT now() - min(scheduled_at) FROM `+queue.Schema+`.river_job WHERE queue = $1 AND state = 'available'),
			(SELECT avg((status = 'completed')::int)::float8 FROM recent WHERE status <> 'cancelled'),
			(SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM recent WHERE status = 'completed')`,
		agent).Scan(&a.Started, &a.Running, &waiting, &a.SuccessRate, &a.TypicalSeconds)
	if err != nil {
		return a, fmt.Errorf("activity of %s: %w", agent, err)
	}
	if waiting != nil {
		seconds := waiting.Seconds()
		a.OldestQueuedSeconds = &seconds
	}
	last, err := s.List(ctx, Filter{Agent: agent, Limit: 1, Real: true})
	if err != nil {
		return a, err
	}
	if len(last) > 0 {
		a.Last = &last[0]
	}
	return a, nil
}
