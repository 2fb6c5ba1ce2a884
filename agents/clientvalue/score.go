package clientvalue

import (
	"context"
	"fmt"
	"math"
	"runtime"
)

// Score is what is predicted of one client, with the numbers it follows from.
type Score struct {
	ClientID string `json:"client_id"`
	// PAlive is the probability that the client still buys at all.
	PAlive float64 `json:"p_alive"`
	// ChurnRisk30 and ChurnRisk90 are the probabilities that the client buys
	// nothing within 30 and 90 days.
	ChurnRisk30 float64 `json:"churn_risk_30"`
	ChurnRisk90 float64 `json:"churn_risk_90"`
	// ExpectedPurchases is over the horizon, ExpectedSpend the amount of one
	// purchase, ExpectedValue their product and the margin, not discounted.
	ExpectedPurchases float64 `json:"expected_purchases"`
	ExpectedSpend     float64 `json:"expected_spend"`
	ExpectedValue     float64 `json:"expected_value"`
	// CLV is the discounted value over the horizon, CLV12Months over 52 weeks.
	CLV           float64 `json:"clv"`
	CLV12Months   float64 `json:"clv_12_months"`
	Segment       Segment `json:"segment"`
	LowConfidence bool    `json:"low_confidence"`
	// The reasons: see History.
	X       int     `json:"x"`
	Recency float64 `json:"recency"` // weeks
	Age     float64 `json:"age"`     // weeks
	Spend   float64 `json:"spend"`
}

// Options are what a prediction is for. DefaultOptions has those that are
// usual; none is implied by a zero.
type Options struct {
	// AsOf is the day, since 1970-01-01 UTC, at whose end clients are scored;
	// later purchases are not looked at.
	AsOf int32 `json:"as_of"`
	// HorizonDays is how far ahead is looked, 1 to 3,660.
	HorizonDays int `json:"horizon_days"`
	// Margin is the part of an amount that is earned.
	Margin float64 `json:"margin"`
	// DiscountRate is a year's.
	DiscountRate float64 `json:"discount_rate"`
	Shares       Shares  `json:"shares"`
}

// maxHorizonDays is ten years.
const maxHorizonDays = 3660

// DefaultOptions are a horizon of 365 days, a margin of 1, a discount rate of
// .10 a year and DefaultShares, as of a day.
func DefaultOptions(asOf int32) Options {
	return Options{AsOf: asOf, HorizonDays: 365, Margin: 1, DiscountRate: .10, Shares: DefaultShares()}
}

// Check returns ErrBadInput for options outside their domains.
func (o Options) Check() error {
	switch {
	case o.HorizonDays < 1 || o.HorizonDays > maxHorizonDays:
		return fmt.Errorf("horizon of %d days: %w", o.HorizonDays, ErrBadInput)
	case !(o.Margin >= 0) || math.IsInf(o.Margin, 0):
		return fmt.Errorf("margin %v: %w", o.Margin, ErrBadInput)
	case !(o.DiscountRate >= 0) || math.IsInf(o.DiscountRate, 0):
		return fmt.Errorf("discount rate %v: %w", o.DiscountRate, ErrBadInput)
	}
	return o.Shares.Check()
}

// scoreBatch is the number of histories between two looks at the context.
const scoreBatch = 4096

// ScoreAll scores each history, in their order, under fitted parameters and
// spend. Segments are left empty: they need all clients (see AssignSegments).
// ErrNoClients without histories; ErrBadInput for a history, parameter or
// option outside its domain and for values beyond floating point;
// ErrNoConvergence as from ExpectedPurchases; the context's error.
func ScoreAll(ctx context.Context, histories []History, fitted Fitted, spend SpendFit, options Options) ([]Score, error) {
	for _, check := range []func() error{
		func() error { return checkAll(histories) }, fitted.Check, spend.Check, options.Check,
	} {
		if err := check(); err != nil {
			return nil, fmt.Errorf("score clients: %w", err)
		}
	}
	m, p := fitted.Model, fitted.Params
	horizon := float64(options.HorizonDays) / daysPerWeek
	workers := runtime.GOMAXPROCS(0)
	outlooks, index, err := forProspects(ctx, histories, workers, func(of prospect) (outlook, error) {
		return m.outlookIfAlive(p, of, horizon, options.DiscountRate)
	})
	if err != nil {
		return nil, fmt.Errorf("score clients: %w", err)
	}
	scores := make([]Score, len(histories))
	score := func(i int) {
		h, o := histories[i], outlooks[index[i]]
		alive, worth := m.PAlive(p, h), spend.Expected(h)
		scores[i] = Score{
			ClientID:          h.ClientID,
			PAlive:            alive,
			ChurnRisk30:       m.ChurnRisk(p, h, 30./daysPerWeek),
			ChurnRisk90:       m.ChurnRisk(p, h, 90./daysPerWeek),
			ExpectedPurchases: alive * o.purchases,
			ExpectedSpend:     worth,
			ExpectedValue:     alive * o.purchases * worth * options.Margin,
			CLV:               alive * o.discounted * worth * options.Margin,
			CLV12Months:       alive * o.discountedYear * worth * options.Margin,
			LowConfidence:     fitted.LowConfidence || spend.LowConfidence,
			X:                 h.X, Recency: h.Recency, Age: h.Age, Spend: h.Spend,
		}
	}
	batches := (len(histories) + scoreBatch - 1) / scoreBatch
	parallel(batches, workers, func(batch int) {
		if ctx.Err() != nil {
			return
		}
		for i := batch * scoreBatch; i < min((batch+1)*scoreBatch, len(histories)); i++ {
			score(i)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("score clients: %w", err)
	}
	for i := range scores {
		// Amounts near the end of floating point are the one way to get here.
		if s := &scores[i]; math.IsInf(s.ExpectedValue, 0) || math.IsNaN(s.ExpectedValue) || math.IsInf(s.CLV12Months, 0) || math.IsNaN(s.CLV12Months) {
			return nil, fmt.Errorf("score client %q: value %v: %w", s.ClientID, s.ExpectedValue, ErrBadInput)
		}
	}
	return scores, nil
}
