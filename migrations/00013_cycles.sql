-- Schedules, each of their slots, and the cycles that slots open.
-- +goose Up
CREATE TABLE ciclo.schedules (
    name             text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(name) <= 64),
    description      text NOT NULL DEFAULT '' CHECK (length(description) <= 500),
    -- Whom its cycles consider; empty is every agent.
    agents           text[] NOT NULL DEFAULT '{}',
    -- Whether its cycles run only what is due by the agents' own schedules and did not complete.
    planned          boolean NOT NULL DEFAULT false,
    parameters       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),

    -- The rule: a cron expression on the wall clock of a zone, or an interval since an anchor.
    cron             text,
    zone             text,
    interval_seconds bigint CHECK (interval_seconds > 0),
    anchor_at        timestamptz,
    jitter_seconds   integer NOT NULL DEFAULT 0 CHECK (jitter_seconds BETWEEN 0 AND 3600),
    starts_at        timestamptz,
    ends_at          timestamptz,

    -- What a slot does while the schedule's last cycle is not over.
    overlap          text NOT NULL DEFAULT 'skip' CHECK (overlap IN ('skip', 'queue', 'cancel')),
    -- What becomes of slots that nobody saw in time, of the last window.
    catch_up         text NOT NULL DEFAULT 'latest' CHECK (catch_up IN ('latest', 'all', 'none')),
    catch_up_limit   integer NOT NULL DEFAULT 10 CHECK (catch_up_limit BETWEEN 1 AND 1000),
    catch_up_window_seconds bigint NOT NULL DEFAULT 86400 CHECK (catch_up_window_seconds > 0),
    cooldown_seconds integer NOT NULL DEFAULT 3600 CHECK (cooldown_seconds >= 0),
    max_parallel     integer NOT NULL DEFAULT 3 CHECK (max_parallel BETWEEN 1 AND 100),
    deadline_seconds bigint NOT NULL DEFAULT 86400 CHECK (deadline_seconds > 0),

    paused_at        timestamptz,
    paused_reason    text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    created_by       text NOT NULL,

    -- Every slot up to it is decided; the next one, and when that is seen to. NULL
    -- where none comes.
    decided_until    timestamptz NOT NULL DEFAULT now(),
    next_due_at      timestamptz,
    next_fire_at     timestamptz,
    -- Why it fires no more: its rule can't be read.
    broken           text,

    CONSTRAINT schedules_have_one_rule CHECK ((cron IS NULL) <> (interval_seconds IS NULL)),
    CONSTRAINT schedules_cron_has_a_zone CHECK ((cron IS NULL) = (zone IS NULL) AND (interval_seconds IS NULL) = (anchor_at IS NULL)),
    CONSTRAINT schedules_pause_says_why CHECK ((paused_at IS NULL) = (paused_reason IS NULL)),
    CONSTRAINT schedules_end_after_their_start CHECK (ends_at > starts_at),
    CONSTRAINT schedules_next_is_whole CHECK ((next_due_at IS NULL) = (next_fire_at IS NULL) AND next_due_at > decided_until)
);
CREATE INDEX schedules_due ON ciclo.schedules (next_fire_at) WHERE next_fire_at IS NOT NULL;

CREATE TABLE ciclo.cycles (
    id             text COLLATE "C" PRIMARY KEY CHECK (id ~ '^cycle_'),
    -- NULL where somebody asked for it.
    schedule       text COLLATE "C" REFERENCES ciclo.schedules (name),
    due_at         timestamptz,
    opened_by      text NOT NULL CHECK (opened_by IN ('slot', 'catch_up', 'backfill', 'hand')),
    requested_by   text,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    deadline_at    timestamptz NOT NULL,
    max_parallel   integer NOT NULL CHECK (max_parallel > 0),
    parameters     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    -- Who decided, and why it was not who should have.
    planner        text NOT NULL,
    planner_error  text,
    -- What it saw.
    snapshot       jsonb NOT NULL,
    cancel_requested_at timestamptz,
    ended_at       timestamptz,
    status         text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'partial', 'failed', 'skipped', 'cancelled')),

    CONSTRAINT cycles_of_a_schedule_have_a_due_time CHECK (schedule IS NULL OR due_at IS NOT NULL),
    CONSTRAINT cycles_end_with_a_status CHECK ((status = 'running') = (ended_at IS NULL))
);
CREATE INDEX cycles_by_opening ON ciclo.cycles (opened_at DESC, id DESC);
CREATE INDEX cycles_by_schedule ON ciclo.cycles (schedule, opened_at DESC, id DESC);
CREATE INDEX cycles_running ON ciclo.cycles (schedule) WHERE ended_at IS NULL;

