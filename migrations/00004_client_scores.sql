-- What the Client Value Predictor finds: one row a client and execution, so that history stays.
-- +goose Up
CREATE TABLE ciclo.client_scores (
    execution_id       text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),
    client_id          text NOT NULL,
    as_of              date NOT NULL,
    segment            text NOT NULL CHECK (segment IN ('VIP', 'HIGH', 'MEDIUM', 'LOW')),

    -- The facts behind the score: purchases after the first, weeks from the first
    -- to the last purchase, weeks since the first, mean amount of the repeat purchases.
    repeat_purchases   integer NOT NULL CHECK (repeat_purchases >= 0),
    recency_weeks      double precision NOT NULL,
    age_weeks          double precision NOT NULL,
    mean_spend         numeric NOT NULL CHECK (mean_spend >= 0 AND mean_spend < 'Infinity'),

    p_alive            double precision NOT NULL CHECK (p_alive BETWEEN 0 AND 1),
    -- The probability of no purchase within so many days.
    churn_risk_30      double precision NOT NULL CHECK (churn_risk_30 BETWEEN 0 AND 1),
    churn_risk_90      double precision NOT NULL CHECK (churn_risk_90 BETWEEN 0 AND 1),
    -- Over horizon_days of the execution.
    expected_purchases double precision NOT NULL CHECK (expected_purchases >= 0 AND expected_purchases < 'Infinity'),
    expected_spend     numeric NOT NULL CHECK (expected_spend >= 0 AND expected_spend < 'Infinity'),
    expected_value     numeric NOT NULL CHECK (expected_value >= 0 AND expected_value < 'Infinity'),
    clv                numeric NOT NULL CHECK (clv >= 0 AND clv < 'Infinity'),
    clv_12_months      numeric NOT NULL CHECK (clv_12_months >= 0 AND clv_12_months < 'Infinity'),
    low_confidence     boolean NOT NULL,

    PRIMARY KEY (execution_id, client_id),
    CONSTRAINT client_scores_recency CHECK (recency_weeks BETWEEN 0 AND age_weeks)
);
CREATE INDEX client_scores_by_client ON ciclo.client_scores (client_id, execution_id);

-- The last complete run's scores: readable while the next one is computed.
CREATE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed'
        ORDER BY ended_at DESC, id DESC LIMIT 1);
CREATE INDEX executions_completed_by_agent ON ciclo.executions (agent, ended_at DESC, id DESC) WHERE status = 'completed';

-- +goose Down
DROP INDEX ciclo.executions_completed_by_agent;
DROP VIEW ciclo.client_values;
DROP TABLE ciclo.client_scores;
