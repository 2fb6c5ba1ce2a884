// Package demo makes a consultancy whose truth is known: clients whose payments
// are drawn from stated BG/NBD and Gamma-Gamma parameters, conversations in which
// stated sentences have to do with winning, and inquiries of which each name and
// each thing that they say is known. The same seed and day make the same firm, to
// the byte. Imports: pgx, gonum.
package demo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gonum.org/v1/gonum/stat/distuv"
)

// Truth is what the firm is drawn from. Time is in weeks, money in Currency.
type Truth struct {
	Clients int
	// Purchases while alive are Poisson with a rate from Gamma(R, Alpha); after
	// each purchase the client leaves with a probability from Beta(A, B).
	R, Alpha, A, B float64
	// Amounts are Gamma(P, nu), nu from Gamma(Q, Gamma).
	P, Q, Gamma float64
	Currency    string
	// Weeks of history; clients come in during the first three quarters of it.
	Weeks int
}

// Zone is the consultancy's.
const Zone = "Asia/Makassar"

// DefaultTruth is the demo's: a firm in Bali with 1,000 clients and three years.
var DefaultTruth = Truth{
	Clients: 1000, R: .8, Alpha: 12, A: .7, B: 3.5,
	P: 6, Q: 4, Gamma: 900, Currency: "USD", Weeks: 156,
}

type client struct {
	id, name, email, phone, language string
	status                           string
	consent                          bool
	created                          time.Time
}

type payment struct {
	client   int
	practice string
	paid     time.Time
	cents    int64
}

type firm struct {
	clients  []client
	payments []payment
}

// draw makes the firm as of a day.
func draw(truth Truth, seed uint64, today time.Time) firm {
	source := rand.NewPCG(seed, 0x6369636c6f)
	rng := rand.New(source)
	gamma := func(shape, rate float64) float64 { return distuv.Gamma{Alpha: shape, Beta: rate, Src: source}.Rand() }
	end := today.UTC().Truncate(24 * time.Hour)
	start := end.AddDate(0, 0, -7*truth.Weeks)

	var f firm
	for i := range truth.Clients {
		first := start.Add(time.Duration(rng.Float64() * .75 * float64(end.Sub(start))))
		f.clients = append(f.clients, drawClient(rng, i, first))
		rate := gamma(truth.R, truth.Alpha)
		leave := distuv.Beta{Alpha: truth.A, Beta: truth.B, Src: source}.Rand()
		nu := gamma(truth.Q, truth.Gamma)
		practice := practiceTypes[rng.IntN(len(practiceTypes))].id
		for at := first; at.Before(end); {
			f.payments = append(f.payments, payment{i, practice, at, max(1, int64(math.Round(100*gamma(truth.P, nu))))})
			if rng.Float64() < leave {
				break
			}
			weeks := rng.ExpFloat64() / rate
			if weeks > float64(truth.Weeks) {
				break
			}
			at = at.Add(time.Duration(weeks * 7 * 24 * float64(time.Hour)))
		}
	}
	return f
}

// Seed fills the default source tables with the firm. It refuses where there
// are clients already and the firm isn't the demo's own.
func Seed(ctx context.Context, pool *pgxpool.Pool, truth Truth, seed uint64, today time.Time) error {
	f := draw(truth, seed, today)
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var others, ours int
		err := tx.QueryRow(ctx, `
			SELECT count(*) FILTER (WHERE NOT 'demo' = ANY (tags)), count(*) FILTER (WHERE 'demo' = ANY (tags)) FROM crm.clients`).Scan(&others, &ours)
		if err != nil {
			return err
		}
		if others > 0 {
			return fmt.Errorf("crm.clients has %d clients that are not the demo's: use an empty database for the demo", others)
		}
		if ours > 0 {
			return nil
		}
		talk, asked := f.talk(seed, today), f.inquire(seed, today)
		f.clients = append(f.clients, asked.rows...)
		if err := f.insert(ctx, tx, truth.Currency); err != nil {
			return err
		}
		if err := insertConversations(ctx, tx, append(talk, asked.talks...)); err != nil {
			return err
		}
		names := listed()
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"crm", "names"}, []string{"type", "id", "name"}, pgx.CopyFromRows(names))
		return err
	})
	if err != nil {
		return fmt.Errorf("seed the demo: %w", err)
	}
	return nil
}

func (f firm) insert(ctx context.Context, tx pgx.Tx, currency string) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"crm", "practice_types"}, []string{"id", "name"},
		pgx.CopyFromSlice(len(practiceTypes), func(i int) ([]any, error) { return []any{practiceTypes[i].id, practiceTypes[i].name}, nil }))
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"crm", "clients"},
		[]string{"id", "name", "email", "phone", "whatsapp", "language", "status", "consent_marketing", "tags", "created_at"},
		pgx.CopyFromSlice(len(f.clients), func(i int) ([]any, error) {
			c := f.clients[i]
			return []any{c.id, c.name, optional(c.email), optional(c.phone), optional(c.phone), c.language, c.status, c.consent, []string{"demo"}, c.created}, nil
		}))
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"crm", "practices"},
		[]string{"id", "client_id", "practice_type_id", "quoted_amount", "currency", "opened_at", "expires_at"},
		pgx.CopyFromSlice(len(f.payments), func(i int) ([]any, error) {
			p := f.payments[i]
			return []any{practiceID(i), f.clients[p.client].id, p.practice, float64(p.cents) / 100, currency, p.paid, p.paid.AddDate(1, 0, 0)}, nil
		}))
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"crm", "payments"},
		[]string{"client_id", "practice_id", "paid_at", "amount", "currency"},
		pgx.CopyFromSlice(len(f.payments), func(i int) ([]any, error) {
			p := f.payments[i]
			return []any{f.clients[p.client].id, practiceID(i), p.paid, float64(p.cents) / 100, currency}, nil
		}))
	return err
}

// optional is null where there is nothing.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func practiceID(i int) string { return fmt.Sprintf("P-%06d", i+1) }
