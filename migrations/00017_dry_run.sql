-- A dry run computes and shows, and neither writes nor sends anything.
-- +goose Up

-- It is nobody's only one, and no cycle's: nothing that others wait for comes of it.
ALTER TABLE ciclo.executions
    ADD COLUMN dry_run boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT executions_dry_run_alone CHECK (NOT dry_run OR (NOT single_flight AND cycle_id IS NULL AND origin = 'request'));
-- +goose StatementBegin
CREATE FUNCTION ciclo.refuse_other_dry_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'execution %: whether it is a dry run can''t change', OLD.id USING ERRCODE = 'check_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER executions_stay_dry BEFORE UPDATE OF dry_run ON ciclo.executions
    FOR EACH ROW WHEN (OLD.dry_run IS DISTINCT FROM NEW.dry_run) EXECUTE FUNCTION ciclo.refuse_other_dry_run();

-- What is finished or done for good is so of real runs alone. A trigger and not a
-- foreign key with dry_run, which would need another unique index on executions,
-- written by every move.
-- +goose StatementBegin
CREATE FUNCTION ciclo.refuse_of_dry_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ciclo.executions WHERE id = NEW.execution_id AND dry_run) THEN
        RAISE EXCEPTION 'execution % is a dry run: it has no rows in %', NEW.execution_id, TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER steps_of_real_runs BEFORE INSERT OR UPDATE OF execution_id ON ciclo.steps
    FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_of_dry_run();
CREATE TRIGGER effects_of_real_runs BEFORE INSERT OR UPDATE OF execution_id ON ciclo.effects
    FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_of_dry_run();

-- The transaction of a dry run begins with a row here, which lets no commit pass:
-- whoever sends one gets an error, and Postgres rolls back. So it is always empty.
CREATE TABLE ciclo.dry_runs (execution_id text COLLATE "C" NOT NULL);
-- +goose StatementBegin
CREATE FUNCTION ciclo.refuse_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'execution % is a dry run: its transaction can''t be committed', NEW.execution_id USING ERRCODE = 'check_violation';
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER dry_runs_are_never_committed AFTER INSERT ON ciclo.dry_runs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_commit();

CREATE OR REPLACE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed' AND NOT dry_run
        ORDER BY ended_at DESC, id DESC LIMIT 1);

-- Lists show dry runs; counts leave them out, but for the queue, where they wait too.
CREATE OR REPLACE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id, dry_run
    FROM ciclo.executions;
CREATE OR REPLACE VIEW dashboard.executions_by_status AS
    SELECT agent, status, count(*) AS executions, min(started_at) AS oldest, max(started_at) AS newest
    FROM ciclo.executions WHERE NOT dry_run GROUP BY agent, status;
COMMENT ON VIEW dashboard.executions_by_status IS 'How many executions each agent has in each status, of all history, without dry runs.';
CREATE OR REPLACE VIEW dashboard.executions_per_hour AS
    SELECT date_trunc('hour', started_at) AS hour, agent,
           count(*) AS accepted,
           count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled
    FROM ciclo.executions WHERE started_at > now() - interval '30 days' AND NOT dry_run
    GROUP BY 1, 2;
COMMENT ON VIEW dashboard.executions_per_hour IS 'Executions by the hour (UTC) of their acceptance and how they ended, of the last 30 days, without dry runs.';
CREATE OR REPLACE VIEW dashboard.durations AS
    SELECT agent, count(*) AS executions,
           percentile_cont(0.50) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p50_seconds,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p95_seconds,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p99_seconds
    FROM ciclo.executions
    WHERE status = 'completed' AND started_at > now() - interval '30 days' AND NOT dry_run
    GROUP BY agent;
COMMENT ON VIEW dashboard.durations IS 'Seconds from acceptance to completion, of the executions of the last 30 days, without dry runs.';
CREATE OR REPLACE VIEW dashboard.failures AS
    SELECT agent, error_class, split_part(left(error_text, 500), E'\n', 1) AS error,
           count(*) AS executions, max(ended_at) AS last_at,
           (array_agg(id ORDER BY ended_at DESC))[1] AS last_execution
    FROM ciclo.executions
    WHERE status = 'failed' AND started_at > now() - interval '30 days' AND NOT dry_run
    GROUP BY agent, error_class, 3;
COMMENT ON VIEW dashboard.failures IS 'Failed executions of the last 30 days by reason, without dry runs.';

-- +goose Down
CREATE OR REPLACE VIEW dashboard.failures AS
    SELECT agent, error_class, split_part(left(error_text, 500), E'\n', 1) AS error,
           count(*) AS executions, max(ended_at) AS last_at,
           (array_agg(id ORDER BY ended_at DESC))[1] AS last_execution
    FROM ciclo.executions
    WHERE status = 'failed' AND started_at > now() - interval '30 days'
    GROUP BY agent, error_class, 3;
COMMENT ON VIEW dashboard.failures IS 'Failed executions of the last 30 days by reason.';
CREATE OR REPLACE VIEW dashboard.durations AS
    SELECT agent, count(*) AS executions,
           percentile_cont(0.50) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p50_seconds,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p95_seconds,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p99_seconds
    FROM ciclo.executions
    WHERE status = 'completed' AND started_at > now() - interval '30 days'
    GROUP BY agent;
COMMENT ON VIEW dashboard.durations IS 'Seconds from acceptance to completion, of the executions of the last 30 days.';
CREATE OR REPLACE VIEW dashboard.executions_per_hour AS
    SELECT date_trunc('hour', started_at) AS hour, agent,
           count(*) AS accepted,
           count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled
    FROM ciclo.executions WHERE started_at > now() - interval '30 days'
    GROUP BY 1, 2;
COMMENT ON VIEW dashboard.executions_per_hour IS 'Executions by the hour (UTC) of their acceptance and how they ended, of the last 30 days.';
CREATE OR REPLACE VIEW dashboard.executions_by_status AS
    SELECT agent, status, count(*) AS executions, min(started_at) AS oldest, max(started_at) AS newest
    FROM ciclo.executions GROUP BY agent, status;
COMMENT ON VIEW dashboard.executions_by_status IS 'How many executions each agent has in each status, of all history.';
DROP VIEW dashboard.executions;
CREATE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id
    FROM ciclo.executions;
COMMENT ON VIEW dashboard.executions IS 'One row an execution; seconds from acceptance to the end, or to now.';
-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON dashboard.executions TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd
CREATE OR REPLACE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed'
        ORDER BY ended_at DESC, id DESC LIMIT 1);
DROP TABLE ciclo.dry_runs;
DROP TRIGGER effects_of_real_runs ON ciclo.effects;
DROP TRIGGER steps_of_real_runs ON ciclo.steps;
DROP TRIGGER executions_stay_dry ON ciclo.executions;
DROP FUNCTION ciclo.refuse_commit, ciclo.refuse_of_dry_run, ciclo.refuse_other_dry_run;
ALTER TABLE ciclo.executions DROP CONSTRAINT executions_dry_run_alone, DROP COLUMN dry_run;
