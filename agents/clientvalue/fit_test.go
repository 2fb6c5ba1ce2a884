package clientvalue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mixedHistories are histories of many kinds, drawn without any model.
func mixedHistories(n int) []History {
	random := rand.New(rand.NewPCG(3, 4))
	histories := make([]History, n)
	for i := range histories {
		h := History{ClientID: fmt.Sprintf("%05d", i), Age: float64(random.IntN(400)) / 7, FirstSpend: 20}
		if h.X = int(random.ExpFloat64() * 2 * random.Float64()); h.X > 0 && h.Age > 0 {
			h.Recency = float64(random.IntN(int(h.Age*7)+1)) / 7
			h.Spend = 10 + 50*random.ExpFloat64()
		} else {
			h.X = 0
		}
		histories[i] = h
	}
	return histories
}

func TestLikelihoodOfPopulation(t *testing.T) {
	t.Parallel()
	histories := mixedHistories(2000)
	g := group(histories)
	random := rand.New(rand.NewPCG(5, 6))
	for _, m := range models {
		for range 20 {
			p := paramsOf([]float64{random.NormFloat64(), 3 * random.NormFloat64(), 2 * random.NormFloat64(), 2 * random.NormFloat64()})
			want := 0.0
			for _, h := range histories {
				want += m.LogLikelihood(p, h)
			}
			if got := g.likelihood(m, p, 2)[0]; relative(got, want) > 1e-10 {
				t.Errorf("%s: log-likelihood at %+v = %v, sum over clients %v", m, p, got, want)
			}
		}
	}
}

// checkGradient compares an analytic gradient with central differences.
func checkGradient(t *testing.T, f func(theta []float64) (value float64, gradient []float64), theta []float64) {
	t.Helper()
	value, gradient := f(theta)
	const step = 1e-5
	for i := range theta {
		moved := append([]float64(nil), theta...)
		moved[i] = theta[i] + step
		above, _ := f(moved)
		moved[i] = theta[i] - step
		below, _ := f(moved)
		numeric := (above - below) / (2 * step)
		if tolerance := 1e-6*math.Abs(numeric) + 1e-9*math.Abs(value); math.Abs(gradient[i]-numeric) > tolerance {
			t.Errorf("derivative %d at %v = %v, by differences %v", i, theta, gradient[i], numeric)
		}
	}
}

func TestLikelihoodGradient(t *testing.T) {
	t.Parallel()
	g := group(mixedHistories(500))
	random := rand.New(rand.NewPCG(8, 9))
	for _, m := range models {
		t.Run(m.String(), func(t *testing.T) {
			for range 20 {
				theta := []float64{random.NormFloat64(), 2 * random.NormFloat64(), random.NormFloat64(), random.NormFloat64()}
				checkGradient(t, func(theta []float64) (float64, []float64) {
					sum := g.likelihood(m, paramsOf(theta), 1)
					return sum[0], sum[1:]
				}, theta)
			}
		})
	}
}

