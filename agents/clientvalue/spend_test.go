package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestSpendGradient(t *testing.T) {
	t.Parallel()
	rows, _ := spendRows(mixedHistories(500))
	random := rand.New(rand.NewPCG(10, 11))
	for range 20 {
		theta := []float64{random.NormFloat64(), random.NormFloat64(), 3 + random.NormFloat64()}
		checkGradient(t, func(theta []float64) (float64, []float64) {
			sum := spendTotals(gammaGammaOf(theta, 1), rows, 1)
			return sum[0], sum[1:]
		}, theta)
		g := gammaGammaOf(theta, 1)
		want := 0.0
		for _, row := range rows {
			want += g.LogLikelihood(row.x, row.spend)
		}
		if got := spendTotals(g, rows, 2)[0]; relative(got, want) > 1e-10 {
			t.Errorf("log-likelihood at %+v = %v, sum over clients %v", g, got, want)
		}
	}
}

func TestFitSpendOfDegenerateClients(t *testing.T) {
	t.Parallel()
	spenders := func(spends ...float64) []History {
		histories := make([]History, len(spends))
		for i, s := range spends {
			histories[i] = History{ClientID: fmt.Sprint(i), X: 1 + i%3, Recency: 5, Age: 9, Spend: s, FirstSpend: 4}
		}
		return histories
	}
	tests := map[string]struct {
		histories []History
		unfit     bool
		pooled    float64
	}{
		"one spender":             {spenders(10), true, 10},
		"all amounts zero":        {spenders(0, 0, 0), true, 4},
		"all amounts the same":    {spenders(7, 7, 7, 7), true, 7},
		"nobody bought again":     {[]History{{ClientID: "a", Age: 3, FirstSpend: 6}, {ClientID: "b", FirstSpend: 8}}, true, 7},
		"two spenders":            {spenders(10, 40), false, 30},
		"amounts of very far off": {spenders(1e-9, 1, 1e12), false, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fit, err := FitSpend(context.Background(), test.histories)
			if errors.Is(err, ErrSpendUnfit) {
				fit = PooledSpend(test.histories, err.Error())
			} else if err != nil {
				t.Fatal(err)
			}
			if (err != nil) != test.unfit && name != "amounts of very far off" {
				t.Errorf("unfit: %v, want %v", err, test.unfit)
			}
			if err := fit.Check(); err != nil {
				t.Error(err)
			}
			if test.pooled != 0 && math.Abs(fit.PooledMean-test.pooled) > 1e-12 {
				t.Errorf("pooled mean = %v, want %v", fit.PooledMean, test.pooled)
			}
			for _, h := range test.histories {
				if e := fit.Expected(h); !(e >= 0) || math.IsInf(e, 0) {
					t.Errorf("expected spend of %+v = %v", h, e)
				}
			}
		})
	}
}

func TestFitSpendWithoutAMean(t *testing.T) {
	t.Parallel()
	// Amounts spread over twenty orders of magnitude: the best q is below 1.
	random := rand.New(rand.NewPCG(16, 17))
	histories := make([]History, 500)
	for i := range histories {
		histories[i] = History{ClientID: fmt.Sprint(i), X: 2, Recency: 1, Age: 2, Spend: math.Exp(8 * random.NormFloat64())}
	}
	if fit, err := FitSpend(context.Background(), histories); !errors.Is(err, ErrSpendUnfit) {
		t.Errorf("FitSpend = %+v, %v; want %v", fit, err, ErrSpendUnfit)
	}
}

func TestFitSpendInAnyUnit(t *testing.T) {
	t.Parallel()
	for _, clients := range []int{20, 2000} { // with and without priors
		histories := mixedHistories(clients)
		fit, err := FitSpend(context.Background(), histories)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range []float64{1e-3, 16000} {
			scaled := append([]History(nil), histories...)
			for i := range scaled {
				scaled[i].Spend *= unit
				scaled[i].FirstSpend *= unit
			}
			other, err := FitSpend(context.Background(), scaled)
			if err != nil {
				t.Fatal(err)
			}
			for i, h := range histories {
				if got, want := other.Expected(scaled[i]), unit*fit.Expected(h); math.Abs(got/want-1) > 1e-5 {
					t.Fatalf("expected spend in units of %v = %v, want %v", unit, got, want)
				}
			}
		}
	}
}
