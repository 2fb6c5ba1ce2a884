package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/nuzantara/ciclo/internal/execution"
)

// Cycle is what was opened for one due time, or by hand.
type Cycle struct {
	ID                string          `json:"cycle_id"`
	Schedule          *string         `json:"schedule"`
	DueAt             *time.Time      `json:"due_at"`
	OpenedBy          string          `json:"opened_by" jsonschema:"One of slot, catch_up, backfill and hand."`
	RequestedBy       *string         `json:"requested_by"`
	OpenedAt          time.Time       `json:"opened_at"`
	DeadlineAt        time.Time       `json:"deadline_at"`
	MaxParallel       int             `json:"max_parallel"`
	Parameters        json.RawMessage `json:"parameters" jsonschema:"Of its run, where it considers one agent."`
	Planner           string          `json:"planner" jsonschema:"Who decided."`
	PlannerError      *string         `json:"planner_error" jsonschema:"Why it was not who should have."`
	CancelRequestedAt *time.Time      `json:"cancel_requested_at"`
	EndedAt           *time.Time      `json:"ended_at"`
	Status            string          `json:"status" jsonschema:"One of running, completed, partial, failed, skipped and cancelled."`
}

const cycleColumns = `c.id, c.schedule, c.due_at, c.opened_by, c.requested_by, c.opened_at, c.deadline_at, c.max_parallel, c.parameters, c.planner, c.planner_error,
	c.cancel_requested_at, c.ended_at, c.status`

// CycleAgent is a cycle's decision about one agent, and what came of it.
type CycleAgent struct {
	Agent       string            `json:"agent_name"`
	Decision    string            `json:"decision" jsonschema:"run or skip."`
	Reason      string            `json:"reason"`
	Detail      string            `json:"detail" jsonschema:"The reason, for people."`
	Needs       json.RawMessage   `json:"needs" jsonschema:"What must be over before it begins: a list of agent and if_failed."`
	ExecutionID *string           `json:"execution_id"`
	Status      *execution.Status `json:"status" jsonschema:"Of its execution."`
	StartedAt   *time.Time        `json:"started_at"`
	RunningAt   *time.Time        `json:"running_at"`
	EndedAt     *time.Time        `json:"ended_at"`
	// CompletedSince says that the agent has completed since the cycle was opened.
	CompletedSince bool `json:"-"`
}

// ErrNoCycle says that there is no such cycle.
var ErrNoCycle = errors.New("no such cycle")

// NewCycleID makes the id of a cycle; ids sort by time.
func NewCycleID(now time.Time) string { return execution.NewID("cycle_", now) }

// Opening is a transaction that opens cycles and goes on with them.
type Opening struct {
	// Now is the database's clock.
	Now   time.Time
	store *Store
	tx    pgx.Tx
	// committed is called once all of it is.
	committed []func()
}

// OnCommit has fn called once what is done here is committed, and only then.
func (o *Opening) OnCommit(fn func()) { o.committed = append(o.committed, fn) }

func (o *Opening) isCommitted() {
	for _, fn := range o.committed {
		fn()
	}
}

// Open runs open in a transaction of its own.
func (s *Store) Open(ctx context.Context, open func(context.Context, *Opening) error) error {
	o := &Opening{store: s}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		o.tx = tx
		if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&o.Now); err != nil {
			return fmt.Errorf("ask for the time: %w", err)
		}
		return open(ctx, o)
	})
	if err == nil {
		o.isCommitted()
	}
	return err
}

// Seen is what a planner is told of an agent.
type Seen struct {
	Agent            string
	Pause            string
	Alive            int
	LastStartedAt    *time.Time
	LastCompletedAt  *time.Time
	LastStatus       *string
	QueueAgeSeconds  *float64
	FailuresOfTheDay int
	// LastSlotAt is the last slot of a schedule that names it, unless that was skipped
	// on purpose: paused, late, or too soon after another.
	LastSlotAt *time.Time
	// BehindSince is the first such slot since it completed; nil where there is none.
	BehindSince *time.Time
}

