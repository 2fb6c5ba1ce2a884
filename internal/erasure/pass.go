package erasure

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/internal/graph"
)

const (
	// batch is how many rows one transaction erases.
	batch = 10_000
	// page is how many rows one statement searches.
	page = 2_000
	// messageBatch is how many messages one transaction erases from the graph.
	messageBatch = 1_000
)

// pass goes over all tables once, in transactions that each take the erasure's row:
// two that erase one client wait for each other.
type pass struct {
	client string
	within func(ctx context.Context, do func(pgx.Tx) error) error

	payments                       bool
	patterns, words, conversations []string
}

// run makes the pass and returns how many rows it deleted or changed.
func (p *pass) run(ctx context.Context) (found int64, err error) {
	var searches []step
	err = p.within(ctx, func(tx pgx.Tx) (err error) { searches, err = searchSteps(ctx, tx); return err })
	if err != nil {
		return 0, err
	}
	for _, s := range slices.Concat(rowSteps, []step{{table: "the graph", do: eraseGraph}}, searches) {
		for more := true; more; {
			rows := map[string]int64{}
			err := p.within(ctx, func(tx pgx.Tx) (err error) {
				if err := p.take(ctx, tx); err != nil {
					return err
				}
				if more, err = s.run(ctx, tx, p, rows); err != nil {
					return fmt.Errorf("erase from %s: %w", s.table, err)
				}
				return p.count(ctx, tx, rows)
			})
			if err != nil {
				return found, err
			}
			for _, n := range rows {
				found += n
			}
		}
	}
	return found, p.within(ctx, func(tx pgx.Tx) error { return leaveToTheFirm(ctx, tx, p) })
}

// take locks the erasure and reads what it looks for.
func (p *pass) take(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `SELECT payments, patterns, words, conversations FROM ciclo.erasures WHERE client_id = $1 FOR UPDATE`, p.client).
		Scan(&p.payments, &p.patterns, &p.words, &p.conversations)
	if err != nil {
		return fmt.Errorf("take the erasure: %w", err)
	}
	return nil
}

// count adds to the rows that the erasure shows.
func (p *pass) count(ctx context.Context, tx pgx.Tx, rows map[string]int64) error {
	for table, n := range rows {
		if n == 0 {
			continue
		}
		_, err := tx.Exec(ctx, `
			UPDATE ciclo.erasures SET rows = jsonb_set(rows, ARRAY[$2::text], to_jsonb(coalesce((rows ->> $2)::bigint, 0) + $3::bigint)) WHERE client_id = $1`,
			p.client, table, n)
		if err != nil {
			return fmt.Errorf("count what was erased: %w", err)
		}
	}
	return nil
}

func (p *pass) args() pgx.NamedArgs {
	return pgx.NamedArgs{
		"client": p.client, "payments": p.payments, "patterns": p.patterns, "words": p.words, "conversations": p.conversations, "batch": batch,
	}
}

// eraseGraph erases a batch of messages from the knowledge graph.
func eraseGraph(ctx context.Context, tx pgx.Tx, p *pass, rows map[string]int64) (more bool, err error) {
	erased, err := graph.Erase(ctx, tx, graph.Erasure{ClientID: p.client, Conversations: p.conversations, Patterns: p.patterns, Batch: messageBatch})
	for table, n := range erased {
		rows[table] += n
	}
	return len(erased) > 0, err
}

// step erases from one table, a batch at a time, until there is no more.
type step struct {
	table string
	// sql changes at most a batch of rows.
	sql string
	// do is what one statement can't.
	do func(ctx context.Context, tx pgx.Tx, p *pass, rows map[string]int64) (more bool, err error)
}

func (s step) run(ctx context.Context, tx pgx.Tx, p *pass, rows map[string]int64) (more bool, err error) {
	if s.do != nil {
		return s.do(ctx, tx, p, rows)
	}
	tag, err := tx.Exec(ctx, s.sql, p.args())
	rows[s.table] += tag.RowsAffected()
	return tag.RowsAffected() >= batch, err
}

// deletes is a step that deletes the rows of the table that the condition is true of.
func deletes(table, where string) step {
	return step{table: table, sql: `DELETE FROM ` + table + ` WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM ` + table + ` t WHERE ` + where + ` LIMIT @batch))`}
}

// ofClient are the messages that an execution was to send, of the client.
const ofClient = `SELECT id FROM ciclo.messages WHERE client_id = @client`

