-- Where the agents read: views in schema source over default tables in schema
-- crm. A firm with a CRM of its own replaces the views (see README) and leaves
-- the crm tables empty.
-- +goose Up
CREATE SCHEMA crm;
CREATE SCHEMA source;

CREATE TABLE crm.clients (
    -- Ids of people are the firm's own, whatever their form.
    id                text PRIMARY KEY CHECK (id <> ''),
    name              text,
    email             text,
    phone             text,
    whatsapp          text,
    language          text,
    status            text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'prospect')),
    consent_marketing boolean NOT NULL DEFAULT false,
    tags              text[] NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE crm.practice_types (
    id   text PRIMARY KEY CHECK (id <> ''),
    name text NOT NULL
);

CREATE TABLE crm.practices (
    id               text PRIMARY KEY CHECK (id <> ''),
    client_id        text NOT NULL REFERENCES crm.clients (id),
    practice_type_id text NOT NULL REFERENCES crm.practice_types (id),
    quoted_amount    numeric CHECK (quoted_amount >= 0 AND quoted_amount < 'Infinity'),
    currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    opened_at        timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz
);
CREATE INDEX practices_by_client ON crm.practices (client_id);

-- Files that were imported: the same bytes are not taken in twice unasked.
CREATE TABLE crm.imports (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    file        text NOT NULL,
    sha256      bytea NOT NULL CHECK (length(sha256) = 32),
    rows        bigint NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX imports_by_content ON crm.imports (kind, sha256);

CREATE TABLE crm.payments (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   text NOT NULL REFERENCES crm.clients (id),
    practice_id text REFERENCES crm.practices (id),
    paid_at     timestamptz NOT NULL CHECK (isfinite(paid_at)),
    -- Negative is a refund; numeric knows NaN and infinities, money doesn't.
    amount      numeric NOT NULL CHECK (amount > '-Infinity' AND amount < 'Infinity'),
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    refunded    boolean NOT NULL DEFAULT false,
    import_id   bigint REFERENCES crm.imports (id)
);
CREATE INDEX payments_by_client ON crm.payments (client_id, paid_at);

CREATE TABLE crm.interactions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   text NOT NULL REFERENCES crm.clients (id),
    channel     text NOT NULL,
    direction   text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    kind        text NOT NULL,
    sentiment   double precision CHECK (sentiment BETWEEN -1 AND 1),
    occurred_at timestamptz NOT NULL
);
CREATE INDEX interactions_by_client ON crm.interactions (client_id, occurred_at);

CREATE TABLE crm.conversations (
    id            text PRIMARY KEY CHECK (id <> ''),
    client_id     text REFERENCES crm.clients (id),
    agent_version text,
    channel       text,
    segment       text,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    outcome       text NOT NULL DEFAULT 'open' CHECK (outcome IN ('won', 'lost', 'open')),
    outcome_at    timestamptz,
    CONSTRAINT conversations_open_has_no_outcome_time CHECK (outcome <> 'open' OR outcome_at IS NULL)
);

CREATE TABLE crm.messages (
    id              text PRIMARY KEY CHECK (id <> ''),
    conversation_id text NOT NULL REFERENCES crm.conversations (id),
    role            text NOT NULL CHECK (role IN ('client', 'agent', 'system')),
    body            text NOT NULL,
    sent_at         timestamptz NOT NULL
);
CREATE INDEX messages_by_conversation ON crm.messages (conversation_id, sent_at);

CREATE TABLE crm.ratings (
    conversation_id text PRIMARY KEY REFERENCES crm.conversations (id),
    rating          smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    rated_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE crm.prompts (
    name       text NOT NULL,
    version    text NOT NULL,
    body       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

CREATE VIEW source.clients AS
    SELECT id, name, email, phone, whatsapp, language, status, consent_marketing, tags, created_at
    FROM crm.clients;
CREATE VIEW source.payments AS
    SELECT id::text, client_id, paid_at, amount, currency, refunded
    FROM crm.payments;
CREATE VIEW source.interactions AS
    SELECT id::text, client_id, channel, direction, kind, sentiment, occurred_at
    FROM crm.interactions;
CREATE VIEW source.conversations AS
    SELECT c.id, c.client_id, c.agent_version, c.channel, c.segment, c.started_at, c.ended_at,
           c.outcome, c.outcome_at, r.rating
    FROM crm.conversations c LEFT JOIN crm.ratings r ON r.conversation_id = c.id;
CREATE VIEW source.messages AS
    SELECT id, conversation_id, role, body, sent_at
    FROM crm.messages;
CREATE VIEW source.prompts AS
    SELECT name, version, body
    FROM crm.prompts;

-- +goose Down
DROP SCHEMA source CASCADE;
DROP SCHEMA crm CASCADE;
