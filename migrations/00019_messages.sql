-- Messages that agents draft for clients, who may be written to, and when. The
-- rules are kept by this file, whatever writes: a message leaves only over a row of
-- ciclo.contacts, and that row can't come about against them.
-- +goose Up

-- The firm's rules. One row.
CREATE TABLE ciclo.contact_policy (
    singleton      boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- The channels that are on; none is.
    channels       text[] NOT NULL DEFAULT '{}' CHECK (channels <@ ARRAY['whatsapp', 'email']),
    -- Templates whose messages need no approval.
    auto_templates text[] NOT NULL DEFAULT '{}',
    -- Between two messages to one client, or to one address.
    cooldown       interval NOT NULL DEFAULT '7 days' CHECK (cooldown >= interval '0' AND cooldown <= interval '365 days'),
    -- Messages a day, of the firm's zone.
    daily_cap      integer NOT NULL DEFAULT 100 CHECK (daily_cap BETWEEN 0 AND 10000),
    -- Nobody is written to between these times of the client's day; equal is never.
    quiet_from     time NOT NULL DEFAULT '20:00',
    quiet_until    time NOT NULL DEFAULT '08:00',
    -- The firm's zone, and that of clients whose own isn't known.
    zone           text NOT NULL DEFAULT 'UTC' CHECK ((timestamptz '2000-01-01 00:00Z' AT TIME ZONE zone) IS NOT NULL),
    -- Of national phone numbers: two letters, or none.
    region         text NOT NULL DEFAULT '' CHECK (region ~ '^([A-Z]{2})?$'),
    -- How the firm signs.
    firm           text NOT NULL DEFAULT '' CHECK (length(firm) <= 100 AND firm !~ '[[:cntrl:]]'),
    changed_at     timestamptz NOT NULL DEFAULT now(),
    changed_by     text NOT NULL DEFAULT 'default'
);
INSERT INTO ciclo.contact_policy DEFAULT VALUES;
CREATE FUNCTION ciclo.keep_contact_policy() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the contact policy is changed, never removed' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER contact_policy_stays BEFORE DELETE ON ciclo.contact_policy FOR EACH ROW EXECUTE FUNCTION ciclo.keep_contact_policy();

-- Texts by language. {name|there} is the client's name, or there where it isn't
-- known; {firm} is the firm's.
CREATE TABLE ciclo.message_templates (
    name       text NOT NULL CHECK (name ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(name) <= 64),
    language   text NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200 AND subject !~ '[[:cntrl:]]'),
    body       text NOT NULL CHECK (length(body) BETWEEN 1 AND 1500),
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT 'default',
    PRIMARY KEY (name, language),
    CONSTRAINT message_templates_placeholders
        CHECK (regexp_replace(subject || body, '\{(name|firm)(\|[^{}|]{0,60})?\}', '', 'g') !~ '[{}]')
);
INSERT INTO ciclo.message_templates (name, language, subject, body) VALUES
    ('slipping', 'en', 'Is there anything that we can do for you?',
     E'Hello {name|there},\nit has been a while since we last worked together. If there is a matter that we can help you with, just answer this message.\n{firm}\n\nTo hear no more from us, answer STOP.'),
    ('slipping', 'it', 'Possiamo fare qualcosa per lei?',
     E'Buongiorno {name|},\nè passato un po'' di tempo dall''ultima volta che abbiamo lavorato insieme. Se c''è una questione in cui possiamo esserle utili, basta rispondere a questo messaggio.\n{firm}\n\nPer non ricevere altri messaggi, risponda STOP.'),
    ('slipping', 'id', 'Ada yang bisa kami bantu?',
     E'Halo {name|Bapak/Ibu},\nsudah cukup lama sejak terakhir kali kami membantu Anda. Jika ada keperluan yang bisa kami bantu, silakan balas pesan ini.\n{firm}\n\nJika tidak ingin menerima pesan lagi, balas STOP.');

