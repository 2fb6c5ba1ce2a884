-- What services and agents leave behind beside executions, in proportion to them
-- where a system would have it so, and otherwise of one firm. In one transaction.

INSERT INTO ciclo.steps (execution_id, name, attempt, worker_id, output, started_at, ended_at)
SELECT id, 'step ' || river_job_id % 5, 1, '019ac5a8-6f0e-7000-8000-000000000000', '{"done": true}', running_at, ended_at
FROM ciclo.executions WHERE ended_at IS NOT NULL ORDER BY started_at;

INSERT INTO ciclo.effects (execution_id, name, key, policy, state, attempt, worker_id, intended_at, settled_at, outcome)
SELECT id, 'send', id || '/send', 'once', state, 1, '019ac5a8-6f0e-7000-8000-000000000000', running_at, ended_at, CASE state WHEN 'done' THEN '{}'::jsonb END
FROM (SELECT id, running_at, ended_at, CASE WHEN n > 20 THEN 'done' ELSE 'unknown' END AS state
      FROM (SELECT id, running_at, ended_at, row_number() OVER (ORDER BY started_at DESC) AS n FROM ciclo.executions WHERE river_job_id % 10 = 0 AND ended_at IS NOT NULL) newest) e
ORDER BY running_at;

INSERT INTO ciclo.audit_log (at, token, method, path, status)
SELECT started_at, 'operator', 'POST', '/api/autonomous-agents/executions/' || id || '/cancel', 202
FROM ciclo.executions WHERE river_job_id % 20 = 0 ORDER BY started_at;

INSERT INTO ciclo.notices (kind, agent, execution_id, subject, text, at, due_at, tries, sent_at)
SELECT 'failed', agent, id, agent || ': a scheduled execution failed for good', 'It failed.', ended_at, NULL, 1, ended_at
FROM ciclo.executions WHERE status = 'failed' AND river_job_id % 2 = 0;

-- Workers that were replaced, one a thousand executions; one that lives, one that stops, one that is lost.
INSERT INTO ciclo.workers (id, host, pid, version, concurrency, started_at, beat_at, lease_until, ended_at)
SELECT gen_random_uuid(), 'host-' || river_job_id % 4, 4000, 'v1', '{"test-noop": 4}', started_at, ended_at, ended_at, ended_at
FROM ciclo.executions WHERE river_job_id % 1000 = 0;
INSERT INTO ciclo.workers (id, host, pid, version, concurrency, lease_until, stopping_at) VALUES
    ('019ac5a8-6f0e-7000-8000-000000000001', 'host-1', 4711, 'v2', '{"test-noop": 4, "test-slow": 2}', now() + interval '1 day', NULL),
    ('019ac5a8-6f0e-7000-8000-000000000002', 'host-2', 4712, 'v2', '{"test-noop": 4}', now() + interval '1 day', now()),
    ('019ac5a8-6f0e-7000-8000-000000000003', 'host-3', 4713, 'v2', '{"test-noop": 4}', now() - interval '1 hour', NULL);
INSERT INTO ciclo.pauses (agent, kind, reason) VALUES ('test-fail', 'hand', 'it is being mended');

-- Five that run, five that wait, two of them for their next attempt; an attempt that was lost.
INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, worker_id, river_job_id, next_attempt_at, started_at, running_at, failures, progress_done, progress_total, progress_text, progress_at)
SELECT 'noop_019ac5a8-6f0e-7000-a000-' || lpad(i::text, 12, '0'), 'test-noop', CASE WHEN i < 6 THEN 'running' ELSE 'started' END, CASE WHEN i < 6 OR i > 8 THEN 1 ELSE 0 END, 3, 600,
       CASE WHEN i < 6 THEN '019ac5a8-6f0e-7000-8000-000000000001'::uuid END, CASE WHEN i < 9 THEN 100000000 + i END, CASE WHEN i > 8 THEN now() + interval '1 minute' END,
       now() - i * interval '1 minute', CASE WHEN i < 6 OR i > 8 THEN now() - i * interval '30 s' END, (i > 8)::integer, CASE WHEN i < 6 THEN 1 END, CASE WHEN i < 6 THEN 5 END, CASE WHEN i < 6 THEN 'reads' END, CASE WHEN i < 6 THEN now() END
FROM generate_series(1, 10) i;
INSERT INTO ciclo.transitions (execution_id, from_status, to_status, attempt, worker_id, reason, at, outcome, error_class, error_text)
SELECT e.id, m.from_status, m.to_status, m.attempt, CASE WHEN m.attempt = 1 THEN '019ac5a8-6f0e-7000-8000-000000000003'::uuid END, m.reason, e.started_at + m.after, m.outcome,
       CASE m.outcome WHEN 'lost' THEN 'lost' END, CASE m.outcome WHEN 'lost' THEN 'the worker''s lease expired' END
