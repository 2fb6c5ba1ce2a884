package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/execution"
)

// Call is a request to a language model that an attempt is about to make. Costs are
// dollars, as Postgres writes them.
type Call struct {
	Step, Hash, Provider, Model string
	Tokens                      int64
	Cost                        string
	// Limits are the most that a scope may take: execution, cycle, agent or day.
	Limits                             []SpendLimit
	RequestsPerMinute, TokensPerMinute int64
	Request                            []byte
	ClientIDs                          []string
	Keep                               time.Duration
}

// SpendLimit is a budget; 0 tokens, or an empty cost, is no limit.
type SpendLimit struct {
	Scope  string
	Tokens int64
	Cost   string
}

// CallState is where a call stands.
type CallState struct {
	State      string
	Fresh      bool
	Age        time.Duration
	ProviderID string
	Answer     []byte
}

// CallOutcome is how a call ended.
type CallOutcome struct {
	State, ProviderID string
	Input, Output     int64
	Cost              string
	Answer            []byte
	Error             string
	// Ill counts against the provider; an answer clears it.
	Ill bool
}

// OverBudgetError says which scope would not bear a call.
type OverBudgetError struct{ Scope, Key, Text string }

func (e *OverBudgetError) Error() string {
	return fmt.Sprintf("the budget of %s %s: %s", e.Scope, e.Key, e.Text)
}

// CallLaterError says that a call has to wait.
type CallLaterError struct {
	In     time.Duration
	Reason string
}

func (e *CallLaterError) Error() string { return e.Reason }

// The breaker of a provider: after so many illnesses in a row nobody asks it for a
// while, which doubles with each probe that finds it ill; a probe has so long.
const (
	illnesses    = 5
	firstRest    = 10 * time.Second
	longestRest  = 10 * time.Minute
	probeTakes   = 15 * time.Minute
	probeLooksIn = 2 * time.Second
)

// ReserveCall notes that an attempt is about to call a model, in one transaction that
// holds the execution's row: what the provider and the budgets bear, once for each
// (execution, step, hash). What was answered is returned as it is. Again says that the
// attempt asks once more, since nobody answered it: what it reserved then is fresh still.
func (s *Store) ReserveCall(ctx context.Context, a *Attempt, c Call, again bool) (state CallState, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, a); err != nil {
			return err
		}
		if state, err = takeCall(ctx, tx, a, c); err != nil || !state.Fresh {
			if err == nil && again && state.State == "reserved" {
				// What this attempt took over was reserved before it began.
				err = tx.QueryRow(ctx, `SELECT l.reserved_at >= e.running_at FROM ciclo.executions e JOIN ciclo.llm_calls l ON l.execution_id = e.id WHERE e.id = $1 AND l.step = $2 AND l.hash = $3`,
					a.Execution.ID, c.Step, c.Hash).Scan(&state.Fresh)
			}
			return err
		}
		if err := admit(ctx, tx, a, c); err != nil {
			return err
		}
		return spend(ctx, tx, a, c)
	})
	var over *OverBudgetError
	var later *CallLaterError
	if err != nil && !errors.As(err, &over) && !errors.As(err, &later) && !errors.Is(err, execution.ErrStale) {
		err = fmt.Errorf("reserve call %s of %s: %w", c.Step, a.Execution.ID, err)
	}
	return state, err
}

