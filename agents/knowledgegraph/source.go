package knowledgegraph

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// client is one of the firm's own, of source.clients.
type client struct{ ID, Name, Email, Phone, WhatsApp string }

// readClients reads the firm's clients that have a name, in order of their ids. Of
// rows of one id the first counts.
func readClients(ctx context.Context, tx pgx.Tx) ([]client, error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT ON (c.id::text COLLATE "C") c.id::text COLLATE "C", left(c.name::text, 300), coalesce(c.email::text, ''), coalesce(c.phone::text, ''), coalesce(c.whatsapp::text, '')
		FROM source.clients c
		WHERE c.id::text <> '' AND btrim(c.name::text) <> '' AND c.id::text NOT IN (SELECT client_id FROM ciclo.erasures)
		ORDER BY 1, 2, 3, 4, 5`)
	if err != nil {
		return nil, fmt.Errorf("read source.clients: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[client])
	if err != nil {
		return nil, fmt.Errorf("read source.clients: %w", err)
	}
	return all, nil
}

// readNames reads the names that the firm has for things.
func readNames(ctx context.Context, tx pgx.Tx) ([]extraction.FirmName, error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT type::text, id::text, name::text FROM source.names
		WHERE type::text <> '' AND id::text <> '' AND btrim(name::text) <> ''`)
	if err != nil {
		return nil, fmt.Errorf("read source.names: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n extraction.FirmName, err error) {
		return n, row.Scan(&n.Type, &n.ID, &n.Name)
	})
	if err != nil {
		return nil, fmt.Errorf("read source.names: %w", err)
	}
	return all, nil
}

// due is a message that is to be read.
type due struct {
	id   string
	size int // bytes
}

// work is what there is to do.
type work struct {
	read []due
	// forget are messages that were read and are there no more.
	forget []string
	// omitted are rows that can't be read, older those that lie before the window and
	// were never read.
	omitted, older int
	// until is when the newest message was sent, of those not sent in the future; nil
	// where there is none.
	until *time.Time
}

// readable are rows of source.messages that can be read: they have an id, a
// conversation, a time that JSON can say, and a text.
const readable = `id::text <> '' AND conversation_id::text <> '' AND body::text IS NOT NULL
	AND sent_at::timestamptz >= '0001-01-01 00:00Z' AND sent_at::timestamptz < '9999-12-31 00:00Z'`

// presentSQL are the messages that can be read. One that a firm's view gives twice, or
// that came twice by different ids, is one: the first.
const presentSQL = `
	SELECT id, conversation_id, sent_at, hash, size, client_id FROM (
		SELECT m.*, c.client_id, row_number() OVER (PARTITION BY m.conversation_id, m.sent_at, m.role, m.hash ORDER BY m.id) AS copy
		FROM (
			SELECT *, row_number() OVER (PARTITION BY id ORDER BY sent_at, conversation_id, hash) AS version
			FROM (SELECT id::text COLLATE "C" AS id, conversation_id::text COLLATE "C" AS conversation_id, role::text AS role, sent_at::timestamptz AS sent_at,
			             sha256(convert_to(body::text, 'UTF8')) AS hash, octet_length(body::text) AS size
			      FROM source.messages WHERE ` + readable + `) AS every
		) AS m
		LEFT JOIN (SELECT id::text COLLATE "C" AS id, min(nullif(client_id::text, '') COLLATE "C") AS client_id FROM source.conversations GROUP BY 1) AS c ON c.id = m.conversation_id
		WHERE version = 1 AND coalesce(c.client_id, '') NOT IN (SELECT client_id FROM ciclo.erasures)
	) AS one WHERE copy = 1`

