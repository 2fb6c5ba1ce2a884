package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AllAgents is the name by which all agents are paused at once.
const AllAgents = "*"

// paused is whether the agent of executions e is paused, but for the probe of
// its breaker. Executions of a paused agent are accepted as ever; they wait with
// a due time and no River row, and none is claimed.
const paused = `EXISTS (SELECT FROM ciclo.pauses p WHERE p.agent IN (e.agent, '*') AND p.probe_id IS DISTINCT FROM e.id)`

// Pause is why an agent, or all of them, isn't run for now.
type Pause struct {
	Agent      string     `json:"agent_name" jsonschema:"* is all agents."`
	Kind       string     `json:"kind" jsonschema:"One of hand, until somebody resumes it, and breaker, until a probe succeeds."`
	Reason     string     `json:"reason"`
	PausedAt   time.Time  `json:"paused_at"`
	ProbeAfter *time.Time `json:"probe_after"`
	ProbeID    *string    `json:"probe_execution_id"`
}

// PauseAgent pauses an agent by hand, or all by AllAgents. What runs goes on. An
// agent that its breaker paused is then paused by hand.
func (s *Store) PauseAgent(ctx context.Context, agent, reason string) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO ciclo.pauses (agent, kind, reason) VALUES ($1, 'hand', $2)
		ON CONFLICT (agent) DO UPDATE SET kind = 'hand', reason = $2, probe_after = NULL, probe_id = NULL`, agent, storable(reason))
	if err != nil {
		return fmt.Errorf("pause %s: %w", agent, err)
	}
	return nil
}

// ResumeAgent ends an agent's pause, whoever made it; what waits is enqueued by
// the next sweep. False where there was none.
func (s *Store) ResumeAgent(ctx context.Context, agent string) (bool, error) {
	tag, err := s.pool.Exec(ctx, `
		WITH forgotten AS (DELETE FROM ciclo.streaks WHERE agent = $1)
		DELETE FROM ciclo.pauses WHERE agent = $1`, agent)
	if err != nil {
		return false, fmt.Errorf("resume %s: %w", agent, err)
	}
	return tag.RowsAffected() == 1, nil
}

// Pauses lists what is paused.
func (s *Store) Pauses(ctx context.Context) ([]Pause, error) {
	rows, err := s.reading(ctx).Query(ctx, `SELECT agent, kind, reason, paused_at, probe_after, probe_id FROM ciclo.pauses ORDER BY agent`)
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Pause])
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	return list, nil
}

// Breaker is when an agent is paused by its own failures.
type Breaker struct {
	// Failures of one class in a row open it; 0 means that nothing does.
	Failures int
	// ProbeAfter is the time to the first probe; it doubles with each that fails,
	// up to ten minutes.
	ProbeAfter time.Duration
}

// countFailure counts a failure of the agent and opens its breaker where it was
// one too many. A failing probe makes the next one later. True where the breaker
// opened now.
func (s *Store) countFailure(ctx context.Context, tx pgx.Tx, a *Attempt, class string, b Breaker) (bool, error) {
	if b.Failures <= 0 {
		return false, nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.pauses
		SET probe_id = NULL, probes = probes + 1, probe_after = now() + least($2::interval * 2 ^ least(probes + 1, 10), interval '10 min')
		WHERE probe_id = $1`, a.Execution.ID, b.ProbeAfter)
	if err != nil {
		return false, fmt.Errorf("count a failed probe: %w", err)
	}
	var streak int
	err = tx.QueryRow(ctx, `
		INSERT INTO ciclo.streaks AS s (agent, error_class, failures) VALUES ($1, $2, 1)
		ON CONFLICT (agent) DO UPDATE SET error_class = $2,
			failures = CASE WHEN s.error_class = $2 THEN s.failures + 1 ELSE 1 END
		RETURNING failures`, a.Execution.Agent, class).Scan(&streak)
	if err != nil {
		return false, fmt.Errorf("count a failure: %w", err)
	}
	if streak < b.Failures {
		return false, nil
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO ciclo.pauses (agent, kind, reason, probe_after) VALUES ($1, 'breaker', $2, now() + $3::interval)
		ON CONFLICT (agent) DO NOTHING`,
		a.Execution.Agent, fmt.Sprintf("%d failures of class %s in a row, the last of %s", streak, class, a.Execution.ID), b.ProbeAfter)
	if err != nil {
		return false, fmt.Errorf("open the breaker: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Probe lets one execution of each agent through whose breaker's time has come:
// the one that has waited longest and is no dry run, which may succeed though the
// outside world is down. A probe that ended without a word (cancelled,
// say) is forgotten first. It returns the executions let through.
func (s *Store) Probe(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		WITH forgotten AS (
			UPDATE ciclo.pauses p SET probe_id = NULL
			WHERE p.probe_id IS NOT NULL
			  AND NOT EXISTS (SELECT FROM ciclo.executions e WHERE e.id = p.probe_id AND e.ended_at IS NULL)
		)
		UPDATE ciclo.pauses p SET probe_id = (
			SELECT e.id FROM ciclo.executions e
			WHERE e.agent = p.agent AND e.status = 'started' AND e.next_attempt_at <= now() AND NOT e.dry_run
			ORDER BY e.started_at, e.id LIMIT 1)
		WHERE p.kind = 'breaker' AND p.probe_id IS NULL AND p.probe_after <= now()
		  AND NOT EXISTS (SELECT FROM ciclo.pauses WHERE agent = '*')
		RETURNING coalesce(p.probe_id, '')`)
	if err != nil {
		return nil, fmt.Errorf("choose probes: %w", err)
	}
	var probes []string
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		if id != "" {
			probes = append(probes, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("choose probes: %w", err)
	}
	return probes, nil
}