func TestFitIsAMaximum(t *testing.T) {
	t.Parallel()
	g := group(mixedHistories(2000))
	for _, m := range models {
		fitted, err := g.fit(context.Background(), m, FitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !fitted.Converged {
			t.Errorf("%s: the fit did not converge: %+v", m, fitted)
		}
		for i := range 4 {
			for _, off := range []float64{.99, 1.01} {
				factors := [4]float64{1, 1, 1, 1}
				factors[i] = off
				p := fitted.Params
				p = Params{p.R * factors[0], p.Alpha * factors[1], p.A * factors[2], p.B * factors[3]}
				if other := g.likelihood(m, p, 1)[0]; other > fitted.LogLikelihood {
					t.Errorf("%s: log-likelihood %v at %+v is above the fit's %v", m, other, p, fitted.LogLikelihood)
				}
			}
		}
	}
}

func TestFitOfDegenerateClients(t *testing.T) {
	t.Parallel()
	repeat := func(n int, h History) []History {
		histories := make([]History, n)
		for i := range histories {
			histories[i] = h
			histories[i].ClientID = fmt.Sprint(i)
		}
		return histories
	}
	once := History{Age: 30, FirstSpend: 10}
	regular := History{X: 30, Recency: 30, Age: 30, Spend: 10, FirstSpend: 10}
	tests := map[string]struct {
		histories []History
		low       bool
	}{
		"one client":                          {repeat(1, regular), true},
		"one client who bought once":          {repeat(1, once), true},
		"one client who bought today":         {repeat(1, History{}), true},
		"nobody bought again":                 {repeat(500, once), true},
		"everyone bought today":               {repeat(500, History{}), true},
		"everyone buys all the time":          {repeat(500, regular), false},
		"everyone buys daily":                 {repeat(500, History{X: 7000, Recency: 1000, Age: 1000}), false},
		"everyone bought again at once":       {repeat(500, History{X: 1, Recency: 1. / 7, Age: 500}), false},
		"a purchase on the first day, none T": {repeat(500, History{X: 1}), false},
		"two kinds":                           {append(repeat(400, once), repeat(40, regular)...), false},
		"last purchase on the last day":       {repeat(200, History{X: 2, Recency: 9, Age: 9}), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, m := range models {
				fitted, err := Fit(context.Background(), test.histories, m, FitOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := fitted.Params.Check(); err != nil {
					t.Error(err)
				}
				if fitted.LowConfidence != test.low {
					t.Errorf("%s: low confidence %v, want %v", m, fitted.LowConfidence, test.low)
				}
				if math.IsNaN(fitted.LogLikelihood) || math.IsInf(fitted.LogLikelihood, 0) {
					t.Errorf("%s: log-likelihood %v", m, fitted.LogLikelihood)
				}
				for _, h := range test.histories[:1] {
					checkProperties(t, m, fitted.Params, h, 52)
				}
			}
		})
	}
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		histories []History
		model     Model
		options   FitOptions
		want      error
	}{
		"no clients":          {nil, BGNBD, FitOptions{}, ErrNoClients},
		"recency above age":   {[]History{{X: 1, Recency: 2, Age: 1}}, BGNBD, FitOptions{}, ErrBadInput},
		"an unknown model":    {mixedHistories(9), Model(7), FitOptions{}, ErrBadInput},
		"too many starts":     {mixedHistories(9), BGNBD, FitOptions{Starts: 4}, ErrBadInput},
		"negative mean spend": {[]History{{X: 1, Recency: 1, Age: 1, Spend: -1}}, BGNBD, FitOptions{}, ErrBadInput},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := Fit(context.Background(), test.histories, test.model, test.options); !errors.Is(err, test.want) {
				t.Errorf("Fit = %+v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestFitStopsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, mixedHistories(200), BGNBD, FitOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit of an ended context: %v", err)
	}
	if _, err := FitSpend(ctx, mixedHistories(200)); !errors.Is(err, context.Canceled) {
		t.Errorf("FitSpend of an ended context: %v", err)
	}
}

func TestFitDoesNotDependOnWorkers(t *testing.T) {
	t.Parallel()
	g := group(mixedHistories(40000))
	if len(g.rows) <= 2*chunkRows {
		t.Fatalf("%d groups are too few for chunks", len(g.rows))
	}
	for _, workers := range []int{2, 3, 8} {
		if diff := cmp.Diff(g.likelihood(BGNBD, sampleParams, 1), g.likelihood(BGNBD, sampleParams, workers)); diff != "" {
			t.Errorf("%d workers (-1 worker +them):\n%s", workers, diff)
		}
	}
}

func TestFitsSurviveJSON(t *testing.T) {
	t.Parallel()
	histories := mixedHistories(300)
	report := struct {
		Fit   Fitted
		Spend SpendFit
	}{}
	var err error
	if report.Fit, err = Fit(context.Background(), histories, MBGNBD, FitOptions{}); err != nil {
		t.Fatal(err)
	}
	if report.Spend, err = FitSpend(context.Background(), histories); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	back := report
	back.Fit, back.Spend = Fitted{}, SpendFit{}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, back); diff != "" {
		t.Errorf("through JSON (-before +after):\n%s", diff)
	}
}