CREATE TABLE ciclo.messages (
    id              text COLLATE "C" PRIMARY KEY CHECK (id ~ '^message_[0-9a-z_-]+$'),
    client_id       text NOT NULL CHECK (client_id <> ''),
    -- The execution that drafted it, the template, and why in numbers.
    drafted_by      text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),
    template        text NOT NULL,
    language        text NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    reasons         jsonb NOT NULL CHECK (jsonb_typeof(reasons) = 'object'),

    channel         text NOT NULL CHECK (channel IN ('whatsapp', 'email')),
    address         text NOT NULL,
    -- The client's, of the quiet hours.
    zone            text NOT NULL CHECK ((timestamptz '2000-01-01 00:00Z' AT TIME ZONE zone) IS NOT NULL),
    subject         text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200 AND subject !~ '[[:cntrl:]]'),
    -- Line breaks and tabs, but nothing else that moves a terminal's cursor.
    body            text NOT NULL CHECK (length(body) BETWEEN 1 AND 1600 AND body ~ '[^[:space:]]' AND body !~ '[\x01-\x08\x0b-\x1f\x7f]'),
    -- What was filled into the template, for providers that have it registered. Empty
    -- once somebody wrote another text.
    variables       jsonb CHECK (jsonb_typeof(variables) = 'object'),

    status          text NOT NULL DEFAULT 'draft'
                    CHECK (status IN ('draft', 'approved', 'sending', 'sent', 'unknown', 'failed', 'rejected', 'expired')),
    status_at       timestamptz NOT NULL DEFAULT now(),
    -- Why it is there, for those that a person reads: put off, failed, rejected, unknown.
    reason          text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL DEFAULT now() + interval '14 days',
    -- Who let it out: a token's name, or policy.
    approved_by     text,
    approved_at     timestamptz,
    -- When it may be tried, and the execution that does.
    not_before      timestamptz NOT NULL DEFAULT now(),
    execution_id    text COLLATE "C" REFERENCES ciclo.executions (id),
    -- How often the provider put it off.
    put_off         integer NOT NULL DEFAULT 0 CHECK (put_off >= 0),
    sent_at         timestamptz,
    provider_id     text,

    CONSTRAINT messages_address
        CHECK (CASE channel WHEN 'whatsapp' THEN address ~ '^\+[1-9][0-9]{6,14}$'
                            ELSE address ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' AND length(address) <= 254 AND address = lower(address) END),
    CONSTRAINT messages_approved_by_somebody
        CHECK (status IN ('draft', 'rejected', 'expired') OR (approved_by IS NOT NULL AND approved_at IS NOT NULL)),
    CONSTRAINT messages_sent_at CHECK ((status = 'sent') = (sent_at IS NOT NULL)),
    CONSTRAINT messages_sending_by CHECK (status NOT IN ('sending', 'unknown', 'sent') OR execution_id IS NOT NULL),
    CONSTRAINT messages_say_why CHECK (status NOT IN ('unknown', 'failed', 'rejected') OR reason <> '')
);
-- A client has one message at a time.
CREATE UNIQUE INDEX messages_one_open ON ciclo.messages (client_id) WHERE status IN ('draft', 'approved', 'sending', 'unknown');
CREATE INDEX messages_by_status ON ciclo.messages (status, id);
CREATE INDEX messages_by_client ON ciclo.messages (client_id, id);
CREATE INDEX messages_by_address ON ciclo.messages (address);
CREATE INDEX messages_by_execution ON ciclo.messages (execution_id) WHERE execution_id IS NOT NULL;
CREATE INDEX messages_to_send ON ciclo.messages (not_before) WHERE status = 'approved' AND execution_id IS NULL;
CREATE INDEX messages_to_expire ON ciclo.messages (expires_at) WHERE status IN ('draft', 'approved') AND execution_id IS NULL;