FROM ciclo.executions e JOIN (VALUES
    (0, NULL, 'started', 0, 'requested', interval '0', NULL),
    (1, 'started', 'running', 1, 'claimed', interval '1 second', NULL),
    (2, 'running', 'started', 1, 'the worker was lost', interval '20 seconds', 'lost')) m (n, from_status, to_status, attempt, reason, after, outcome)
    ON m.n = 0 OR (e.attempt = 1 AND (m.n = 1 OR e.failures = 1))
WHERE e.ended_at IS NULL ORDER BY e.started_at, m.n;

-- What ended today, of each kind.
INSERT INTO ciclo.executions (id, agent, status, attempt, failures, tries, timeout_seconds, river_job_id, cancel_requested_at, started_at, running_at, ended_at, status_at, result, error_class, error_text)
SELECT 'noop_019ac5a8-6f0e-7000-b000-' || lpad(i::text, 12, '0'), 'test-noop', status, 1, (status = 'failed')::integer, 3, 600, 200000000 + i, CASE status WHEN 'cancelled' THEN at END, at, at, at + i * interval '1 second', at + i * interval '1 second',
       CASE status WHEN 'completed' THEN '{}'::jsonb END, CASE status WHEN 'failed' THEN 'permanent' END, CASE status WHEN 'failed' THEN 'it can''t be mended' END
FROM (SELECT i, now() - i * interval '30 minutes' AS at, (ARRAY['completed', 'failed', 'cancelled'])[1 + i % 3] AS status FROM generate_series(1, 30) i) today;

-- Schedules: an hourly slot of the last week, before that one to each hundred
-- executions. Each tenth is skipped and each twentieth caught up.
CREATE TEMPORARY TABLE due ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY due_at DESC) AS i, due_at
FROM (SELECT started_at AS due_at FROM ciclo.executions WHERE river_job_id % 100 = 0 AND started_at < now() - interval '8 days'
      UNION ALL
      SELECT now() - h * interval '1 hour' FROM generate_series(1, 168) h) d;
INSERT INTO ciclo.schedules (name, cron, zone, created_by, decided_until, next_due_at, next_fire_at)
VALUES ('hourly', '0 * * * *', 'UTC', 'operator', now(), now() + interval '1 hour', now() + interval '1 hour'),
       ('nightly', '0 3 * * *', 'Asia/Makassar', 'operator', now(), now() + interval '9 hours', now() + interval '9 hours');
INSERT INTO ciclo.cycles (id, schedule, due_at, opened_by, opened_at, deadline_at, max_parallel, planner, snapshot, ended_at, status)
SELECT 'cycle_019ac5a8-6f0e-7000-8000-' || lpad(i::text, 12, '0'), CASE i % 2 WHEN 0 THEN 'hourly' ELSE 'nightly' END, due_at, CASE i % 20 WHEN 5 THEN 'catch_up' ELSE 'slot' END, due_at + CASE i % 20 WHEN 5 THEN interval '2 hours' ELSE interval '1 second' END,
       due_at + interval '1 day', 3, 'rules', '{}', CASE WHEN i > 1 THEN due_at + interval '3 hours' END, CASE WHEN i > 1 THEN 'completed' ELSE 'running' END
FROM due WHERE i % 10 <> 0 ORDER BY due_at;
INSERT INTO ciclo.slots (schedule, due_at, outcome, reason, cycle_id, opened_by, decided_at)
SELECT CASE i % 2 WHEN 0 THEN 'hourly' ELSE 'nightly' END, due_at, CASE WHEN i % 10 = 0 THEN 'skipped' WHEN i % 20 = 5 THEN 'caught_up' ELSE 'fired' END,
       CASE WHEN i % 10 = 0 THEN 'overlap' END, CASE WHEN i % 10 <> 0 THEN 'cycle_019ac5a8-6f0e-7000-8000-' || lpad(i::text, 12, '0') END, CASE i % 20 WHEN 5 THEN 'catch_up' ELSE 'slot' END, due_at
FROM due ORDER BY due_at;
INSERT INTO ciclo.cycle_agents (cycle_id, agent, position, decision, reason, detail)
SELECT c.id, a.agent, a.position, a.decision, a.reason, a.detail
FROM ciclo.cycles c CROSS JOIN (VALUES ('test-noop', 1, 'run', 'due', 'it is due'), ('test-slow', 2, 'run', 'due', 'it is due'), ('test-fail', 3, 'skip', 'paused', 'it is paused')) a (agent, position, decision, reason, detail)
ORDER BY c.opened_at;

