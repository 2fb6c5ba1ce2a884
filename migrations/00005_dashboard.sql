-- What a person looks at in SQL or Grafana: schema dashboard, read by the role
-- ciclo_dashboard. Columns are added at the end and never change their meaning.
-- +goose Up
CREATE SCHEMA dashboard;
COMMENT ON SCHEMA dashboard IS 'Views for people and Grafana; GRANT ciclo_dashboard TO the user that reads them.';

CREATE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id
    FROM ciclo.executions;
COMMENT ON VIEW dashboard.executions IS 'One row an execution; seconds from acceptance to the end, or to now.';

CREATE VIEW dashboard.executions_by_status AS
    SELECT agent, status, count(*) AS executions, min(started_at) AS oldest, max(started_at) AS newest
    FROM ciclo.executions GROUP BY agent, status;
COMMENT ON VIEW dashboard.executions_by_status IS 'How many executions each agent has in each status, of all history.';

CREATE VIEW dashboard.executions_per_hour AS
    SELECT date_trunc('hour', started_at) AS hour, agent,
           count(*) AS accepted,
           count(*) FILTER (WHERE status = 'completed') AS completed,
           count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'cancelled') AS cancelled
    FROM ciclo.executions WHERE started_at > now() - interval '30 days'
    GROUP BY 1, 2;
COMMENT ON VIEW dashboard.executions_per_hour IS 'Executions by the hour (UTC) of their acceptance and how they ended, of the last 30 days.';

CREATE VIEW dashboard.durations AS
    SELECT agent, count(*) AS executions,
           percentile_cont(0.50) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p50_seconds,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p95_seconds,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)) AS p99_seconds
    FROM ciclo.executions
    WHERE status = 'completed' AND started_at > now() - interval '30 days'
    GROUP BY agent;
COMMENT ON VIEW dashboard.durations IS 'Seconds from acceptance to completion, of the executions of the last 30 days.';

CREATE VIEW dashboard.queue AS
    SELECT e.agent,
           count(*) FILTER (WHERE e.next_attempt_at IS NULL) AS waiting,
           count(*) FILTER (WHERE e.next_attempt_at IS NOT NULL) AS waiting_for_retry,
           coalesce(extract(epoch FROM now() - min(e.status_at) FILTER (WHERE e.next_attempt_at IS NULL)), 0)::float8 AS oldest_seconds
    FROM ciclo.executions e WHERE e.status = 'started'
    GROUP BY e.agent;
COMMENT ON VIEW dashboard.queue IS 'What waits for a worker, by agent, and for how long the oldest has.';

CREATE VIEW dashboard.failures AS
    SELECT agent, error_class, split_part(left(error_text, 500), E'\n', 1) AS error,
           count(*) AS executions, max(ended_at) AS last_at,
           (array_agg(id ORDER BY ended_at DESC))[1] AS last_execution
    FROM ciclo.executions
    WHERE status = 'failed' AND started_at > now() - interval '30 days'
    GROUP BY agent, error_class, 3;
COMMENT ON VIEW dashboard.failures IS 'Failed executions of the last 30 days by reason.';

CREATE VIEW dashboard.workers AS
    SELECT w.id, w.host, w.pid, w.version, w.concurrency, w.started_at, w.beat_at,
           CASE WHEN w.ended_at IS NOT NULL THEN 'ended' WHEN w.lease_until < now() THEN 'lost'
                WHEN w.stopping_at IS NOT NULL THEN 'stopping' ELSE 'alive' END AS condition,
           (SELECT count(*) FROM ciclo.executions e WHERE e.worker_id = w.id AND e.status = 'running') AS running
    FROM ciclo.workers w
    WHERE w.started_at > now() - interval '30 days' OR w.ended_at IS NULL;
COMMENT ON VIEW dashboard.workers IS 'Worker processes: alive, stopping, lost (the lease has expired) or ended.';

CREATE VIEW dashboard.client_values AS
    SELECT v.client_id, c.name, v.segment, v.clv, v.clv_12_months, v.expected_purchases, v.expected_spend, v.churn_risk_30,
           v.churn_risk_90, v.p_alive, v.repeat_purchases, v.recency_weeks, v.age_weeks, v.mean_spend, v.low_confidence,
           v.as_of, v.execution_id
    FROM ciclo.client_values v LEFT JOIN source.clients c ON c.id = v.client_id;
COMMENT ON VIEW dashboard.client_values IS 'The last complete run''s scores, one row a client.';

-- The role is the cluster's, so it may be there already; where this user may not
-- make roles, docs/operating.md says what an administrator runs.
-- +goose StatementBegin
DO $$
BEGIN
    CREATE ROLE ciclo_dashboard NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN RAISE NOTICE 'role ciclo_dashboard was not made: no privilege';
END $$;
DO $$
BEGIN
    GRANT USAGE ON SCHEMA dashboard TO ciclo_dashboard;
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
    ALTER DEFAULT PRIVILEGES IN SCHEMA dashboard GRANT SELECT ON TABLES TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP SCHEMA dashboard CASCADE;