CREATE TABLE ciclo.slots (
    schedule   text COLLATE "C" NOT NULL REFERENCES ciclo.schedules (name),
    due_at     timestamptz NOT NULL,
    -- A queued one is fired when the schedule's running cycle is over.
    outcome    text NOT NULL CHECK (outcome IN ('fired', 'caught_up', 'queued', 'skipped')),
    reason     text,
    cycle_id   text COLLATE "C" UNIQUE REFERENCES ciclo.cycles (id),
    opened_by  text NOT NULL CHECK (opened_by IN ('slot', 'catch_up', 'backfill')),
    decided_at timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (schedule, due_at),
    CONSTRAINT slots_skipped_say_why CHECK ((outcome = 'skipped') = (reason IS NOT NULL)),
    CONSTRAINT slots_reason_known CHECK (reason IN ('overlap', 'paused', 'late', 'cooldown', 'dependency', 'budget', 'breaker', 'not_due', 'business_hours', 'unknown_agent', 'ended')),
    CONSTRAINT slots_fired_have_a_cycle CHECK (outcome NOT IN ('fired', 'caught_up') OR cycle_id IS NOT NULL)
);
CREATE INDEX slots_queued ON ciclo.slots (schedule, due_at) WHERE outcome = 'queued';

-- A cycle's decision about each agent that it considered.
CREATE TABLE ciclo.cycle_agents (
    cycle_id     text COLLATE "C" NOT NULL REFERENCES ciclo.cycles (id) ON DELETE CASCADE,
    agent        text NOT NULL,
    -- The order in which they are run.
    position     integer NOT NULL,
    decision     text NOT NULL CHECK (decision IN ('run', 'skip')),
    reason       text NOT NULL CHECK (reason <> ''),
    detail       text NOT NULL,
    -- [{"agent": "…", "if_failed": "skip"}, …]: what must be over before it runs.
    needs        jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(needs) = 'array'),
    execution_id text COLLATE "C" UNIQUE REFERENCES ciclo.executions (id) ON DELETE SET NULL,
    decided_at   timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (cycle_id, agent),
    CONSTRAINT cycle_agents_skipped_run_nothing CHECK (decision = 'run' OR execution_id IS NULL)
);

ALTER TABLE ciclo.executions ADD COLUMN cycle_id text COLLATE "C" REFERENCES ciclo.cycles (id);
CREATE INDEX executions_by_cycle ON ciclo.executions (cycle_id, started_at DESC, id DESC) WHERE cycle_id IS NOT NULL;

-- A decided slot stays so: only a queued one may still be fired or skipped.
-- +goose StatementBegin
CREATE FUNCTION ciclo.guard_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome IN ('fired', 'caught_up') OR NEW.schedule <> OLD.schedule OR NEW.due_at <> OLD.due_at
       OR (OLD.outcome = 'skipped' AND NEW.outcome <> 'queued') THEN
        RAISE EXCEPTION 'slot % of % is % and can''t become %', OLD.due_at, OLD.schedule, OLD.outcome, NEW.outcome USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER slots_guard BEFORE UPDATE ON ciclo.slots FOR EACH ROW EXECUTE FUNCTION ciclo.guard_slot();

CREATE VIEW dashboard.cycles AS
    SELECT id AS cycle_id, schedule, due_at, opened_by, status, opened_at, ended_at, deadline_at,
           extract(epoch FROM ended_at - opened_at)::float8 AS duration_seconds
    FROM ciclo.cycles;
CREATE VIEW dashboard.slots AS
    SELECT schedule, due_at, outcome, reason, cycle_id, opened_by, decided_at FROM ciclo.slots;
COMMENT ON VIEW dashboard.cycles IS 'What was opened by schedules and by hand.';
COMMENT ON VIEW dashboard.slots IS 'What became of each time that a schedule named.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.slots;
DROP VIEW dashboard.cycles;
ALTER TABLE ciclo.executions DROP COLUMN cycle_id;
DROP TABLE ciclo.cycle_agents;
DROP TABLE ciclo.slots;
DROP FUNCTION ciclo.guard_slot;
DROP TABLE ciclo.cycles;
DROP TABLE ciclo.schedules;
