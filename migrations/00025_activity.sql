-- How many executions made which move in each minute, hour and day, and how long
-- they took: counted as they move, so that a page costs the same at any history and
-- outlives what is pruned.
-- +goose Up

-- Durations are counted in buckets, four to each doubling: bucket b holds what is
-- longer than 2^((b-1)/4) ms and at most 2^(b/4) ms; 0 all up to 1 ms, 126 all from
-- 29.6 days. What a bucket is shown as (its bounds' harmonic mean) is within
-- (2^(1/4)-1)/(2^(1/4)+1) = 8.7 % of whatever lies in it (Masson, Rim, Lee: DDSketch,
-- 2019). Slack keeps a bound in its bucket in spite of rounding.
-- +goose StatementBegin
CREATE FUNCTION ciclo.duration_bucket(seconds float8) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN seconds <= 0.001 THEN 0 ELSE least(126, ceil(4 * ln(seconds * 1000) / ln(2::float8) - 1e-9))::integer END;
CREATE FUNCTION ciclo.duration_of_bucket(bucket integer) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN power(2::float8, bucket / 4::float8) / 1000 * 2 / (1 + power(2::float8, 0.25::float8));

-- The periods that a move is counted in. accepted_… are of the execution's acceptance,
-- whenever it moves; ever is all history.
CREATE FUNCTION ciclo.activity_periods(moved_at timestamptz, started_at timestamptz) RETURNS TABLE (grain text, at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    VALUES ('minute', date_trunc('minute', moved_at, 'UTC')), ('hour', date_trunc('hour', moved_at, 'UTC')), ('day', date_trunc('day', moved_at, 'UTC')),
           ('ever', '-infinity'::timestamptz),
           ('accepted_hour', date_trunc('hour', started_at, 'UTC')), ('accepted_day', date_trunc('day', started_at, 'UTC'))
$$;
-- How long they are kept: a little longer than anything shows them. NULL is for ever.
CREATE FUNCTION ciclo.activity_kept(grain text) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE grain WHEN 'minute' THEN interval '50 hours' WHEN 'hour' THEN interval '91 days'
                  WHEN 'accepted_hour' THEN interval '31 days' WHEN 'accepted_day' THEN interval '32 days' END;
-- +goose StatementEnd

-- Moves that no period counts yet, a row each. Nobody changes one and each is deleted
-- once, so that no move ever waits for another one's counter. Every look at the
-- counts adds them; every orchestrator takes them away every few seconds.
CREATE TABLE ciclo.uncounted_moves (
    at          timestamptz NOT NULL,
    agent       text NOT NULL,
    -- '' is the acceptance.
    from_status text NOT NULL CHECK (from_status IN ('', 'started', 'running')),
    -- deleted is what was alive and is gone.
    to_status   text NOT NULL CHECK (to_status IN ('started', 'running', 'completed', 'failed', 'cancelled', 'deleted')),
    started_at  timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE ciclo.activity (
    grain       text NOT NULL,
    -- The beginning of the period, in UTC.
    at          timestamptz NOT NULL,
    agent       text NOT NULL,
    from_status text NOT NULL CHECK (from_status IN ('', 'started', 'running')),
    to_status   text NOT NULL CHECK (to_status IN ('started', 'running', 'completed', 'failed', 'cancelled', 'deleted')),
    executions  bigint NOT NULL CHECK (executions > 0),
    PRIMARY KEY (grain, at, agent, from_status, to_status),
    -- Two rows for one period would count it twice.
    CONSTRAINT activity_begins_its_period CHECK (
        CASE grain WHEN 'minute' THEN mod(extract(epoch FROM at), 60) = 0 WHEN 'hour' THEN mod(extract(epoch FROM at), 3600) = 0
                   WHEN 'day' THEN mod(extract(epoch FROM at), 86400) = 0 WHEN 'ever' THEN at = '-infinity'
                   WHEN 'accepted_hour' THEN mod(extract(epoch FROM at), 3600) = 0 ELSE false END)
) WITH (fillfactor = 70);

-- Of what ended: seconds from the acceptance to the end.
CREATE TABLE ciclo.activity_durations (
    grain      text NOT NULL,
    at         timestamptz NOT NULL,
    agent      text NOT NULL,
    status     text NOT NULL CHECK (status IN ('completed', 'failed', 'cancelled')),
    bucket     integer NOT NULL CHECK (bucket BETWEEN 0 AND 126),
    executions bigint NOT NULL CHECK (executions > 0),
    -- Their sum.
    seconds    float8 NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (grain, at, agent, status, bucket),
    CONSTRAINT activity_durations_begin_their_period CHECK (
        CASE grain WHEN 'minute' THEN mod(extract(epoch FROM at), 60) = 0 WHEN 'hour' THEN mod(extract(epoch FROM at), 3600) = 0
                   WHEN 'day' THEN mod(extract(epoch FROM at), 86400) = 0
                   WHEN 'accepted_day' THEN mod(extract(epoch FROM at), 86400) = 0 ELSE false END)
) WITH (fillfactor = 70);

-- Both with what isn't counted yet.
CREATE VIEW ciclo.all_activity AS
    SELECT grain, at, agent, from_status, to_status, executions FROM ciclo.activity
    UNION ALL
    SELECT p.grain, p.at, m.agent, m.from_status, m.to_status, 1
    FROM ciclo.uncounted_moves m CROSS JOIN LATERAL ciclo.activity_periods(m.at, m.started_at) p
    WHERE p.grain <> 'accepted_day';
CREATE VIEW ciclo.all_durations AS
    SELECT grain, at, agent, status, bucket, executions, seconds FROM ciclo.activity_durations
    UNION ALL
    SELECT p.grain, p.at, m.agent, m.to_status, ciclo.duration_bucket(s.seconds), 1, s.seconds
    FROM ciclo.uncounted_moves m CROSS JOIN LATERAL ciclo.activity_periods(m.at, m.started_at) p
    CROSS JOIN LATERAL (SELECT greatest(extract(epoch FROM m.at - m.started_at), 0)::float8 AS seconds) s
    WHERE p.grain NOT IN ('ever', 'accepted_hour') AND m.to_status IN ('completed', 'failed', 'cancelled');

-- By row, with the row in hand: it looks up nothing, and counts what psql does too.
-- Dry runs are in no count.
-- +goose StatementBegin
CREATE FUNCTION ciclo.note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_OP
    WHEN 'UPDATE' THEN
        INSERT INTO ciclo.uncounted_moves (at, agent, from_status, to_status, started_at)
        VALUES (now(), NEW.agent, OLD.status, NEW.status, NEW.started_at);
    WHEN 'INSERT' THEN
        INSERT INTO ciclo.uncounted_moves (at, agent, from_status, to_status, started_at)
        VALUES (NEW.started_at, NEW.agent, '', 'started', NEW.started_at);
        IF NEW.status <> 'started' THEN -- history from elsewhere
            INSERT INTO ciclo.uncounted_moves (at, agent, from_status, to_status, started_at)
            VALUES (NEW.status_at, NEW.agent, 'started', NEW.status, NEW.started_at);
        END IF;
    WHEN 'DELETE' THEN
        INSERT INTO ciclo.uncounted_moves (at, agent, from_status, to_status, started_at)
        VALUES (now(), OLD.agent, OLD.status, 'deleted', OLD.started_at);
    END CASE;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- From here on nobody moves an execution until this migration is committed: what
-- moved before is counted below, what moves afterwards by the triggers.
CREATE TRIGGER executions_note_acceptance AFTER INSERT ON ciclo.executions
    FOR EACH ROW WHEN (NOT NEW.dry_run) EXECUTE FUNCTION ciclo.note_move();
CREATE TRIGGER executions_note_move AFTER UPDATE OF status ON ciclo.executions
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND NOT NEW.dry_run) EXECUTE FUNCTION ciclo.note_move();
-- What has ended stays counted when it is deleted.
CREATE TRIGGER executions_note_deletion AFTER DELETE ON ciclo.executions
    FOR EACH ROW WHEN (OLD.status IN ('started', 'running') AND NOT OLD.dry_run) EXECUTE FUNCTION ciclo.note_move();

WITH moves AS MATERIALIZED (
    SELECT date_trunc('hour', t.at, 'UTC') AS hour, date_trunc('hour', e.started_at, 'UTC') AS accepted, e.agent,
           coalesce(t.from_status, '') AS from_status, t.to_status, b.bucket, count(*) AS executions, sum(b.seconds) AS seconds
    FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id
    LEFT JOIN LATERAL (
        SELECT ciclo.duration_bucket(s.seconds) AS bucket, s.seconds
        FROM (SELECT greatest(extract(epoch FROM t.at - e.started_at), 0)::float8 AS seconds) s
        WHERE t.to_status IN ('completed', 'failed', 'cancelled')) b ON true
    WHERE NOT e.dry_run
    GROUP BY 1, 2, 3, 4, 5, 6
), durations AS (
    INSERT INTO ciclo.activity_durations (grain, at, agent, status, bucket, executions, seconds)
    SELECT p.grain, p.at, m.agent, m.to_status, m.bucket, sum(m.executions), sum(m.seconds)
    FROM moves m CROSS JOIN LATERAL ciclo.activity_periods(m.hour, m.accepted) p
    WHERE m.bucket IS NOT NULL AND p.grain IN ('hour', 'day', 'accepted_day') AND coalesce(p.at >= now() - ciclo.activity_kept(p.grain), true)
    GROUP BY 1, 2, 3, 4, 5
)
INSERT INTO ciclo.activity (grain, at, agent, from_status, to_status, executions)
SELECT p.grain, p.at, m.agent, m.from_status, m.to_status, sum(m.executions)
FROM moves m CROSS JOIN LATERAL ciclo.activity_periods(m.hour, m.accepted) p
WHERE p.grain NOT IN ('minute', 'accepted_day') AND coalesce(p.at >= now() - ciclo.activity_kept(p.grain), true)
GROUP BY 1, 2, 3, 4, 5;

WITH moves AS MATERIALIZED (
    SELECT date_trunc('minute', t.at, 'UTC') AS minute, e.agent, coalesce(t.from_status, '') AS from_status, t.to_status,
           greatest(extract(epoch FROM t.at - e.started_at), 0)::float8 AS seconds
    FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id
    WHERE NOT e.dry_run AND t.at >= now() - ciclo.activity_kept('minute')
), durations AS (
    INSERT INTO ciclo.activity_durations (grain, at, agent, status, bucket, executions, seconds)
    SELECT 'minute', minute, agent, to_status, ciclo.duration_bucket(seconds), count(*), sum(seconds)
    FROM moves WHERE to_status IN ('completed', 'failed', 'cancelled') GROUP BY 2, 3, 4, 5
)
INSERT INTO ciclo.activity (grain, at, agent, from_status, to_status, executions)
SELECT 'minute', minute, agent, from_status, to_status, count(*) FROM moves GROUP BY 2, 3, 4, 5;

CREATE VIEW dashboard.activity_per_minute AS
    SELECT at AS minute, agent, to_status AS status,
           coalesce(sum(executions) FILTER (WHERE to_status <> 'started' OR from_status = ''), 0)::bigint AS executions,
           coalesce(sum(executions) FILTER (WHERE to_status = 'started' AND from_status <> ''), 0)::bigint AS retried
    FROM ciclo.all_activity
    WHERE grain = 'minute' AND at >= date_trunc('minute', now() - interval '48 hours') AND to_status <> 'deleted'
    GROUP BY at, agent, to_status;
COMMENT ON VIEW dashboard.activity_per_minute IS 'How many executions entered a status in each minute of the last 48 hours, without dry runs. started is their acceptance alone; running counts each attempt. retried, of started, are those that went back to wait for another attempt.';

CREATE VIEW dashboard.activity_per_hour AS
    SELECT at AS hour, agent, to_status AS status,
           coalesce(sum(executions) FILTER (WHERE to_status <> 'started' OR from_status = ''), 0)::bigint AS executions,
           coalesce(sum(executions) FILTER (WHERE to_status = 'started' AND from_status <> ''), 0)::bigint AS retried
    FROM ciclo.all_activity
    WHERE grain = 'hour' AND at >= date_trunc('hour', now() - interval '90 days', 'UTC') AND to_status <> 'deleted'
    GROUP BY at, agent, to_status;
COMMENT ON VIEW dashboard.activity_per_hour IS 'How many executions entered a status in each hour (UTC) of the last 90 days, without dry runs. started is their acceptance alone; running counts each attempt. retried, of started, are those that went back to wait for another attempt.';

CREATE VIEW dashboard.activity_per_day AS
    SELECT at AS day, agent, to_status AS status,
           coalesce(sum(executions) FILTER (WHERE to_status <> 'started' OR from_status = ''), 0)::bigint AS executions,
           coalesce(sum(executions) FILTER (WHERE to_status = 'started' AND from_status <> ''), 0)::bigint AS retried
    FROM ciclo.all_activity
    WHERE grain = 'day' AND to_status <> 'deleted'
    GROUP BY at, agent, to_status;
COMMENT ON VIEW dashboard.activity_per_day IS 'How many executions entered a status on each day (UTC) of all history, also of executions that were pruned since, without dry runs. started is their acceptance alone; running counts each attempt. retried, of started, are those that went back to wait for another attempt.';

CREATE VIEW dashboard.durations_per_hour AS
    SELECT at AS hour, agent, sum(executions)::bigint AS executions, sum(seconds) / sum(executions)::float8 AS mean_seconds,
           ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.50 * total)) AS p50_seconds,
           ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.95 * total)) AS p95_seconds,
           ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.99 * total)) AS p99_seconds
    FROM (
        SELECT at, agent, bucket, executions, seconds,
               sum(executions) OVER (PARTITION BY at, agent ORDER BY bucket) AS upto, sum(executions) OVER (PARTITION BY at, agent) AS total
        FROM ciclo.all_durations
        WHERE grain = 'hour' AND status = 'completed' AND at >= date_trunc('hour', now() - interval '90 days', 'UTC')) d
    GROUP BY at, agent;