-- Who wants to hear no more. An open row stops the address and the client.
CREATE TABLE ciclo.opt_outs (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- E.164, or a mail address in lower case, as messages have it.
    address   text CHECK (address <> '' AND address = lower(address) AND address !~ '[[:space:][:cntrl:]]'),
    client_id text CHECK (client_id <> ''),
    source    text NOT NULL CHECK (source IN ('inbound', 'provider', 'hand')),
    detail    text NOT NULL DEFAULT '',
    at        timestamptz NOT NULL DEFAULT now(),
    ended_at  timestamptz,
    ended_by  text,
    CONSTRAINT opt_outs_are_somebodys CHECK (address IS NOT NULL OR client_id IS NOT NULL),
    CONSTRAINT opt_outs_end_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX opt_outs_by_address ON ciclo.opt_outs (address) WHERE ended_at IS NULL;
CREATE INDEX opt_outs_by_client ON ciclo.opt_outs (client_id) WHERE ended_at IS NULL;
-- What the client said itself and what was written down by hand are two: each is
-- ended by its own.
CREATE UNIQUE INDEX opt_outs_once ON ciclo.opt_outs (coalesce(address, ''), coalesce(client_id, ''), source) WHERE ended_at IS NULL;

-- +goose StatementBegin
CREATE FUNCTION ciclo.is_quiet(at timestamptz, zone text, quiet_from time, quiet_until time) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN quiet_from <= quiet_until THEN local >= quiet_from AND local < quiet_until
                ELSE local >= quiet_from OR local < quiet_until END
    FROM (SELECT (at AT TIME ZONE zone)::time AS local) clock
$$;
-- The first instant after at that is not quiet, where at is.
CREATE FUNCTION ciclo.quiet_ends(at timestamptz, zone text, quiet_until time) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$
    SELECT (local::date + CASE WHEN local::time < quiet_until THEN 0 ELSE 1 END + quiet_until) AT TIME ZONE zone
    FROM (SELECT at AT TIME ZONE zone AS local) clock
$$;
-- +goose StatementEnd

-- A message that leaves, or may have: INSERT INTO ciclo.contacts (message_id) is
-- the whole reservation. The trigger fills in the rest from the message and the
-- policy, whatever was given; the constraints refuse. Their names say why.
CREATE TABLE ciclo.contacts (
    message_id         text COLLATE "C" PRIMARY KEY REFERENCES ciclo.messages (id),
    client_id          text NOT NULL,
    address            text NOT NULL,
    at                 timestamptz NOT NULL,
    -- The contact before it, of the client and of the address: a chain, in which
    -- none has two successors, so that no two can come in between.
    previous_at         timestamptz,
    address_previous_at timestamptz,
    cooldown           interval NOT NULL,
    day                date NOT NULL,
    number             integer NOT NULL,
    daily_cap          integer NOT NULL,
    firm_zone          text NOT NULL,
    zone               text NOT NULL,
    quiet_from         time NOT NULL,
    quiet_until        time NOT NULL,

    CONSTRAINT contacts_by_client UNIQUE (client_id, at),
    CONSTRAINT contacts_by_address UNIQUE (address, at),
    CONSTRAINT contacts_after_client FOREIGN KEY (client_id, previous_at) REFERENCES ciclo.contacts (client_id, at),
    CONSTRAINT contacts_after_address FOREIGN KEY (address, address_previous_at) REFERENCES ciclo.contacts (address, at),
    CONSTRAINT contacts_cooldown CHECK (at >= previous_at + cooldown AND at >= address_previous_at + cooldown),
    CONSTRAINT contacts_daily_number UNIQUE (day, number),
    CONSTRAINT contacts_daily_cap CHECK (number BETWEEN 1 AND daily_cap),
    CONSTRAINT contacts_day CHECK (day = (at AT TIME ZONE firm_zone)::date),
    CONSTRAINT contacts_quiet_hours CHECK (NOT ciclo.is_quiet(at, zone, quiet_from, quiet_until))
);
CREATE UNIQUE INDEX contacts_chain ON ciclo.contacts (client_id, coalesce(previous_at, '-infinity'));
CREATE UNIQUE INDEX contacts_address_chain ON ciclo.contacts (address, coalesce(address_previous_at, '-infinity'));

-- +goose StatementBegin
CREATE FUNCTION ciclo.reserve_contact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    p       ciclo.contact_policy;
    m       ciclo.messages;
    consent boolean;
BEGIN
    -- One at a time; an opt-out waits here too, or is seen below.
    SELECT * INTO STRICT p FROM ciclo.contact_policy FOR NO KEY UPDATE;
    SELECT * INTO m FROM ciclo.messages WHERE id = NEW.message_id FOR NO KEY UPDATE;
    IF m.status IS DISTINCT FROM 'approved' THEN
        RAISE EXCEPTION 'message % is not approved', NEW.message_id USING ERRCODE = 'check_violation', CONSTRAINT = 'contacts_approved';
    END IF;
    IF NOT m.channel = ANY (p.channels) THEN
        RAISE EXCEPTION 'the channel % is off', m.channel USING ERRCODE = 'check_violation', CONSTRAINT = 'contacts_channel_on';
    END IF;
    SELECT c.consent_marketing INTO consent FROM source.clients c WHERE c.id = m.client_id;
    IF consent IS NOT TRUE THEN
        RAISE EXCEPTION 'client % has not consented', m.client_id USING ERRCODE = 'check_violation', CONSTRAINT = 'contacts_consent';
    END IF;
    IF EXISTS (SELECT FROM ciclo.opt_outs o WHERE o.address = m.address AND o.ended_at IS NULL)
       OR EXISTS (SELECT FROM ciclo.opt_outs o WHERE o.client_id = m.client_id AND o.ended_at IS NULL) THEN
        RAISE EXCEPTION 'client % has opted out', m.client_id USING ERRCODE = 'check_violation', CONSTRAINT = 'contacts_opt_out';
    END IF;
    NEW.client_id := m.client_id;
    NEW.address := m.address;
    NEW.zone := m.zone;
    NEW.at := clock_timestamp();
    NEW.cooldown := p.cooldown;
    NEW.daily_cap := p.daily_cap;
    NEW.firm_zone := p.zone;
    NEW.quiet_from := p.quiet_from;
    NEW.quiet_until := p.quiet_until;
    NEW.day := (NEW.at AT TIME ZONE p.zone)::date;
    NEW.previous_at := (SELECT max(at) FROM ciclo.contacts WHERE client_id = m.client_id);
    NEW.address_previous_at := (SELECT max(at) FROM ciclo.contacts WHERE address = m.address);
    -- The first number that is free: one that was withdrawn is used again. None is
    -- where the cap was lowered below the day's use.
    NEW.number := coalesce((
        SELECT n FROM generate_series(1, p.daily_cap) n
        WHERE NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.day = NEW.day AND c.number = n) ORDER BY n LIMIT 1), p.daily_cap + 1);
    RETURN NEW;