// takeCall makes the call this attempt's, or says how it stands.
func takeCall(ctx context.Context, tx pgx.Tx, a *Attempt, c Call) (state CallState, err error) {
	var keptUntil *time.Duration
	if c.Keep > 0 {
		keptUntil = &c.Keep
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO ciclo.llm_calls AS l (execution_id, attempt, worker_id, step, hash, agent, cycle_id, provider, model, reserved_tokens, reserved_cost, cost,
		                                  request, client_ids, kept_until)
		SELECT id, $2, $3::uuid, $4, $5, agent, cycle_id, $6, $7, $8, $9::numeric, $9::numeric, $10, coalesce($11::text[], '{}'), now() + $12::interval FROM ciclo.executions WHERE id = $1
		ON CONFLICT (execution_id, step, hash) DO UPDATE
		SET state = 'reserved', attempt = $2, worker_id = $3::uuid, sends = l.sends + 1, reserved_at = now(), settled_at = NULL,
		    provider_id = NULL, reserved_tokens = $8, reserved_cost = $9::numeric, cost = $9::numeric, error_text = NULL
		WHERE l.state = 'not_done'
		RETURNING state`, a.fence(c.Step, c.Hash, c.Provider, c.Model, c.Tokens, c.Cost, c.Request, c.ClientIDs, keptUntil)...).Scan(&state.State)
	if !errors.Is(err, pgx.ErrNoRows) {
		state.Fresh = err == nil
		return state, err
	}
	// It was reserved before. From here on it is this attempt's to settle.
	var providerID *string
	err = tx.QueryRow(ctx, `
		UPDATE ciclo.llm_calls SET attempt = CASE state WHEN 'reserved' THEN $2 ELSE attempt END,
		       worker_id = CASE state WHEN 'reserved' THEN $3::uuid ELSE worker_id END
		WHERE execution_id = $1 AND step = $4 AND hash = $5
		RETURNING state, now() - reserved_at, provider_id, answer`, a.fence(c.Step, c.Hash)...).Scan(&state.State, &state.Age, &providerID, &state.Answer)
	if providerID != nil {
		state.ProviderID = *providerID
	}
	return state, err
}

// admit takes the call's share of the provider's minute. The bucket holds a minute's
// worth; a call that is larger than all of it waits until it is full.
func admit(ctx context.Context, tx pgx.Tx, a *Attempt, c Call) error {
	// The row is there from its first call on; its lock is what serialises workers.
	_, err := tx.Exec(ctx, `INSERT INTO ciclo.llm_providers (name, requests_left, tokens_left) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		c.Provider, float64(c.RequestsPerMinute), float64(c.TokensPerMinute))
	if err != nil {
		return err
	}
	var requests, tokens, sinceRefill float64
	var rest, probing *time.Duration
	err = tx.QueryRow(ctx, `
		SELECT requests_left, tokens_left, greatest(extract(epoch FROM clock_timestamp() - refilled_at), 0)::float8, probe_after - clock_timestamp(),
		       CASE WHEN EXISTS (SELECT FROM ciclo.executions e WHERE e.id = probing_execution AND e.attempt = probing_attempt AND e.status = 'running')
		            THEN probing_until - clock_timestamp() END
		FROM ciclo.llm_providers WHERE name = $1 FOR UPDATE`, c.Provider).Scan(&requests, &tokens, &sinceRefill, &rest, &probing)
	if err != nil {
		return err
	}
	switch {
	case rest != nil && *rest > 0:
		return &CallLaterError{*rest, "provider " + c.Provider + " is ill"}
	case probing != nil && *probing > 0:
		return &CallLaterError{min(*probing, probeLooksIn), "provider " + c.Provider + " is ill, and another asks it first"}
	}
	requests, waitRequests := draw(requests, float64(c.RequestsPerMinute), 1, sinceRefill)
	tokens, waitTokens := draw(tokens, float64(c.TokensPerMinute), float64(c.Tokens), sinceRefill)
	if wait := max(waitRequests, waitTokens); wait > 0 {
		return &CallLaterError{wait, "provider " + c.Provider + " allows no more this minute"}
	}
	// It may have waited for the row: it is reserved from now on, which tells a probe.
	_, err = tx.Exec(ctx, `
		WITH stamped AS (UPDATE ciclo.llm_calls SET reserved_at = clock_timestamp() WHERE execution_id = $5 AND step = $7 AND hash = $8)
		UPDATE ciclo.llm_providers SET requests_left = $2, tokens_left = $3, refilled_at = clock_timestamp(),
		       probing_until = CASE WHEN probe_after IS NOT NULL THEN clock_timestamp() + $4::interval END, probing_execution = $5, probing_attempt = $6
		WHERE name = $1`, c.Provider, requests, tokens, probeTakes, a.Execution.ID, a.Execution.Attempt, c.Step, c.Hash)
	return err
}

// draw takes n out of a bucket that a minute fills, and says how long to wait where it
// holds less. Without a limit the bucket is left alone.
func draw(left, perMinute, n, seconds float64) (after float64, wait time.Duration) {
	if perMinute <= 0 {
		return 0, 0
	}
	left = min(left+perMinute*seconds/60, perMinute)
	needed := min(n, perMinute)
	if left < needed {
		return left, time.Duration((needed-left)/perMinute*float64(time.Minute)) + time.Millisecond
	}
	return left - n, 0 // below zero where it was larger than the bucket
}

