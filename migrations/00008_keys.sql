-- Accepting once: by the client's own key, and for agents that run one at a time.
-- +goose Up
ALTER TABLE ciclo.executions
    -- The client's name for its request: the same again is the same execution.
    ADD COLUMN idempotency_key text COLLATE "C",
    -- SHA-256 of what was asked for under that key.
    ADD COLUMN request_hash bytea,
    -- At most one of the agent's is alive.
    ADD COLUMN single_flight boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT executions_key_shape CHECK (
        (idempotency_key IS NULL) = (request_hash IS NULL)
        AND length(idempotency_key) BETWEEN 1 AND 255 AND length(request_hash) = 32);
CREATE UNIQUE INDEX executions_idempotency_key ON ciclo.executions (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX executions_single_flight ON ciclo.executions (agent) WHERE single_flight AND ended_at IS NULL;

-- +goose Down
DROP INDEX ciclo.executions_single_flight;
DROP INDEX ciclo.executions_idempotency_key;
ALTER TABLE ciclo.executions
    DROP CONSTRAINT executions_key_shape,
    DROP COLUMN single_flight,
    DROP COLUMN request_hash,
    DROP COLUMN idempotency_key;