// See looks at agents, in the order of the names; at dry runs it doesn't. What it counts is bounded, so that
// a long queue costs no more than a short one. Only for a planned cycle does it look
// for the agents' last slots.
func (o *Opening) See(ctx context.Context, agents []string, planned bool) ([]Seen, error) {
	rows, err := o.tx.Query(ctx, `
		SELECT a.name,
		       coalesce((SELECT min(p.kind) FROM ciclo.pauses p WHERE p.agent IN (a.name, '*')), ''),
		       (SELECT count(*) FROM (SELECT FROM ciclo.executions e WHERE e.agent = a.name AND e.status IN ('started', 'running') AND NOT e.dry_run LIMIT 100) alive)::int,
		       last.started_at, done.ended_at, last.status,
		       (SELECT extract(epoch FROM now() - e.started_at) FROM ciclo.executions e WHERE e.agent = a.name AND e.status = 'started' AND NOT e.dry_run ORDER BY e.started_at, e.id LIMIT 1)::float8,
		       (SELECT count(*) FROM (SELECT FROM ciclo.executions e WHERE e.agent = a.name AND e.status = 'failed' AND NOT e.dry_run AND e.started_at > now() - interval '1 day' LIMIT 1000) day)::int,
		       CASE WHEN $2 THEN (SELECT max(own.due_at) FROM ciclo.schedules n CROSS JOIN LATERAL (
		            SELECT due_at FROM ciclo.slots s WHERE s.schedule = n.name AND (s.reason IS NULL AND s.outcome <> 'queued' OR s.reason IN ('breaker', 'dependency', 'budget', 'business_hours'))
		            ORDER BY due_at DESC LIMIT 1) own
		        WHERE a.name = ANY (n.agents) AND NOT n.planned) END,
		       CASE WHEN $2 THEN (SELECT min(own.due_at) FROM ciclo.schedules n CROSS JOIN LATERAL (
		            SELECT due_at FROM ciclo.slots s WHERE s.schedule = n.name AND (s.reason IS NULL AND s.outcome <> 'queued' OR s.reason IN ('breaker', 'dependency', 'budget', 'business_hours'))
		              AND s.due_at > coalesce(done.ended_at, '-infinity')
		            ORDER BY due_at LIMIT 1) own
		        WHERE a.name = ANY (n.agents) AND NOT n.planned) END
		FROM unnest($1::text[]) WITH ORDINALITY AS a (name, n)
		LEFT JOIN LATERAL (
			SELECT newest.started_at, newest.status FROM (VALUES ('started'), ('running'), ('completed'), ('failed'), ('cancelled')) statuses (status) CROSS JOIN LATERAL (
				SELECT started_at, id, e.status FROM ciclo.executions e WHERE e.agent = a.name AND e.status = statuses.status AND NOT e.dry_run ORDER BY started_at DESC, id DESC LIMIT 1) newest
			ORDER BY newest.started_at DESC, newest.id DESC LIMIT 1) last ON true
		LEFT JOIN LATERAL (SELECT ended_at FROM ciclo.executions WHERE agent = a.name AND status = 'completed' AND NOT dry_run ORDER BY ended_at DESC, id DESC LIMIT 1) done ON true
		ORDER BY a.n`, agents, planned)
	if err != nil {
		return nil, fmt.Errorf("look at agents: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Seen])
	if err != nil {
		return nil, fmt.Errorf("look at agents: %w", err)
	}
	return list, nil
}

// NewClients is how many clients are new since a day ago, by the firm's own view,
// which may be slow or broken: nil where it doesn't say within a second, and why.
func (o *Opening) NewClients(ctx context.Context) (n *int, why, err error) {
	return o.ofTheFirm(ctx, `SELECT count(*) FROM (SELECT FROM source.clients WHERE created_at > now() - interval '1 day' LIMIT 10000) new`)
}

// LowRatings is how many conversations that began within a week were rated 1 or 2,
// as NewClients.
func (o *Opening) LowRatings(ctx context.Context) (n *int, why, err error) {
	return o.ofTheFirm(ctx, `SELECT count(*) FROM (SELECT FROM source.conversations WHERE started_at > now() - interval '7 days' AND rating <= 2 LIMIT 10000) low`)
}

// Proposal is the newest result of the agent that proposes for a planned schedule; nil
// where there is none.
func (o *Opening) Proposal(ctx context.Context, schedule string) (result json.RawMessage, err error) {
	err = o.tx.QueryRow(ctx, `
		SELECT result FROM ciclo.executions
		WHERE agent = $1 AND status = 'completed' AND NOT dry_run AND parameters->>'schedule' = $2
		ORDER BY ended_at DESC, id DESC LIMIT 1`, CyclePlanner, schedule).Scan(&result)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("look for a proposal for %s: %w", schedule, err)
	}
	return result, nil
}

// CyclePlanner is the agent that proposes which agents the cycles of a planned schedule run.
const CyclePlanner = "cycle-planner"

// ofTheFirm counts in a view of the firm's.
func (o *Opening) ofTheFirm(ctx context.Context, count string) (n *int, why, err error) {
	savepoint, err := o.tx.Begin(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("count in the firm's view: %w", err)
	}
	if _, why = savepoint.Exec(ctx, `SET LOCAL statement_timeout = '1s'`); why == nil {
		why = savepoint.QueryRow(ctx, count).Scan(&n)
	}
	if err := savepoint.Rollback(ctx); err != nil { // with its timeout
		return nil, why, fmt.Errorf("count in the firm's view: %w", err)
	}
	return n, why, nil
}

// OpenCycle writes a cycle with its decisions and what its planner saw.
func (o *Opening) OpenCycle(ctx context.Context, c Cycle, snapshot json.RawMessage, decisions []CycleAgent) error {
	var all pgx.Batch
	all.Queue(`
		INSERT INTO ciclo.cycles (id, schedule, due_at, opened_by, requested_by, opened_at, deadline_at, max_parallel, parameters, planner, planner_error, snapshot)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		c.ID, c.Schedule, c.DueAt, c.OpenedBy, c.RequestedBy, c.OpenedAt, c.DeadlineAt, c.MaxParallel, c.Parameters, c.Planner, c.PlannerError, snapshot)
	for i, d := range decisions {
		all.Queue(`INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail, needs) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			c.ID, d.Agent, i+1, d.Decision, d.Reason, d.Detail, d.Needs)
	}
	if err := o.tx.SendBatch(ctx, &all).Close(); err != nil {
		return fmt.Errorf("open cycle %s: %w", c.ID, err)
	}
	return nil
}

