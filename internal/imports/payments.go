package imports

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Payments are what clients have paid. Clients that aren't known are made, with
// nothing but their id and their first payment's time.
var Payments = &Kind{
	Name:  "payments",
	named: "id",
	columns: []column{
		{name: "id", sql: "text", takes: word | number, parse: parseID},
		{name: "client_id", sql: "text", required: true, takes: word | number, parse: parseID},
		{name: "paid_at", sql: "timestamptz", required: true, takes: word, parse: parseInstant},
		{name: "amount", sql: "numeric", required: true, takes: word | number, parse: parseAmount},
		{name: "currency", sql: "text", byOption: true, takes: word, parse: parseCurrency},
		{name: "refunded", sql: "boolean", takes: word | truth, parse: parseBool},
	},
	check: checkPayments,
	write: writePayments,
}

func checkPayments(ctx context.Context, tx pgx.Tx, in *intake) error {
	if in.named == 0 {
		return nil
	}
	if err := refuseTwice(ctx, tx, "id", "id"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		UPDATE incoming i SET reason = format('id %s is there already with other content: %s', i.id, concat_ws(', ',
			CASE WHEN p.client_id <> i.client_id THEN format('client_id is %s', p.client_id) END,
			CASE WHEN p.paid_at <> i.paid_at THEN format('paid_at is %s', to_char(p.paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) END,
			CASE WHEN p.amount <> i.amount THEN format('amount is %s', p.amount) END,
			CASE WHEN p.currency <> i.currency THEN format('currency is %s', p.currency) END,
			CASE WHEN p.refunded <> coalesce(i.refunded, false) THEN format('refunded is %s', p.refunded::text) END))
		FROM crm.payments p
		WHERE p.reference = i.id AND i.reason IS NULL
		  AND (p.client_id, p.paid_at, p.amount, p.currency, p.refunded) <> (i.client_id, i.paid_at, i.amount, i.currency, coalesce(i.refunded, false))`); err != nil {
		return fmt.Errorf("compare with the payments that are there: %w", err)
	}
	return nil
}

func writePayments(ctx context.Context, tx pgx.Tx, in *intake, imported int64, r *Report) error {
	clients, err := tx.Exec(ctx, `
		INSERT INTO crm.clients (id, created_at)
		SELECT client_id, min(paid_at) FROM incoming WHERE reason IS NULL GROUP BY client_id ORDER BY client_id
		ON CONFLICT (id) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("make clients: %w", err)
	}
	r.NewClients = clients.RowsAffected()
	known := ``
	if in.named > 0 {
		known = ` AND (i.id IS NULL OR NOT EXISTS (SELECT FROM crm.payments p WHERE p.reference = i.id))`
	}
	payments, err := tx.Exec(ctx, `
		INSERT INTO crm.payments (client_id, paid_at, amount, currency, refunded, reference, import_id)
		SELECT client_id, paid_at, amount, currency, coalesce(refunded, false), id, $1
		FROM incoming i WHERE reason IS NULL`+known, imported)
	if err != nil {
		return fmt.Errorf("write payments: %w", err)
	}
	r.Rows = payments.RowsAffected()
	return nil
}