// rowSteps erase what rows say by the client or the conversation that they are of.
// An address that is being written to is needed by the execution that writes: it is
// erased when that has ended.
var rowSteps = []step{
	deletes("ciclo.client_scores", `t.client_id = @client`),
	deletes("ciclo.segment_changes", `t.client_id = @client`),
	deletes("ciclo.value_payments", `t.part > 0 AND EXISTS (SELECT FROM ciclo.executions e WHERE e.id = t.execution_id AND e.ended_at IS NOT NULL)`),
	{table: "ciclo.steps", sql: `
		UPDATE ciclo.steps s SET output = '{}'
		FROM ciclo.executions e, (` + ofClient + `) m
		WHERE e.agent = 'message-sender' AND e.parameters ->> 'message_id' = m.id AND e.ended_at IS NOT NULL AND s.execution_id = e.id AND s.output <> '{}'`},
	// What an execution that is alive was told is what its next attempt goes by.
	{table: "ciclo.llm_calls", sql: `
		UPDATE ciclo.llm_calls SET request = NULL, answer = NULL
		WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM ciclo.llm_calls t JOIN ciclo.executions e ON e.id = t.execution_id
			WHERE t.client_ids @> ARRAY[@client::text] AND (t.request IS NOT NULL OR t.answer IS NOT NULL) AND e.ended_at IS NOT NULL LIMIT @batch))`},
	// Drafted, and let out by the policy, by a transaction that was under way.
	{table: "ciclo.messages", sql: `UPDATE ciclo.messages SET status = 'rejected', reason = 'the client has opted out' WHERE client_id = @client AND status = 'approved'`},
	deletes("ciclo.messages", `t.client_id = @client AND t.status IN ('draft', 'rejected', 'expired', 'failed') AND t.execution_id IS NULL
		AND NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.message_id = t.id)`),
	{table: "ciclo.messages", sql: `
		UPDATE ciclo.messages SET address = '[erased]', subject = '[erased]', body = '[erased]', variables = NULL, reasons = '{}',
		       reason = CASE WHEN reason IS NOT NULL THEN '[erased]' END
		WHERE ctid = ANY (ARRAY(SELECT ctid FROM ciclo.messages
			WHERE client_id = @client AND address <> '[erased]' AND status NOT IN ('draft', 'approved', 'sending') LIMIT @batch))`},
	{table: "ciclo.contacts", do: emptyContacts},
	{table: "ciclo.opt_outs", sql: `
		UPDATE ciclo.opt_outs SET address_hash = ciclo.address_hash(address), address = NULL, detail = ''
		WHERE address IS NOT NULL AND (client_id = @client OR client_id IS NULL AND ciclo.hashed_opt_out(address))
		  AND id NOT IN (` + twiceOptedOut + `)`},
	{table: "ciclo.opt_outs", sql: `DELETE FROM ciclo.opt_outs WHERE id IN (` + twiceOptedOut + `)`},
	{table: "ciclo.opt_outs", sql: `UPDATE ciclo.opt_outs SET detail = '' WHERE client_id = @client AND detail <> ''`},
	deletes("ciclo.patterns", `ciclo.erase_text(t.feature, @patterns) <> t.feature OR ciclo.erase_texts(t.same_as, @patterns) <> t.same_as`),
	{table: "ciclo.patterns", sql: `
		UPDATE ciclo.patterns SET examples = ARRAY(SELECT x FROM unnest(examples) WITH ORDINALITY AS t (x, n) WHERE x <> ALL (@conversations::text[]) ORDER BY n)
		WHERE examples && @conversations::text[]`},
	{table: "ciclo.executions", sql: `
		UPDATE ciclo.executions SET idempotency_key = NULL, request_hash = NULL
		WHERE idempotency_key IS NOT NULL AND ciclo.erase_text(idempotency_key, @patterns) <> idempotency_key`},
	deletes("ciclo.graph_models", `EXISTS (SELECT FROM unnest(@words::text[]) AS w (word) WHERE position(convert_to(w.word, 'UTF8') IN t.model) > 0)`),

	deletes("crm.messages", `t.conversation_id IN (SELECT id FROM crm.conversations WHERE client_id = @client)`),
	deletes("crm.ratings", `t.conversation_id IN (SELECT id FROM crm.conversations WHERE client_id = @client)`),
	deletes("crm.interactions", `t.client_id = @client`),
	deletes("crm.names", `t.type = 'person' AND (t.id = @client OR ciclo.erase_text(t.name, @patterns) = '[erased]')`),
	deletes("crm.payments", `@payments AND t.client_id = @client`),
	deletes("crm.practices", `@payments AND t.client_id = @client AND NOT EXISTS (SELECT FROM crm.payments y WHERE y.practice_id = t.id)`),
	{table: "crm.conversations", sql: `UPDATE crm.conversations SET segment = NULL WHERE client_id = @client AND segment IS NOT NULL`},
	{table: "crm.clients", sql: `
		UPDATE crm.clients
		SET name = NULL, email = NULL, phone = NULL, whatsapp = NULL, language = NULL, consent_marketing = false, tags = '{}', status = 'inactive'
		WHERE id = @client AND (num_nonnulls(name, email, phone, whatsapp, language) > 0 OR consent_marketing OR tags <> '{}' OR status <> 'inactive')`},
}