COMMENT ON VIEW dashboard.durations_per_hour IS 'Seconds from acceptance to completion, by the hour (UTC) of the completion, of the last 90 days, without dry runs. The mean is exact, percentiles are within 9 %.';

-- The comparisons of pairs are equalities that only the index by agent and status can
-- give in order: with those Postgres may walk the one by time, through all history.
CREATE OR REPLACE VIEW dashboard.executions_by_status AS
    SELECT c.agent, c.status, c.executions,
           (SELECT e.started_at FROM ciclo.executions e
            WHERE (e.agent, e.status) >= (c.agent, c.status) AND (e.agent, e.status) <= (c.agent, c.status) AND NOT e.dry_run
            ORDER BY e.agent DESC, e.status DESC, e.started_at, e.id LIMIT 1) AS oldest,
           (SELECT e.started_at FROM ciclo.executions e
            WHERE (e.agent, e.status) >= (c.agent, c.status) AND (e.agent, e.status) <= (c.agent, c.status) AND NOT e.dry_run
            ORDER BY e.agent, e.status, e.started_at DESC, e.id DESC LIMIT 1) AS newest
    FROM (
        SELECT agent, status, sum(executions)::bigint AS executions
        FROM (
            SELECT agent, to_status AS status, executions FROM ciclo.all_activity WHERE grain = 'ever' AND to_status <> 'deleted'
            UNION ALL
            SELECT agent, from_status, -executions FROM ciclo.all_activity WHERE grain = 'ever' AND from_status <> '') moves
        GROUP BY agent, status HAVING sum(executions) > 0) c;
