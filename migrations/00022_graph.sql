-- The knowledge graph: who and what the firm's conversations are about, what is said
-- of them, and the words that say so. Only mentions, attributes and evidence are
-- read from messages; records, entities, their names and edges follow from them and
-- from what people decided about reviews, whatever the order of reading.
-- +goose Up

-- Names that the firm knows, beside those of its clients: companies, places, laws, …
CREATE TABLE crm.names (
    type text NOT NULL CHECK (type IN ('person', 'company', 'location', 'law', 'topic', 'practice_type', 'document')),
    -- Names of one type and id are of one thing.
    id   text NOT NULL CHECK (id <> ''),
    name text NOT NULL CHECK (name <> ''),
    PRIMARY KEY (type, id, name)
);
CREATE VIEW source.names AS
    SELECT type, id, name FROM crm.names
    UNION
    SELECT 'practice_type', id, name FROM crm.practice_types;

-- Messages that were read: the watermark. A message that is not here, or whose text
-- or extractors' versions are others, is read anew.
CREATE TABLE ciclo.graph_messages (
    id              text COLLATE "C" PRIMARY KEY,
    conversation_id text COLLATE "C" NOT NULL,
    client_id       text COLLATE "C",
    sent_at         timestamptz NOT NULL CHECK (isfinite(sent_at)),
    -- SHA-256 of the text in UTF-8.
    body_hash       bytea NOT NULL CHECK (length(body_hash) = 32),
    -- Extractor to version.
    versions        jsonb NOT NULL CHECK (jsonb_typeof(versions) = 'object'),
    read_at         timestamptz NOT NULL DEFAULT now(),
    -- The execution that read it last.
    execution_id    text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id)
);
CREATE INDEX graph_messages_by_execution ON ciclo.graph_messages (execution_id);
CREATE INDEX graph_messages_newest ON ciclo.graph_messages (sent_at DESC);
CREATE INDEX graph_messages_by_conversation ON ciclo.graph_messages (conversation_id);
CREATE INDEX graph_messages_by_client ON ciclo.graph_messages (client_id) WHERE client_id IS NOT NULL;

CREATE TABLE ciclo.entities (
    -- By content: of its first record.
    id            text COLLATE "C" PRIMARY KEY CHECK (id ~ '^entity_[0-9a-z]{16}$'),
    type          text NOT NULL CHECK (type IN ('person', 'company', 'location', 'law', 'topic', 'practice_type', 'document', 'money', 'date')),
    name          text NOT NULL CHECK (name <> ''),
    -- The firm's clients that it is.
    client_ids    text[] NOT NULL DEFAULT '{}',
    mentions      integer NOT NULL DEFAULT 0 CHECK (mentions >= 0),
    conversations integer NOT NULL DEFAULT 0 CHECK (conversations BETWEEN 0 AND mentions),
    -- Edges that hold, from it and to it.
    degree        integer NOT NULL DEFAULT 0 CHECK (degree >= 0),
    -- When the first and the last message that mentions it were sent.
    first_at      timestamptz,
    last_at       timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- Since when nothing is it any more: nobody mentions it, or it is part of another.
    expired_at    timestamptz,
    CONSTRAINT entities_seen CHECK ((mentions = 0) = (first_at IS NULL) AND (first_at IS NULL) = (last_at IS NULL) AND first_at <= last_at),
    CONSTRAINT entities_expired CHECK (expired_at IS NULL OR (mentions = 0 AND degree = 0))
);
CREATE INDEX entities_top ON ciclo.entities (type, conversations DESC, id) WHERE expired_at IS NULL;
CREATE INDEX entities_top_of_all ON ciclo.entities (conversations DESC, id) WHERE expired_at IS NULL;
CREATE INDEX entities_hubs ON ciclo.entities (degree DESC, id) WHERE expired_at IS NULL;
CREATE INDEX entities_by_client ON ciclo.entities USING gin (client_ids);

