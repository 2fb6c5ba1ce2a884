-- Executions, their transitions and the workers that run them.
-- +goose Up

-- One row for each accepted run of an agent: the truth about it. River's rows
-- (river_job) only carry one attempt each.
CREATE TABLE ciclo.executions (
    -- Agent's prefix and a UUIDv7; "C" because ids are compared as bytes.
    id                  text COLLATE "C" PRIMARY KEY,
    agent               text NOT NULL CHECK (agent ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    status              text NOT NULL,
    parameters          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),

    -- The fence: grows by one at each claim and never goes back.
    attempt             integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    -- Attempts that failed or were lost, and their limit. An interrupted one costs nothing.
    failures            integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    tries               integer NOT NULL CHECK (tries >= 1),
    timeout_seconds     integer NOT NULL CHECK (timeout_seconds > 0),
    priority            smallint NOT NULL DEFAULT 2 CHECK (priority BETWEEN 1 AND 4),

    worker_id           uuid,
    river_job_id        bigint,
    next_attempt_at     timestamptz,
    cancel_requested_at timestamptz,
    -- How often the queue lost it since its last claim; the delay grows with it.
    requeued            integer NOT NULL DEFAULT 0 CHECK (requeued >= 0),

    started_at          timestamptz NOT NULL DEFAULT now(),
    running_at          timestamptz,
    ended_at            timestamptz,
    -- Of the last transition.
    status_at           timestamptz NOT NULL DEFAULT now(),

    progress_done       bigint,
    progress_total      bigint,
    progress_text       text,
    progress_at         timestamptz,

    result              jsonb,
    error_class         text,
    error_text          text,

    CONSTRAINT executions_status_known
        CHECK (status IN ('started', 'running', 'completed', 'failed', 'cancelled')),
    -- A started execution either waits for its time or lies in the queue, never both.
    CONSTRAINT executions_started_shape
        CHECK (status <> 'started'
            OR (worker_id IS NULL AND ended_at IS NULL AND (next_attempt_at IS NULL) <> (river_job_id IS NULL))),
    CONSTRAINT executions_running_shape
        CHECK (status <> 'running'
            OR (worker_id IS NOT NULL AND river_job_id IS NOT NULL AND next_attempt_at IS NULL
                AND attempt > 0 AND running_at IS NOT NULL AND ended_at IS NULL)),
    CONSTRAINT executions_final_shape
        CHECK (status NOT IN ('completed', 'failed', 'cancelled')
            OR (worker_id IS NULL AND next_attempt_at IS NULL AND ended_at IS NOT NULL)),
    CONSTRAINT executions_completed_has_result
        CHECK ((status = 'completed') = (result IS NOT NULL)),
    CONSTRAINT executions_failed_has_error
        CHECK (status <> 'failed' OR (error_class IS NOT NULL AND error_text IS NOT NULL)),
    CONSTRAINT executions_cancelled_was_asked
        CHECK (status <> 'cancelled' OR cancel_requested_at IS NOT NULL),
    CONSTRAINT executions_failures_within_attempts
        CHECK (failures <= attempt)
) WITH (fillfactor = 80);

-- Pages of executions, newest first, with and without a filter by agent.
CREATE INDEX executions_by_start ON ciclo.executions (started_at DESC, id DESC);
CREATE INDEX executions_by_agent_start ON ciclo.executions (agent, started_at DESC, id DESC);
-- What the loops look at is never more than what is alive.
CREATE INDEX executions_queued ON ciclo.executions (id) WHERE status = 'started' AND next_attempt_at IS NULL;
CREATE INDEX executions_due ON ciclo.executions (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX executions_running ON ciclo.executions (worker_id) WHERE status = 'running';

-- The table of moves once more (internal/execution has it first, a test compares
-- them), so that psql can't corrupt an execution either.
-- +goose StatementBegin
CREATE FUNCTION ciclo.guard_execution_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('completed', 'failed', 'cancelled') THEN
        RAISE EXCEPTION 'execution % is % and final', OLD.id, OLD.status USING ERRCODE = 'check_violation';
    END IF;
    IF NOT ((OLD.status, NEW.status) IN (
        ('started', 'running'), ('started', 'failed'), ('started', 'cancelled'),
        ('running', 'started'), ('running', 'completed'), ('running', 'failed'), ('running', 'cancelled'))) THEN
        RAISE EXCEPTION 'execution % can''t move from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION ciclo.guard_execution_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt <> OLD.attempt + 1 OR NEW.status <> 'running' OR OLD.status <> 'started' THEN
        RAISE EXCEPTION 'execution %: attempt % can''t become % on the way from % to %',
            OLD.id, OLD.attempt, NEW.attempt, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER executions_guard_move BEFORE UPDATE OF status ON ciclo.executions
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION ciclo.guard_execution_move();
CREATE TRIGGER executions_guard_attempt BEFORE UPDATE OF attempt ON ciclo.executions
    FOR EACH ROW WHEN (OLD.attempt IS DISTINCT FROM NEW.attempt) EXECUTE FUNCTION ciclo.guard_execution_attempt();

-- Every move ever made, append-only; written by the statement that moves.
CREATE TABLE ciclo.transitions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id) ON DELETE CASCADE,
    -- NULL for the acceptance.
    from_status  text,
    to_status    text NOT NULL,
    attempt      integer NOT NULL,
    worker_id    uuid,
    reason       text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transitions_first_is_started CHECK (from_status IS NOT NULL OR (to_status = 'started' AND attempt = 0))
);
CREATE INDEX transitions_by_execution ON ciclo.transitions (execution_id, id);
-- +goose StatementBegin
CREATE FUNCTION ciclo.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER transitions_append_only BEFORE UPDATE ON ciclo.transitions
    FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_change();

-- One row for each start of a worker process. The lease is the worker's, for all that it runs.
CREATE TABLE ciclo.workers (
    id          uuid PRIMARY KEY,
    host        text NOT NULL,
    pid         integer NOT NULL,
    version     text NOT NULL,
    -- Agent to how many of its executions this worker runs at once.
    concurrency jsonb NOT NULL CHECK (jsonb_typeof(concurrency) = 'object'),
    started_at  timestamptz NOT NULL DEFAULT now(),
    beat_at     timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    stopping_at timestamptz,
    ended_at    timestamptz
);
CREATE INDEX workers_alive ON ciclo.workers (lease_until) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE ciclo.workers, ciclo.transitions, ciclo.executions;
DROP FUNCTION ciclo.guard_execution_move, ciclo.guard_execution_attempt, ciclo.refuse_change;