// readWork finds out what is to be read: what is in the window, or newer than what the
// last complete run looked at, and not read yet; and what was read and is another now,
// or was read by other versions.
func readWork(ctx context.Context, tx pgx.Tx, from, now time.Time, versions map[string]string) (w work, err error) {
	rows, err := tx.Query(ctx, `
		WITH present AS MATERIALIZED (`+presentSQL+`)
		SELECT coalesce(p.id, g.id), p.id IS NULL, coalesce(p.size, 0)
		FROM present p FULL JOIN ciclo.graph_messages g ON g.id = p.id
		WHERE p.id IS NULL
		   OR (g.id IS NULL AND (p.sent_at >= $1 OR p.sent_at > (SELECT read_until FROM ciclo.graph_revision)))
		   OR (g.conversation_id, g.client_id, g.sent_at, g.body_hash, g.versions) IS DISTINCT FROM (p.conversation_id, p.client_id, p.sent_at, p.hash, $2::jsonb) AND g.id IS NOT NULL
		ORDER BY 1`, from, versions)
	if err != nil {
		return w, fmt.Errorf("look for messages to read: %w", err)
	}
	var id string
	var gone bool
	var size int
	_, err = pgx.ForEachRow(rows, []any{&id, &gone, &size}, func() error {
		if gone {
			w.forget = append(w.forget, id)
		} else {
			w.read = append(w.read, due{id, size})
		}
		return nil
	})
	if err != nil {
		return w, fmt.Errorf("look for messages to read: %w", err)
	}
	err = tx.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE (`+readable+`) IS NOT TRUE),
		       count(*) FILTER (WHERE sent_at < $1 AND NOT EXISTS (SELECT FROM ciclo.graph_messages g WHERE g.id = m.id::text)
		                          AND sent_at <= coalesce((SELECT read_until FROM ciclo.graph_revision), 'infinity')),
		       max(sent_at) FILTER (WHERE sent_at <= $2 AND isfinite(sent_at))
		FROM source.messages m`, from, now).Scan(&w.omitted, &w.older, &w.until)
	if err != nil {
		return w, fmt.Errorf("count messages that can't be read: %w", err)
	}
	return w, nil
}

// readSample is of messages to learn from: by a hash of their ids, so that it is the
// same however they came, up to bounds.
func readSample(ctx context.Context, tx pgx.Tx) ([]due, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, size FROM (
			SELECT id, size, rank, sum(size) OVER (ORDER BY rank, id) AS bytes
			FROM (SELECT id, size, sha256(convert_to(id, 'UTF8')) AS rank FROM (`+presentSQL+`) AS present ORDER BY rank, id LIMIT $1) AS first
		) AS sample WHERE bytes <= $2 ORDER BY rank, id`, sampleMessages, sampleBytes)
	if err != nil {
		return nil, fmt.Errorf("read a sample of the messages: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) { return d, row.Scan(&d.id, &d.size) })
	if err != nil {
		return nil, fmt.Errorf("read a sample of the messages: %w", err)
	}
	return all, nil
}

// batches cuts what is to be read into parts of so many messages and bytes at most; a
// longer message is a part by itself.
func batches(all []due, messages, bytes int) [][]string {
	var parts [][]string
	var part []string
	size := 0
	for _, d := range all {
		if len(part) > 0 && (len(part) == messages || size+d.size > bytes) {
			parts, part, size = append(parts, part), nil, 0
		}
		part, size = append(part, d.id), size+d.size
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

// message is one to read, with the hash of its text.
type message struct {
	extraction.Message
	hash []byte
}

// readMessages reads these messages, in the order of their ids.
func readMessages(ctx context.Context, tx pgx.Tx, ids []string) ([]message, error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT ON (m.id::text COLLATE "C") m.id::text COLLATE "C", m.conversation_id::text, coalesce(c.client_id, ''), coalesce(m.role::text, ''), m.body::text, m.sent_at::timestamptz,
		       sha256(convert_to(m.body::text, 'UTF8'))
		FROM (SELECT * FROM source.messages WHERE `+readable+`) AS m
		LEFT JOIN LATERAL (SELECT min(nullif(client_id::text, '') COLLATE "C") AS client_id FROM source.conversations c WHERE c.id::text = m.conversation_id::text) AS c ON true
		WHERE m.id::text = ANY ($1)
		ORDER BY m.id::text COLLATE "C", m.sent_at, m.conversation_id::text COLLATE "C", 7`, ids)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m message, err error) {
		return m, row.Scan(&m.ID, &m.ConversationID, &m.ClientID, &m.Role, &m.Body, &m.SentAt, &m.hash)
	})
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	slices.SortFunc(all, func(a, b message) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// readUnsaid finds the messages of the window, as they were read, of which no language
// model has said anything: by conversation, in the order in which they were sent. What
// an engine couldn't read another one may.
func readUnsaid(ctx context.Context, tx pgx.Tx, from time.Time, engine string) ([]candidate, error) {
	rows, err := tx.Query(ctx, `
		WITH present AS MATERIALIZED (`+presentSQL+`)
		SELECT p.id, p.conversation_id, p.sent_at, p.size FROM present p JOIN ciclo.graph_messages g ON g.id = p.id AND g.body_hash = p.hash
		WHERE p.sent_at >= $1 AND p.size > 0
		  AND (g.said ->> 'hash', g.said ->> 'version') IS DISTINCT FROM (encode(p.hash, 'hex'), $2::text)
		   OR p.sent_at >= $1 AND g.said ->> 'why' <> '' AND g.said ->> 'engine' <> $3
		ORDER BY p.conversation_id, p.sent_at, p.id`, from, sayingVersion, engine)
	if err != nil {
		return nil, fmt.Errorf("look for messages to ask about: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
		return c, row.Scan(&c.id, &c.conversation, &c.sentAt, &c.size)
	})
	if err != nil {
		return nil, fmt.Errorf("look for messages to ask about: %w", err)
	}
	return all, nil
}