-- What resolution puts together into entities: one thing as one conversation has it
-- (people), as the whole firm has it (scope is empty), or a client (scope client:ID).
CREATE TABLE ciclo.graph_records (
    id        text COLLATE "C" PRIMARY KEY CHECK (id ~ '^record_[0-9a-z]{16}$'),
    type      text NOT NULL CHECK (type IN ('person', 'company', 'location', 'law', 'topic', 'practice_type', 'document', 'money', 'date')),
    scope     text COLLATE "C" NOT NULL,
    -- The normal form of the name, or the value: what makes two mentions one record.
    key       text COLLATE "C" NOT NULL CHECK (key <> ''),
    -- As it is written.
    name      text NOT NULL CHECK (name <> ''),
    client_id text COLLATE "C",
    entity_id text COLLATE "C" REFERENCES ciclo.entities (id),
    UNIQUE (type, scope, key),
    CONSTRAINT graph_records_client CHECK (client_id IS NULL OR type IN ('person', 'company'))
);
CREATE INDEX graph_records_by_entity ON ciclo.graph_records (entity_id);
CREATE INDEX graph_records_by_client ON ciclo.graph_records (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX graph_records_unresolved ON ciclo.graph_records (id) WHERE entity_id IS NULL;

-- Places in messages. Characters are Unicode code points, from 0, the end excluded:
-- substr(body, start_char + 1, end_char - start_char) = surface.
CREATE TABLE ciclo.mentions (
    message_id text COLLATE "C" NOT NULL REFERENCES ciclo.graph_messages (id) ON DELETE CASCADE,
    start_char integer NOT NULL CHECK (start_char >= 0),
    end_char   integer NOT NULL,
    surface    text NOT NULL,
    type       text NOT NULL CHECK (type IN ('person', 'company', 'location', 'law', 'topic', 'practice_type', 'document', 'money', 'date')),
    record_id  text COLLATE "C" NOT NULL REFERENCES ciclo.graph_records (id),
    extractor  text NOT NULL CHECK (extractor <> ''),
    version    text NOT NULL CHECK (version <> ''),
    confidence double precision NOT NULL CHECK (confidence > 0 AND confidence <= 1),
    PRIMARY KEY (message_id, start_char, end_char, extractor),
    CONSTRAINT mentions_surface CHECK (char_length(surface) = end_char - start_char AND surface <> '')
);
CREATE INDEX mentions_by_record ON ciclo.mentions (record_id, message_id);

-- What messages say that tells records apart or together.
CREATE TABLE ciclo.record_attributes (
    message_id text COLLATE "C" NOT NULL REFERENCES ciclo.graph_messages (id) ON DELETE CASCADE,
    record_id  text COLLATE "C" NOT NULL REFERENCES ciclo.graph_records (id),
    kind       text NOT NULL CHECK (kind IN ('email', 'phone', 'url')),
    -- The normal form.
    value      text COLLATE "C" NOT NULL CHECK (value <> ''),
    extractor  text NOT NULL CHECK (extractor <> ''),
    version    text NOT NULL CHECK (version <> ''),
    PRIMARY KEY (message_id, record_id, kind, value)
);
CREATE INDEX record_attributes_by_record ON ciclo.record_attributes (record_id);

-- The words behind edges: where a message says that a relation holds.
CREATE TABLE ciclo.edge_evidence (
    message_id text COLLATE "C" NOT NULL REFERENCES ciclo.graph_messages (id) ON DELETE CASCADE,
    subject_id text COLLATE "C" NOT NULL REFERENCES ciclo.graph_records (id),
    relation   text NOT NULL CHECK (relation IN ('requires', 'governed_by', 'relates_to', 'conflicts_with', 'example_of', 'works_for', 'located_in', 'client_of')),
    object_id  text COLLATE "C" NOT NULL REFERENCES ciclo.graph_records (id),
    start_char integer NOT NULL CHECK (start_char >= 0),
    end_char   integer NOT NULL,
    quote      text NOT NULL,
    extractor  text NOT NULL CHECK (extractor <> ''),
    version    text NOT NULL CHECK (version <> ''),
    confidence double precision NOT NULL CHECK (confidence > 0 AND confidence <= 1),
    PRIMARY KEY (message_id, subject_id, relation, object_id),
    CONSTRAINT edge_evidence_quote CHECK (char_length(quote) = end_char - start_char AND quote <> ''),
    CONSTRAINT edge_evidence_two CHECK (subject_id <> object_id)
);
CREATE INDEX edge_evidence_by_subject ON ciclo.edge_evidence (subject_id);
CREATE INDEX edge_evidence_by_object ON ciclo.edge_evidence (object_id);

-- A relation of two entities while it held. As of a time t it holds where valid_at <= t
-- and it has not expired, or invalid_at > t.
CREATE TABLE ciclo.edges (
    -- By content: of subject, relation, object and valid_at.
    id            text COLLATE "C" PRIMARY KEY CHECK (id ~ '^edge_[0-9a-z]{16}$'),
    subject_id    text COLLATE "C" NOT NULL REFERENCES ciclo.entities (id),
    relation      text NOT NULL CHECK (relation IN ('requires', 'governed_by', 'relates_to', 'conflicts_with', 'example_of', 'works_for', 'located_in', 'client_of')),
    object_id     text COLLATE "C" NOT NULL REFERENCES ciclo.entities (id),
    -- In the world: since the first message that says so; until one says otherwise.
    valid_at      timestamptz NOT NULL,
    invalid_at    timestamptz,
    -- In our books: since when it is here; since when it is held no longer, contradicted,
    -- or without evidence, or of an entity that is part of another.
    created_at    timestamptz NOT NULL DEFAULT now(),
    expired_at    timestamptz,
    -- Noisy-OR of the conversations that say so.
    confidence    double precision NOT NULL CHECK (confidence > 0 AND confidence <= 1),
    evidence      integer NOT NULL CHECK (evidence >= 1),
    conversations integer NOT NULL CHECK (conversations BETWEEN 1 AND evidence),
    UNIQUE (subject_id, relation, object_id, valid_at),
    CONSTRAINT edges_two CHECK (subject_id <> object_id),
    CONSTRAINT edges_ended CHECK (invalid_at IS NULL OR (invalid_at > valid_at AND expired_at IS NOT NULL))
);
CREATE INDEX edges_from ON ciclo.edges (subject_id, confidence DESC, id);
CREATE INDEX edges_to ON ciclo.edges (object_id, confidence DESC, id);
-- One employer at a time.
CREATE UNIQUE INDEX edges_one_employer ON ciclo.edges (subject_id) WHERE relation = 'works_for' AND expired_at IS NULL;

-- Trigrams of a folded name, as pg_trgm's, which not every database has: words are
-- what lies between blanks and signs of ASCII, in any script and under any locale,
-- with two blanks before and one behind.
CREATE FUNCTION ciclo.trigrams(folded text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT substr(w.word, n, 3)), '{}')
    FROM (SELECT '  ' || m[1] || ' ' AS word FROM regexp_matches(folded, '[^\x01-\x2f\x3a-\x60\x7b-\x7f]+', 'g') AS m) AS w,
         generate_series(1, char_length(w.word) - 2) AS n $$;

