// Package eval measures package clientvalue against published and computed
// figures: those of the CDNOW sample (Fader, Hardie & Lee 2005), of a table of
// expectations to 60 digits, and the time of a fit. It reads data sets from a
// folder and simulates populations; tests of clientvalue share its readers. It
// imports clientvalue, and nothing of the product imports it.
package eval

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/nuzantara/ciclo/agents/clientvalue"
)

// Figure is one measured figure beside its target.
type Figure struct {
	Name     string
	Target   string
	Measured string
	Pass     bool
}

// near is a figure that must be within tolerance of want.
func near(name string, measured, want, tolerance float64) Figure {
	return Figure{
		Name:     name,
		Target:   fmt.Sprintf("%.8g ± %g", want, tolerance),
		Measured: fmt.Sprintf("%.8g", measured),
		Pass:     math.Abs(measured-want) <= tolerance,
	}
}

// below is a figure that must be at most limit.
func below(name string, measured, limit float64) Figure {
	return Figure{
		Name:     name,
		Target:   fmt.Sprintf("≤ %g", limit),
		Measured: fmt.Sprintf("%.3g", measured),
		Pass:     measured <= limit,
	}
}

// count is a figure that must be want.
func count(name string, measured, want int) Figure {
	return Figure{Name: name, Target: fmt.Sprint(want), Measured: fmt.Sprint(measured), Pass: measured == want}
}

