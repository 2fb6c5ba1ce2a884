-- The views that dashboards need beside those there were, and plans for all of them
-- that cost the same however long the history is. A view of what executions did
-- (attempts, transitions, steps, effects, cost) shows when its execution was
-- accepted: that has an index, so a window of it is read and nothing else, and no
-- table that every move writes gets another index.
-- +goose Up

-- Failures are few and written once.
CREATE INDEX executions_failed ON ciclo.executions (started_at DESC, id DESC) WHERE status = 'failed';
CREATE INDEX workers_by_start ON ciclo.workers (started_at);
CREATE INDEX notices_by_time ON ciclo.notices (at DESC);
CREATE INDEX slots_by_due ON ciclo.slots (due_at DESC, schedule);
CREATE INDEX webhook_deliveries_given_up ON ciclo.webhook_deliveries (webhook_id, created_at) WHERE due_at IS NULL AND delivered_at IS NULL;

-- What executions are and did

CREATE OR REPLACE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id, dry_run,
           priority, origin, requested_by, retry_of, cycle_id, deadline_at,
           split_part(left(error_text, 500), E'\n', 1) AS error,
           status = 'running' AND coalesce(greatest(progress_at, running_at) < now() - stall_seconds * interval '1 second', false) AS stalled
    FROM ciclo.executions;

-- Each index holds one half: what waits in the queue, and what waits for its time.
-- A due time is had by what is started alone (executions_running_shape, executions_final_shape).
CREATE OR REPLACE VIEW dashboard.queue AS
    SELECT e.agent,
           count(*) FILTER (WHERE e.next_attempt_at IS NULL) AS waiting,
           count(*) FILTER (WHERE e.next_attempt_at IS NOT NULL) AS waiting_for_retry,
           coalesce(extract(epoch FROM now() - min(e.status_at) FILTER (WHERE e.next_attempt_at IS NULL)), 0)::float8 AS oldest_seconds
    FROM (SELECT agent, status_at, next_attempt_at FROM ciclo.executions WHERE status = 'started' AND next_attempt_at IS NULL
          UNION ALL
          SELECT agent, status_at, next_attempt_at FROM ciclo.executions WHERE next_attempt_at IS NOT NULL) e
    GROUP BY e.agent;

CREATE OR REPLACE VIEW dashboard.workers AS
    SELECT w.id, w.host, w.pid, w.version, w.concurrency, w.started_at, w.beat_at,
           CASE WHEN w.ended_at IS NOT NULL THEN 'ended' WHEN w.lease_until < now() THEN 'lost'
                WHEN w.stopping_at IS NOT NULL THEN 'stopping' ELSE 'alive' END AS condition,
           (SELECT count(*) FROM ciclo.executions e WHERE e.worker_id = w.id AND e.status = 'running') AS running,
           w.lease_until, w.stopping_at, w.ended_at
    FROM ciclo.workers w
    WHERE w.started_at > now() - interval '30 days' OR w.ended_at IS NULL;

-- Names are found one by one in the index by agent: as many steps as there are agents.
CREATE VIEW dashboard.agents AS
    WITH RECURSIVE known AS (
        (SELECT agent FROM ciclo.executions ORDER BY agent LIMIT 1)
        UNION ALL
        SELECT (SELECT e.agent FROM ciclo.executions e WHERE e.agent > k.agent ORDER BY e.agent LIMIT 1) FROM known k WHERE k.agent IS NOT NULL
    ), names AS (
        SELECT agent FROM known WHERE agent IS NOT NULL
        UNION
        SELECT jsonb_object_keys(w.concurrency) FROM ciclo.workers w WHERE w.ended_at IS NULL
    ), running AS (
        SELECT e.agent, count(*) AS executions FROM ciclo.executions e WHERE e.status = 'running' GROUP BY e.agent
    ), places AS (
        SELECT p.agent, sum(p.places::integer) AS places
        FROM ciclo.workers w CROSS JOIN LATERAL jsonb_each_text(w.concurrency) p (agent, places)
        WHERE w.ended_at IS NULL AND w.lease_until >= now() AND w.stopping_at IS NULL
        GROUP BY p.agent
    )
    SELECT n.agent, coalesce(r.executions, 0) AS running, coalesce(p.places, 0) AS places,
           coalesce(q.waiting, 0) AS waiting, coalesce(q.waiting_for_retry, 0) AS waiting_for_retry, coalesce(q.oldest_seconds, 0) AS oldest_seconds,
           EXISTS (SELECT FROM ciclo.pauses s WHERE s.agent IN (n.agent, '*')) AS paused,
           done.ended_at AS last_completed_at, done.id AS last_completed_execution,
           failed.ended_at AS last_failed_at, failed.id AS last_failed_execution
    FROM names n
    LEFT JOIN running r ON r.agent = n.agent
    LEFT JOIN places p ON p.agent = n.agent
    LEFT JOIN dashboard.queue q ON q.agent = n.agent
    LEFT JOIN LATERAL (SELECT e.id, e.ended_at FROM ciclo.executions e WHERE e.agent = n.agent AND e.status = 'completed'
                       ORDER BY e.ended_at DESC, e.id DESC LIMIT 1) done ON true
    LEFT JOIN LATERAL (SELECT e.id, e.ended_at FROM ciclo.executions e WHERE e.agent = n.agent AND e.status = 'failed'
                       ORDER BY e.started_at DESC, e.id DESC LIMIT 1) failed ON true;
