package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/queue"
)

// Standing is how the system stands at an instant: what is alive or waits, never
// what was. It is a value by what is measured, and of what: an agent, a condition,
// or nothing.
type Standing map[Measure]map[string]float64

// Measure is what a value of Standing measures. Counts stop at CountLimit.
type Measure string

// The measures. Those of agents have a value for each one that was asked for.
const (
	QueueDepth     Measure = "queued"         // by agent: that a worker could fetch now
	QueueAge       Measure = "queue_age"      // by agent: seconds for which the oldest of them could have been fetched; 0 where there is none
	QueueDelayed   Measure = "delayed"        // by agent: that wait for their time, after a failure or while the agent is paused
	StartedNow     Measure = "started"        // by agent: accepted, and held by no worker
	RunningNow     Measure = "running"        // by agent
	PausedByHand   Measure = "paused_hand"    // by agent, AllAgents among them: 1
	BreakerOpen    Measure = "paused_breaker" // by agent: 1
	FailuresInARow Measure = "streak"         // by agent: of one class, which the breaker counts
	WorkersNow     Measure = "workers"        // by condition: WorkerAlive and so on
	EffectsUnknown Measure = "effects_unknown"
	MessagesDraft  Measure = "messages_draft"
	MessagesFate   Measure = "messages_unknown"
	ReviewsOpen    Measure = "reviews_open"
	DeliveriesDue  Measure = "deliveries" // that wait, now or for a later try
	NoticesDue     Measure = "notices"    // that wait, now or for a later try
	ScheduleLag    Measure = "schedule_lag"
	Unserved       Measure = "unserved" // alive, and of agents that weren't asked for
)

// Conditions of workers. A lost one's lease ran out within the last LostFor minutes,
// it didn't say goodbye, and no worker that lives was started on its host since.
const (
	WorkerAlive    = "alive"
	WorkerStopping = "stopping"
	WorkerLost     = "lost"
)

const (
	// CountLimit is where counts stop: what is more shows as so many.
	CountLimit = 20_000
	// LostFor is for how many minutes a lost worker is counted.
	LostFor = 15
)

// counted is a bounded count of what a query finds.
func counted(from string) string {
	return `(SELECT count(*)::float8 FROM (SELECT FROM ` + from + ` LIMIT ` + strconv.Itoa(CountLimit) + `) few)`
}

// knownAgents are the agents of all executions, found one by one in the index by
// agent: as many steps as there are agents.
const knownAgents = `known AS (
		(SELECT agent FROM ciclo.executions ORDER BY agent LIMIT 1)
		UNION ALL
		SELECT (SELECT e.agent FROM ciclo.executions e WHERE e.agent > k.agent ORDER BY e.agent LIMIT 1) FROM known k WHERE k.agent IS NOT NULL
	)`