END $$;
CREATE FUNCTION ciclo.begin_sending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ciclo.messages SET status = 'sending', reason = NULL WHERE id = NEW.message_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER contacts_reserve BEFORE INSERT ON ciclo.contacts FOR EACH ROW EXECUTE FUNCTION ciclo.reserve_contact();
CREATE TRIGGER contacts_begin_sending AFTER INSERT ON ciclo.contacts FOR EACH ROW EXECUTE FUNCTION ciclo.begin_sending();
CREATE TRIGGER contacts_fixed BEFORE UPDATE ON ciclo.contacts FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_change();

-- The moves of a message, and what may change with them.
-- +goose StatementBegin
CREATE FUNCTION ciclo.guard_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.client_id <> OLD.client_id OR NEW.channel <> OLD.channel OR NEW.address <> OLD.address OR NEW.zone <> OLD.zone
       OR NEW.drafted_by <> OLD.drafted_by OR NEW.template <> OLD.template OR NEW.language <> OLD.language
       OR (OLD.status <> 'draft' AND (NEW.subject <> OLD.subject OR NEW.body <> OLD.body OR NEW.variables IS DISTINCT FROM OLD.variables
           OR NEW.approved_by IS DISTINCT FROM OLD.approved_by)) THEN
        RAISE EXCEPTION 'message %: what was drafted or approved stays', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    IF NOT ((OLD.status, NEW.status) IN (
        ('draft', 'approved'), ('draft', 'rejected'), ('draft', 'expired'),
        ('approved', 'sending'), ('approved', 'rejected'), ('approved', 'expired'), ('approved', 'failed'),
        ('sending', 'sent'), ('sending', 'unknown'), ('sending', 'failed'), ('sending', 'approved'), ('sending', 'rejected'),
        ('unknown', 'sent'), ('unknown', 'approved'), ('unknown', 'rejected'))) THEN
        RAISE EXCEPTION 'message % can''t move from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = 'sending' AND NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.message_id = NEW.id) THEN
        RAISE EXCEPTION 'message % has no contact', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('approved', 'failed', 'rejected') AND EXISTS (
        SELECT FROM ciclo.effects f WHERE f.execution_id = OLD.execution_id AND f.name = 'send'
        AND f.state IN ('intended', 'done', 'unknown') AND OLD.status IN ('sending', 'unknown')) THEN
        RAISE EXCEPTION 'message % may have left: its effect says so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    NEW.status_at := now();
    RETURN NEW;
