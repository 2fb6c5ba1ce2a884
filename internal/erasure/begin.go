package erasure

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// begin writes down that a client is erased: from its commit on agents read nothing of
// the client. With it go what is looked for, and opt-outs of all addresses.
func begin(ctx context.Context, tx pgx.Tx, r Request) error {
	p, conversations, known, err := find(ctx, tx, r.ClientID)
	if err != nil {
		return err
	}
	if !known {
		return ErrNoClient
	}
	var region string
	if err := tx.QueryRow(ctx, `SELECT region FROM ciclo.contact_policy`).Scan(&region); err != nil {
		return fmt.Errorf("read the contact policy: %w", err)
	}
	// Asked again, it looks again: an import may have brought something since.
	_, err = tx.Exec(ctx, `
		INSERT INTO ciclo.erasures AS e (client_id, erased_by, payments, patterns, words, conversations)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (client_id) DO UPDATE SET payments = e.payments OR excluded.payments, ended_at = NULL, runs = NULL,
			patterns      = ARRAY(SELECT p FROM (SELECT unnest(e.patterns) UNION SELECT unnest(excluded.patterns)) AS t (p) ORDER BY length(p) DESC, p),
			words         = ARRAY(SELECT unnest(e.words) UNION SELECT unnest(excluded.words) ORDER BY 1),
			conversations = ARRAY(SELECT unnest(e.conversations) UNION SELECT unnest(excluded.conversations) ORDER BY 1)`,
		r.ClientID, r.By, r.Payments, list(p.patterns(region)), list(p.words()), list(conversations))
	if err != nil {
		return fmt.Errorf("write the erasure down: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO ciclo.opt_outs (client_id, address_hash, source)
		SELECT $1::text, NULL, 'erasure' UNION ALL SELECT NULL, ciclo.address_hash(a), 'erasure' FROM unnest($2::text[]) AS t (a)
		ON CONFLICT DO NOTHING`, r.ClientID, list(p.addresses(region)))
	if err != nil {
		return fmt.Errorf("write the opt-outs down: %w", err)
	}
	return nil
}

// list is never NULL.
func list(of []string) []string { return append([]string{}, of...) }

// find looks for what the client is known by, in the firm's views and in what Ciclo
// wrote itself: the firm may have deleted the client already.
func find(ctx context.Context, tx pgx.Tx, client string) (p person, conversations []string, known bool, err error) {
	for _, from := range []string{"crm.clients", "source.clients"} {
		rows, err := ask(ctx, tx, `SELECT name, email, phone, whatsapp FROM `+from+` WHERE id = $1`, client)
		if err != nil {
			return p, nil, false, fmt.Errorf("look into %s: %w", from, err)
		}
		for _, row := range rows {
			known = true
			p.names, p.mails, p.phones = append(p.names, row[0]), append(p.mails, row[1]), append(p.phones, row[2], row[3])
		}
	}
	// A name of its own is only what was filled into a text.
	rows, err := ask(ctx, tx, `SELECT DISTINCT channel, address, coalesce(variables ->> '1', '') FROM ciclo.messages WHERE client_id = $1 AND address <> '[erased]'`, client)
	if err != nil {
		return p, nil, false, fmt.Errorf("look into the client's messages: %w", err)
	}
	for _, row := range rows {
		p.add(row[1])
		p.names = append(p.names, row[2])
	}
	if rows, err = ask(ctx, tx, `SELECT address FROM ciclo.opt_outs WHERE client_id = $1 AND address IS NOT NULL`, client); err != nil {
		return p, nil, false, fmt.Errorf("look into opt-outs: %w", err)
	}
	for _, row := range rows {
		p.add(row[0])
	}
	if rows, err = ask(ctx, tx, `SELECT name FROM ciclo.graph_records WHERE client_id = $1 AND type = 'person'`, client); err != nil {
		return p, nil, false, fmt.Errorf("look into the graph's records: %w", err)
	}
	for _, row := range rows {
		p.names = append(p.names, row[0])
	}
	seen := map[string]bool{"": true}
	for _, from := range []string{"crm.conversations", "source.conversations", "ciclo.graph_messages"} {
		id := "id"
		if from == "ciclo.graph_messages" {
			id = "conversation_id"
		}
		if rows, err = ask(ctx, tx, `SELECT DISTINCT `+id+` FROM `+from+` WHERE client_id = $1`, client); err != nil {
			return p, nil, false, fmt.Errorf("look into %s: %w", from, err)
		}
		for _, row := range rows {
			if !seen[row[0]] {
				seen[row[0]] = true
				conversations = append(conversations, row[0])
			}
		}
	}
	known = known || len(conversations) > 0
	for _, table := range []string{
		"ciclo.erasures", "ciclo.client_scores", "ciclo.segment_changes", "ciclo.messages", "ciclo.contacts", "ciclo.opt_outs",
		"ciclo.graph_records", "crm.practices", "source.payments", "source.interactions",
	} {
		if known {
			break
		}
		if rows, err = ask(ctx, tx, `SELECT 'here' FROM `+table+` WHERE client_id = $1 LIMIT 1`, client); err != nil {
			return p, nil, false, fmt.Errorf("look into %s: %w", table, err)
		}
		known = len(rows) > 0
	}
	return p, conversations, known, nil
}

// add adds an address, which is a mail address or a number.
func (p *person) add(address string) {
	if strings.Contains(address, "@") {
		p.mails = append(p.mails, address)
	} else {
		p.phones = append(p.phones, address)
	}
}

// ask reads rows of texts at a savepoint; a view of the firm's that isn't there, or
// has other columns, has none.
func ask(ctx context.Context, tx pgx.Tx, sql, client string) (all [][]string, err error) {
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) error {
		rows, err := savepoint.Query(ctx, sql, client)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]string, error) {
			values, err := row.Values()
			texts := make([]string, len(values))
			for i, v := range values {
				texts[i], _ = v.(string) // NULL is empty
			}
			return texts, err
		})
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && strings.HasPrefix(pg.Code, "42") {
		return nil, nil
	}
	return all, err
}
