-- A dry run computes and shows, and neither writes nor sends anything.
-- +goose Up
ALTER TABLE ciclo.executions ADD COLUMN dry_run boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed' AND NOT dry_run
        ORDER BY ended_at DESC, id DESC LIMIT 1);

-- +goose Down
CREATE OR REPLACE VIEW ciclo.client_values AS
    SELECT s.*
    FROM ciclo.client_scores s
    WHERE s.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'client-value-predictor' AND status = 'completed'
        ORDER BY ended_at DESC, id DESC LIMIT 1);
ALTER TABLE ciclo.executions DROP COLUMN dry_run;