// standingSQL is one statement, one snapshot. Each part reads an index from its
// beginning, as far as CountLimit: none reads history.
var standingSQL = `
	WITH RECURSIVE asked AS (
		SELECT agent FROM unnest($1::text[]) AS a (agent)
	), session AS MATERIALIZED (
		SELECT id, host, started_at, beat_at, stopping_at, lease_until > now() AS alive
		FROM ciclo.workers WHERE ended_at IS NULL AND lease_until > now() - interval '` + strconv.Itoa(LostFor) + ` min'
	), ` + knownAgents + `
	SELECT 'queued', agent, ` + counted(queue.Schema+`.river_job WHERE state = 'available' AND queue = asked.agent`) + ` FROM asked
	UNION ALL
	SELECT 'queue_age', agent, coalesce((
		SELECT extract(epoch FROM now() - min(first.scheduled_at))::float8
		FROM (VALUES (1), (2), (3), (4)) AS of (priority) CROSS JOIN LATERAL (
			SELECT scheduled_at FROM ` + queue.Schema + `.river_job
			WHERE state = 'available' AND queue = asked.agent AND priority = of.priority
			ORDER BY scheduled_at LIMIT 1) first), 0) FROM asked
	UNION ALL
	SELECT 'started', agent, ` + counted(`ciclo.executions e WHERE e.agent = asked.agent AND e.status = 'started'`) + ` FROM asked
	UNION ALL
	SELECT 'running', agent, ` + counted(`ciclo.executions e WHERE e.agent = asked.agent AND e.status = 'running'`) + ` FROM asked
	UNION ALL
	SELECT 'delayed', agent, count(few.agent)::float8 FROM asked
	LEFT JOIN (SELECT agent FROM ciclo.executions WHERE next_attempt_at IS NOT NULL LIMIT ` + strconv.Itoa(CountLimit) + `) few USING (agent) GROUP BY agent
	UNION ALL
	SELECT 'paused_' || kind, agent, 1 FROM ciclo.pauses
	UNION ALL
	SELECT 'streak', agent, failures::float8 FROM ciclo.streaks
	UNION ALL
	SELECT 'workers', of.condition, (
		SELECT count(*) FROM session s
		WHERE of.condition = CASE WHEN s.alive AND s.stopping_at IS NULL THEN 'alive' WHEN s.alive THEN 'stopping'
			WHEN NOT EXISTS (SELECT FROM session later WHERE later.host = s.host AND later.alive AND later.started_at > s.beat_at) THEN 'lost' END)
	FROM (VALUES ('alive'), ('stopping'), ('lost')) AS of (condition)
	UNION ALL
	SELECT 'unserved', '', ` + counted(`known k JOIN ciclo.executions e ON e.agent = k.agent AND e.status IN ('started', 'running') WHERE k.agent <> ALL ($1)`) + `
	UNION ALL
	SELECT 'effects_unknown', '', ` + counted(`ciclo.effects WHERE state = 'unknown'`) + `
	UNION ALL
	SELECT 'messages_draft', '', ` + counted(`ciclo.messages WHERE status = 'draft'`) + `
	UNION ALL
	SELECT 'messages_unknown', '', ` + counted(`ciclo.messages WHERE status = 'unknown'`) + `
	UNION ALL
	SELECT 'reviews_open', '', ` + counted(`ciclo.entity_reviews WHERE status = 'open'`) + `
	UNION ALL
	SELECT 'deliveries', '', ` + counted(`ciclo.webhook_deliveries WHERE due_at IS NOT NULL`) + `
	UNION ALL
	SELECT 'notices', '', ` + counted(`ciclo.notices WHERE due_at IS NOT NULL`) + `
	UNION ALL
	SELECT 'schedule_lag', '', coalesce(extract(epoch FROM now() - min(next_fire_at))::float8, 0) FROM ciclo.schedules WHERE next_fire_at <= now()`

// Standing looks how the system stands, for these agents. It costs one statement,
// which is bounded whatever there is.
func (s *Store) Standing(ctx context.Context, agents []string) (Standing, error) {
	rows, err := s.pool.Query(ctx, standingSQL, agents)
	if err != nil {
		return nil, fmt.Errorf("look how the system stands: %w", err)
	}
	found := Standing{}
	var what Measure
	var of string
	var value float64
	_, err = pgx.ForEachRow(rows, []any{&what, &of, &value}, func() error {
		if found[what] == nil {
			found[what] = map[string]float64{}
		}
		found[what][of] = value
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look how the system stands: %w", err)
	}
	return found, nil
}

// UnservedAgent is an agent that this version doesn't have, with executions that are
// alive: nobody but a worker of another version runs them.
type UnservedAgent struct {
	Agent    string    `json:"agent_name"`
	Started  int       `json:"started"`
	Running  int       `json:"running"`
	OldestAt time.Time `json:"oldest_at" jsonschema:"When the oldest of them was accepted."`
}

// UnservedAgents are those besides the catalogue's that have executions alive. Counts
// stop at CountLimit.
func (s *Store) UnservedAgents(ctx context.Context, catalogue []string) ([]UnservedAgent, error) {
	rows, err := s.pool.Query(ctx, `
		WITH RECURSIVE `+knownAgents+`
		SELECT k.agent, n.started, n.running, n.oldest FROM known k CROSS JOIN LATERAL (
			SELECT count(*) FILTER (WHERE few.status = 'started') AS started, count(*) FILTER (WHERE few.status = 'running') AS running, min(few.started_at) AS oldest
			FROM (SELECT e.status, e.started_at FROM ciclo.executions e WHERE e.agent = k.agent AND e.status IN ('started', 'running') LIMIT `+strconv.Itoa(CountLimit)+`) few
		) n WHERE k.agent <> ALL ($1) AND n.oldest IS NOT NULL ORDER BY k.agent`, catalogue)
	if err != nil {
		return nil, fmt.Errorf("look for agents that nobody has: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UnservedAgent])
	if err != nil {
		return nil, fmt.Errorf("look for agents that nobody has: %w", err)
	}
	return list, nil
}

// HasRun says whether there is any execution of an agent.
func (s *Store) HasRun(ctx context.Context, agent string) (has bool, err error) {
	if err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM ciclo.executions WHERE agent = $1)`, agent).Scan(&has); err != nil {
		return false, fmt.Errorf("look for executions of %s: %w", agent, err)
	}
	return has, nil
}