// spend adds the reservation to what each scope has taken. Scopes come in one order, so
// that two calls can't wait for each other.
func spend(ctx context.Context, tx pgx.Tx, a *Attempt, c Call) error {
	var cycle *string
	var day string
	if err := tx.QueryRow(ctx, `SELECT cycle_id, (now() AT TIME ZONE 'UTC')::date::text FROM ciclo.executions WHERE id = $1`, a.Execution.ID).Scan(&cycle, &day); err != nil {
		return err
	}
	for _, scope := range []struct {
		name string
		key  *string
	}{{"execution", &a.Execution.ID}, {"cycle", cycle}, {"agent", new(a.Execution.Agent + " " + day)}, {"day", &day}} {
		if scope.key == nil {
			continue
		}
		limit := SpendLimit{}
		for _, l := range c.Limits {
			if l.Scope == scope.name {
				limit = l
			}
		}
		if limit.Cost == "" {
			limit.Cost = "0"
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO ciclo.llm_spent AS s (scope, key, tokens, cost, day)
			SELECT $1, $2, $3::bigint, $4::numeric, $5::date WHERE ($6::bigint = 0 OR $3::bigint <= $6::bigint) AND ($7::numeric = 0 OR $4::numeric <= $7::numeric)
			ON CONFLICT (scope, key) DO UPDATE SET tokens = s.tokens + EXCLUDED.tokens, cost = s.cost + EXCLUDED.cost
			WHERE ($6::bigint = 0 OR s.tokens + EXCLUDED.tokens <= $6::bigint) AND ($7::numeric = 0 OR s.cost + EXCLUDED.cost <= $7::numeric)`,
			scope.name, *scope.key, c.Tokens, c.Cost, day, limit.Tokens, limit.Cost)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return refusal(ctx, tx, scope.name, *scope.key, c, limit)
		}
	}
	return charge(ctx, tx, a, c.Tokens, c.Cost)
}

// charge adds to what the execution shows.
func charge(ctx context.Context, tx pgx.Tx, a *Attempt, tokens int64, cost string) error {
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.executions SET llm_tokens = greatest(coalesce(llm_tokens, 0) + $2::bigint, 0), llm_cost = greatest(coalesce(llm_cost, 0) + $3::numeric, 0)
		WHERE id = $1`, a.Execution.ID, tokens, cost)
	return err
}

// refusal says what a budget has, and what the call would take.
func refusal(ctx context.Context, tx pgx.Tx, scope, key string, c Call, limit SpendLimit) error {
	var tokens int64
	var cost string
	err := tx.QueryRow(ctx, `SELECT coalesce(max(tokens), 0), coalesce(max(cost), 0)::text FROM ciclo.llm_spent WHERE scope = $1 AND key = $2`, scope, key).Scan(&tokens, &cost)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("the call may take %d tokens and %s dollars; %d tokens and %s dollars are taken", c.Tokens, c.Cost, tokens, cost)
	if limit.Tokens > 0 {
		text += fmt.Sprintf(", of %d tokens", limit.Tokens)
	}
	if limit.Cost != "0" {
		text += ", of " + limit.Cost + " dollars"
	}
	return &OverBudgetError{scope, key, text}
}

// AttachCall notes the provider's id of a reserved call.
func (s *Store) AttachCall(ctx context.Context, a *Attempt, step, hash, providerID string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, a); err != nil {
			return err
		}
		return theCall(tx.Exec(ctx, `
			UPDATE ciclo.llm_calls SET provider_id = $6
			WHERE execution_id = $1 AND attempt = $2 AND worker_id = $3 AND step = $4 AND hash = $5 AND state = 'reserved'`,
			a.fence(step, hash, providerID)...))
	})
}

// SettleCall notes how a reserved call ended, and puts what it cost in place of what
// was reserved, in one transaction.
func (s *Store) SettleCall(ctx context.Context, a *Attempt, step, hash string, o CallOutcome) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, a); err != nil {
			return err
		}
		var provider, agent, back string
		var tokens int64
		var cycle *string
		var day string
		err := tx.QueryRow(ctx, `
			UPDATE ciclo.llm_calls l SET state = $6, settled_at = now(), provider_id = coalesce(nullif($7, ''), provider_id),
			       input_tokens = CASE $6 WHEN 'answered' THEN $8::bigint END, output_tokens = CASE $6 WHEN 'answered' THEN $9::bigint END,
			       cost = CASE $6 WHEN 'answered' THEN $10::numeric WHEN 'not_done' THEN 0 ELSE reserved_cost END,
			       answer = $11, error_text = nullif($12, '')
			WHERE execution_id = $1 AND attempt = $2 AND worker_id = $3 AND step = $4 AND hash = $5 AND state = 'reserved'
			RETURNING provider, agent, cycle_id, (reserved_at AT TIME ZONE 'UTC')::date::text, (cost - reserved_cost)::text,
			          CASE $6 WHEN 'answered' THEN $8::bigint + $9::bigint - reserved_tokens WHEN 'not_done' THEN -reserved_tokens ELSE 0 END`,
			a.fence(step, hash, o.State, o.ProviderID, o.Input, o.Output, cost(o), o.Answer, o.Error)...).Scan(&provider, &agent, &cycle, &day, &back, &tokens)
		if errors.Is(err, pgx.ErrNoRows) {
			return settledSo(ctx, tx, a, step, hash, o)
		}
		if err != nil {
			return err
		}
		if err := heal(ctx, tx, a, step, hash, provider, o, tokens); err != nil {
			return err
		}
		for _, scope := range []struct{ name, key string }{{"execution", a.Execution.ID}, {"cycle", deref(cycle)}, {"agent", agent + " " + day}, {"day", day}} {
			// More than was reserved can't be: but where it is, it counts.
			if _, err := tx.Exec(ctx, `UPDATE ciclo.llm_spent SET tokens = greatest(tokens + $3, 0), cost = greatest(cost + $4::numeric, 0) WHERE scope = $1 AND key = $2`,
				scope.name, scope.key, tokens, back); err != nil {
				return err
			}
		}
		return charge(ctx, tx, a, tokens, back)
	})
}

