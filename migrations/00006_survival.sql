-- How attempts end, effects on the outside world, pauses of agents, deadlines.
-- +goose Up

-- A transition out of running says how the attempt ended: with the one into
-- running it is the attempt's whole story, so attempts are a view.
ALTER TABLE ciclo.transitions
    ADD COLUMN outcome     text CHECK (outcome IN ('completed', 'failed', 'cancelled', 'interrupted', 'lost', 'given_back')),
    ADD COLUMN error_class text,
    ADD COLUMN error_text  text;
CREATE VIEW ciclo.attempts AS
    SELECT began.execution_id, began.attempt, began.worker_id, began.at AS started_at, ended.at AS ended_at,
           ended.outcome, ended.error_class, ended.error_text
    FROM ciclo.transitions began
    LEFT JOIN ciclo.transitions ended
           ON ended.execution_id = began.execution_id AND ended.attempt = began.attempt AND ended.from_status = 'running'
    WHERE began.to_status = 'running';

-- What an attempt does to the outside world: the intent is committed before it,
-- the outcome after.
CREATE TABLE ciclo.effects (
    execution_id text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id) ON DELETE CASCADE,
    name         text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    -- What the provider is given, so that it can tell a repetition.
    key          text NOT NULL UNIQUE,
    policy       text NOT NULL CHECK (policy IN ('reconcile', 'once', 'repeat')),
    -- intended: about to happen, or it may have happened and nobody knows yet;
    -- done; not_done: it surely did not happen; unknown: a person must look.
    state        text NOT NULL DEFAULT 'intended' CHECK (state IN ('intended', 'done', 'not_done', 'unknown')),
    attempt      integer NOT NULL CHECK (attempt > 0),
    worker_id    uuid NOT NULL,
    intended_at  timestamptz NOT NULL DEFAULT now(),
    settled_at   timestamptz,
    outcome      jsonb CHECK (pg_column_size(outcome) <= 2 * 1048576),
    PRIMARY KEY (execution_id, name),
    CONSTRAINT effects_settled CHECK ((state = 'intended') = (settled_at IS NULL)),
    CONSTRAINT effects_done_has_outcome CHECK ((state = 'done') = (outcome IS NOT NULL))
);
CREATE INDEX effects_open ON ciclo.effects (intended_at) WHERE state IN ('intended', 'unknown');

-- An execution that ends with an effect still intended leaves it to a person: no
-- attempt will come that could ask.
-- +goose StatementBegin
CREATE FUNCTION ciclo.leave_effects_to_a_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ciclo.effects SET state = 'unknown', settled_at = now()
    WHERE execution_id = NEW.id AND state = 'intended';
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER executions_leave_effects AFTER UPDATE OF status ON ciclo.executions
    FOR EACH ROW WHEN (NEW.status IN ('completed', 'failed', 'cancelled') AND NEW.attempt > 0)
    EXECUTE FUNCTION ciclo.leave_effects_to_a_person();

ALTER TABLE ciclo.executions
    -- The whole execution's, over all its attempts.
    ADD COLUMN deadline_at timestamptz,
    -- Without progress for so long, a running execution shows as stalled.
    ADD COLUMN stall_seconds integer CHECK (stall_seconds > 0);
CREATE INDEX executions_deadline ON ciclo.executions (deadline_at) WHERE deadline_at IS NOT NULL AND ended_at IS NULL;

-- Asked to stop; the worker's own beat tells it.
ALTER TABLE ciclo.workers ADD COLUMN drain_requested_at timestamptz;

-- Agents that nobody runs for now; agent '*' is all of them.
CREATE TABLE ciclo.pauses (
    agent       text PRIMARY KEY,
    -- hand: until somebody resumes it; breaker: until a probe succeeds.
    kind        text NOT NULL CHECK (kind IN ('hand', 'breaker')),
    reason      text NOT NULL,
    paused_at   timestamptz NOT NULL DEFAULT now(),
    -- When one execution may be let through, and which one it is.
    probe_after timestamptz,
    probe_id    text COLLATE "C",
    probes      integer NOT NULL DEFAULT 0,
    CONSTRAINT pauses_only_breakers_probe CHECK (kind = 'breaker' OR (probe_after IS NULL AND probe_id IS NULL)),
    CONSTRAINT pauses_breakers_probe CHECK (kind = 'hand' OR probe_after IS NOT NULL)
);

-- Failures of one class in a row, by agent: what opens the breaker.
CREATE TABLE ciclo.streaks (
    agent       text PRIMARY KEY,
    error_class text NOT NULL,
    failures    integer NOT NULL CHECK (failures >= 0)
);

CREATE VIEW dashboard.attempts AS
    SELECT a.execution_id, e.agent, a.attempt, a.worker_id, a.started_at, a.ended_at, a.outcome, a.error_class,
           split_part(left(a.error_text, 500), E'\n', 1) AS error
    FROM ciclo.attempts a JOIN ciclo.executions e ON e.id = a.execution_id;
COMMENT ON VIEW dashboard.attempts IS 'Every attempt, its worker and how it ended.';
CREATE VIEW dashboard.effects AS
    SELECT f.execution_id, e.agent, f.name, f.key, f.policy, f.state, f.attempt, f.intended_at, f.settled_at, f.outcome
    FROM ciclo.effects f JOIN ciclo.executions e ON e.id = f.execution_id;
COMMENT ON VIEW dashboard.effects IS 'Effects on the outside world; state unknown waits for a person.';
CREATE VIEW dashboard.pauses AS SELECT agent, kind, reason, paused_at, probe_after, probe_id FROM ciclo.pauses;
COMMENT ON VIEW dashboard.pauses IS 'Agents that are paused, by hand or by their failures.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.attempts, dashboard.effects, dashboard.pauses, ciclo.attempts;
DROP TRIGGER executions_leave_effects ON ciclo.executions;
DROP FUNCTION ciclo.leave_effects_to_a_person;
DROP TABLE ciclo.streaks, ciclo.pauses, ciclo.effects;
ALTER TABLE ciclo.workers DROP COLUMN drain_requested_at;
ALTER TABLE ciclo.executions DROP COLUMN deadline_at, DROP COLUMN stall_seconds;
ALTER TABLE ciclo.transitions DROP COLUMN outcome, DROP COLUMN error_class, DROP COLUMN error_text;
