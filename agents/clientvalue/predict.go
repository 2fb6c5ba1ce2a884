package clientvalue

import (
	"context"
	"errors"
	"fmt"
)

// Prediction is a run's whole outcome.
type Prediction struct {
	Options      Options `json:"options"`
	FirstDay     int32   `json:"first_day"` // of a purchase, since 1970-01-01 UTC
	LastDay      int32   `json:"last_day"`
	Payments     int     `json:"payments"`  // up to AsOf
	Purchases    int     `json:"purchases"` // payments of a client and day taken together, refunds netted
	Clients      int     `json:"clients"`
	RepeatBuyers int     `json:"repeat_buyers"`
	// BackTest shows both models' accuracy, Chosen what it chose.
	BackTest BackTestReport `json:"back_test"`
	Chosen   Model          `json:"chosen"`
	// Fits are both models fitted to all histories.
	Fits  []Fitted `json:"fits"`
	Spend SpendFit `json:"spend"`
	// LowConfidence says that the chosen model or the spend model was fitted to
	// too few clients.
	LowConfidence bool `json:"low_confidence"`
	// Notes state each treatment that a reader of the scores should know of.
	Notes []string `json:"notes"`
	// Scores are sorted by client.
	Scores []Score `json:"scores"`
}

// Predict scores every client who bought by the end of AsOf: it back-tests both
// models on the last third of the history, fits both and the spend model to all
// of it, scores with the model that forecast better, and assigns segments. The
// order of purchases doesn't matter, to the byte.
//
// ErrNoClients where nobody bought by AsOf; ErrBadInput for a purchase or option
// outside its domain; ErrNoConvergence where a fit or a sum doesn't settle; the
// context's error.
func Predict(ctx context.Context, purchases []Purchase, options Options) (Prediction, error) {
	if err := options.Check(); err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	known := upTo(purchases, options.AsOf)
	out := Prediction{Options: options, Payments: len(known), Notes: []string{}}
	if later := len(purchases) - len(known); later > 0 {
		out.note("%d payments after the as-of day were left out", later)
	}
	merged, err := Merge(known)
	if err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	out.Purchases = len(merged)
	out.FirstDay, out.LastDay = Days(merged)
	histories, err := Summarise(merged, options.AsOf)
	if err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	if err := checkAll(histories); err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	g := group(histories)
	out.Clients, out.RepeatBuyers = g.clients, g.repeats

	// The back-test takes the payments, not the purchases: a refund of the
	// hold-out must not reach back into the calibration.
	if out.BackTest, err = BackTest(ctx, known, HoldOutCut(out.FirstDay, options.AsOf), options.AsOf); err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	out.Chosen = out.BackTest.Chosen
	if out.BackTest.Reason != "" {
		out.note("no back-test, %s was chosen without: %s", out.Chosen, out.BackTest.Reason)
	}

	var chosen Fitted
	for _, m := range models {
		fitted, err := g.fit(ctx, m, FitOptions{})
		if err != nil {
			return Prediction{}, fmt.Errorf("predict: %w", err)
		}
		out.Fits = append(out.Fits, fitted)
		if m == out.Chosen {
			chosen = fitted
		}
		if !fitted.Converged {
			out.note("the fit of %s did not converge: its parameters have no finite best value or are weakly identified", m)
		}
	}
	if chosen.LowConfidence {
		out.note("%d clients, %d of whom bought again, are too few for maximum likelihood (%d and %d): parameters lean on weak priors",
			g.clients, g.repeats, minClients, minRepeats)
	}
	if out.Spend, err = FitSpend(ctx, histories); errors.Is(err, ErrSpendUnfit) || errors.Is(err, ErrNoConvergence) {
		out.Spend = PooledSpend(histories, err.Error())
		out.note("every client is expected to spend the pooled mean, %.2f a purchase: %v", out.Spend.PooledMean, err)
	} else if err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	} else if out.Spend.LowConfidence {
		out.note("%d clients with repeat spend are too few for maximum likelihood (%d): the spend model leans on weak priors", out.Spend.Clients, minRepeats)
	}
	if out.Spend.CorrelationWarning {
		out.note("frequency and mean spend correlate by %.2f: the spend model assumes that they don't, values of frequent buyers are biased", out.Spend.Correlation)
	}
	out.LowConfidence = chosen.LowConfidence || out.Spend.LowConfidence

	if out.Scores, err = ScoreAll(ctx, histories, chosen, out.Spend, options); err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	if err := AssignSegments(out.Scores, options.Shares); err != nil {
		return Prediction{}, fmt.Errorf("predict: %w", err)
	}
	if worthless(out.Scores) {
		out.note("nothing is expected to be spent: segments follow client ids alone")
	}
	return out, nil
}

func (p *Prediction) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

func worthless(scores []Score) bool {
	for i := range scores {
		if scores[i].CLV > 0 {
			return false
		}
	}
	return true
}