// twiceOptedOut are opt-outs that would be another's once their address is hashed:
// open ones of one client, address and source.
const twiceOptedOut = `
	SELECT o.id FROM ciclo.opt_outs o
	WHERE o.address IS NOT NULL AND o.ended_at IS NULL AND (o.client_id = @client OR o.client_id IS NULL AND ciclo.hashed_opt_out(o.address))
	  AND EXISTS (SELECT FROM ciclo.opt_outs h WHERE h.ended_at IS NULL AND h.address_hash = ciclo.address_hash(o.address)
	              AND h.client_id IS NOT DISTINCT FROM o.client_id AND h.source = o.source)`

// emptyContacts empties the addresses. A contact of somebody else at the same address
// is chained to the one before: after the first statement, and so with the constraint
// deferred.
func emptyContacts(ctx context.Context, tx pgx.Tx, p *pass, rows map[string]int64) (more bool, err error) {
	if _, err := tx.Exec(ctx, `SET CONSTRAINTS ciclo.contacts_after_address DEFERRED`); err != nil {
		return false, err
	}
	emptied, err := tx.Query(ctx, `
		WITH mine AS (
			SELECT c.message_id, c.address FROM ciclo.contacts c JOIN ciclo.messages m ON m.id = c.message_id
			WHERE c.client_id = @client AND c.address IS NOT NULL AND m.status <> 'sending'
		)
		UPDATE ciclo.contacts c SET address = NULL, address_previous_at = NULL FROM mine WHERE c.message_id = mine.message_id RETURNING mine.address`, p.args())
	if err != nil {
		return false, err
	}
	addresses, err := pgx.CollectRows(emptied, pgx.RowTo[string])
	if err != nil {
		return false, err
	}
	rows["ciclo.contacts"] += int64(len(addresses))
	tag, err := tx.Exec(ctx, `
		UPDATE ciclo.contacts c SET address_previous_at = (SELECT max(b.at) FROM ciclo.contacts b WHERE b.address = c.address AND b.at < c.at)
		WHERE c.address = ANY ($1) AND c.address_previous_at IS NOT NULL
		  AND NOT EXISTS (SELECT FROM ciclo.contacts b WHERE b.address = c.address AND b.at = c.address_previous_at)`, addresses)
	if err != nil {
		return false, err
	}
	rows["ciclo.contacts"] += tag.RowsAffected()
	_, err = tx.Exec(ctx, `SET CONSTRAINTS ciclo.contacts_after_address IMMEDIATE`)
	return false, err
}

// views are the firm's, and what of the client shows in them once Ciclo's own tables
// are erased.
var views = []struct{ name, sql, advice string }{
	{"source.clients", `SELECT 'here' FROM source.clients WHERE id = $1 AND (coalesce(name, '') <> '' OR coalesce(email, '') <> '' OR coalesce(phone, '') <> '' OR coalesce(whatsapp, '') <> '') LIMIT 1`, "the client's name and addresses"},
	{"source.interactions", `SELECT 'here' FROM source.interactions WHERE client_id = $1 LIMIT 1`, "the client's interactions"},
	{"source.messages", `SELECT 'here' FROM source.messages m JOIN source.conversations c ON c.id = m.conversation_id WHERE c.client_id = $1 LIMIT 1`, "the messages of the client's conversations"},
}

// leaveToTheFirm writes down what is left in views that are the firm's own, and with
// those who were given messages.
func leaveToTheFirm(ctx context.Context, tx pgx.Tx, p *pass) error {
	firm := []string{}
	for _, v := range views {
		rows, err := ask(ctx, tx, v.sql, p.client)
		if err != nil {
			return fmt.Errorf("look what is left in %s: %w", v.name, err)
		}
		if len(rows) > 0 {
			firm = append(firm, v.name+" shows "+v.advice+": erase them in the table that it reads; agents read them no more")
		}
	}
	if rows, err := ask(ctx, tx, `SELECT DISTINCT channel FROM ciclo.messages WHERE client_id = $1 AND sent_at IS NOT NULL ORDER BY 1`, p.client); err != nil {
		return fmt.Errorf("look what was sent: %w", err)
	} else if len(rows) > 0 {
		firm = append(firm, "messages were sent: the provider's and the mail server's own records have them")
	}
	if _, err := tx.Exec(ctx, `UPDATE ciclo.erasures SET firm = $2 WHERE client_id = $1`, p.client, firm); err != nil {
		return fmt.Errorf("write down what is left to the firm: %w", err)
	}
	return nil
}