// Begin accepts the execution of an agent in a cycle. InFlightError where it runs
// one at a time and that one is alive; the transaction goes on.
func (o *Opening) Begin(ctx context.Context, a Acceptance) (execution.Execution, error) {
	savepoint, err := o.tx.Begin(ctx)
	if err != nil {
		return execution.Execution{}, fmt.Errorf("begin %s: %w", a.Agent, err)
	}
	e, err := o.store.insertTx(ctx, savepoint, a)
	if err == nil {
		_, err = savepoint.Exec(ctx, `UPDATE ciclo.cycle_agents SET execution_id = $3 WHERE cycle_id = $1 AND agent = $2`, a.CycleID, a.Agent, e.ID)
	}
	if err == nil {
		return e, savepoint.Commit(ctx)
	}
	if violated(err) == "executions_single_flight" {
		err = &InFlightError{"another one"}
	}
	return e, errors.Join(err, savepoint.Rollback(ctx))
}

// SkipAgent notes that a cycle does not run an agent after all.
func (o *Opening) SkipAgent(ctx context.Context, cycle, agent, reason, detail string) error {
	_, err := o.tx.Exec(ctx, `
		UPDATE ciclo.cycle_agents SET decision = 'skip', reason = $3, detail = $4, decided_at = now()
		WHERE cycle_id = $1 AND agent = $2 AND execution_id IS NULL`, cycle, agent, reason, detail)
	if err != nil {
		return fmt.Errorf("skip %s in cycle %s: %w", agent, cycle, err)
	}
	return nil
}

// EndCycle ends a cycle.
func (o *Opening) EndCycle(ctx context.Context, id, status string) error {
	if _, err := o.tx.Exec(ctx, `UPDATE ciclo.cycles SET status = $2, ended_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL`, id, status); err != nil {
		return fmt.Errorf("end cycle %s: %w", id, err)
	}
	return nil
}

// RequestCancel asks for a cycle's end; what runs of it is cancelled by whoever
// goes on with it.
func (o *Opening) RequestCancel(ctx context.Context, id string) error {
	if _, err := o.tx.Exec(ctx, `UPDATE ciclo.cycles SET cancel_requested_at = coalesce(cancel_requested_at, now()) WHERE id = $1 AND ended_at IS NULL`, id); err != nil {
		return fmt.Errorf("cancel cycle %s: %w", id, err)
	}
	return nil
}

const cycleAgents = `
	SELECT a.agent, a.decision, a.reason, a.detail, a.needs, a.execution_id, e.status, e.started_at, e.running_at, e.ended_at,
	       coalesce((SELECT x.started_at FROM ciclo.executions x WHERE x.agent = a.agent AND x.status = 'completed' AND NOT x.dry_run
	                 ORDER BY x.started_at DESC, x.id DESC LIMIT 1) >= c.opened_at, false) -- as EXISTS it may be looked for in all of history
	FROM ciclo.cycle_agents a JOIN ciclo.cycles c ON c.id = a.cycle_id LEFT JOIN ciclo.executions e ON e.id = a.execution_id
	WHERE a.cycle_id = $1 ORDER BY a.position`