-- Every name of an entity, for search.
CREATE TABLE ciclo.entity_aliases (
    entity_id text COLLATE "C" NOT NULL REFERENCES ciclo.entities (id) ON DELETE CASCADE,
    -- As it is written, and in lower case without accents.
    alias     text COLLATE "C" NOT NULL CHECK (alias <> ''),
    folded    text COLLATE "C" NOT NULL,
    mentions  integer NOT NULL CHECK (mentions >= 0),
    trigrams  text[] NOT NULL GENERATED ALWAYS AS (ciclo.trigrams(folded)) STORED,
    words     tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', folded)) STORED,
    PRIMARY KEY (entity_id, alias)
);
CREATE INDEX entity_aliases_by_trigram ON ciclo.entity_aliases USING gin (trigrams);
CREATE INDEX entity_aliases_by_word ON ciclo.entity_aliases USING gin (words);

-- Pairs of records that may be one: what resolution can't decide alone, and what
-- people decided, which it keeps to.
CREATE TABLE ciclo.entity_reviews (
    -- By content: of both records.
    id          text COLLATE "C" PRIMARY KEY CHECK (id ~ '^review_[0-9a-z]{16}$'),
    -- They need not be there now: what was decided holds when they come back.
    record_a    text COLLATE "C" NOT NULL,
    record_b    text COLLATE "C" NOT NULL,
    -- That they are one, and why: fields with their levels and weights in bits. Empty
    -- where a person put it here.
    probability double precision CHECK (probability BETWEEN 0 AND 1),
    fields      jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(fields) = 'array'),
    -- obsolete: resolution doubts it no longer.
    status      text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'same', 'different', 'obsolete')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    decided_at  timestamptz,
    decided_by  text,
    UNIQUE (record_a, record_b),
    CONSTRAINT entity_reviews_two CHECK (record_a < record_b),
    CONSTRAINT entity_reviews_decided CHECK ((status IN ('same', 'different')) = (decided_at IS NOT NULL) AND (decided_at IS NULL) = (decided_by IS NULL))
);
CREATE INDEX entity_reviews_open ON ciclo.entity_reviews (probability DESC NULLS LAST, id) WHERE status = 'open';
CREATE INDEX entity_reviews_by_b ON ciclo.entity_reviews (record_b);

-- What became of entities: records that came from one to another. Rows are never
-- changed, except that erasure removes them.
CREATE TABLE ciclo.entity_merges (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- merge: all of from_id's live records came into to_id; split: some left from_id for to_id.
    kind         text NOT NULL CHECK (kind IN ('merge', 'split')),
    -- What the records were or would be by themselves: it need not have been there.
    from_id      text COLLATE "C" NOT NULL,
    to_id        text COLLATE "C" NOT NULL,
    records      text[] NOT NULL CHECK (cardinality(records) > 0),
    -- The strongest pair across both, where resolution did it.
    probability  double precision CHECK (probability BETWEEN 0 AND 1),
    fields       jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(fields) = 'array'),
    -- The execution that did it, or the person.
    execution_id text COLLATE "C" REFERENCES ciclo.executions (id),
    decided_by   text,
    merged_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT entity_merges_two CHECK (from_id <> to_id),
    CONSTRAINT entity_merges_who CHECK (num_nonnulls(execution_id, decided_by) = 1)
);
CREATE INDEX entity_merges_from ON ciclo.entity_merges (from_id, id);
CREATE INDEX entity_merges_to ON ciclo.entity_merges (to_id, id);