COMMENT ON VIEW dashboard.agents IS 'One row an agent that has executions or a worker: what runs and waits now, places is how many the living workers run at once, and its last completed and last accepted failed execution.';

CREATE OR REPLACE VIEW dashboard.attempts AS
    SELECT a.execution_id, e.agent, a.attempt, a.worker_id, a.started_at, a.ended_at, a.outcome, a.error_class,
           split_part(left(a.error_text, 500), E'\n', 1) AS error,
           extract(epoch FROM coalesce(a.ended_at, now()) - a.started_at)::float8 AS seconds, e.started_at AS execution_started_at
    FROM ciclo.attempts a JOIN ciclo.executions e ON e.id = a.execution_id;
COMMENT ON VIEW dashboard.attempts IS 'Every attempt, its worker and how it ended. Filter by execution_id, or by execution_started_at: when its execution was accepted.';

CREATE VIEW dashboard.transitions AS
    SELECT t.id AS transition_id, t.execution_id, e.agent, t.at, t.from_status, t.to_status, t.attempt, t.worker_id, t.reason, t.outcome, t.error_class,
           split_part(left(t.error_text, 500), E'\n', 1) AS error, e.started_at AS execution_started_at
    FROM ciclo.transitions t JOIN ciclo.executions e ON e.id = t.execution_id;
COMMENT ON VIEW dashboard.transitions IS 'Every move of every execution, and why. The latest come first by transition_id; else filter by execution_id or execution_started_at.';

CREATE VIEW dashboard.steps AS
    SELECT s.execution_id, e.agent, s.name, s.attempt, s.started_at, s.ended_at,
           extract(epoch FROM s.ended_at - s.started_at)::float8 AS seconds, s.writes, s.copied_from, s.worker_id, e.started_at AS execution_started_at
    FROM ciclo.steps s JOIN ciclo.executions e ON e.id = s.execution_id;
COMMENT ON VIEW dashboard.steps IS 'What attempts finished and how long it took; one with copied_from was reused from that execution. Filter by execution_id or execution_started_at.';

CREATE OR REPLACE VIEW dashboard.effects AS
    SELECT f.execution_id, e.agent, f.name, f.key, f.policy, f.state, f.attempt, f.intended_at, f.settled_at, f.outcome,
           e.started_at AS execution_started_at
    FROM ciclo.effects f JOIN ciclo.executions e ON e.id = f.execution_id;

CREATE VIEW dashboard.cost AS
    SELECT e.id AS execution_id, e.agent, e.status, e.started_at, e.ended_at, e.dry_run, a.attempts, a.worker_seconds, a.lost_seconds
    FROM ciclo.executions e CROSS JOIN LATERAL (
        SELECT count(*) AS attempts,
               coalesce(sum(extract(epoch FROM coalesce(a.ended_at, now()) - a.started_at)), 0)::float8 AS worker_seconds,
               coalesce(sum(extract(epoch FROM a.ended_at - a.started_at)) FILTER (WHERE a.outcome <> 'completed'), 0)::float8 AS lost_seconds
        FROM ciclo.attempts a WHERE a.execution_id = e.id) a;
COMMENT ON VIEW dashboard.cost IS 'What an execution cost in seconds of a worker''s place: worker_seconds of all its attempts, lost_seconds of those that ended otherwise than completed. No money: nothing records what models or providers charge. Filter by started_at.';

-- Schedules, their slots and cycles