// Agents are a cycle's decisions, in their order.
func (o *Opening) Agents(ctx context.Context, cycle string) ([]CycleAgent, error) {
	rows, err := o.tx.Query(ctx, cycleAgents, cycle)
	if err != nil {
		return nil, fmt.Errorf("look at cycle %s: %w", cycle, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[CycleAgent])
	if err != nil {
		return nil, fmt.Errorf("look at cycle %s: %w", cycle, err)
	}
	return list, nil
}

// moving is, of cycles c, that something may be next: no execution is alive, one
// has ended since, its time is over, or somebody wants it to end.
const moving = `c.ended_at IS NULL AND (c.deadline_at <= now() OR c.cancel_requested_at IS NOT NULL
	OR EXISTS (SELECT FROM ciclo.cycle_agents a LEFT JOIN ciclo.executions e ON e.id = a.execution_id
	           WHERE a.cycle_id = c.id AND a.decision = 'run' AND (a.execution_id IS NULL OR e.ended_at IS NOT NULL))
	OR NOT EXISTS (SELECT FROM ciclo.cycle_agents a WHERE a.cycle_id = c.id AND a.decision = 'run'))`

// AdvanceAll goes on with every cycle of which something may be next and that
// nobody else is at. An error about one is no reason not to look at the others.
func (s *Store) AdvanceAll(ctx context.Context, advance func(context.Context, *Opening, Cycle) error) error {
	rows, err := s.pool.Query(ctx, `SELECT c.id FROM ciclo.cycles c WHERE `+moving+` ORDER BY c.id LIMIT 1000`)
	if err != nil {
		return fmt.Errorf("look for cycles: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for cycles: %w", err)
	}
	var failed error
	for _, id := range ids {
		failed = errors.Join(failed, s.Open(ctx, func(ctx context.Context, o *Opening) error {
			rows, err := o.tx.Query(ctx, `SELECT `+cycleColumns+` FROM ciclo.cycles c WHERE c.id = $1 AND c.ended_at IS NULL FOR UPDATE SKIP LOCKED`, id)
			if err != nil {
				return fmt.Errorf("go on with cycle %s: %w", id, err)
			}
			c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Cycle])
			if errors.Is(err, pgx.ErrNoRows) {
				return nil // another one is at it
			}
			if err == nil {
				err = advance(ctx, o, c)
			}
			if err != nil {
				return fmt.Errorf("go on with cycle %s: %w", id, err)
			}
			return nil
		}))
	}
	return failed
}

// ToCancel are executions of cycles that are to end, and that nobody has asked to.
func (s *Store) ToCancel(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT a.execution_id FROM ciclo.cycles c JOIN ciclo.cycle_agents a ON a.cycle_id = c.id JOIN ciclo.executions e ON e.id = a.execution_id
		WHERE c.ended_at IS NULL AND (c.cancel_requested_at IS NOT NULL OR c.deadline_at <= now()) AND e.ended_at IS NULL AND e.cancel_requested_at IS NULL
		LIMIT 100`)
	if err != nil {
		return nil, fmt.Errorf("look for executions of cycles to cancel: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for executions of cycles to cancel: %w", err)
	}
	return ids, nil
}

// CycleFilter selects cycles, newest first.
type CycleFilter struct {
	Schedule string
	Statuses []string
	Before   Position
	Limit    int
}

// Cycles lists cycles, newest first.
func (s *Store) Cycles(ctx context.Context, f CycleFilter) ([]Cycle, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT `+cycleColumns+` FROM ciclo.cycles c
		WHERE ($1 = '' OR c.schedule = $1) AND (coalesce(cardinality($2::text[]), 0) = 0 OR c.status = ANY ($2))
		  AND ($3 = '' OR (c.opened_at, c.id) < ($4, $3))
		ORDER BY c.opened_at DESC, c.id DESC LIMIT $5`, f.Schedule, pgtype.FlatArray[string](f.Statuses), f.Before.ID, f.Before.StartedAt, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list cycles: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Cycle])
	if err != nil {
		return nil, fmt.Errorf("list cycles: %w", err)
	}
	return list, nil
}

// Cycle returns one cycle with its decisions and what its planner saw. ErrNoCycle
// where there is none.
func (s *Store) Cycle(ctx context.Context, id string) (c Cycle, agents []CycleAgent, snapshot json.RawMessage, err error) {
	if !execution.ValidID(id) {
		return c, nil, nil, ErrNoCycle
	}
	err = pgx.BeginTxFunc(ctx, s.reading(ctx), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+cycleColumns+` FROM ciclo.cycles c WHERE c.id = $1`, id)
		if err != nil {
			return err
		}
		c, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Cycle])
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNoCycle
		}
		if err == nil {
			err = tx.QueryRow(ctx, `SELECT snapshot FROM ciclo.cycles WHERE id = $1`, id).Scan(&snapshot)
		}
		if err == nil {
			agents, err = (&Opening{store: s, tx: tx}).Agents(ctx, id)
		}
		return err
	})
	if err != nil {
		return c, nil, nil, fmt.Errorf("get cycle %s: %w", id, err)
	}
	return c, agents, snapshot, nil
}