-- What was last learned from the firm's own messages: the sequence tagger, the
-- model of relations.
CREATE TABLE ciclo.graph_models (
    name       text PRIMARY KEY CHECK (name <> ''),
    -- By content; none where there was too little to learn from.
    version    text NOT NULL CHECK (version <> ''),
    model      bytea NOT NULL,
    -- Messages that there were when it was learned.
    messages   bigint NOT NULL CHECK (messages >= 0),
    trained_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT graph_models_none CHECK ((version = 'none') = (length(model) = 0))
);

-- What has changed since entities and edges were last derived: of records, by the
-- triggers below, whoever writes; of entities, by whoever changes what a record is of.
CREATE TABLE ciclo.graph_changed_records (record_id text COLLATE "C" PRIMARY KEY);
CREATE TABLE ciclo.graph_changed_entities (entity_id text COLLATE "C" PRIMARY KEY);

-- Grows with each decision of a person and each erasure, so that a resolution that
-- began before is not written over it.
CREATE TABLE ciclo.graph_revision (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    revision  bigint NOT NULL DEFAULT 0,
    -- Until when messages were sent that a complete run has looked at.
    read_until timestamptz
);
INSERT INTO ciclo.graph_revision DEFAULT VALUES;

-- +goose StatementBegin
CREATE FUNCTION ciclo.note_changed_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_TABLE_NAME || ' ' || TG_OP
    WHEN 'mentions INSERT', 'record_attributes INSERT' THEN
        INSERT INTO ciclo.graph_changed_records SELECT DISTINCT record_id FROM new_rows ON CONFLICT DO NOTHING;
    WHEN 'mentions DELETE', 'record_attributes DELETE' THEN
        INSERT INTO ciclo.graph_changed_records SELECT DISTINCT record_id FROM old_rows ON CONFLICT DO NOTHING;
    WHEN 'mentions UPDATE', 'record_attributes UPDATE' THEN
        INSERT INTO ciclo.graph_changed_records SELECT record_id FROM old_rows UNION SELECT record_id FROM new_rows ON CONFLICT DO NOTHING;
    WHEN 'edge_evidence INSERT' THEN
        INSERT INTO ciclo.graph_changed_records SELECT subject_id FROM new_rows UNION SELECT object_id FROM new_rows ON CONFLICT DO NOTHING;
    WHEN 'edge_evidence DELETE' THEN
        INSERT INTO ciclo.graph_changed_records SELECT subject_id FROM old_rows UNION SELECT object_id FROM old_rows ON CONFLICT DO NOTHING;
    WHEN 'edge_evidence UPDATE' THEN
        INSERT INTO ciclo.graph_changed_records
            SELECT subject_id FROM old_rows UNION SELECT object_id FROM old_rows
            UNION SELECT subject_id FROM new_rows UNION SELECT object_id FROM new_rows ON CONFLICT DO NOTHING;
    END CASE;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER note_inserted AFTER INSERT ON ciclo.mentions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_updated AFTER UPDATE ON ciclo.mentions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_deleted AFTER DELETE ON ciclo.mentions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_inserted AFTER INSERT ON ciclo.record_attributes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_updated AFTER UPDATE ON ciclo.record_attributes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_deleted AFTER DELETE ON ciclo.record_attributes REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_inserted AFTER INSERT ON ciclo.edge_evidence REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_updated AFTER UPDATE ON ciclo.edge_evidence REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();
CREATE TRIGGER note_deleted AFTER DELETE ON ciclo.edge_evidence REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ciclo.note_changed_records();

-- +goose Down
DROP TABLE ciclo.graph_revision;
DROP TABLE ciclo.graph_changed_entities;
DROP TABLE ciclo.graph_changed_records;
DROP TABLE ciclo.graph_models;
DROP TABLE ciclo.entity_merges;
DROP TABLE ciclo.entity_reviews;
DROP TABLE ciclo.entity_aliases;
DROP FUNCTION ciclo.trigrams;
DROP TABLE ciclo.edges;
DROP TABLE ciclo.edge_evidence;
DROP TABLE ciclo.record_attributes;
DROP TABLE ciclo.mentions;
DROP TABLE ciclo.graph_records;
DROP TABLE ciclo.entities;
DROP TABLE ciclo.graph_messages;
DROP FUNCTION ciclo.note_changed_records;
DROP VIEW source.names;
DROP TABLE crm.names;
