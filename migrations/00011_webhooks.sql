-- Who wants to be told of executions' moves over HTTP, and what each was told.
-- +goose Up
CREATE TABLE ciclo.webhooks (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    url         text NOT NULL CHECK (url ~ '^https?://[^/]' AND length(url) <= 2000),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    -- Empty is all.
    agents      text[] NOT NULL DEFAULT '{}',
    statuses    text[] NOT NULL CHECK (statuses <@ ARRAY['started', 'running', 'completed', 'failed', 'cancelled'] AND cardinality(statuses) > 0),
    -- Signs what is sent, so that it can't be kept as a hash; erased with the end.
    secret      bytea CHECK (length(secret) BETWEEN 24 AND 64),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- The name of the token.
    created_by  text NOT NULL,
    -- Rows stay, so that a transition never fails by the foreign key of its delivery.
    ended_at    timestamptz,
    ended_reason text,

    CONSTRAINT webhooks_sign_until_they_end CHECK ((ended_at IS NULL) = (secret IS NOT NULL) AND (ended_at IS NULL) = (ended_reason IS NULL))
);

CREATE TABLE ciclo.webhook_deliveries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id    uuid NOT NULL REFERENCES ciclo.webhooks (id),
    transition_id bigint NOT NULL REFERENCES ciclo.transitions (id) ON DELETE CASCADE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- When it is to be sent, or sent again; NULL once it was delivered or given up. A
    -- sender that takes it sets it ahead, as its lease.
    due_at        timestamptz DEFAULT now(),
    -- Grows each time that a sender takes it, and is the sender's fence.
    tries         integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    delivered_at  timestamptz,
    -- Of the last try: the HTTP status, where there was one, and what failed.
    answer        integer CHECK (answer BETWEEN 100 AND 999),
    error         text,

    UNIQUE (transition_id, webhook_id),
    CONSTRAINT deliveries_wait_or_were_made CHECK (due_at IS NULL OR delivered_at IS NULL),
    CONSTRAINT deliveries_given_up_say_why CHECK (due_at IS NOT NULL OR delivered_at IS NOT NULL OR error IS NOT NULL)
);
-- The orchestrators' look whether there is anything to send, once a second each.
CREATE INDEX webhook_deliveries_due ON ciclo.webhook_deliveries (due_at) WHERE due_at IS NOT NULL;
-- What each webhook is to be sent next, so that one that hangs is in nobody's way.
CREATE INDEX webhook_deliveries_due_by_webhook ON ciclo.webhook_deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_webhook ON ciclo.webhook_deliveries (webhook_id, id);

-- A delivery is written by the transaction of its transition: neither is ever
-- without the other. By statement, since most write many rows or no delivery.
-- +goose StatementBegin
CREATE FUNCTION ciclo.deliver_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ciclo.webhooks WHERE ended_at IS NULL) THEN
        INSERT INTO ciclo.webhook_deliveries (webhook_id, transition_id)
        SELECT w.id, m.id
        FROM moved m
        JOIN ciclo.executions e ON e.id = m.execution_id
        JOIN ciclo.webhooks w ON w.ended_at IS NULL AND m.to_status = ANY (w.statuses) AND (w.agents = '{}' OR e.agent = ANY (w.agents));
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER transitions_deliver AFTER INSERT ON ciclo.transitions
    REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION ciclo.deliver_transitions();

CREATE VIEW dashboard.webhook_deliveries AS
    SELECT d.webhook_id, d.id AS delivery_id, t.execution_id, t.to_status AS status, d.created_at,
           CASE WHEN d.delivered_at IS NOT NULL THEN 'delivered' WHEN d.due_at IS NULL THEN 'given_up' ELSE 'waiting' END AS state,
           d.delivered_at, d.due_at, d.tries, d.answer, d.error
    FROM ciclo.webhook_deliveries d JOIN ciclo.transitions t ON t.id = d.transition_id;
COMMENT ON VIEW dashboard.webhook_deliveries IS 'What webhooks were told, or are to be; answer and error are of the last try.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.webhook_deliveries;
DROP TRIGGER transitions_deliver ON ciclo.transitions;
DROP FUNCTION ciclo.deliver_transitions;
DROP TABLE ciclo.webhook_deliveries;
DROP TABLE ciclo.webhooks;
