-- Calls to language models: what was asked, what it took, and what may still be taken.
-- +goose Up

-- One request that an execution made to a model: paid once, whatever is killed.
CREATE TABLE ciclo.llm_calls (
    execution_id    text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id) ON DELETE CASCADE,
    step            text NOT NULL CHECK (step <> '' AND octet_length(step) <= 200),
    -- SHA-256 of what is asked and of whom.
    hash            text COLLATE "C" NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    agent           text NOT NULL,
    cycle_id        text COLLATE "C",
    provider        text NOT NULL CHECK (provider <> ''),
    model           text NOT NULL CHECK (model <> ''),
    -- reserved: about to be made, or made and nobody knows yet; answered; not_done: it
    -- surely was not paid; unknown: it may be paid, and is not made again.
    state           text NOT NULL DEFAULT 'reserved' CHECK (state IN ('reserved', 'answered', 'not_done', 'unknown')),
    attempt         integer NOT NULL CHECK (attempt > 0),
    worker_id       uuid NOT NULL,
    -- How often it was reserved: each is one request at the most.
    sends           integer NOT NULL DEFAULT 1 CHECK (sends > 0),
    reserved_at     timestamptz NOT NULL DEFAULT now(),
    settled_at      timestamptz,
    provider_id     text,
    reserved_tokens bigint NOT NULL CHECK (reserved_tokens >= 0),
    -- Dollars.
    reserved_cost   numeric(18, 9) NOT NULL CHECK (reserved_cost >= 0),
    input_tokens    bigint CHECK (input_tokens >= 0),
    output_tokens   bigint CHECK (output_tokens >= 0),
    -- What counts in budgets: the reservation until it is known better.
    cost            numeric(18, 9) NOT NULL CHECK (cost >= 0),
    error_text      text,
    -- Opaque: JSON, or sealed with the firm's key. Without kept_until they go when the
    -- execution ends.
    request         bytea,
    answer          bytea,
    kept_until      timestamptz,
    -- The clients whose data are in it.
    client_ids      text[] NOT NULL,
    PRIMARY KEY (execution_id, step, hash),
    CONSTRAINT llm_calls_settled CHECK ((state = 'reserved') = (settled_at IS NULL)),
    CONSTRAINT llm_calls_used CHECK ((state = 'answered') = (input_tokens IS NOT NULL AND output_tokens IS NOT NULL)),
    CONSTRAINT llm_calls_costs CHECK (CASE state WHEN 'answered' THEN true WHEN 'not_done' THEN cost = 0 ELSE cost = reserved_cost END),
    CONSTRAINT llm_calls_answer CHECK (answer IS NULL OR state = 'answered'),
    CONSTRAINT llm_calls_bounded CHECK (octet_length(request) <= 8388608 AND octet_length(answer) <= 8388608)
);
CREATE INDEX llm_calls_by_time ON ciclo.llm_calls (reserved_at);
CREATE INDEX llm_calls_kept ON ciclo.llm_calls (kept_until) WHERE request IS NOT NULL OR answer IS NOT NULL;
CREATE INDEX llm_calls_of_clients ON ciclo.llm_calls USING gin (client_ids) WHERE request IS NOT NULL OR answer IS NOT NULL;

