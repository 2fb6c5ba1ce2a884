package clientvalue_test

import (
	"context"
	"math"
	"testing"

	"github.com/nuzantara/ciclo/agents/clientvalue"
	"github.com/nuzantara/ciclo/agents/clientvalue/eval"
)

func TestCDNOW(t *testing.T) {
	t.Parallel()
	dir, err := eval.DataDir()
	if err != nil {
		t.Skip(err)
	}
	figures, err := eval.CDNOW(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.Pass {
			t.Errorf("%s: %s, want %s", f.Name, f.Measured, f.Target)
		}
	}
}

// TestCDNOWLog predicts from the raw log, where weeks are not rounded.
func TestCDNOWLog(t *testing.T) {
	t.Parallel()
	dir, err := eval.DataDir()
	if err != nil {
		t.Skip(err)
	}
	log, err := eval.ReadLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := clientvalue.BackTest(context.Background(), log, eval.CDNOWCut, eval.CDNOWEnd)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Forecasts {
		t.Logf("%s: %+v", f.Fit.Model, f.Accuracy)
	}
	if got := report.Forecasts[0].Accuracy; math.Abs(got.MAE-.7855) > .001 || math.Abs(got.RMSE-1.6080) > .001 || got.Bought != 1882 {
		t.Errorf("hold-out accuracy = %+v", got)
	}
	prediction, err := clientvalue.Predict(context.Background(), log, clientvalue.DefaultOptions(eval.CDNOWEnd))
	if err != nil {
		t.Fatal(err)
	}
	if prediction.Clients != 2357 || prediction.LowConfidence {
		t.Errorf("%d clients, low confidence %v: %q", prediction.Clients, prediction.LowConfidence, prediction.Notes)
	}
}

func TestPlantedParametersAreRecovered(t *testing.T) {
	t.Parallel()
	tests := map[string]eval.Population{
		"BG/NBD": {
			Model: clientvalue.BGNBD, Params: clientvalue.Params{R: .6, Alpha: 8, A: .9, B: 2.8},
			Spend: clientvalue.GammaGamma{P: 5, Q: 4, Gamma: 30}, Clients: 20000, Weeks: 78, Intake: 26, Seed: 21,
		},
		"MBG/NBD": {
			Model: clientvalue.MBGNBD, Params: clientvalue.Params{R: .8, Alpha: 10, A: .7, B: 2},
			Spend: clientvalue.GammaGamma{P: 3, Q: 6, Gamma: 200}, Clients: 20000, Weeks: 78, Intake: 26, Seed: 22,
		},
	}
	for name, population := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			purchases := population.Purchases()
			histories, err := clientvalue.Summarise(purchases, population.Cut())
			if err != nil {
				t.Fatal(err)
			}
			fitted, err := clientvalue.Fit(context.Background(), histories, population.Model, clientvalue.FitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			near := func(name string, got, want, tolerance float64) {
				t.Helper()
				if math.Abs(got/want-1) > tolerance {
					t.Errorf("%s = %.4g, planted %.4g", name, got, want)
				}
			}
			want := population.Params
			near("r", fitted.Params.R, want.R, .1)
			near("alpha", fitted.Params.Alpha, want.Alpha, .1)
			near("a/(a+b)", fitted.Params.A/(fitted.Params.A+fitted.Params.B), want.A/(want.A+want.B), .1)
			near("a", fitted.Params.A, want.A, .2)
			near("b", fitted.Params.B, want.B, .25)
			spend, err := clientvalue.FitSpend(context.Background(), histories)
			if err != nil {
				t.Fatal(err)
			}
			near("p", spend.GammaGamma.P, population.Spend.P, .1)
			near("q", spend.GammaGamma.Q, population.Spend.Q, .1)
			near("gamma", spend.GammaGamma.Gamma, population.Spend.Gamma, .2)
			if spend.CorrelationWarning {
				t.Errorf("correlation %v of independent draws", spend.Correlation)
			}

			// The forecast of the last 26 weeks is that of the planted truth.
			cut := population.Cut() - 26*7
			report, err := clientvalue.BackTest(context.Background(), purchases, cut, population.Cut())
			if err != nil {
				t.Fatal(err)
			}
			accuracy := report.Forecasts[population.Model].Accuracy
			near("purchases of the hold-out", accuracy.Predicted, float64(accuracy.Bought), .05)
			t.Logf("%+v, %+v, chosen %s, %+v", fitted.Params, spend.GammaGamma, report.Chosen, accuracy)
		})
	}
}

func TestPopulationsAreReproducible(t *testing.T) {
	t.Parallel()
	a, b := eval.CDNOWLike(100).Purchases(), eval.CDNOWLike(100).Purchases()
	if len(a) != len(b) {
		t.Fatalf("%d and %d purchases", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("purchase %d: %+v and %+v", i, a[i], b[i])
		}
	}
}

func TestCDNOWRanking(t *testing.T) {
	t.Parallel()
	dir, err := eval.DataDir()
	if err != nil {
		t.Skip(err)
	}
	figures, deciles, err := eval.Ranking(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if !f.Pass {
			t.Errorf("%s: %s, want %s", f.Name, f.Measured, f.Target)
		}
	}
	customers, bought := 0, 0
	for _, d := range deciles {
		customers, bought = customers+d.Customers, bought+d.Bought
	}
	if customers != 2357 || bought != 1882 || deciles[0].Bought < 800 {
		t.Errorf("deciles %+v", deciles)
	}
}

// TestIntervalsCover holds the intervals against planted truths, those of small
// firms too; make eval does so for larger ones, with more draws.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	for _, clients := range []int{5, 50} {
		for _, planted := range eval.Planted {
			figures, err := eval.Coverage(clients, 60, planted)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range figures {
				if !f.Pass {
					t.Errorf("%s: %s, want %s", f.Name, f.Measured, f.Target)
				}
			}
		}
	}
}
