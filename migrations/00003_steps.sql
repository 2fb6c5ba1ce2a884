-- What an attempt has finished: a later attempt gets it back instead of doing it again.
-- +goose Up
CREATE TABLE ciclo.steps (
    execution_id text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id) ON DELETE CASCADE,
    name         text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    -- The attempt and worker that finished it.
    attempt      integer NOT NULL CHECK (attempt > 0),
    worker_id    uuid NOT NULL,
    -- Agents keep bulk in tables of their own.
    output       jsonb NOT NULL CHECK (pg_column_size(output) <= 2 * 1048576),
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (execution_id, name)
);

-- +goose Down
DROP TABLE ciclo.steps;
