-- Who may ask for what, and who asked for which change.
-- +goose Up
CREATE TABLE ciclo.tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' AND name <> 'CICLO_TOKEN'),
    -- SHA-256 of the token, which is kept nowhere.
    hash       bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    scopes     text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'run', 'approve', 'admin'] AND cardinality(scopes) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE UNIQUE INDEX tokens_name ON ciclo.tokens (name) WHERE revoked_at IS NULL;

-- Every change that was asked for over the API but runs, which say so themselves
-- (executions.requested_by). Written before the change; the status follows it.
CREATE TABLE ciclo.audit_log (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    token   text NOT NULL,
    method  text NOT NULL,
    path    text NOT NULL,
    -- The answer's; null where the service ended before it.
    status  integer CHECK (status BETWEEN 100 AND 599)
);
CREATE INDEX audit_log_by_time ON ciclo.audit_log (at);

-- The name of the token; null for what nobody asked for over the API.
ALTER TABLE ciclo.executions ADD COLUMN requested_by text;

-- +goose Down
ALTER TABLE ciclo.executions DROP COLUMN requested_by;
DROP TABLE ciclo.audit_log;
DROP TABLE ciclo.tokens;
