package imports

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Rates say what one unit of a currency was worth in another on a day. Another
// rate of the same currencies and day replaces the one that is there.
var Rates = &Kind{
	Name: "rates",
	columns: []column{
		{name: "currency", sql: "text", required: true, takes: word, parse: parseCurrency},
		{name: "into", sql: "text", required: true, takes: word, parse: parseCurrency},
		{name: "day", sql: "date", required: true, takes: word, parse: parseDay},
		{name: "rate", sql: "numeric", required: true, takes: word | number, parse: parseRate},
	},
	check: checkRates,
	write: writeRates,
}

func checkRates(ctx context.Context, tx pgx.Tx, _ *intake) error {
	_, err := tx.Exec(ctx, `UPDATE incoming SET reason = format('into %s is the currency itself', "into") WHERE reason IS NULL AND currency = "into"`)
	return errors.Join(err, refuseTwice(ctx, tx, "the rate of", `currency, "into", day`))
}

func writeRates(ctx context.Context, tx pgx.Tx, _ *intake, imported int64, r *Report) error {
	changed, err := tx.Exec(ctx, `
		UPDATE crm.rates r SET rate = i.rate, import_id = $1
		FROM incoming i
		WHERE i.reason IS NULL AND (r.currency, r."into", r.day) = (i.currency, i."into", i.day) AND r.rate <> i.rate`, imported)
	if err != nil {
		return fmt.Errorf("replace rates: %w", err)
	}
	r.Changed = changed.RowsAffected()
	added, err := tx.Exec(ctx, `
		INSERT INTO crm.rates (currency, "into", day, rate, import_id)
		SELECT currency, "into", day, rate, $1 FROM incoming WHERE reason IS NULL
		ON CONFLICT (currency, "into", day) DO NOTHING`, imported)
	if err != nil {
		return fmt.Errorf("write rates: %w", err)
	}
	r.Rows = added.RowsAffected()
	return nil
}