// CDNOW computes the figures of the CDNOW 1:10 sample from the data sets in
// dataDir.
func CDNOW(dataDir string) ([]Figure, error) {
	ctx := context.Background()
	summary, err := ReadSummary(dataDir)
	if err != nil {
		return nil, err
	}
	reference, err := ReadReference(dataDir)
	if err != nil {
		return nil, err
	}
	var figures []Figure
	for _, part := range []func() ([]Figure, error){
		func() ([]Figure, error) { return logFigures(dataDir, summary) },
		func() ([]Figure, error) { return fitFigures(ctx, summary, reference) },
		func() ([]Figure, error) { return customerFigures(reference) },
		func() ([]Figure, error) { return tableFigures(dataDir) },
	} {
		more, err := part()
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// logFigures compares the histories of the raw log with the shipped summary.
func logFigures(dataDir string, summary []clientvalue.History) ([]Figure, error) {
	log, err := ReadLog(dataDir)
	if err != nil {
		return nil, err
	}
	histories, err := clientvalue.Summarise(log, CDNOWCut)
	if err != nil {
		return nil, fmt.Errorf("CDNOW log: %w", err)
	}
	return []Figure{
		count("CDNOW customers", len(histories), 2357),
		count("CDNOW log: rows unlike the shipped summary", Differences(histories, summary), 0),
	}, nil
}

// Differences counts the histories that are not those of a summary rounded to
// two decimals.
func Differences(histories, summary []clientvalue.History) int {
	different := max(len(histories)-len(summary), len(summary)-len(histories))
	for i := range min(len(histories), len(summary)) {
		got, want := histories[i], summary[i]
		got.Recency, got.Age, got.Spend, got.FirstSpend = cents(got.Recency), cents(got.Age), cents(got.Spend), 0
		if got != want {
			different++
		}
	}
	return different
}

// cents rounds half up in decimal: half a cent may be stored a hair below.
func cents(v float64) float64 { return math.Floor(100*v+.5+1e-9) / 100 }

// fitFigures fits both models and the spend model to the summary and predicts
// the hold-out.
func fitFigures(ctx context.Context, summary []clientvalue.History, reference []Reference) ([]Figure, error) {
	bg, err := clientvalue.Fit(ctx, summary, clientvalue.BGNBD, clientvalue.FitOptions{})
	if err != nil {
		return nil, fmt.Errorf("CDNOW: %w", err)
	}
	mbg, err := clientvalue.Fit(ctx, summary, clientvalue.MBGNBD, clientvalue.FitOptions{})
	if err != nil {
		return nil, fmt.Errorf("CDNOW: %w", err)
	}
	spend, err := clientvalue.FitSpend(ctx, summary)
	if err != nil {
		return nil, fmt.Errorf("CDNOW: %w", err)
	}
	bought := make([]int, len(reference))
	for i, row := range reference {
		bought[i] = row.HoldOutPurchases
	}
	holdOut := float64(CDNOWEnd-CDNOWCut) / 7
	accuracy, err := clientvalue.Evaluate(ctx, bg, summary, bought, holdOut)
	if err != nil {
		return nil, fmt.Errorf("CDNOW: %w", err)
	}
	return []Figure{
		near("BG/NBD log-likelihood", bg.LogLikelihood, -9582.4256, .01),
		near("BG/NBD r", bg.Params.R, .2426, .001),
		near("BG/NBD alpha", bg.Params.Alpha, 4.4135, .001),
		near("BG/NBD a", bg.Params.A, .7929, .005),
		near("BG/NBD b", bg.Params.B, 2.4258, .005),
		near("MBG/NBD log-likelihood", mbg.LogLikelihood, -9582.1327, .01),
		near("Gamma-Gamma p", spend.GammaGamma.P, 6.2488, .01),
		near("Gamma-Gamma q", spend.GammaGamma.Q, 3.7446, .01),
		near("Gamma-Gamma gamma", spend.GammaGamma.Gamma, 15.4478, .01),
		near("Gamma-Gamma log-likelihood", spend.LogLikelihood, -4055.923, .01),
		count("Gamma-Gamma customers", spend.Clients, 946),
		near("BG/NBD hold-out log score", accuracy.LogScore, .98446, .001),
		near("hold-out MAE", accuracy.MAE, .7855, .001),
		near("hold-out RMSE", accuracy.RMSE, 1.6080, .001),
		near("hold-out correlation", accuracy.Correlation, .6256, .0005),
		near("hold-out purchases predicted", accuracy.Predicted, 1653.4, .1),
		count("hold-out purchases made", accuracy.Bought, 1882),
	}, nil
}

// customerFigures scores the customers under the reference parameters.
func customerFigures(reference []Reference) ([]Figure, error) {
	worst := 0.0
	var figures []Figure
	for i, row := range reference {
		alive, spend := clientvalue.BGNBD.PAlive(ReferenceParams, row.History), ReferenceSpend.ExpectedSpend(row.History.X, row.History.Spend)
		e39, err := clientvalue.BGNBD.ExpectedPurchases(ReferenceParams, row.History, 39)
		if err != nil {
			return nil, fmt.Errorf("CDNOW: %w", err)
		}
		e52, err := clientvalue.BGNBD.ExpectedPurchases(ReferenceParams, row.History, 52)
		if err != nil {
			return nil, fmt.Errorf("CDNOW: %w", err)
		}
		for _, miss := range []float64{alive - row.PAlive, e39 - row.E39, e52 - row.E52, spend - row.ExpectedSpend} {
			worst = math.Max(worst, math.Abs(miss))
		}
		if want, shown := shownCustomers[i+1]; shown {
			name := fmt.Sprintf("customer %d ", i+1)
			figures = append(figures,
				near(name+"P(alive)", alive, want[0], 1e-6),
				near(name+"purchases in 39 weeks", e39, want[1], 1e-6),
				near(name+"spend", spend, want[2], 1e-4))
		}
	}
	return append(figures,
		count("reference customers", len(reference), 2357),
		below("reference customers: largest error", worst, 1e-6)), nil
}

// shownCustomers are P(alive), E[Y(39)] and E[M] of two customers of the sample.
var shownCustomers = map[int][3]float64{
	1:    {.726609, 1.225910, 24.6586},
	1516: {.968920, 20.750569, 39.8903},
}

// tableFigures compares E[Y(t)] with the 60-digit table.
func tableFigures(dataDir string) ([]Figure, error) {
	table, err := ReadExpectations(dataDir)
	if err != nil {
		return nil, err
	}
	worst := 0.0
	for _, row := range table {
		got, err := clientvalue.BGNBD.ExpectedPurchases(row.Params, row.History, row.Weeks)
		if err != nil {
			return nil, fmt.Errorf("expectations: %w", err)
		}
		// Below 1e-300 floating point has no digits left to compare.
		worst = math.Max(worst, math.Abs(got-row.Want)/math.Max(row.Want, 1e-300))
	}
	return []Figure{
		count("60-digit table: rows", len(table), 1500),
		below("60-digit table: largest relative error", worst, 1e-10),
	}, nil
}

// fitAims are the aimed times of a fit of one model from one start, with the
// grouping of the clients, on two cores.
var fitAims = []struct {
	clients int
	aim     time.Duration
}{{2357, 50 * time.Millisecond}, {100_000, 500 * time.Millisecond}, {1_000_000, 2 * time.Second}}

// FitTimes measures the time of a fit, the best of three, for simulated
// populations. Times depend on the machine: a figure fails above three times its
// aim only.
func FitTimes() ([]Figure, error) {
	var figures []Figure
	for _, size := range fitAims {
		population := CDNOWLike(size.clients)
		histories, err := clientvalue.Summarise(population.Purchases(), population.Cut())
		if err != nil {
			return nil, fmt.Errorf("fit times: %w", err)
		}
		best := time.Duration(math.MaxInt64)
		for range 3 {
			start := time.Now()
			if _, err := clientvalue.Fit(context.Background(), histories, population.Model, clientvalue.FitOptions{Starts: 1}); err != nil {
				return nil, fmt.Errorf("fit times: %w", err)
			}
			best = min(best, time.Since(start))
		}
		figures = append(figures, Figure{
			Name:     fmt.Sprintf("fit of %d clients", size.clients),
			Target:   fmt.Sprintf("≤ %v", size.aim),
			Measured: best.Round(100 * time.Microsecond).String(),
			Pass:     best <= 3*size.aim,
		})
	}
	return figures, nil
}