-- What an execution, a cycle, an agent's day and a day have taken, with what is
-- reserved: what budgets are held against, by their rows' locks.
CREATE TABLE ciclo.llm_spent (
    scope  text NOT NULL CHECK (scope IN ('execution', 'cycle', 'agent', 'day')),
    key    text COLLATE "C" NOT NULL,
    tokens bigint NOT NULL CHECK (tokens >= 0),
    cost   numeric(18, 9) NOT NULL CHECK (cost >= 0),
    day    date NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX llm_spent_by_day ON ciclo.llm_spent (day);

-- The same of an execution, where people look at it. NULL: it asked no model.
ALTER TABLE ciclo.executions ADD COLUMN llm_tokens bigint, ADD COLUMN llm_cost numeric(18, 9);

-- What all workers know of a provider: what it allows a minute, and whether it is ill.
CREATE TABLE ciclo.llm_providers (
    name          text PRIMARY KEY,
    -- What may still be asked, at refilled_at; it refills by the minute's share.
    requests_left double precision NOT NULL,
    tokens_left   double precision NOT NULL,
    refilled_at   timestamptz NOT NULL DEFAULT now(),
    -- Illnesses in a row; from so many on nobody asks before probe_after, and then one.
    failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    probe_after   timestamptz,
    -- The attempt that asks, and until when it may take: it is waited for while it runs.
    probing_until     timestamptz,
    probing_execution text COLLATE "C",
    probing_attempt   integer,
    error_text    text,
    CONSTRAINT llm_providers_one_probes CHECK (probing_until IS NULL OR (probe_after IS NOT NULL AND probing_execution IS NOT NULL AND probing_attempt IS NOT NULL))
);

-- An execution that ends leaves no call open: what is reserved may be paid. What is
-- kept for no longer goes.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ciclo.leave_effects_to_a_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ciclo.effects SET state = 'unknown', settled_at = now()
    WHERE execution_id = NEW.id AND state = 'intended';
    UPDATE ciclo.llm_calls SET state = CASE state WHEN 'reserved' THEN 'unknown' ELSE state END, settled_at = coalesce(settled_at, now()),
        request = CASE WHEN kept_until IS NOT NULL THEN request END, answer = CASE WHEN kept_until IS NOT NULL THEN answer END
    WHERE execution_id = NEW.id AND (state = 'reserved' OR kept_until IS NULL);
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- What is answered stays, as the firm pays it: the ledger is no draft.
-- +goose StatementBegin
CREATE FUNCTION ciclo.guard_llm_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.execution_id <> OLD.execution_id OR NEW.step <> OLD.step OR NEW.hash <> OLD.hash THEN
        RAISE EXCEPTION 'call % of % keeps its key', OLD.step, OLD.execution_id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> NEW.state AND NOT ((OLD.state, NEW.state) IN (
        ('reserved', 'answered'), ('reserved', 'not_done'), ('reserved', 'unknown'), ('not_done', 'reserved'))) THEN
        RAISE EXCEPTION 'call % of % can''t move from % to %', OLD.step, OLD.execution_id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state IN ('answered', 'unknown') AND (NEW.cost <> OLD.cost OR NEW.input_tokens IS DISTINCT FROM OLD.input_tokens OR NEW.output_tokens IS DISTINCT FROM OLD.output_tokens) THEN
        RAISE EXCEPTION 'what call % of % took stays', OLD.step, OLD.execution_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER llm_calls_guarded BEFORE UPDATE ON ciclo.llm_calls FOR EACH ROW EXECUTE FUNCTION ciclo.guard_llm_call();

CREATE OR REPLACE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id, dry_run,
           priority, origin, requested_by, retry_of, cycle_id, deadline_at,
           split_part(left(error_text, 500), E'\n', 1) AS error,
           status = 'running' AND coalesce(greatest(progress_at, running_at) < now() - stall_seconds * interval '1 second', false) AS stalled,
           llm_tokens, llm_cost
    FROM ciclo.executions;
CREATE VIEW dashboard.llm_calls AS
    SELECT execution_id, agent, cycle_id, step, provider, model, state, attempt, sends, reserved_at, settled_at,
           input_tokens, output_tokens, cost, split_part(left(error_text, 500), E'\n', 1) AS error
    FROM ciclo.llm_calls;
COMMENT ON VIEW dashboard.llm_calls IS 'Every call to a language model, without its text: who asked, how it ended, tokens and dollars. The cost of what is open or unknown is what was reserved.';
CREATE VIEW dashboard.llm_cost_per_day AS
    SELECT (reserved_at AT TIME ZONE 'UTC')::date AS day, agent, provider, model, count(*) AS calls,
           count(*) FILTER (WHERE state = 'unknown') AS unknown, coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
           coalesce(sum(output_tokens), 0)::bigint AS output_tokens, sum(cost) AS cost
    FROM ciclo.llm_calls GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW dashboard.llm_cost_per_day IS 'What language models cost by day (UTC), agent and model.';
CREATE VIEW dashboard.llm_waste AS
    SELECT (c.reserved_at AT TIME ZONE 'UTC')::date AS day, c.agent,
           CASE c.state WHEN 'unknown' THEN 'its answer was lost' ELSE 'its execution ' || replace(e.status, 'cancelled', 'was cancelled') END AS why,
           count(*) AS calls, coalesce(sum(c.input_tokens + c.output_tokens), 0)::bigint AS tokens, sum(c.cost) AS cost
    FROM ciclo.llm_calls c JOIN ciclo.executions e ON e.id = c.execution_id
    WHERE c.state = 'unknown' OR (c.state = 'answered' AND e.status IN ('failed', 'cancelled'))
    GROUP BY 1, 2, 3;
COMMENT ON VIEW dashboard.llm_waste IS 'What was paid for nothing: calls of executions that did not complete, and answers that were lost (by what was reserved for them).';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON dashboard.llm_calls, dashboard.llm_cost_per_day, dashboard.llm_waste TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.llm_calls, dashboard.llm_cost_per_day, dashboard.llm_waste, dashboard.executions;
CREATE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id, dry_run,
           priority, origin, requested_by, retry_of, cycle_id, deadline_at,
           split_part(left(error_text, 500), E'\n', 1) AS error,
           status = 'running' AND coalesce(greatest(progress_at, running_at) < now() - stall_seconds * interval '1 second', false) AS stalled
    FROM ciclo.executions;
COMMENT ON VIEW dashboard.executions IS 'One row an execution; seconds from acceptance to the end, or to now.';
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ciclo.leave_effects_to_a_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ciclo.effects SET state = 'unknown', settled_at = now()
    WHERE execution_id = NEW.id AND state = 'intended';
    RETURN NULL;
END $$;
-- +goose StatementEnd
DROP TABLE ciclo.llm_calls, ciclo.llm_spent, ciclo.llm_providers;
ALTER TABLE ciclo.executions DROP COLUMN llm_tokens, DROP COLUMN llm_cost;
DROP FUNCTION ciclo.guard_llm_call;
