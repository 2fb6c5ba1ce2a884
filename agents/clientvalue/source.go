package clientvalue

import (
	"context"
	"fmt"
	"math"
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
	// conversions are of payments in other currencies.
	conversions []Conversion
	// omitted counts payments that were left out, by reason.
	omitted map[string]int
}

// window is which payments a run looks at.
type window struct {
	// asOf is the last day; nil means the day of the last payment.
	asOf *int32
	// today is the day of the run's acceptance: what was paid after it, and after
	// asOf, can't have been.
	today int32
	// daysBack bounds the days before it; 0 is all history.
	daysBack int
	// currency is the one to value in; empty means the only one there is.
	currency string
}

// A firm's own view may hold anything. What can't be a payment is left out, and
// counted by these reasons.
const (
	omittedNoDate   = "no date"
	omittedEarly    = "dated before 1970-01-02"
	omittedFuture   = "dated in the future"
	omittedNobody   = "no client id"
	omittedLongID   = "client id longer than 200 bytes"
	omittedCurrency = "currency is not three capitals"
	omittedNoAmount = "no amount"
	omittedNaN      = "amount is not a number"
	omittedHuge     = "amount beyond 1e15"
	omittedRefunded = "refunded"
)

// maxClientID is how long an id may be, in bytes, to have an index entry.
const maxClientID = 200

// firstDay is 1970-01-02: dates before it come from programs that had none.
var firstDay = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

// notErased leaves out payments of erased clients: one look into a hash table a row.
const notErased = `coalesce(client_id, '') NOT IN (SELECT client_id FROM ciclo.erasures)`

// selectPayments is the payments of a window, $1 to $2, and those at times that
// none can have. Infinite days are before 1970-01-02 and after $3; amounts that no
// float8 holds are infinite.
const selectPayments = `
	SELECT coalesce(client_id, ''),
	       CASE WHEN paid_at < $4 THEN '-Infinity' WHEN paid_at >= $3 THEN 'Infinity' ELSE date_part('epoch', paid_at) / 86400 END,
	       CASE WHEN amount BETWEEN -1e15 AND 1e15 THEN amount::float8 WHEN amount = 'NaN' THEN 'NaN' WHEN amount IS NOT NULL THEN 'Infinity' END,
	       coalesce(currency, ''), coalesce(refunded, false)
	FROM source.payments
	WHERE ((paid_at >= $1 AND paid_at < $2) OR paid_at < $4 OR paid_at >= $3 OR paid_at IS NULL) AND ` + notErased

// readPayments reads the window's payments on one snapshot. Payments in another
// currency than the one to value in are converted, each on its own day. Several
// currencies are refused unless one is named: choosing one is not ours to do.
func readPayments(ctx context.Context, tx pgx.Tx, w window) (payments, error) {
	p := payments{omitted: map[string]int{}}
	last, err := lastDay(ctx, tx, w)
	if err != nil {
		return p, err
	}
	p.asOf = last
	rows, err := tx.Query(ctx, selectPayments, firstInstant(w, last), endOf(last), endOf(max(last, w.today)), firstDay)
	if err != nil {
		return p, fmt.Errorf("read source.payments: %w", err)
	}
	var row struct {
		client, currency string
		days, amount     *float64
		refunded         bool
	}
	found := currencies{index: map[string]uint16{}}
	_, err = pgx.ForEachRow(rows, []any{&row.client, &row.days, &row.amount, &row.currency, &row.refunded}, func() error {
		if reason := refuse(row.client, row.currency, row.days, row.amount, row.refunded); reason != "" {
			p.omitted[reason]++
			return nil
		}
		p.purchases = append(p.purchases, Purchase{ClientID: row.client, Day: int32(floorDay(*row.days)), Amount: *row.amount})
		found.add(row.currency)
		return nil
	})
	if err != nil {
		return p, fmt.Errorf("read source.payments: %w", err)
	}
	if len(p.purchases) == 0 {
		return p, agents.Permanent(fmt.Errorf("nobody has paid up to %s: import payments, or choose another as_of%s", date(last), p.leftOut()))
	}
	if p.currency, err = found.choose(w.currency); err != nil {
		return p, err
	}
	p.conversions, err = convert(ctx, tx, p.purchases, found, p.currency)
	return p, err
}

// refuse says why a row can't be a payment; empty where it can.
func refuse(client, currency string, days, amount *float64, refunded bool) string {
	switch {
	case days == nil:
		return omittedNoDate
	case math.IsInf(*days, -1):
		return omittedEarly
	case math.IsInf(*days, 1):
		return omittedFuture
	case client == "":
		return omittedNobody
	case len(client) > maxClientID:
		return omittedLongID
	case !isCurrency(currency):
		return omittedCurrency
	case amount == nil:
		return omittedNoAmount
	case math.IsNaN(*amount):
		return omittedNaN
	case math.IsInf(*amount, 0):
		return omittedHuge
	case refunded:
		return omittedRefunded
	}
	return ""
}

func isCurrency(code string) bool {
	return len(code) == 3 && !strings.ContainsFunc(code, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// lastDay is the last day of the window; that of the last payment is of those
// that can have been.
func lastDay(ctx context.Context, tx pgx.Tx, w window) (int32, error) {
	if w.asOf != nil {
		return *w.asOf, nil
	}
	var last *time.Time
	err := tx.QueryRow(ctx, `SELECT max(paid_at) FROM source.payments WHERE paid_at >= $1 AND paid_at < $2 AND `+notErased, firstDay, endOf(w.today)).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("read the last payment: %w", err)
	}
	if last == nil {
		return 0, agents.Permanent(fmt.Errorf("there are no payments from 1970-01-02 to %s: import some first", date(w.today)))
	}
	return dayOf(*last), nil
}

// currencies are those of the payments that are kept, in the order of their first.
type currencies struct {
	codes  []string
	counts []int
	index  map[string]uint16
	// of is each payment's, as an index of codes.
	of []uint16
}

// add notes the next payment's currency. Codes are at most 26³.
func (c *currencies) add(code string) {
	i, known := c.index[code]
	if !known {
		i = uint16(len(c.codes)) //nolint:gosec // at most 17,576
		c.codes, c.counts, c.index[code] = append(c.codes, code), append(c.counts, 0), i
	}
	c.counts[i]++
	c.of = append(c.of, i)
}

// choose is the currency to value in: the named one, else the only one.
func (c *currencies) choose(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	if len(c.codes) == 1 {
		return c.codes[0], nil
	}
	order := make([]int, len(c.codes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if c.counts[a] != c.counts[b] {
			return c.counts[b] - c.counts[a]
		}
		return strings.Compare(c.codes[a], c.codes[b])
	})
	texts := make([]string, len(order))
	for i, o := range order {
		texts[i] = fmt.Sprintf("%s %d", c.codes[o], c.counts[o])
	}
	return "", agents.Permanent(fmt.Errorf("payments are in several currencies (%s): name the one to value in by the parameter currency; the others are then converted by source.rates",
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
		return firstDay
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

// leftOut is the omissions as the end of a message.
func (p payments) leftOut() string {
	texts := []string{}
	for _, o := range p.omissions() {
		texts = append(texts, fmt.Sprintf("%s %d", o.Reason, o.Payments))
	}
	if len(texts) == 0 {
		return ""
	}
	return " (left out: " + strings.Join(texts, ", ") + ")"
}
