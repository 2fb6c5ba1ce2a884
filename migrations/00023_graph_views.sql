-- Asking the knowledge graph: indexes of its lists, and views of it for people and
-- Grafana.
-- +goose Up

-- Lists of entities are merged from the first of each type (docs/decisions/0013).
DROP INDEX ciclo.entities_hubs;
CREATE INDEX entities_hubs ON ciclo.entities (type, degree DESC, id) WHERE expired_at IS NULL;
CREATE INDEX entities_latest ON ciclo.entities (type, (coalesce(last_at, '-infinity'::timestamptz)) DESC, id) WHERE expired_at IS NULL;

-- A hub's few edges of one relation.
CREATE INDEX edges_from_by_relation ON ciclo.edges (subject_id, relation, confidence DESC, id);
CREATE INDEX edges_to_by_relation ON ciclo.edges (object_id, relation, confidence DESC, id);

-- The latest mentions of what nearly every message mentions.
DROP INDEX ciclo.graph_messages_newest;
CREATE INDEX graph_messages_newest ON ciclo.graph_messages (sent_at DESC, id);

DROP INDEX ciclo.edge_evidence_by_subject;
CREATE INDEX edge_evidence_by_subject ON ciclo.edge_evidence (subject_id, relation, object_id);

DROP INDEX ciclo.entity_reviews_open;
CREATE INDEX entity_reviews_by_status ON ciclo.entity_reviews (status, (coalesce(probability, -1)) DESC, id);

CREATE VIEW dashboard.graph_entities AS
    SELECT e.id AS entity_id, e.type, e.name, e.client_ids, e.mentions, e.conversations, e.degree, e.first_at, e.last_at, e.created_at, e.expired_at
    FROM ciclo.entities e;
COMMENT ON VIEW dashboard.graph_entities IS 'Who and what conversations are about; degree is edges that hold. Where expired_at is not null, nothing is it any more: it is part of another (graph_merges), or nobody mentions it.';

CREATE VIEW dashboard.graph_edges AS
    SELECT e.id AS edge_id, e.subject_id, s.type AS subject_type, s.name AS subject, e.relation, e.object_id, o.type AS object_type, o.name AS object,
           e.valid_at, e.invalid_at, e.confidence, e.evidence, e.conversations, e.created_at, e.expired_at
    FROM ciclo.edges e JOIN ciclo.entities s ON s.id = e.subject_id JOIN ciclo.entities o ON o.id = e.object_id;
COMMENT ON VIEW dashboard.graph_edges IS 'What is said of two entities. An edge holds as of t where valid_at <= t and it has not expired, or invalid_at > t: WHERE expired_at IS NULL is now.';

-- The edges that a piece of evidence speaks for are those between the entities that
-- its records are part of. Of employers only the one of its time.
CREATE VIEW dashboard.graph_evidence AS
    SELECT e.id AS edge_id, sub.name AS subject, v.relation, obj.name AS object, v.quote, v.message_id, g.conversation_id, g.client_id, g.sent_at,
           v.start_char, v.end_char, v.extractor, v.version, v.confidence, e.expired_at
    FROM ciclo.edges e
    JOIN ciclo.entities sub ON sub.id = e.subject_id
    JOIN ciclo.entities obj ON obj.id = e.object_id
    JOIN ciclo.graph_records s ON s.entity_id = e.subject_id
    JOIN ciclo.graph_records o ON o.entity_id = e.object_id
    JOIN ciclo.edge_evidence v ON v.subject_id = s.id AND v.relation = e.relation AND v.object_id = o.id
    JOIN ciclo.graph_messages g ON g.id = v.message_id
    WHERE e.relation <> 'works_for' OR (g.sent_at >= e.valid_at AND (e.invalid_at IS NULL OR g.sent_at < e.invalid_at));
COMMENT ON VIEW dashboard.graph_evidence IS 'The very words behind each edge: where in which message they stand (characters from 0, the end excluded), and who found them.';

CREATE VIEW dashboard.graph_reviews AS
    SELECT r.id AS review_id, r.status, r.probability, a.type, a.name AS name_a, a.entity_id AS entity_a, a.scope AS scope_a, b.name AS name_b, b.entity_id AS entity_b, b.scope AS scope_b,
           r.fields, r.created_at, r.decided_at, r.decided_by, r.record_a, r.record_b
    FROM ciclo.entity_reviews r JOIN ciclo.graph_records a ON a.id = r.record_a JOIN ciclo.graph_records b ON b.id = r.record_b;
COMMENT ON VIEW dashboard.graph_reviews IS 'Pairs that may be one person or company: open ones wait for a person. fields say why, in bits for a match or against it.';

CREATE VIEW dashboard.graph_merges AS
    SELECT m.id AS merge_id, m.kind, m.from_id, f.name AS from_name, m.to_id, t.name AS to_name, m.records, m.probability, m.fields, m.execution_id, m.decided_by, m.merged_at
    FROM ciclo.entity_merges m LEFT JOIN ciclo.entities f ON f.id = m.from_id LEFT JOIN ciclo.entities t ON t.id = m.to_id;
COMMENT ON VIEW dashboard.graph_merges IS 'What became of entities: merge is all of from_id''s records into to_id, split some of them; by an execution, or by a person. Names are null of what was never there by itself, or was erased.';

-- +goose Down
DROP VIEW dashboard.graph_merges;
DROP VIEW dashboard.graph_reviews;
DROP VIEW dashboard.graph_evidence;
DROP VIEW dashboard.graph_edges;
DROP VIEW dashboard.graph_entities;
DROP INDEX ciclo.entity_reviews_by_status;
CREATE INDEX entity_reviews_open ON ciclo.entity_reviews (probability DESC NULLS LAST, id) WHERE status = 'open';
DROP INDEX ciclo.edge_evidence_by_subject;
CREATE INDEX edge_evidence_by_subject ON ciclo.edge_evidence (subject_id);
DROP INDEX ciclo.graph_messages_newest;
CREATE INDEX graph_messages_newest ON ciclo.graph_messages (sent_at DESC);
DROP INDEX ciclo.edges_to_by_relation;
DROP INDEX ciclo.edges_from_by_relation;
DROP INDEX ciclo.entities_latest;
DROP INDEX ciclo.entities_hubs;
CREATE INDEX entities_hubs ON ciclo.entities (degree DESC, id) WHERE expired_at IS NULL;
