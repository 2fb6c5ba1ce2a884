package clientvalue

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nuzantara/ciclo/agents"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

func openPool(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := postgres.Connect(tb.Context(), postgres.PoolConfig{URL: url, Name: "source", MaxConns: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

func execute(tb testing.TB, pool *pgxpool.Pool, sql string) {
	tb.Helper()
	if _, err := pool.Exec(tb.Context(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// showPayments replaces source.payments by a view of rows of client_id, paid_at,
// amount, currency, refunded.
func showPayments(tb testing.TB, pool *pgxpool.Pool, rows ...string) {
	tb.Helper()
	execute(tb, pool, `CREATE OR REPLACE VIEW source.payments AS
		SELECT row_number() OVER ()::text AS id, client_id, paid_at, amount, currency, refunded
		FROM (`+typed(`NULL::text AS client_id, NULL::timestamptz AS paid_at, NULL::numeric AS amount, NULL::text AS currency, NULL::boolean AS refunded`, rows)+`) p`)
}

// typed is rows of literals as a query whose columns have the types of none.
func typed(none string, rows []string) string {
	query := `SELECT ` + none + ` WHERE false`
	for _, row := range rows {
		query += ` UNION ALL SELECT ` + strings.TrimSuffix(strings.TrimPrefix(row, "("), ")")
	}
	return query
}

func showRates(tb testing.TB, pool *pgxpool.Pool, rows ...string) {
	tb.Helper()
	execute(tb, pool, `CREATE OR REPLACE VIEW source.rates AS `+
		typed(`NULL::text AS currency, NULL::text AS "into", NULL::date AS day, NULL::numeric AS rate`, rows))
}

func readAll(tb testing.TB, pool *pgxpool.Pool, w window) (p payments, err error) {
	tb.Helper()
	err = pgx.BeginTxFunc(tb.Context(), pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		p, err = readPayments(tb.Context(), tx, w)
		return err
	})
	return p, err
}

func day(text string) int32 {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return dayOf(t)
}

const today = "2026-02-01"

func upTo2026(currency string) window {
	d := day(today)
	return window{asOf: &d, today: d, currency: currency}
}

// Each row is one payment that can't be, beside one that can.
func TestPaymentsThatCannotBe(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	for name, c := range map[string]struct{ row, reason string }{
		"NaN":                      {`('a', '2026-01-01', 'NaN', 'EUR', false)`, omittedNaN},
		"infinite":                 {`('a', '2026-01-01', 'Infinity', 'EUR', false)`, omittedHuge},
		"infinitely refunded":      {`('a', '2026-01-01', '-Infinity', 'EUR', false)`, omittedHuge},
		"beyond a float":           {`('a', '2026-01-01', '1e400', 'EUR', false)`, omittedHuge},
		"beyond any sum":           {`('a', '2026-01-01', 1000000000000001, 'EUR', false)`, omittedHuge},
		"no amount":                {`('a', '2026-01-01', NULL, 'EUR', false)`, omittedNoAmount},
		"at the end of time":       {`('a', 'infinity', 1, 'EUR', false)`, omittedFuture},
		"at the beginning of it":   {`('a', '-infinity', 1, 'EUR', false)`, omittedEarly},
		"before Christ":            {`('a', '4000-01-01 BC', 1, 'EUR', false)`, omittedEarly},
		"at the epoch":             {`('a', '1970-01-01 23:59:59Z', 1, 'EUR', false)`, omittedEarly},
		"tomorrow":                 {`('a', '2026-02-02', 1, 'EUR', false)`, omittedFuture},
		"far in the future":        {`('a', '200000-01-01', 1, 'EUR', false)`, omittedFuture},
		"never":                    {`('a', NULL, 1, 'EUR', false)`, omittedNoDate},
		"nobody's":                 {`(NULL, '2026-01-01', 1, 'EUR', false)`, omittedNobody},
		"an empty client's":        {`('', '2026-01-01', 1, 'EUR', false)`, omittedNobody},
		"of an id without end":     {`(repeat('a', 3000), '2026-01-01', 1, 'EUR', false)`, omittedLongID},
		"in no currency":           {`('a', '2026-01-01', 1, NULL, false)`, omittedCurrency},
		"in small letters":         {`('a', '2026-01-01', 1, 'eur', false)`, omittedCurrency},
		"in words":                 {`('a', '2026-01-01', 1, 'euros', false)`, omittedCurrency},
		"refunded":                 {`('a', '2026-01-01', 1, 'EUR', true)`, omittedRefunded},
		"refunded, other money":    {`('a', '2026-01-01', 1, 'USD', true)`, omittedRefunded},
		"taken: no word of it":     {`('a', '2026-01-01', 1, 'EUR', NULL)`, ""},
		"taken: a thousandth":      {`('a', '2026-01-01', 0.001, 'EUR', false)`, ""},
		"taken: a million million": {`('a', '2026-01-01', 1e12, 'EUR', false)`, ""},
		"taken: nothing":           {`('a', '2026-01-01', 0, 'EUR', false)`, ""},
		"taken: a refund":          {`('a', '2026-01-01', -1, 'EUR', false)`, ""},
		"taken: the first day":     {`('a', '1970-01-02', 1, 'EUR', false)`, ""},
		"taken: today":             {`('a', '2026-02-01 23:59:59Z', 1, 'EUR', false)`, ""},
	} {
		showPayments(t, pool, `('good', '2026-01-05', 10, 'EUR', false)`, c.row)
		p, err := readAll(t, pool, upTo2026(""))
		want, purchases := []Omission{}, 2
		if c.reason != "" {
			want, purchases = []Omission{{c.reason, 1}}, 1
		}
		got := p.omissions()
		if err != nil || !cmp.Equal(got, want) || len(p.purchases) != purchases || p.currency != "EUR" {
			t.Errorf("%s: %d purchases in %s, left out %v, want %v: %v", name, len(p.purchases), p.currency, got, want, err)
		}
	}
}

func TestTheLastPaymentIsOneThatCanBe(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	w := window{today: day(today)}
	showPayments(t, pool, `('a', '2026-01-05', 10, 'EUR', false)`, `('a', 'infinity', 10, 'EUR', false)`, `('a', '2026-03-01', 10, 'EUR', false)`)
	p, err := readAll(t, pool, w)
	if err != nil || p.asOf != day("2026-01-05") || len(p.purchases) != 1 || p.omitted[omittedFuture] != 2 {
		t.Errorf("as of %s: %+v, %v", date(p.asOf), p, err)
	}
	// A day that is named is believed, as it always was.
	named := day("2026-03-01")
	if p, err = readAll(t, pool, window{today: day(today), asOf: &named}); err != nil || len(p.purchases) != 2 || p.omitted[omittedFuture] != 1 {
		t.Errorf("as of a later day: %+v, %v", p, err)
	}
	// What is later than as_of and earlier than today is no mistake.
	named = day("2026-01-01")
	if _, err = readAll(t, pool, window{today: day("2026-12-31"), asOf: &named}); !agents.IsPermanent(err) || !strings.Contains(err.Error(), "(left out: "+omittedFuture+" 1") {
		t.Errorf("nobody had paid, and the error is %v", err)
	}
	showPayments(t, pool, `('a', 'infinity', 10, 'EUR', false)`)
	if _, err = readAll(t, pool, w); !agents.IsPermanent(err) || !strings.Contains(err.Error(), "import some first") {
		t.Errorf("without a payment that can be: %v", err)
	}
}

func TestConversion(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	const idr = `('a', '2026-01-15 22:00Z', 1600000, 'IDR', false)`
	for name, c := range map[string]struct {
		rates []string
		want  float64 // EUR for 1,600,000 IDR
		fails string
	}{
		"direct":                 {[]string{`('IDR', 'EUR', '2026-01-15', 0.00005)`}, 80, ""},
		"inverse":                {[]string{`('EUR', 'IDR', '2026-01-15', 20000)`}, 80, ""},
		"direct before inverse":  {[]string{`('EUR', 'IDR', '2026-01-15', 10000)`, `('IDR', 'EUR', '2026-01-15', 0.00005)`}, 80, ""},
		"the later of the two":   {[]string{`('EUR', 'IDR', '2026-01-15', 20000)`, `('IDR', 'EUR', '2026-01-14', 0.0001)`}, 80, ""},
		"the latest":             {[]string{`('IDR', 'EUR', '2026-01-10', 0.0001)`, `('IDR', 'EUR', '2026-01-14', 0.00005)`, `('IDR', 'EUR', '2026-01-16', 0.0002)`}, 80, ""},
		"31 days old":            {[]string{`('IDR', 'EUR', '2025-12-15', 0.00005)`}, 80, ""},
		"32 days old":            {[]string{`('IDR', 'EUR', '2025-12-14', 0.00005)`}, 0, "1 payments in IDR, the first on 2026-01-15"},
		"a day too late":         {[]string{`('IDR', 'EUR', '2026-01-16', 0.00005)`}, 0, "ciclo import rates"},
		"no chain":               {[]string{`('IDR', 'USD', '2026-01-15', 0.00006)`, `('USD', 'EUR', '2026-01-15', 0.9)`}, 0, "no rate into EUR"},
		"none that can be":       {[]string{`('IDR', 'EUR', '2026-01-15', 'NaN')`, `('IDR', 'EUR', '2026-01-15', 0)`, `('IDR', 'EUR', '2026-01-15', -1)`, `('IDR', 'EUR', '2026-01-15', 'Infinity')`, `('IDR', 'EUR', 'infinity', 1)`, `('IDR', 'EUR', '-infinity', 1)`, `('IDR', 'EUR', '2026-01-15', NULL)`, `('IDR', 'EUR', '2026-01-15', '1e400')`, `('IDR', 'EUR', '2026-01-15', '1e-400')`}, 0, "1 payments in IDR"},
		"two of one day":         {[]string{`('IDR', 'EUR', '2026-01-15', 0.00005)`, `('IDR', 'EUR', '2026-01-15', 0.00006)`}, 0, "two rates of IDR into EUR on 2026-01-15"},
		"two inverse of one day": {[]string{`('EUR', 'IDR', '2026-01-15', 1)`, `('EUR', 'IDR', '2026-01-15', 2)`}, 0, "two rates of EUR into IDR on 2026-01-15"},
		"the same twice":         {[]string{`('IDR', 'EUR', '2026-01-15', 0.00005)`, `('IDR', 'EUR', '2026-01-15', 0.00005)`}, 80, ""},
	} {
		showPayments(t, pool, `('a', '2026-01-05', 10, 'EUR', false)`, idr)
		showRates(t, pool, c.rates...)
		p, err := readAll(t, pool, upTo2026("EUR"))
		if c.fails != "" {
			if !agents.IsPermanent(err) || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q for good", name, err, c.fails)
			}
			continue
		}
		if err != nil || len(p.purchases) != 2 || len(p.conversions) != 1 {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		want := Conversion{Currency: "IDR", Payments: 1, Amount: 1600000, Into: "EUR", Converted: c.want}
		if p.conversions[0] != want || math.Abs(p.purchases[0].Amount+p.purchases[1].Amount-10-c.want) > 1e-9 {
			t.Errorf("%s: %+v, purchases %v, want %+v", name, p.conversions, p.purchases, want)
		}
	}
}

// A refund is worth what it was worth on its own day.
func TestConversionIsBeforeNetting(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	showPayments(t, pool, `('a', '2026-01-01', 100, 'USD', false)`, `('a', '2026-01-20', -50, 'USD', false)`, `('b', '2026-01-20', 7, 'GBP', true)`, `('b', '2026-01-20', 5, 'EUR', false)`)
	showRates(t, pool, `('USD', 'EUR', '2026-01-01', 0.9)`, `('USD', 'EUR', '2026-01-20', 0.8)`)
	p, err := readAll(t, pool, upTo2026("EUR"))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := Merge(p.purchases)
	want := []Purchase{{"a", day("2026-01-01"), 50}, {"b", day("2026-01-20"), 5}} // 100·0.9 − 50·0.8
	if err != nil || len(merged) != 2 || math.Abs(merged[0].Amount-50) > 1e-9 || merged[1] != want[1] {
		t.Errorf("%+v, %v, want %+v", merged, err, want)
	}
	if c := []Conversion{{"USD", 2, 50, "EUR", 50}}; !cmp.Equal(p.conversions, c) {
		t.Errorf("conversions %+v, want %+v", p.conversions, c)
	}
}

func TestSeveralCurrencies(t *testing.T) {
	t.Parallel()
	pool := openPool(t, testdatabase.New(t))
	showPayments(t, pool, `('a', '2026-01-05', 10, 'USD', false)`, `('a', '2026-01-03', 10, 'USD', false)`, `('b', '2026-01-04', 10, 'IDR', false)`, `('b', '2026-01-04', 10, 'GBP', false)`)
	if _, err := readAll(t, pool, upTo2026("")); !agents.IsPermanent(err) || !strings.Contains(err.Error(), "(USD 2, GBP 1, IDR 1)") {
		t.Errorf("none is named, and the error is %v", err)
	}
	_, err := readAll(t, pool, upTo2026("EUR"))
	if !agents.IsPermanent(err) || !strings.Contains(err.Error(), "1 payments in GBP, the first on 2026-01-04; 1 payments in IDR, the first on 2026-01-04; 2 payments in USD, the first on 2026-01-03: import rates") {
		t.Errorf("without rates the error is %v", err)
	}
	execute(t, pool, `DROP VIEW source.rates`)
	if _, err = readAll(t, pool, upTo2026("USD")); !agents.IsPermanent(err) || !strings.Contains(err.Error(), "no rate into USD") {
		t.Errorf("without the view the error is %v", err)
	}
	showPayments(t, pool, `('a', '2026-01-05', 10, 'USD', false)`)
	for _, named := range []string{"", "USD"} {
		if p, err := readAll(t, pool, upTo2026(named)); err != nil || p.currency != "USD" || len(p.conversions) != 0 || p.conversions == nil {
			t.Errorf("one currency without the view: %+v, %v", p, err)
		}
	}
}

// BenchmarkReadPayments reads a million payments, in one currency and in three.
func BenchmarkReadPayments(b *testing.B) {
	for _, currencies := range []int{1, 3} {
		b.Run(fmt.Sprintf("of %d currencies", currencies), func(b *testing.B) {
			pool := openPool(b, testdatabase.New(b))
			execute(b, pool, `INSERT INTO crm.clients (id) SELECT 'C' || i FROM generate_series(0, 99999) i`)
			execute(b, pool, fmt.Sprintf(`INSERT INTO crm.payments (client_id, paid_at, amount, currency)
				SELECT 'C' || i * 7919 %% 100000, timestamptz '2020-01-01' + i %% 2000 * interval '1 day', i %% 10007 / 100.0, (ARRAY['EUR','USD','IDR'])[1 + i %% %d]
				FROM generate_series(1, 1000000) i`, currencies))
			execute(b, pool, `INSERT INTO crm.rates SELECT c, 'EUR', d, 0.5 FROM (VALUES ('USD'), ('IDR')) v (c), generate_series(date '2020-01-01', date '2026-01-01', '1 day') d`)
			execute(b, pool, `VACUUM ANALYZE`)
			for b.Loop() {
				if p, err := readAll(b, pool, upTo2026("EUR")); err != nil || len(p.purchases) != 1000000 || len(p.conversions) != currencies-1 {
					b.Fatalf("%d payments, %v, %v", len(p.purchases), p.conversions, err)
				}
			}
		})
	}
}