// settledSo is nil where the attempt has settled the call just so: it says it again, since
// nobody answered it. Else it is ErrStale.
func settledSo(ctx context.Context, tx pgx.Tx, a *Attempt, step, hash string, o CallOutcome) error {
	return theCall(tx.Exec(ctx, `
		SELECT FROM ciclo.llm_calls
		WHERE execution_id = $1 AND attempt = $2 AND worker_id = $3 AND step = $4 AND hash = $5 AND state = $6 AND answer IS NOT DISTINCT FROM $7 AND coalesce(error_text, '') = $8`,
		a.fence(step, hash, o.State, o.Answer, o.Error)...))
}

func cost(o CallOutcome) string {
	if o.Cost == "" {
		return "0"
	}
	return o.Cost
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// heal counts what the call says of its provider's health, and gives back the tokens
// that it didn't take. While the provider rests, the failures of calls that were under way
// before say nothing new: one reserved after the rest is the probe, and its failure alone
// makes the next rest longer.
func heal(ctx context.Context, tx pgx.Tx, a *Attempt, step, hash, provider string, o CallOutcome, tokens int64) error {
	const news = `(p.probe_after IS NULL OR l.reserved_at >= p.probe_after)`
	_, err := tx.Exec(ctx, `
		UPDATE ciclo.llm_providers p SET
			tokens_left = tokens_left - $5,
			failures = CASE WHEN $6 AND `+news+` THEN failures + 1 WHEN $7 THEN 0 ELSE failures END,
			probe_after = CASE WHEN $6 AND `+news+` AND failures + 1 >= $8 THEN clock_timestamp() + least($9::interval * power(2, least(failures + 1 - $8, 20)), $10::interval)
			                   WHEN $7 THEN NULL ELSE probe_after END,
			probing_until = CASE WHEN `+news+` OR $7 THEN NULL ELSE probing_until END,
			error_text = CASE WHEN $6 THEN $11 WHEN $7 THEN NULL ELSE p.error_text END
		FROM ciclo.llm_calls l
		WHERE p.name = $4 AND l.execution_id = $1 AND l.step = $2 AND l.hash = $3`,
		a.Execution.ID, step, hash, provider, tokens, o.Ill, o.State == "answered", illnesses, firstRest, longestRest, o.Error)
	return err
}

// theCall turns an update without a row into ErrStale.
func theCall(tag interface{ RowsAffected() int64 }, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return execution.ErrStale
	}
	return err
}

// spentKept is for how long it is known what one execution or cycle took: budgets are
// held against it while it is alive. Agents' and all days stay.
const spentKept = 90 * 24 * time.Hour

// ForgetCalls takes away the texts of calls that are kept no longer, of executions that
// have ended, and what is no longer needed for budgets; at most some thousand at once.
// It returns how many rows it changed.
func (s *Store) ForgetCalls(ctx context.Context) (int, error) {
	var n int
	err := s.pool.QueryRow(ctx, `
		WITH texts AS (
			UPDATE ciclo.llm_calls SET request = NULL, answer = NULL WHERE ctid = ANY (ARRAY(
				SELECT l.ctid FROM ciclo.llm_calls l JOIN ciclo.executions e ON e.id = l.execution_id
				WHERE l.kept_until < now() AND (l.request IS NOT NULL OR l.answer IS NOT NULL) AND e.ended_at IS NOT NULL
				LIMIT 5000 FOR UPDATE OF l SKIP LOCKED))
			RETURNING 1
		), spent AS (
			DELETE FROM ciclo.llm_spent WHERE ctid = ANY (ARRAY(
				SELECT ctid FROM ciclo.llm_spent WHERE scope IN ('execution', 'cycle') AND day < (now() - $1::interval)::date
				LIMIT 5000 FOR UPDATE SKIP LOCKED))
			RETURNING 1
		)
		SELECT (SELECT count(*) FROM texts) + (SELECT count(*) FROM spent)`, spentKept).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("forget calls: %w", err)
	}
	return n, nil
}