-- A webhook that is told of each tenth end.
INSERT INTO ciclo.webhooks (id, url, description, statuses, secret, created_by)
VALUES ('019ac5a8-6f0e-7000-8000-00000000000a', 'https://hooks.example/T0/secret', 'chat', '{completed,failed}', decode(repeat('ab', 32), 'hex'), 'operator');
INSERT INTO ciclo.webhook_deliveries (webhook_id, transition_id, created_at, due_at, tries, delivered_at, answer, error)
SELECT '019ac5a8-6f0e-7000-8000-00000000000a', id, at, CASE WHEN n <= 3 THEN now() END, 1, CASE WHEN n > 3 AND n % 50 <> 0 THEN at END, CASE WHEN n % 50 = 0 THEN 500 ELSE 200 END, CASE WHEN n % 50 = 0 THEN 'the answer was 500' END
FROM (SELECT id, at, row_number() OVER (ORDER BY id DESC) AS n FROM ciclo.transitions WHERE from_status = 'running' AND id % 10 = 0) t ORDER BY id;

-- The agents' runs, one a day for sixty days. A firm that has no clients gets a thousand.
INSERT INTO crm.clients (id, name)
SELECT 'client-' || i, 'Client ' || i FROM generate_series(1, 1000) i WHERE NOT EXISTS (SELECT FROM crm.clients);
INSERT INTO ciclo.executions (id, agent, status, attempt, tries, timeout_seconds, started_at, running_at, ended_at, status_at, result)
SELECT a.prefix || '019ac5a8-6f0e-7000-9000-' || lpad(d::text, 12, '0'), a.agent, 'completed', 1, 3, 600, at, at, at + interval '1 minute', at + interval '1 minute', '{}'
FROM (VALUES ('client-value-predictor', 'value_'), ('conversation-trainer', 'conversation_'), ('knowledge-graph-builder', 'graph_'), ('message-sender', 'message_')) a (agent, prefix)
CROSS JOIN (SELECT d, now() - (60 - d) * interval '1 day' - interval '2 hours' AS at FROM generate_series(1, 60) d) days;
INSERT INTO ciclo.client_scores (execution_id, client_id, as_of, segment, repeat_purchases, recency_weeks, age_weeks, mean_spend, p_alive, churn_risk_30, churn_risk_90,
    expected_purchases, expected_spend, expected_value, clv, clv_12_months, low_confidence, previous_segment, last_purchase_on, first_purchase_on)
SELECT e.id, c.id, e.ended_at::date, segment, c.n % 9, 10, 20, 100, 0.5, (c.n % 100) / 200.0, (c.n % 100) / 100.0, 1, 100, 100, 5000 - c.n, 4000, c.n % 7 = 0, segment, e.ended_at::date - 30, e.ended_at::date - 300
FROM ciclo.executions e CROSS JOIN LATERAL (
    SELECT id, n, CASE WHEN n <= 50 THEN 'VIP' WHEN n <= 200 THEN 'HIGH' WHEN n <= 500 THEN 'MEDIUM' ELSE 'LOW' END AS segment
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM crm.clients) numbered WHERE n <= 1000) c
WHERE e.agent = 'client-value-predictor';
INSERT INTO ciclo.segment_changes (execution_id, previous_execution_id, client_id, from_segment, to_segment, changed_at)
SELECT e.id, 'value_019ac5a8-6f0e-7000-9000-' || lpad((d - 1)::text, 12, '0'), c.id, 'HIGH', 'MEDIUM', e.ended_at
FROM generate_series(2, 60) d JOIN ciclo.executions e ON e.id = 'value_019ac5a8-6f0e-7000-9000-' || lpad(d::text, 12, '0') CROSS JOIN (SELECT id FROM crm.clients ORDER BY id LIMIT 20) c;
INSERT INTO ciclo.value_models (execution_id, model, chosen, as_of, fit, low_confidence, cut_on, end_on, clients, predicted, bought, mae, rmse, correlation, predicted_low, predicted_high, log_score, simple_predicted, simple_mae, simple_rmse)
SELECT id, model, model = 'MBG/NBD', ended_at::date, '{}', false, ended_at::date - 90, ended_at::date, 1000, 240, 250, 0.4, 0.9, 0.6, 220, 260, 0.5, 300, 0.6, 1.1
FROM ciclo.executions CROSS JOIN (VALUES ('BG/NBD'), ('MBG/NBD')) m (model) WHERE agent = 'client-value-predictor';
INSERT INTO ciclo.patterns (execution_id, kind, feature, rank, n_with, n_with_won, n_without, n_without_won, risk_difference, risk_low, risk_high, odds_ratio, odds_low, odds_high, p, q,
    confirmed, later_with, later_with_won, later_without, later_without_won, later_difference, later_low, later_high, same_as, examples)
