package clientvalue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents"
)

// Conversion is what payments in one currency became in the one that is valued in.
type Conversion struct {
	Currency string `json:"currency"`
	Payments int    `json:"payments"`
	// Amount is the sum in Currency, Converted the same in Into.
	Amount    float64 `json:"amount"`
	Into      string  `json:"into"`
	Converted float64 `json:"converted"`
}

// maxRateAge is how many days older than a payment its rate may be.
const maxRateAge = 31

// rate is what one unit of another currency was worth on a day.
type rate struct {
	day     int32
	value   float64
	inverse bool // of the rate that was given
}

// convert makes the purchases that are in other currencies ones in the currency
// into, by the latest rate on or before each one's day. The error is permanent
// where rates are missing. source.rates is looked at only if there is something to
// convert, so that a firm without the view may have one currency.
func convert(ctx context.Context, tx pgx.Tx, purchases []Purchase, found currencies, into string) ([]Conversion, error) {
	conversions := make([]Conversion, 0)
	if len(found.codes) == 1 && found.codes[0] == into {
		return conversions, nil
	}
	rates, err := readRates(ctx, tx, found.codes, into)
	if err != nil {
		return nil, err
	}
	// Sums are made of sorted amounts, so that they don't depend on the order in
	// which payments come.
	before, after := make([][]float64, len(found.codes)), make([][]float64, len(found.codes))
	missing := make([]absent, len(found.codes))
	for i := range purchases {
		of := found.of[i]
		code := found.codes[of]
		if code == into {
			continue
		}
		p := &purchases[i]
		value, there := at(rates[code], p.Day)
		if !there {
			missing[of].add(p.Day)
			continue
		}
		before[of] = append(before[of], p.Amount)
		p.Amount *= value
		after[of] = append(after[of], p.Amount)
	}
	if err := noRates(found.codes, missing, into); err != nil {
		return nil, err
	}
	for i, code := range found.codes {
		if code != into {
			conversions = append(conversions, Conversion{code, found.counts[i], money(sum(before[i])), into, money(sum(after[i]))})
		}
	}
	slices.SortFunc(conversions, func(a, b Conversion) int { return strings.Compare(a.Currency, b.Currency) })
	return conversions, nil
}

// sum adds in an order of its own.
func sum(amounts []float64) float64 {
	slices.Sort(amounts)
	total := 0.0
	for _, a := range amounts {
		total += a
	}
	return total
}

// absent counts a currency's payments without a rate.
type absent struct {
	payments int
	first    int32 // day
}

func (a *absent) add(day int32) {
	if a.payments == 0 || day < a.first {
		a.first = day
	}
	a.payments++
}

func noRates(codes []string, missing []absent, into string) error {
	var texts []string
	for i, m := range missing {
		if m.payments > 0 {
			texts = append(texts, fmt.Sprintf("%d payments in %s, the first on %s", m.payments, codes[i], date(m.first)))
		}
	}
	if len(texts) == 0 {
		return nil
	}
	slices.Sort(texts)
	return agents.Permanent(fmt.Errorf("no rate into %s, of the payment's day or at most %d days before it, for %s: import rates by `ciclo import rates FILE` (currency, into, day, rate), or have source.rates show them",
		into, maxRateAge, strings.Join(texts, "; ")))
}

// readRates reads the rates of the currencies into one, or out of it, sorted by
// day: one a day, the direct one where both are given. What can't be a rate is as
// if it weren't there; two different rates of one day are a permanent error.
func readRates(ctx context.Context, tx pgx.Tx, codes []string, into string) (map[string][]rate, error) {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('source.rates') IS NOT NULL`).Scan(&there); err != nil {
		return nil, fmt.Errorf("look for source.rates: %w", err)
	}
	if !there {
		return nil, nil // each payment then lacks its rate
	}
	rows, err := tx.Query(ctx, `
		SELECT CASE WHEN "into" = $2 THEN currency ELSE "into" END, (day::date - DATE '1970-01-01')::int4, rate::float8, "into" <> $2
		FROM source.rates
		WHERE (("into" = $2 AND currency = ANY ($1)) OR (currency = $2 AND "into" = ANY ($1))) AND currency <> "into"
		  AND rate BETWEEN 1e-15 AND 1e15 AND day >= DATE '1969-12-01' AND day < DATE '9999-12-31'`, codes, into)
	if err != nil {
		return nil, fmt.Errorf("read source.rates: %w", err)
	}
	rates := map[string][]rate{}
	var code string
	var r rate
	_, err = pgx.ForEachRow(rows, []any{&code, &r.day, &r.value, &r.inverse}, func() error {
		rates[code] = append(rates[code], r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read source.rates: %w", err)
	}
	for code, all := range rates {
		if rates[code], err = oneADay(all, code, into); err != nil {
			return nil, err
		}
	}
	return rates, nil
}

func oneADay(rates []rate, code, into string) ([]rate, error) {
	slices.SortFunc(rates, func(a, b rate) int {
		direct := 0
		if a.inverse != b.inverse {
			direct = 1
			if b.inverse {
				direct = -1
			}
		}
		return cmp.Or(cmp.Compare(a.day, b.day), direct, cmp.Compare(a.value, b.value))
	})
	for i := 1; i < len(rates); i++ {
		a, b := rates[i-1], rates[i]
		if a.day == b.day && a.inverse == b.inverse && a.value != b.value {
			from, to := code, into
			if a.inverse {
				from, to = into, code
			}
			return nil, agents.Permanent(fmt.Errorf("source.rates has two rates of %s into %s on %s, %v and %v: leave one", from, to, date(a.day), a.value, b.value))
		}
	}
	rates = slices.CompactFunc(rates, func(a, b rate) bool { return a.day == b.day })
	for i, r := range rates {
		if r.inverse {
			rates[i].value = 1 / r.value
		}
	}
	return rates, nil
}

// at is the rate of a day: the latest on or before it, if it isn't too old.
func at(rates []rate, day int32) (float64, bool) {
	i, exact := slices.BinarySearchFunc(rates, day, func(r rate, day int32) int { return cmp.Compare(r.day, day) })
	if !exact {
		i--
	}
	if i < 0 || day-rates[i].day > maxRateAge {
		return 0, false
	}
	return rates[i].value, true
}