CREATE VIEW dashboard.schedules AS
    SELECT s.name AS schedule, s.description, s.agents, s.planned, coalesce(s.cron || ' ' || s.zone, 'every ' || s.interval_seconds || ' s') AS rule,
           s.cron, s.zone, s.interval_seconds, s.jitter_seconds, s.overlap, s.catch_up, s.paused_at, s.paused_reason,
           s.next_due_at, s.next_fire_at, greatest(extract(epoch FROM now() - s.next_fire_at), 0)::float8 AS overdue_seconds,
           s.broken, s.starts_at, s.ends_at, s.created_at, s.created_by,
           slot.due_at AS last_due_at, slot.outcome AS last_outcome, slot.reason AS last_reason,
           cycle.id AS last_cycle_id, cycle.status AS last_cycle_status, cycle.opened_at AS last_cycle_opened_at
    FROM ciclo.schedules s
    LEFT JOIN LATERAL (SELECT l.due_at, l.outcome, l.reason FROM ciclo.slots l WHERE l.schedule = s.name ORDER BY l.due_at DESC LIMIT 1) slot ON true
    LEFT JOIN LATERAL (SELECT c.id, c.status, c.opened_at FROM ciclo.cycles c WHERE c.schedule = s.name ORDER BY c.opened_at DESC, c.id DESC LIMIT 1) cycle ON true;
COMMENT ON VIEW dashboard.schedules IS 'Every schedule, its next and last slot and its last cycle. overdue_seconds is for how long nobody has seen to the next slot: more than a few means that no orchestrator fires; broken says why a rule can''t be read.';

CREATE OR REPLACE VIEW dashboard.cycles AS
    SELECT c.id AS cycle_id, c.schedule, c.due_at, c.opened_by, c.status, c.opened_at, c.ended_at, c.deadline_at,
           extract(epoch FROM c.ended_at - c.opened_at)::float8 AS duration_seconds,
           c.requested_by, c.planner, c.planner_error, c.max_parallel, a.agents_run, a.agents_skipped
    FROM ciclo.cycles c CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE a.decision = 'run') AS agents_run, count(*) FILTER (WHERE a.decision = 'skip') AS agents_skipped
        FROM ciclo.cycle_agents a WHERE a.cycle_id = c.id) a;
COMMENT ON VIEW dashboard.cycles IS 'What was opened by schedules and by hand, and how many agents each cycle decided to run and to skip.';

CREATE VIEW dashboard.cycle_agents AS
    SELECT a.cycle_id, c.schedule, c.opened_at, a.position, a.agent, a.decision, a.reason, a.detail, a.decided_at,
           a.execution_id, e.status, e.started_at, e.running_at, e.ended_at
    FROM ciclo.cycle_agents a JOIN ciclo.cycles c ON c.id = a.cycle_id LEFT JOIN ciclo.executions e ON e.id = a.execution_id;
COMMENT ON VIEW dashboard.cycle_agents IS 'Each cycle''s decision about each agent that it considered, why, and the execution that came of it. Filter by cycle_id or opened_at.';

CREATE OR REPLACE VIEW dashboard.slots AS
    SELECT s.schedule, s.due_at, s.outcome, s.reason, s.cycle_id, s.opened_by, s.decided_at,
           extract(epoch FROM coalesce(c.opened_at, s.decided_at) - s.due_at)::float8 AS late_seconds, c.status AS cycle_status
    FROM ciclo.slots s LEFT JOIN ciclo.cycles c ON c.id = s.cycle_id;
COMMENT ON VIEW dashboard.slots IS 'What became of each time that a schedule named. late_seconds is from the due time to the cycle, or to the decision where there is none.';

-- What the outside is told

CREATE VIEW dashboard.webhooks AS
    SELECT w.id AS webhook_id, substring(w.url from '^https?://(?:[^/?#@]*@)?([^/?#]+)') AS host, w.description, w.agents, w.statuses,
           w.created_at, w.created_by, w.ended_at, w.ended_reason, d.waiting, d.oldest_waiting_at, g.given_up, l.created_at AS last_at,
           CASE WHEN l.delivered_at IS NOT NULL THEN 'delivered' WHEN l.due_at IS NULL AND l.created_at IS NOT NULL THEN 'given_up' WHEN l.created_at IS NOT NULL THEN 'waiting' END AS last_state,
           l.answer AS last_answer
    FROM ciclo.webhooks w
    CROSS JOIN LATERAL (SELECT count(*) AS waiting, min(x.created_at) AS oldest_waiting_at
                        FROM ciclo.webhook_deliveries x WHERE x.webhook_id = w.id AND x.due_at IS NOT NULL) d
    CROSS JOIN LATERAL (SELECT count(*) AS given_up FROM ciclo.webhook_deliveries x
                        WHERE x.webhook_id = w.id AND x.due_at IS NULL AND x.delivered_at IS NULL AND x.created_at > now() - interval '7 days') g
    LEFT JOIN LATERAL (SELECT x.created_at, x.delivered_at, x.due_at, x.answer FROM ciclo.webhook_deliveries x
                       WHERE x.webhook_id = w.id ORDER BY x.id DESC LIMIT 1) l ON true;
