-- Pages of scores and of changes of segment, at the same cost however many clients
-- a run has; and what a person looks at of them in SQL.
-- +goose Up

-- A page is merged from the first of each segment, so that both also serve lists
-- of some segments. What else a list filters by is included: a filter that few
-- clients pass is a walk over the index alone.
CREATE INDEX client_scores_by_clv ON ciclo.client_scores (execution_id, segment, clv DESC, client_id) INCLUDE (churn_risk_90, low_confidence);
CREATE INDEX client_scores_by_churn ON ciclo.client_scores (execution_id, segment, churn_risk_90 DESC, client_id) INCLUDE (low_confidence);

CREATE INDEX segment_changes_by_segment ON ciclo.segment_changes (execution_id, to_segment, client_id);

CREATE OR REPLACE VIEW dashboard.client_values AS
    SELECT v.client_id, c.name, v.segment, v.clv, v.clv_12_months, v.expected_purchases, v.expected_spend, v.churn_risk_30,
           v.churn_risk_90, v.p_alive, v.repeat_purchases, v.recency_weeks, v.age_weeks, v.mean_spend, v.low_confidence,
           v.as_of, v.execution_id,
           v.first_purchase_on, v.last_purchase_on, v.total_spend, v.clv_low, v.clv_high, v.clv_36_months,
           v.expected_purchases_low, v.expected_purchases_high, v.expected_value, v.previous_segment, v.purchases_low, v.purchases_high
    FROM ciclo.client_values v LEFT JOIN source.clients c ON c.id = v.client_id;

CREATE VIEW dashboard.segments AS
    SELECT segment, count(*) AS clients, count(*)::float8 / sum(count(*)) OVER ()::float8 AS share,
           sum(clv) AS total_clv, avg(clv) AS mean_clv, sum(expected_purchases) AS expected_purchases,
           avg(churn_risk_30) AS mean_churn_risk_30, avg(churn_risk_90) AS mean_churn_risk_90,
           count(*) FILTER (WHERE previous_segment <> segment) AS came_from_another,
           min(as_of) AS as_of, min(execution_id) AS execution_id
    FROM ciclo.client_values GROUP BY segment;
COMMENT ON VIEW dashboard.segments IS 'The last complete run''s scores by segment.';

CREATE VIEW dashboard.segment_changes AS
    SELECT s.id, e.ended_at, s.client_id, s.from_segment, s.to_segment, s.execution_id, s.previous_execution_id
    FROM ciclo.segment_changes s JOIN ciclo.executions e ON e.id = s.execution_id
    WHERE e.status = 'completed' AND NOT e.dry_run;
COMMENT ON VIEW dashboard.segment_changes IS 'Each client that a complete run put into another segment than the run before it; ended_at is the run''s.';

CREATE VIEW dashboard.value_back_tests AS
    SELECT m.execution_id, e.ended_at, m.as_of, m.model, m.chosen, m.predicted, m.bought,
           100 * (m.predicted / nullif(m.bought, 0) - 1) AS off_percent,
           m.mae, m.rmse, m.correlation, m.clients, m.cut_on, m.end_on, m.low_confidence, m.reason,
           m.predicted_low, m.predicted_high, m.simple_predicted, m.simple_mae
    FROM ciclo.value_models m JOIN ciclo.executions e ON e.id = m.execution_id
    WHERE e.status = 'completed' AND NOT e.dry_run;
COMMENT ON VIEW dashboard.value_back_tests IS 'One row a complete run and model: the purchases it predicted for the last part of history, and those that were made.';

-- +goose Down
DROP VIEW dashboard.value_back_tests;
DROP VIEW dashboard.segment_changes;
DROP VIEW dashboard.segments;
DROP VIEW dashboard.client_values;
CREATE VIEW dashboard.client_values AS
    SELECT v.client_id, c.name, v.segment, v.clv, v.clv_12_months, v.expected_purchases, v.expected_spend, v.churn_risk_30,
           v.churn_risk_90, v.p_alive, v.repeat_purchases, v.recency_weeks, v.age_weeks, v.mean_spend, v.low_confidence,
           v.as_of, v.execution_id
    FROM ciclo.client_values v LEFT JOIN source.clients c ON c.id = v.client_id;
COMMENT ON VIEW dashboard.client_values IS 'The last complete run''s scores, one row a client.';
DROP INDEX ciclo.segment_changes_by_segment;
DROP INDEX ciclo.client_scores_by_churn;
DROP INDEX ciclo.client_scores_by_clv;