END $$;
-- A message begins as a draft, or as approved by the policy.
CREATE FUNCTION ciclo.guard_new_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('draft', 'approved') OR NEW.execution_id IS NOT NULL THEN
        RAISE EXCEPTION 'message % can''t begin as %', NEW.id, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- What did not leave doesn't count. Where a later contact was made after it, it stays
-- in the chain.
CREATE FUNCTION ciclo.withdraw_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ciclo.contacts c WHERE c.message_id = NEW.id
        AND NOT EXISTS (SELECT FROM ciclo.contacts n WHERE n.client_id = c.client_id AND n.previous_at = c.at)
        AND NOT EXISTS (SELECT FROM ciclo.contacts n WHERE n.address = c.address AND n.address_previous_at = c.at);
    RETURN NULL;
END $$;
-- What left, or may have, counts.
CREATE FUNCTION ciclo.keep_contact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ciclo.messages m WHERE m.id = OLD.message_id AND m.status IN ('sending', 'sent', 'unknown')) THEN
        RAISE EXCEPTION 'message % left, or may have: its contact stays', OLD.message_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
-- Who opts out has nothing waiting any more.
CREATE FUNCTION ciclo.heed_opt_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ciclo.messages SET status = 'rejected', reason = 'the client has opted out'
    WHERE (address = NEW.address OR client_id = NEW.client_id) AND status IN ('draft', 'approved');
    RETURN NULL;