COMMENT ON VIEW dashboard.executions_by_status IS 'How many executions each agent has in each status, of all history, also of executions that were pruned since, without dry runs. oldest and newest are acceptances of those that are still there; null where none is.';

CREATE OR REPLACE VIEW dashboard.executions_per_hour AS
    SELECT at AS hour, agent,
           coalesce(sum(executions) FILTER (WHERE from_status = ''), 0)::bigint AS accepted,
           coalesce(sum(executions) FILTER (WHERE to_status = 'completed'), 0)::bigint AS completed,
           coalesce(sum(executions) FILTER (WHERE to_status = 'failed'), 0)::bigint AS failed,
           coalesce(sum(executions) FILTER (WHERE to_status = 'cancelled'), 0)::bigint AS cancelled
    FROM ciclo.all_activity
    WHERE grain = 'accepted_hour' AND at >= date_trunc('hour', now() - interval '30 days', 'UTC')
    GROUP BY at, agent;
COMMENT ON VIEW dashboard.executions_per_hour IS 'Executions by the hour (UTC) of their acceptance and how they ended, of the last 30 days, without dry runs.';

CREATE OR REPLACE VIEW dashboard.durations AS
    SELECT agent, sum(executions)::bigint AS executions,
           ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.50 * total)) AS p50_seconds,
           ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.95 * total)) AS p95_seconds,
           ciclo.duration_of_bucket(min(bucket) FILTER (WHERE upto >= 0.99 * total)) AS p99_seconds
    FROM (
        SELECT agent, bucket, executions,
               sum(executions) OVER (PARTITION BY agent ORDER BY bucket) AS upto, sum(executions) OVER (PARTITION BY agent) AS total
        FROM ciclo.all_durations
        WHERE grain = 'accepted_day' AND status = 'completed' AND at >= date_trunc('day', now() - interval '30 days', 'UTC')) d
    GROUP BY agent;
COMMENT ON VIEW dashboard.durations IS 'Seconds from acceptance to completion, of the executions that were accepted today or on the 30 days before (UTC), without dry runs; within 9 %.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
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
DROP VIEW dashboard.durations_per_hour, dashboard.activity_per_day, dashboard.activity_per_hour, dashboard.activity_per_minute;
DROP TRIGGER executions_note_deletion ON ciclo.executions;
DROP TRIGGER executions_note_move ON ciclo.executions;
DROP TRIGGER executions_note_acceptance ON ciclo.executions;
DROP FUNCTION ciclo.note_move;
DROP VIEW ciclo.all_durations, ciclo.all_activity;
DROP TABLE ciclo.activity_durations, ciclo.activity, ciclo.uncounted_moves;
DROP FUNCTION ciclo.activity_kept, ciclo.activity_periods, ciclo.duration_of_bucket, ciclo.duration_bucket;
