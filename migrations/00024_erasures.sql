-- A person's data erased on request. A row in ciclo.erasures is the whole permission:
-- the guards of messages, contacts and transitions let pass what erases the data of
-- a client who is there, to the erased form and nothing else; and agents read
-- nothing of a client who is there, whatever comes back by an import.
-- +goose Up
CREATE TABLE ciclo.erasures (
    -- The firm's id: it stays, as the pseudonym that money hangs on.
    client_id     text PRIMARY KEY CHECK (client_id <> ''),
    erased_at     timestamptz NOT NULL DEFAULT now(),
    erased_by     text NOT NULL,
    -- Whether the payments go too.
    payments      boolean NOT NULL DEFAULT false,
    -- Rows that were deleted or changed so far, by table.
    rows          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(rows) = 'object'),
    -- What the firm must do itself.
    firm          text[] NOT NULL DEFAULT '{}',
    -- Empty once it is over: regular expressions of the name and the addresses, words
    -- that trained models may show, ids of the conversations.
    patterns      text[] NOT NULL DEFAULT '{}',
    words         text[] NOT NULL DEFAULT '{}',
    conversations text[] NOT NULL DEFAULT '{}',
    -- What may still write what it read before: executions that ran, and transactions
    -- before that number, when something was found last. NULL: nobody has looked yet.
    runs          text[],
    horizon       bigint,
    ended_at      timestamptz,
    CONSTRAINT erasures_end_without_traces CHECK (ended_at IS NULL OR (patterns = '{}' AND words = '{}' AND conversations = '{}'))
);
CREATE INDEX erasures_going_on ON ciclo.erasures (erased_at) WHERE ended_at IS NULL;