COMMENT ON VIEW dashboard.webhooks IS 'Who is told of moves, by host alone since the rest of a URL may be a secret: deliveries that wait, that were given up in the last 7 days, and the last one.';

CREATE VIEW dashboard.messages_per_day AS
    SELECT c.day, count(*) AS messages FROM ciclo.contacts c WHERE c.day > current_date - 90 GROUP BY c.day;
COMMENT ON VIEW dashboard.messages_per_day IS 'Messages that left, or may have, by the firm''s day, of the last 90 days.';

CREATE VIEW dashboard.messages_waiting AS
    SELECT m.status, m.channel, m.template, count(*) AS messages, min(m.status_at) AS oldest
    FROM ciclo.messages m WHERE m.status IN ('draft', 'approved', 'sending', 'unknown') GROUP BY 1, 2, 3;
COMMENT ON VIEW dashboard.messages_waiting IS 'Messages that are not over: drafts wait for approval, approved ones for their time, unknown ones for a person.';

-- What the agents found

CREATE VIEW dashboard.churn_distribution AS
    SELECT b.bucket / 10.0::float8 AS from_risk, (b.bucket + 1) / 10.0::float8 AS to_risk,
           count(*) FILTER (WHERE v.segment = 'VIP') AS vip, count(*) FILTER (WHERE v.segment = 'HIGH') AS high,
           count(*) FILTER (WHERE v.segment = 'MEDIUM') AS medium, count(*) FILTER (WHERE v.segment = 'LOW') AS low, count(v.segment) AS clients
    FROM generate_series(0, 9) b (bucket)
    LEFT JOIN (SELECT segment, least(floor(churn_risk_90 * 10), 9) AS bucket FROM ciclo.client_values) v ON v.bucket = b.bucket
    GROUP BY b.bucket;
COMMENT ON VIEW dashboard.churn_distribution IS 'The last complete run''s clients by tenth of churn_risk_90 (from_risk included, to_risk excluded but for 1) and segment.';

CREATE VIEW dashboard.segment_change_totals AS
    SELECT r.ended_at, s.from_segment, s.to_segment, count(*) AS clients, r.id AS execution_id
    FROM (SELECT id, ended_at FROM ciclo.executions
          WHERE agent = 'client-value-predictor' AND status = 'completed' AND NOT dry_run
          ORDER BY ended_at DESC, id DESC LIMIT 50) r
    CROSS JOIN LATERAL (SELECT x.from_segment, x.to_segment FROM ciclo.segment_changes x WHERE x.execution_id = r.id) s
    GROUP BY r.id, r.ended_at, s.from_segment, s.to_segment;
COMMENT ON VIEW dashboard.segment_change_totals IS 'How many clients each of the last 50 complete runs put from one segment into another.';

-- An edge is a degree of two entities.
CREATE VIEW dashboard.graph_totals AS
    SELECT e.type, count(*) AS entities, sum(e.mentions)::bigint AS mentions, sum(e.degree)::bigint AS edge_ends
    FROM ciclo.entities e WHERE e.expired_at IS NULL GROUP BY e.type;
COMMENT ON VIEW dashboard.graph_totals IS 'What the knowledge graph holds now, by type; edges that hold are half the sum of edge_ends.';

-- Who changed what

CREATE VIEW dashboard.audit_log AS
    SELECT l.id, l.at, l.token, l.method, l.path, l.status FROM ciclo.audit_log l;
COMMENT ON VIEW dashboard.audit_log IS 'Every change that was asked for over the API but runs; token is its name, status is null where the service ended before it answered.';

CREATE VIEW dashboard.imports AS
    SELECT i.id, i.imported_at, i.kind, i.file, i.rows FROM crm.imports i;
COMMENT ON VIEW dashboard.imports IS 'Files that were imported into the default source tables.';

