-- Who has signed in to the dashboard. A browser holds the secret, the table its
-- SHA-256 alone, so that nobody comes in with a copy of the table; the session may
-- do what its token may now, and ends with it.
-- +goose Up
CREATE TABLE ciclo.sessions (
    secret_hash bytea PRIMARY KEY CHECK (octet_length(secret_hash) = 32),
    -- Of one of ciclo.tokens, or of the configured token, which is in no table.
    token_hash  bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    CONSTRAINT sessions_end CHECK (expires_at > created_at AND expires_at <= created_at + interval '30 days')
);
CREATE INDEX sessions_of_token ON ciclo.sessions (token_hash, created_at DESC);
CREATE INDEX sessions_expired ON ciclo.sessions (expires_at);
COMMENT ON TABLE ciclo.sessions IS 'Sessions of the dashboard: SHA-256 of the secret that the browser holds, and of the token that it signed in with.';

-- +goose Down
DROP TABLE ciclo.sessions;