SELECT e.id, 'ngram', 'phrase ' || i, i, 200, 120, 800, 320, 0.2, 0.1, 0.3, 2.2, 1.5, 3.1, 0.001, 0.01, true, 60, 36, 200, 80, 0.2, 0.05, 0.35, '{}', '{}'
FROM ciclo.executions e CROSS JOIN generate_series(1, 12) i WHERE e.agent = 'conversation-trainer';
INSERT INTO ciclo.prompt_proposals (id, execution_id, prompt, base_hash, patterns_hash, window_from, window_to, title, body, lines, left_out, report, plot, data_until, status, branch, pull_request, url, created_at)
SELECT 'sales-' || i, 'conversation_019ac5a8-6f0e-7000-9000-' || lpad(i::text, 12, '0'), 'sales', md5(i::text) || md5(i::text), md5(i::text) || md5(i::text), current_date - 90, current_date, 'Ask for the date', 'text', '{"Ask for the date."}', '[]', 'report', '<svg/>', now(),
       CASE i % 2 WHEN 0 THEN 'merged' ELSE 'written' END, CASE i % 2 WHEN 0 THEN 'ciclo/sales-' || i END, CASE i % 2 WHEN 0 THEN i END, CASE i % 2 WHEN 0 THEN 'https://git.example/pull/' || i END, now() - (60 - i) * interval '1 day'
FROM generate_series(1, 60) i;

INSERT INTO ciclo.entities (id, type, name, mentions, conversations, degree, first_at, last_at)
SELECT 'entity_' || lpad(i::text, 16, '0'), (ARRAY['person', 'company', 'location', 'law', 'topic'])[1 + i % 5], 'Name ' || i, 3, 2, 2, now() - interval '90 days', now() FROM generate_series(1, 2000) i;
INSERT INTO ciclo.graph_records (id, type, scope, key, name, entity_id)
SELECT 'record_' || substr(id, 8), type, '', id, name, id FROM ciclo.entities;
INSERT INTO ciclo.entity_reviews (id, record_a, record_b, probability)
SELECT 'review_' || lpad(i::text, 16, '0'), 'record_' || lpad(i::text, 16, '0'), 'record_' || lpad((i + 5)::text, 16, '0'), 0.6 FROM generate_series(1, 40) i;

-- Messages: ten of today that left, each with its contact, and those that wait.
UPDATE ciclo.contact_policy SET channels = '{email}', cooldown = '0', daily_cap = 10000, quiet_from = '00:00', quiet_until = '00:00';
UPDATE crm.clients SET consent_marketing = true WHERE id IN (SELECT id FROM crm.clients ORDER BY id LIMIT 10);
INSERT INTO ciclo.messages (id, client_id, drafted_by, template, language, reasons, channel, address, zone, subject, body, status, approved_by, approved_at)
SELECT 'message_019ac5a8-6f0e-7000-8000-' || lpad(n::text, 12, '0'), id, 'value_019ac5a8-6f0e-7000-9000-000000000060', 'slipping', 'en', '{}', 'email', 'client' || n || '@firm.example', 'UTC', 'Hello', 'Hello', CASE WHEN n <= 10 OR n % 2 = 0 THEN 'approved' ELSE 'draft' END,
       CASE WHEN n <= 10 OR n % 2 = 0 THEN 'operator' END, CASE WHEN n <= 10 OR n % 2 = 0 THEN now() END
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM crm.clients) c WHERE n <= 30;
UPDATE ciclo.messages SET execution_id = 'message_019ac5a8-6f0e-7000-9000-000000000060' WHERE id IN (SELECT 'message_019ac5a8-6f0e-7000-8000-' || lpad(n::text, 12, '0') FROM generate_series(1, 10) n);
INSERT INTO ciclo.contacts (message_id) SELECT 'message_019ac5a8-6f0e-7000-8000-' || lpad(n::text, 12, '0') FROM generate_series(1, 10) n;
UPDATE ciclo.messages SET status = CASE id WHEN 'message_1' THEN 'unknown' ELSE 'sent' END, sent_at = CASE WHEN id <> 'message_1' THEN now() END, reason = CASE id WHEN 'message_1' THEN 'it may have left' END
WHERE status = 'sending';

INSERT INTO crm.imports (kind, file, sha256, rows) SELECT 'payments', 'payments-' || i || '.csv', sha256(i::text::bytea), 1000 FROM generate_series(1, 60) i;
INSERT INTO ciclo.erasures (client_id, erased_by, ended_at) VALUES ('gone', 'operator', now()), ('going', 'operator', NULL);