-- Whether a client is erased. Of many rows at once ask instead
-- coalesce(client_id, '') NOT IN (SELECT client_id FROM ciclo.erasures),
-- which is one look into a hash table a row, and none where nobody is erased.
CREATE FUNCTION ciclo.erased(client text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT EXISTS (SELECT FROM ciclo.erasures WHERE client_id = client) $$;

-- Texts and JSON without what the patterns find. Of JSON also the objects that are
-- about the client, which say so by client_id, and the conversations among examples.
-- +goose StatementBegin
CREATE FUNCTION ciclo.erase_text(value text, patterns text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    pattern text;
BEGIN
    FOREACH pattern IN ARRAY patterns LOOP
        value := regexp_replace(value, pattern, '[erased]', 'g');
    END LOOP;
    RETURN value;
END $$;
CREATE FUNCTION ciclo.erase_json(value jsonb, client text, conversations text[], patterns text[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    CASE jsonb_typeof(value)
    WHEN 'object' THEN
        IF value ->> 'client_id' = client THEN
            RETURN NULL;
        END IF;
        RETURN (SELECT coalesce(jsonb_object_agg(ciclo.erase_text(key, patterns), coalesce(ciclo.erase_json(CASE
            WHEN key = 'examples' AND jsonb_typeof(member) = 'array' THEN (
                SELECT coalesce(jsonb_agg(e ORDER BY n), '[]') FROM jsonb_array_elements(member) WITH ORDINALITY AS t (e, n)
                WHERE jsonb_typeof(e) <> 'string' OR e #>> '{}' <> ALL (conversations))
            ELSE member END, client, conversations, patterns), 'null')), '{}')
            FROM jsonb_each(value) AS t (key, member));
    WHEN 'array' THEN
        RETURN (SELECT coalesce(jsonb_agg(kept ORDER BY n), '[]')
            FROM (SELECT n, ciclo.erase_json(e, client, conversations, patterns) AS kept FROM jsonb_array_elements(value) WITH ORDINALITY AS t (e, n)) all_of_them
            WHERE kept IS NOT NULL);
    WHEN 'string' THEN
        RETURN to_jsonb(ciclo.erase_text(value #>> '{}', patterns));
    ELSE
        RETURN value;
    END CASE;
END $$;
-- +goose StatementEnd
-- What is erased as a whole stays as an empty object where a column needs one.
CREATE FUNCTION ciclo.erase_document(value jsonb, client text, conversations text[], patterns text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT CASE WHEN value IS NOT NULL THEN coalesce(ciclo.erase_json(value, client, conversations, patterns), '{}') END $$;
CREATE FUNCTION ciclo.erase_texts(list text[], patterns text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT CASE WHEN list IS NOT NULL THEN coalesce((SELECT array_agg(ciclo.erase_text(e, patterns) ORDER BY n) FROM unnest(list) WITH ORDINALITY AS t (e, n)), '{}') END $$;
CREATE FUNCTION ciclo.erase_documents(list jsonb[], client text, conversations text[], patterns text[]) RETURNS jsonb[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT CASE WHEN list IS NOT NULL THEN coalesce((
        SELECT array_agg(ciclo.erase_document(e, client, conversations, patterns) ORDER BY n) FROM unnest(list) WITH ORDINALITY AS t (e, n)), '{}') END $$;

-- The key by which addresses are hashed: a phone number's plain hash is found by
-- trying all numbers. It is worth no more than this table is kept from others.
CREATE TABLE ciclo.erasure_key (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    key       bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) CHECK (length(key) = 32)
);
INSERT INTO ciclo.erasure_key DEFAULT VALUES;
CREATE FUNCTION ciclo.keep_erasure_key() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the key stays: with another one nobody who was erased would be known' USING ERRCODE = 'check_violation'; END $$;
CREATE TRIGGER erasure_key_stays BEFORE UPDATE OR DELETE ON ciclo.erasure_key FOR EACH ROW EXECUTE FUNCTION ciclo.keep_erasure_key();
CREATE FUNCTION ciclo.address_hash(address text) RETURNS bytea LANGUAGE sql STABLE STRICT AS
    $$ SELECT sha256(key || sha256(key || convert_to(address, 'UTF8'))) FROM ciclo.erasure_key $$;

-- Who was erased is opted out: of the client, and of each address by its hash.
ALTER TABLE ciclo.opt_outs
    ADD COLUMN address_hash bytea CHECK (length(address_hash) = 32),
    DROP CONSTRAINT opt_outs_source_check,
    ADD CONSTRAINT opt_outs_source_check CHECK (source IN ('inbound', 'provider', 'hand', 'erasure')),
    DROP CONSTRAINT opt_outs_are_somebodys,
    ADD CONSTRAINT opt_outs_are_somebodys CHECK (num_nonnulls(address, address_hash, client_id) > 0 AND num_nonnulls(address, address_hash) < 2);
CREATE INDEX opt_outs_by_hash ON ciclo.opt_outs (address_hash) WHERE ended_at IS NULL AND address_hash IS NOT NULL;
DROP INDEX ciclo.opt_outs_once;
CREATE UNIQUE INDEX opt_outs_once ON ciclo.opt_outs (coalesce(address, encode(address_hash, 'hex'), ''), coalesce(client_id, ''), source) WHERE ended_at IS NULL;

-- +goose StatementBegin
CREATE FUNCTION ciclo.hashed_opt_out(given text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ciclo.opt_outs WHERE address_hash IS NOT NULL AND ended_at IS NULL AND address_hash = ciclo.address_hash(given))
$$;
-- An erased person who answers STOP is not written down once more.
CREATE FUNCTION ciclo.hash_opt_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ciclo.hashed_opt_out(NEW.address) THEN
        NEW.address_hash := ciclo.address_hash(NEW.address);
        NEW.address := NULL;
        NEW.detail := '';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION ciclo.refuse_hashed_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ciclo.hashed_opt_out(NEW.address) THEN
        RAISE EXCEPTION 'client % has opted out', NEW.client_id USING ERRCODE = 'check_violation', CONSTRAINT = 'contacts_opt_out';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER opt_outs_hash BEFORE INSERT ON ciclo.opt_outs FOR EACH ROW WHEN (NEW.address IS NOT NULL) EXECUTE FUNCTION ciclo.hash_opt_out();
-- Its name comes after contacts_reserve, which fills in the address.
CREATE TRIGGER contacts_reserve_unhashed BEFORE INSERT ON ciclo.contacts FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_hashed_address();

-- What was sent stays as a fact: when, by which channel, with which number of the day.
ALTER TABLE ciclo.messages
    DROP CONSTRAINT messages_address,
    ADD CONSTRAINT messages_address
        CHECK (address = '[erased]' OR
               CASE channel WHEN 'whatsapp' THEN address ~ '^\+[1-9][0-9]{6,14}$'
                            ELSE address ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' AND length(address) <= 254 AND address = lower(address) END);
-- The address of an erased contact is NULL, and it is in its client's chain alone.
-- Who shared the address is chained to the contact before: deferrable for that.
ALTER TABLE ciclo.contacts ALTER COLUMN address DROP NOT NULL;
ALTER TABLE ciclo.contacts ALTER CONSTRAINT contacts_after_address DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE ciclo.contacts ADD CONSTRAINT contacts_address CHECK (address IS NOT NULL OR address_previous_at IS NULL);
-- +goose StatementBegin
CREATE FUNCTION ciclo.erases_message(was ciclo.messages, is_now ciclo.messages) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF is_now.address <> '[erased]' OR was.status IN ('draft', 'approved', 'sending') OR NOT ciclo.erased(was.client_id) THEN
        RETURN false;
    END IF;
    was.address := '[erased]';
    was.subject := '[erased]';
    was.body := '[erased]';
    was.variables := NULL;
    was.reasons := '{}';
    was.reason := CASE WHEN was.reason IS NOT NULL THEN '[erased]' END;
    RETURN is_now IS NOT DISTINCT FROM was;
END $$;
CREATE FUNCTION ciclo.erases_contact(was ciclo.contacts, is_now ciclo.contacts) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF is_now.address IS NULL AND ciclo.erased(was.client_id) THEN
        was.address := NULL;
        was.address_previous_at := NULL;
        RETURN is_now IS NOT DISTINCT FROM was;
    END IF;
    -- The contact before it is erased: the chain goes on with the one before that.
    IF was.address_previous_at IS NULL OR EXISTS (SELECT FROM ciclo.contacts c WHERE c.address = was.address AND c.at = was.address_previous_at) THEN
        RETURN false;
    END IF;
    was.address_previous_at := (SELECT max(c.at) FROM ciclo.contacts c WHERE c.address = was.address AND c.at < was.at);
    RETURN is_now IS NOT DISTINCT FROM was;
END $$;
CREATE FUNCTION ciclo.erases_transition(was ciclo.transitions, is_now ciclo.transitions) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    e record;
BEGIN
    FOR e IN SELECT patterns FROM ciclo.erasures WHERE ended_at IS NULL AND patterns <> '{}' LOOP
        was.reason := ciclo.erase_text(was.reason, e.patterns);
        was.error_text := ciclo.erase_text(was.error_text, e.patterns);
        IF is_now IS NOT DISTINCT FROM was THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
-- +goose StatementEnd
DROP TRIGGER messages_guard ON ciclo.messages;
CREATE TRIGGER messages_guard BEFORE UPDATE ON ciclo.messages
    FOR EACH ROW WHEN (NOT ciclo.erases_message(OLD, NEW)) EXECUTE FUNCTION ciclo.guard_message();
DROP TRIGGER contacts_fixed ON ciclo.contacts;
CREATE TRIGGER contacts_fixed BEFORE UPDATE ON ciclo.contacts
    FOR EACH ROW WHEN (NOT ciclo.erases_contact(OLD, NEW)) EXECUTE FUNCTION ciclo.refuse_change();
DROP TRIGGER transitions_append_only ON ciclo.transitions;
CREATE TRIGGER transitions_append_only BEFORE UPDATE ON ciclo.transitions
    FOR EACH ROW WHEN (NOT ciclo.erases_transition(OLD, NEW)) EXECUTE FUNCTION ciclo.refuse_change();

-- An erased id stays erased in the default tables: what an import brings of it goes
-- again, in the import's own statement. By statement, since most bring many rows.
-- +goose StatementBegin
CREATE FUNCTION crm.forget_clients() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM given g JOIN ciclo.erasures e ON e.client_id = g.id
               WHERE num_nonnulls(g.name, g.email, g.phone, g.whatsapp, g.language) > 0 OR g.consent_marketing OR g.tags <> '{}' OR g.status <> 'inactive') THEN
        UPDATE crm.clients c
        SET name = NULL, email = NULL, phone = NULL, whatsapp = NULL, language = NULL, consent_marketing = false, tags = '{}', status = 'inactive'
        FROM given g JOIN ciclo.erasures e ON e.client_id = g.id WHERE c.id = g.id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION crm.forget_interactions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM crm.interactions i USING given g JOIN ciclo.erasures e ON e.client_id = g.client_id WHERE i.id = g.id;
    RETURN NULL;
END $$;
CREATE FUNCTION crm.forget_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ciclo.erasures) THEN
        DELETE FROM crm.messages m
        USING given g JOIN crm.conversations c ON c.id = g.conversation_id JOIN ciclo.erasures e ON e.client_id = c.client_id
        WHERE m.id = g.id;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION crm.forget_ratings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM crm.ratings r
    USING given g JOIN crm.conversations c ON c.id = g.conversation_id JOIN ciclo.erasures e ON e.client_id = c.client_id
    WHERE r.conversation_id = g.conversation_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER clients_forget_new AFTER INSERT ON crm.clients REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION crm.forget_clients();
CREATE TRIGGER clients_forget AFTER UPDATE ON crm.clients REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION crm.forget_clients();
CREATE TRIGGER interactions_forget AFTER INSERT ON crm.interactions REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION crm.forget_interactions();
CREATE TRIGGER messages_forget AFTER INSERT ON crm.messages REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION crm.forget_messages();
CREATE TRIGGER ratings_forget AFTER INSERT ON crm.ratings REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION crm.forget_ratings();

-- What an erasure looks for by client or conversation and no index had.
CREATE INDEX conversations_by_client ON crm.conversations (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX entity_merges_by_record ON ciclo.entity_merges USING gin (records);

-- +goose Down
DROP INDEX ciclo.entity_merges_by_record;
DROP INDEX crm.conversations_by_client;
DROP TRIGGER ratings_forget ON crm.ratings;
DROP TRIGGER messages_forget ON crm.messages;
DROP TRIGGER interactions_forget ON crm.interactions;
DROP TRIGGER clients_forget ON crm.clients;
DROP TRIGGER clients_forget_new ON crm.clients;
DROP FUNCTION crm.forget_clients, crm.forget_interactions, crm.forget_messages, crm.forget_ratings;
DROP TRIGGER transitions_append_only ON ciclo.transitions;
CREATE TRIGGER transitions_append_only BEFORE UPDATE ON ciclo.transitions FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_change();
DROP TRIGGER messages_guard ON ciclo.messages;
CREATE TRIGGER messages_guard BEFORE UPDATE ON ciclo.messages FOR EACH ROW EXECUTE FUNCTION ciclo.guard_message();
DROP TRIGGER contacts_fixed ON ciclo.contacts;
DROP TRIGGER contacts_reserve_unhashed ON ciclo.contacts;
-- An address of its own that nobody has: the column can't be empty any more.
UPDATE ciclo.contacts SET address = '[erased] ' || message_id WHERE address IS NULL;
CREATE TRIGGER contacts_fixed BEFORE UPDATE ON ciclo.contacts FOR EACH ROW EXECUTE FUNCTION ciclo.refuse_change();
ALTER TABLE ciclo.contacts DROP CONSTRAINT contacts_address;
ALTER TABLE ciclo.contacts ALTER COLUMN address SET NOT NULL;
ALTER TABLE ciclo.contacts ALTER CONSTRAINT contacts_after_address NOT DEFERRABLE;
ALTER TABLE ciclo.messages
    DROP CONSTRAINT messages_address,
    ADD CONSTRAINT messages_address
        CHECK (CASE channel WHEN 'whatsapp' THEN address ~ '^\+[1-9][0-9]{6,14}$'
                            ELSE address ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$' AND length(address) <= 254 AND address = lower(address) END) NOT VALID;
DROP TRIGGER opt_outs_hash ON ciclo.opt_outs;
DELETE FROM ciclo.opt_outs WHERE address_hash IS NOT NULL AND client_id IS NULL;
DROP INDEX ciclo.opt_outs_once;
ALTER TABLE ciclo.opt_outs DROP CONSTRAINT opt_outs_are_somebodys, DROP CONSTRAINT opt_outs_source_check, DROP COLUMN address_hash;
DELETE FROM ciclo.opt_outs a USING ciclo.opt_outs b
    WHERE a.id > b.id AND a.ended_at IS NULL AND b.ended_at IS NULL AND a.address IS NOT DISTINCT FROM b.address AND a.client_id IS NOT DISTINCT FROM b.client_id;
UPDATE ciclo.opt_outs SET source = 'hand' WHERE source = 'erasure';
ALTER TABLE ciclo.opt_outs
    ADD CONSTRAINT opt_outs_source_check CHECK (source IN ('inbound', 'provider', 'hand')),
    ADD CONSTRAINT opt_outs_are_somebodys CHECK (address IS NOT NULL OR client_id IS NOT NULL);
CREATE UNIQUE INDEX opt_outs_once ON ciclo.opt_outs (coalesce(address, ''), coalesce(client_id, ''), source) WHERE ended_at IS NULL;
DROP FUNCTION ciclo.erases_transition, ciclo.erases_contact, ciclo.erases_message, ciclo.refuse_hashed_address, ciclo.hash_opt_out, ciclo.hashed_opt_out,
    ciclo.address_hash;
DROP TABLE ciclo.erasure_key;
DROP FUNCTION ciclo.keep_erasure_key, ciclo.erase_documents, ciclo.erase_texts, ciclo.erase_document, ciclo.erase_json, ciclo.erase_text, ciclo.erased;
DROP TABLE ciclo.erasures;
