-- Orchestrators say that they run, as workers do: behind a pooler their sessions don't.
-- +goose Up

-- The processes that run, or did until lately. Each says so again every 30 seconds, and
-- takes its row away when it stops.
CREATE TABLE ciclo.orchestrators (
    id             uuid PRIMARY KEY,
    host           text NOT NULL,
    version        text NOT NULL,
    -- The schema version that it was built with.
    schema_version bigint NOT NULL CHECK (schema_version > 0),
    began_at       timestamptz NOT NULL DEFAULT now(),
    seen_at        timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE ciclo.orchestrators;
