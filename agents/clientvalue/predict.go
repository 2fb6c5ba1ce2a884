package clientvalue

import (
	"context"
	"errors"
	"fmt"
)

// Training is what a run learned from the payments: all that scoring needs
// besides the histories, and what a reader of the scores should know.
type Training struct {
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
}

// Prediction is a run's whole outcome.
type Prediction struct {
	Training
	// Scores are sorted by client.
	Scores []Score `json:"scores"`
}

// Predict trains on the purchases and scores every client of theirs: Train, then
// Score. The order of purchases doesn't matter, to the byte. Errors are theirs.
func Predict(ctx context.Context, purchases []Purchase, options Options) (Prediction, error) {
	training, err := Train(ctx, purchases, options)
	if err != nil {
		return Prediction{}, err
	}
	scores, err := training.Score(ctx, purchases)
	if err != nil {
		return Prediction{}, err
	}
	out := Prediction{Training: training, Scores: scores}
	if worthless(scores) {
		out.note("nothing is expected to be spent: segments follow client ids alone")
	}
	return out, nil
}

// Train back-tests both models on the last third of the history, and fits both
// and the spend model to all of it, up to the end of AsOf. The model that
// forecast better is chosen.
//
// ErrNoClients where nobody bought by AsOf; ErrBadInput for a purchase or option
// outside its domain; ErrNoConvergence where a fit or a sum doesn't settle; the
// context's error.
func Train(ctx context.Context, purchases []Purchase, options Options) (Training, error) {
	if err := options.Check(); err != nil {
		return Training{}, fmt.Errorf("train: %w", err)
	}
	known := upTo(purchases, options.AsOf)
	out := Training{Options: options, Payments: len(known), Notes: []string{}}
	if later := len(purchases) - len(known); later > 0 {
		out.note("%d payments after the as-of day were left out", later)
	}
	merged, err := Merge(known)
	if err != nil {
		return Training{}, fmt.Errorf("train: %w", err)
	}
	out.Purchases = len(merged)
	out.FirstDay, out.LastDay = Days(merged)
	histories, err := Summarise(merged, options.AsOf)
	if err != nil {
		return Training{}, fmt.Errorf("train: %w", err)
	}
	if err := checkAll(histories); err != nil {
		return Training{}, fmt.Errorf("train: %w", err)
	}
	g := group(histories)
	out.Clients, out.RepeatBuyers = g.clients, g.repeats

	// The back-test takes the payments, not the purchases: a refund of the
	// hold-out must not reach back into the calibration.
	if out.BackTest, err = BackTest(ctx, known, HoldOutCut(out.FirstDay, options.AsOf), options.AsOf); err != nil {
		return Training{}, fmt.Errorf("train: %w", err)
	}
	out.Chosen = out.BackTest.Chosen
	if out.BackTest.Reason != "" {
		out.note("no back-test, %s was chosen without: %s", out.Chosen, out.BackTest.Reason)
	}
	for _, m := range models {
		fitted, err := g.fit(ctx, m, FitOptions{})
		if err != nil {
			return Training{}, fmt.Errorf("train: %w", err)
		}
		out.Fits = append(out.Fits, fitted)
		if !fitted.Converged {
			out.note("the fit of %s did not converge: its parameters have no finite best value or are weakly identified", m)
		}
		if !fitted.Identified && !fitted.LowConfidence && m == out.Chosen {
			e := fitted.StandardErrors
			out.note("parameters of %s are weakly identified (standard errors of their logs: r %.2g, alpha %.2g, a %.2g, b %.2g): intervals rest on a cruder approximation than usual", m, e.R, e.Alpha, e.A, e.B)
		}
	}
	chosen := out.chosenFit()
	if chosen.LowConfidence {
		out.note("%d clients, %d of whom bought again, are too few for maximum likelihood (%d and %d): parameters lean on weak priors",
			g.clients, g.repeats, minClients, minRepeats)
	}
	if err := out.fitSpend(ctx, histories); err != nil {
		return Training{}, fmt.Errorf("train: %w", err)
	}
	out.LowConfidence = chosen.LowConfidence || out.Spend.LowConfidence
	return out, nil
}

// fitSpend fits the spend model, or falls back to the pooled mean and says so.
func (t *Training) fitSpend(ctx context.Context, histories []History) (err error) {
	t.Spend, err = FitSpend(ctx, histories)
	switch {
	case errors.Is(err, ErrSpendUnfit) || errors.Is(err, ErrNoConvergence):
		t.Spend = PooledSpend(histories, err.Error())
		t.note("every client is expected to spend the pooled mean, %.2f a purchase: %v", t.Spend.PooledMean, err)
	case err != nil:
		return err
	case t.Spend.LowConfidence:
		t.note("%d clients with repeat spend are too few for maximum likelihood (%d): the spend model leans on weak priors", t.Spend.Clients, minRepeats)
	}
	if t.Spend.CorrelationWarning {
		t.note("frequency and mean spend correlate by %.2f: the spend model assumes that they don't, values of frequent buyers are biased", t.Spend.Correlation)
	}
	return nil
}

// chosenFit is the fit of the chosen model.
func (t *Training) chosenFit() Fitted {
	for _, f := range t.Fits {
		if f.Model == t.Chosen {
			return f
		}
	}
	return Fitted{}
}

// Score scores every client who bought by the end of AsOf, sorted by client, and
// assigns segments. Errors are those of Summarise, ScoreAll and AssignSegments.
func (t *Training) Score(ctx context.Context, purchases []Purchase) ([]Score, error) {
	histories, err := Summarise(upTo(purchases, t.Options.AsOf), t.Options.AsOf)
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	scores, err := ScoreAll(ctx, histories, t.chosenFit(), t.Spend, t.Options)
	if err != nil {
		return nil, err
	}
	if err := AssignSegments(scores, t.Options.Shares); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	return scores, nil
}

func (t *Training) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
}

func worthless(scores []Score) bool {
	for i := range scores {
		if scores[i].CLV > 0 {
			return false
		}
	}
	return true
}
