package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// payments is what a run reads from source.payments.
type payments struct {
	purchases []Purchase
	asOf      int32 // days since 1970-01-01 UTC
	currency  string
	// omitted counts payments that were left out, by reason.
	omitted map[string]int
}

// window is which payments a run looks at.
type window struct {
	// asOf is the last day; nil means the day of the last payment.
	asOf *int32
	// daysBack bounds the days before it; 0 is all history.
	daysBack int
	// currency is the one to value; empty means the only one there is.
	currency string
}

// readPayments reads the window's payments on one snapshot. Payments in several
// currencies are refused unless one is named: adding them up would be wrong, and
// choosing one is not ours to do.
func readPayments(ctx context.Context, tx pgx.Tx, w window) (payments, error) {
	p := payments{omitted: map[string]int{}}
	last, err := lastDay(ctx, tx, w)
	if err != nil {
		return p, err
	}
	p.asOf = last
	if p.currency, err = chooseCurrency(ctx, tx, w, last); err != nil {
		return p, err
	}
	rows, err := tx.Query(ctx, `
		SELECT client_id, (extract(epoch FROM paid_at) / 86400)::float8, amount::float8, currency, refunded
		FROM source.payments
		WHERE paid_at < $1 AND paid_at >= $2`, endOf(last), firstInstant(w, last))
	if err != nil {
		return p, fmt.Errorf("read source.payments: %w", err)
	}
	var purchase Purchase
	var days float64
	var currency string
	var refunded bool
	_, err = pgx.ForEachRow(rows, []any{&purchase.ClientID, &days, &purchase.Amount, &currency, &refunded}, func() error {
		switch {
		case currency != p.currency:
			p.omitted["currency "+currency]++
		case refunded:
			p.omitted["refunded"]++
		default:
			purchase.Day = int32(floorDay(days))
			p.purchases = append(p.purchases, purchase)
		}
		return nil
	})
	if err != nil {
		return p, fmt.Errorf("read source.payments: %w", err)
	}
	if len(p.purchases) == 0 {
		return p, agents.Permanent(fmt.Errorf("nobody has paid up to %s: import payments, or choose another as_of", date(last)))
	}
	return p, nil
}

func lastDay(ctx context.Context, tx pgx.Tx, w window) (int32, error) {
	if w.asOf != nil {
		return *w.asOf, nil
	}
	var last *time.Time
	if err := tx.QueryRow(ctx, `SELECT max(paid_at) FROM source.payments`).Scan(&last); err != nil {
		return 0, fmt.Errorf("read the last payment: %w", err)
	}
	if last == nil {
		return 0, agents.Permanent(errors.New("there are no payments: import some first"))
	}
	return dayOf(*last), nil
}

func chooseCurrency(ctx context.Context, tx pgx.Tx, w window, last int32) (string, error) {
	if w.currency != "" {
		return w.currency, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT currency, count(*) FROM source.payments WHERE paid_at < $1 AND paid_at >= $2
		GROUP BY currency ORDER BY count(*) DESC, currency`, endOf(last), firstInstant(w, last))
	if err != nil {
		return "", fmt.Errorf("read currencies: %w", err)
	}
	type found struct {
		Currency string
		Count    int
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	if err != nil {
		return "", fmt.Errorf("read currencies: %w", err)
	}
	switch len(all) {
	case 0:
		return "", nil // the reader of payments says that there are none
	case 1:
		return all[0].Currency, nil
	}
	texts := make([]string, len(all))
	for i, f := range all {
		texts[i] = fmt.Sprintf("%s %d", f.Currency, f.Count)
	}
	return "", agents.Permanent(fmt.Errorf("payments are in several currencies (%s): name the one to value by the parameter currency; the others are then left out and counted",
		strings.Join(texts, ", ")))
}

const secondsPerDay = 24 * 60 * 60

func dayOf(t time.Time) int32 { return int32(floorDay(float64(t.Unix()) / secondsPerDay)) }

func floorDay(days float64) int {
	d := int(days)
	if float64(d) > days {
		d--
	}
	return d
}

// endOf is the first instant after a day.
func endOf(day int32) time.Time { return time.Unix(int64(day+1)*secondsPerDay, 0).UTC() }

func firstInstant(w window, last int32) time.Time {
	if w.daysBack == 0 {
		return time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return endOf(last).AddDate(0, 0, -w.daysBack)
}

func date(day int32) string { return endOf(day - 1).Format(time.DateOnly) }

// omissions lists what was left out, sorted by reason.
func (p payments) omissions() []Omission {
	out := []Omission{}
	for reason, n := range p.omitted {
		out = append(out, Omission{Reason: reason, Payments: n})
	}
	slices.SortFunc(out, func(a, b Omission) int { return strings.Compare(a.Reason, b.Reason) })
	return out
}