END $$;
-- An opt-out and a reservation wait for each other.
CREATE FUNCTION ciclo.before_opt_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM ciclo.contact_policy FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
-- What an execution leaves of the message that it was to send, however it ends:
-- its effect says. After ten times it is given up.
CREATE FUNCTION ciclo.settle_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ciclo.messages m
    SET status      = CASE WHEN f.state = 'done' THEN 'sent' WHEN f.state = 'unknown' THEN 'unknown' WHEN m.put_off >= 9 THEN 'failed' ELSE 'approved' END,
        sent_at     = CASE f.state WHEN 'done' THEN f.settled_at END,
        provider_id = CASE f.state WHEN 'done' THEN f.outcome ->> 'provider_id' END,
        reason      = CASE f.state WHEN 'done' THEN NULL
                                   WHEN 'unknown' THEN 'it may have left: look whether the client has it, then say so'
                                   ELSE 'it was not sent: ' || coalesce(NEW.error_text, 'the execution was ' || NEW.status) END,
        not_before  = CASE WHEN f.state IN ('done', 'unknown') THEN m.not_before ELSE now() + interval '15 minutes' END,
        put_off     = m.put_off + CASE WHEN f.state IN ('done', 'unknown') THEN 0 ELSE 1 END,
        execution_id = CASE WHEN f.state IN ('done', 'unknown') THEN m.execution_id END
    FROM (SELECT NEW.id AS execution_id) e LEFT JOIN ciclo.effects f ON f.execution_id = e.execution_id AND f.name = 'send'
    WHERE m.execution_id = NEW.id AND m.status = 'sending';
    -- One that never came to it may be tried by another.
    UPDATE ciclo.messages SET status = CASE WHEN put_off >= 9 THEN 'failed' ELSE 'approved' END,
           execution_id = NULL, not_before = now() + interval '15 minutes', put_off = put_off + 1,
           reason = 'it was not sent: ' || coalesce(NEW.error_text, 'the execution was ' || NEW.status)
    WHERE execution_id = NEW.id AND status = 'approved';
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER messages_guard BEFORE UPDATE ON ciclo.messages FOR EACH ROW EXECUTE FUNCTION ciclo.guard_message();
CREATE TRIGGER messages_guard_new BEFORE INSERT ON ciclo.messages FOR EACH ROW EXECUTE FUNCTION ciclo.guard_new_message();
CREATE TRIGGER messages_withdraw AFTER UPDATE OF status ON ciclo.messages
    FOR EACH ROW WHEN (OLD.status IN ('sending', 'unknown') AND NEW.status IN ('approved', 'failed', 'rejected'))
    EXECUTE FUNCTION ciclo.withdraw_contact();
CREATE TRIGGER contacts_stay BEFORE DELETE ON ciclo.contacts FOR EACH ROW EXECUTE FUNCTION ciclo.keep_contact();
CREATE TRIGGER opt_outs_wait BEFORE INSERT ON ciclo.opt_outs FOR EACH ROW EXECUTE FUNCTION ciclo.before_opt_out();
CREATE TRIGGER opt_outs_heed AFTER INSERT ON ciclo.opt_outs FOR EACH ROW WHEN (NEW.ended_at IS NULL) EXECUTE FUNCTION ciclo.heed_opt_out();
-- Its name comes after executions_leave_effects: that settles the effects first.
CREATE TRIGGER executions_settle_message AFTER UPDATE OF status ON ciclo.executions
    FOR EACH ROW WHEN (NEW.agent = 'message-sender' AND NEW.status IN ('completed', 'failed', 'cancelled'))
    EXECUTE FUNCTION ciclo.settle_message();

CREATE VIEW dashboard.messages AS
    SELECT id, client_id, channel, template, language, status, reason, created_at, approved_by, approved_at, sent_at, execution_id
    FROM ciclo.messages;
COMMENT ON VIEW dashboard.messages IS 'Messages to clients and their fate; unknown waits for a person.';
CREATE VIEW dashboard.messages_by_status AS
    SELECT status, channel, template, count(*) AS messages, min(status_at) AS oldest FROM ciclo.messages GROUP BY 1, 2, 3;
COMMENT ON VIEW dashboard.messages_by_status IS 'How many messages stand where.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.messages_by_status, dashboard.messages;
DROP TRIGGER executions_settle_message ON ciclo.executions;
DROP TABLE ciclo.contacts, ciclo.opt_outs, ciclo.messages, ciclo.message_templates, ciclo.contact_policy;
DROP FUNCTION ciclo.settle_message, ciclo.guard_new_message, ciclo.withdraw_contact, ciclo.keep_contact, ciclo.before_opt_out, ciclo.heed_opt_out, ciclo.guard_message, ciclo.begin_sending,
    ciclo.reserve_contact, ciclo.quiet_ends, ciclo.is_quiet, ciclo.keep_contact_policy;
