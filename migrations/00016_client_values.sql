-- What the Client Value Predictor says beside a score: how sure it is, the facts
-- that a person can check it by, which models it chose from, and which clients
-- came into another segment. Columns of older runs' rows are empty.
-- +goose Up
ALTER TABLE ciclo.client_scores
    -- The client's purchases, days taken together and refunds netted.
    ADD COLUMN first_purchase_on       date,
    ADD COLUMN last_purchase_on        date,
    ADD COLUMN total_spend             numeric CHECK (total_spend >= 0 AND total_spend < 'Infinity'),
    ADD COLUMN clv_36_months           numeric CHECK (clv_36_months >= 0 AND clv_36_months < 'Infinity'),
    -- Intervals of 90 % of the expectations: how well the models' parameters are known.
    ADD COLUMN expected_purchases_low  double precision CHECK (expected_purchases_low >= 0),
    ADD COLUMN expected_purchases_high double precision CHECK (expected_purchases_high < 'Infinity'),
    ADD COLUMN clv_low                 numeric CHECK (clv_low >= 0),
    ADD COLUMN clv_high                numeric CHECK (clv_high < 'Infinity'),
    -- Nine in ten such clients will make so many purchases: chance and parameters.
    ADD COLUMN purchases_low           integer CHECK (purchases_low >= 0),
    ADD COLUMN purchases_high          integer,
    -- In the last complete run before this one; empty where it had no such client.
    ADD COLUMN previous_segment        text CHECK (previous_segment IN ('VIP', 'HIGH', 'MEDIUM', 'LOW')),
    ADD CONSTRAINT client_scores_purchase_days CHECK (first_purchase_on <= last_purchase_on AND last_purchase_on <= as_of),
    ADD CONSTRAINT client_scores_intervals CHECK (expected_purchases_low <= expected_purchases_high AND clv_low <= clv_high AND purchases_low <= purchases_high);

-- Both models of each run, fitted and back-tested.
CREATE TABLE ciclo.value_models (
    execution_id   text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),
    model          text NOT NULL CHECK (model IN ('BG/NBD', 'MBG/NBD')),
    chosen         boolean NOT NULL,
    as_of          date NOT NULL,
    -- Parameters with their standard errors, log-likelihood, method: the fit as JSON.
    fit            jsonb NOT NULL,
    low_confidence boolean NOT NULL,
    -- The back-test: fitted up to cut_on, held against what was bought until end_on.
    -- Empty where the history is too short for one; reason says so.
    cut_on         date,
    end_on         date,
    clients        integer CHECK (clients >= 0),
    predicted      double precision CHECK (predicted >= 0 AND predicted < 'Infinity'),
    bought         integer CHECK (bought >= 0),
    mae            double precision CHECK (mae >= 0),
    rmse           double precision CHECK (rmse >= 0),
    correlation    double precision CHECK (correlation BETWEEN -1 AND 1),
    -- An interval of 90 % of what was to be bought, and the mean of -ln P(bought).
    predicted_low  double precision CHECK (predicted_low >= 0),
    predicted_high double precision CHECK (predicted_high < 'Infinity'),
    log_score      double precision,
    -- The simplest forecast: everybody goes on at the rate of their repeat purchases.
    simple_predicted double precision CHECK (simple_predicted >= 0 AND simple_predicted < 'Infinity'),
    simple_mae     double precision CHECK (simple_mae >= 0),
    simple_rmse    double precision CHECK (simple_rmse >= 0),
    reason         text,
    PRIMARY KEY (execution_id, model),
    CONSTRAINT value_models_back_test CHECK ((predicted IS NULL) = (reason IS NOT NULL) AND num_nulls(cut_on, end_on, predicted, bought, mae, rmse, correlation, predicted_low, predicted_high, log_score, simple_predicted, simple_mae, simple_rmse) IN (0, 13)),
    CONSTRAINT value_models_interval CHECK (predicted_low <= predicted AND predicted <= predicted_high)
);
CREATE UNIQUE INDEX value_models_one_chosen ON ciclo.value_models (execution_id) WHERE chosen;

-- Each client that a run put into another segment than the complete run before it.
CREATE TABLE ciclo.segment_changes (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id          text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),
    previous_execution_id text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),
    client_id             text NOT NULL,
    from_segment          text NOT NULL CHECK (from_segment IN ('VIP', 'HIGH', 'MEDIUM', 'LOW')),
    to_segment            text NOT NULL CHECK (to_segment IN ('VIP', 'HIGH', 'MEDIUM', 'LOW')),
    changed_at            timestamptz NOT NULL DEFAULT now(),
    UNIQUE (execution_id, client_id),
    CONSTRAINT segment_changes_change CHECK (from_segment <> to_segment)
);
CREATE INDEX segment_changes_by_client ON ciclo.segment_changes (client_id, id);

-- The payments that a run in progress rests on, encoded by the agent, so that an
-- attempt after a kill goes on with the same ones. They are removed with the last
-- score; part 0 stays.
CREATE TABLE ciclo.value_payments (
    execution_id text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id) ON DELETE CASCADE,
    part         integer NOT NULL CHECK (part >= 0),
    payments     bytea NOT NULL,
    PRIMARY KEY (execution_id, part)
);
ALTER TABLE ciclo.value_payments ALTER COLUMN payments SET STORAGE EXTERNAL; -- compressing costs more than it saves

CREATE OR REPLACE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed'
        ORDER BY ended_at DESC, id DESC LIMIT 1);

-- +goose Down
DROP VIEW dashboard.client_values;
DROP VIEW ciclo.client_values;
DROP TABLE ciclo.value_payments;
DROP TABLE ciclo.segment_changes;
DROP TABLE ciclo.value_models;
ALTER TABLE ciclo.client_scores
    DROP COLUMN first_purchase_on, DROP COLUMN last_purchase_on, DROP COLUMN total_spend, DROP COLUMN clv_36_months,
    DROP COLUMN expected_purchases_low, DROP COLUMN expected_purchases_high, DROP COLUMN clv_low, DROP COLUMN clv_high,
    DROP COLUMN purchases_low, DROP COLUMN purchases_high, DROP COLUMN previous_segment;
CREATE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed'
        ORDER BY ended_at DESC, id DESC LIMIT 1);
CREATE VIEW dashboard.client_values AS
    SELECT v.client_id, c.name, v.segment, v.clv, v.clv_12_months, v.expected_purchases, v.expected_spend, v.churn_risk_30,
           v.churn_risk_90, v.p_alive, v.repeat_purchases, v.recency_weeks, v.age_weeks, v.mean_spend, v.low_confidence,
           v.as_of, v.execution_id
    FROM ciclo.client_values v LEFT JOIN source.clients c ON c.id = v.client_id;
