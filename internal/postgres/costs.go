package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// LLMCall is a call to a language model, without what was said.
type LLMCall struct {
	Step         string     `json:"step"`
	Hash         string     `json:"hash" jsonschema:"SHA-256 of what was asked and of whom."`
	Provider     string     `json:"provider"`
	Model        string     `json:"model"`
	State        string     `json:"state" jsonschema:"reserved: about to be made, or made and nobody knows yet; answered; not_done: surely not paid; unknown: it may be paid, and is not made again."`
	Attempt      int        `json:"attempt"`
	Sends        int        `json:"sends" jsonschema:"How often it was reserved: each is one request at the most."`
	ReservedAt   time.Time  `json:"reserved_at"`
	SettledAt    *time.Time `json:"settled_at"`
	ProviderID   *string    `json:"provider_id" jsonschema:"The provider's id of the answer."`
	InputTokens  *int64     `json:"input_tokens"`
	OutputTokens *int64     `json:"output_tokens"`
	Dollars      float64    `json:"dollars" jsonschema:"By the firm's own prices; what was reserved, while it is reserved or unknown."`
	Error        *string    `json:"error"`
}

// LLMCalls lists an execution's calls to language models in the order of their
// reservations.
func (s *Store) LLMCalls(ctx context.Context, id string) ([]LLMCall, error) {
	rows, err := s.reading(ctx).Query(ctx, `
		SELECT step, hash, provider, model, state, attempt, sends, reserved_at, settled_at, provider_id, input_tokens, output_tokens, cost::float8, error_text
		FROM ciclo.llm_calls WHERE execution_id = $1 ORDER BY reserved_at, step, hash`, id)
	if err != nil {
		return nil, fmt.Errorf("list calls of %s: %w", id, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LLMCall])
	if err != nil {
		return nil, fmt.Errorf("list calls of %s: %w", id, err)
	}
	return list, nil
}

// Costs is what language models took.
type Costs struct {
	Since time.Time  `json:"since" jsonschema:"The beginning of the first day (UTC)."`
	Days  []CostDay  `json:"days" jsonschema:"By day, the latest first, then agent; with what is reserved. It outlives what is pruned."`
	Waste []CostLost `json:"waste" jsonschema:"What was paid for nothing, the most first: calls of executions that did not complete, and answers that were lost, of history that is kept."`
}

// CostDay is what one agent's calls took on one day.
type CostDay struct {
	Day     string  `json:"day" jsonschema:"UTC, such as 2026-01-31."`
	Agent   string  `json:"agent_name"`
	Tokens  int64   `json:"tokens"`
	Dollars float64 `json:"dollars"`
}

// CostLost is what one agent paid for nothing, and why.
type CostLost struct {
	Agent   string  `json:"agent_name"`
	Why     string  `json:"why"`
	Calls   int64   `json:"calls"`
	Tokens  int64   `json:"tokens"`
	Dollars float64 `json:"dollars" jsonschema:"Of lost answers it is what was reserved for them."`
}

// Costs sums up what language models took on the last days, today included.
func (s *Store) Costs(ctx context.Context, days int) (c Costs, err error) {
	err = pgx.BeginTxFunc(ctx, s.reading(ctx), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT ((now() AT TIME ZONE 'UTC')::date - $1::int + 1)::timestamp AT TIME ZONE 'UTC'`, days).Scan(&c.Since); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT day::text, split_part(key, ' ', 1), tokens, cost::float8 FROM ciclo.llm_spent
			WHERE scope = 'agent' AND day >= ($1 AT TIME ZONE 'UTC')::date AND (tokens > 0 OR cost > 0) ORDER BY day DESC, key`, c.Since)
		if err != nil {
			return err
		}
		if c.Days, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CostDay]); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `
			SELECT l.agent, CASE l.state WHEN 'unknown' THEN 'its answer was lost' ELSE 'its execution ' || replace(e.status, 'cancelled', 'was cancelled') END AS why,
			       count(*), coalesce(sum(l.input_tokens + l.output_tokens), 0)::bigint, sum(l.cost)::float8
			FROM ciclo.llm_calls l JOIN ciclo.executions e ON e.id = l.execution_id
			WHERE l.reserved_at >= $1 AND (l.state = 'unknown' OR (l.state = 'answered' AND e.status IN ('failed', 'cancelled')))
			GROUP BY 1, 2 ORDER BY 5 DESC, 1, 2`, c.Since)
		if err != nil {
			return err
		}
		c.Waste, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CostLost])
		return err
	})
	if err != nil {
		return c, fmt.Errorf("sum up costs: %w", err)
	}
	return c, nil
}