CREATE VIEW dashboard.erasures AS
    SELECT e.client_id, e.erased_at, e.erased_by, e.payments, e.ended_at, CASE WHEN e.ended_at IS NULL THEN 'going on' ELSE 'over' END AS condition,
           extract(epoch FROM coalesce(e.ended_at, now()) - e.erased_at)::float8 AS seconds, cardinality(e.runs) AS waits_for
    FROM ciclo.erasures e;
COMMENT ON VIEW dashboard.erasures IS 'Clients who were erased, by their id alone; waits_for counts the executions that may still write what they read before.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.erasures, dashboard.imports, dashboard.audit_log, dashboard.graph_totals, dashboard.segment_change_totals, dashboard.churn_distribution,
    dashboard.messages_waiting, dashboard.messages_per_day, dashboard.webhooks, dashboard.slots, dashboard.cycle_agents, dashboard.cycles, dashboard.schedules,
    dashboard.cost, dashboard.effects, dashboard.steps, dashboard.transitions, dashboard.attempts, dashboard.agents, dashboard.workers, dashboard.executions;
DROP INDEX ciclo.webhook_deliveries_given_up, ciclo.slots_by_due, ciclo.notices_by_time, ciclo.workers_by_start, ciclo.executions_failed;
CREATE VIEW dashboard.executions AS
    SELECT id, agent, status, attempt, failures, tries, started_at, running_at, ended_at, next_attempt_at,
           cancel_requested_at IS NOT NULL AS cancel_requested,
           extract(epoch FROM coalesce(ended_at, now()) - started_at)::float8 AS seconds,
           progress_done, progress_total, progress_text, progress_at, error_class, error_text, worker_id, dry_run
    FROM ciclo.executions;
COMMENT ON VIEW dashboard.executions IS 'One row an execution; seconds from acceptance to the end, or to now.';
CREATE OR REPLACE VIEW dashboard.queue AS
    SELECT e.agent,
           count(*) FILTER (WHERE e.next_attempt_at IS NULL) AS waiting,
           count(*) FILTER (WHERE e.next_attempt_at IS NOT NULL) AS waiting_for_retry,
           coalesce(extract(epoch FROM now() - min(e.status_at) FILTER (WHERE e.next_attempt_at IS NULL)), 0)::float8 AS oldest_seconds
    FROM ciclo.executions e WHERE e.status = 'started'
    GROUP BY e.agent;
CREATE VIEW dashboard.workers AS
    SELECT w.id, w.host, w.pid, w.version, w.concurrency, w.started_at, w.beat_at,
           CASE WHEN w.ended_at IS NOT NULL THEN 'ended' WHEN w.lease_until < now() THEN 'lost'
                WHEN w.stopping_at IS NOT NULL THEN 'stopping' ELSE 'alive' END AS condition,
           (SELECT count(*) FROM ciclo.executions e WHERE e.worker_id = w.id AND e.status = 'running') AS running
    FROM ciclo.workers w
    WHERE w.started_at > now() - interval '30 days' OR w.ended_at IS NULL;
COMMENT ON VIEW dashboard.workers IS 'Worker processes: alive, stopping, lost (the lease has expired) or ended.';
CREATE VIEW dashboard.attempts AS
    SELECT a.execution_id, e.agent, a.attempt, a.worker_id, a.started_at, a.ended_at, a.outcome, a.error_class,
           split_part(left(a.error_text, 500), E'\n', 1) AS error
    FROM ciclo.attempts a JOIN ciclo.executions e ON e.id = a.execution_id;
COMMENT ON VIEW dashboard.attempts IS 'Every attempt, its worker and how it ended.';
CREATE VIEW dashboard.effects AS
    SELECT f.execution_id, e.agent, f.name, f.key, f.policy, f.state, f.attempt, f.intended_at, f.settled_at, f.outcome
    FROM ciclo.effects f JOIN ciclo.executions e ON e.id = f.execution_id;
COMMENT ON VIEW dashboard.effects IS 'Effects on the outside world; state unknown waits for a person.';
CREATE VIEW dashboard.cycles AS
    SELECT id AS cycle_id, schedule, due_at, opened_by, status, opened_at, ended_at, deadline_at,
           extract(epoch FROM ended_at - opened_at)::float8 AS duration_seconds
    FROM ciclo.cycles;
COMMENT ON VIEW dashboard.cycles IS 'What was opened by schedules and by hand.';
CREATE VIEW dashboard.slots AS
    SELECT schedule, due_at, outcome, reason, cycle_id, opened_by, decided_at FROM ciclo.slots;
COMMENT ON VIEW dashboard.slots IS 'What became of each time that a schedule named.';
-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd
