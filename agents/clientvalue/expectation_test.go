package clientvalue

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestExpectedPurchasesSeriesAgainstQuadrature(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	compared := 0
	for range 20000 {
		e := expectation{
			a: math.Exp(3 * random.NormFloat64()), rate: math.Exp(2 * random.NormFloat64()),
			tau: math.Exp(2 * random.NormFloat64()),
		}
		b0 := math.Exp(2 * random.NormFloat64())
		x := float64(random.IntN(30))
		e.b = b0 + x
		series, ok := e.series(b0, x-e.rate)
		if !ok {
			continue
		}
		compared++
		integral, ok := e.quadrature()
		if !ok || math.Abs(series-integral) > 1e-11*integral {
			t.Errorf("%+v: series %v, quadrature %v (%v)", e, series, integral, ok)
		}
	}
	if compared < 10000 {
		t.Errorf("the series settled in %d of 20000 cases", compared)
	}
}

func TestExpectedPurchasesNearRemovableSingularity(t *testing.T) {
	t.Parallel()
	h := History{ClientID: "1", X: 3, Recency: 20, Age: 30}
	at := func(a float64) float64 {
		v, err := BGNBD.ExpectedPurchases(Params{R: .5, Alpha: 6, A: a, B: 2}, h, 52)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	one := at(1)
	for _, off := range []float64{1e-15, 1e-12, 1e-9, -1e-15, -1e-12, -1e-9} {
		if got := at(1 + off); math.Abs(got-one) > 1e-13+10*math.Abs(off) {
			t.Errorf("E[Y] at a = 1%+g is %v, at 1 %v", off, got, one)
		}
	}
}

func TestSeriesIsNeverCutSilently(t *testing.T) {
	t.Parallel()
	// z = 1 - 1e-9 needs some 1e10 terms.
	e := expectation{a: 2.5, b: 3, rate: 1, tau: 1e9}
	if v, ok := e.series(3, -1); ok {
		t.Errorf("the series settled at %v", v)
	}
	if v, ok := e.quadrature(); !ok {
		t.Errorf("the quadrature did not settle: %v", v)
	}
}

func TestExpectedPurchasesRefuses(t *testing.T) {
	t.Parallel()
	good, h := sampleParams, sampleHistories[0]
	tests := map[string]struct {
		params  Params
		history History
		weeks   float64
	}{
		"r of 0":                    {Params{0, 1, 1, 1}, h, 1},
		"alpha not a number":        {Params{1, math.NaN(), 1, 1}, h, 1},
		"infinite a":                {Params{1, 1, math.Inf(1), 1}, h, 1},
		"negative b":                {Params{1, 1, 1, -1}, h, 1},
		"negative x":                {good, History{X: -1}, 1},
		"recency above age":         {good, History{X: 1, Recency: 2, Age: 1}, 1},
		"recency without purchase":  {good, History{Recency: 1, Age: 1}, 1},
		"age not a number":          {good, History{Age: math.NaN()}, 1},
		"infinite age":              {good, History{Age: math.Inf(1)}, 1},
		"negative weeks":            {good, h, -1},
		"weeks not a number":        {good, h, math.NaN()},
		"infinitely many weeks":     {good, h, math.Inf(1)},
		"spend not a number":        {good, History{Spend: math.NaN()}, 1},
		"more purchases than a day": {good, History{X: maxX + 1, Recency: 1, Age: 1}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := BGNBD.ExpectedPurchases(test.params, test.history, test.weeks); !errors.Is(err, ErrBadInput) {
				t.Errorf("= %v, %v; want %v", v, err, ErrBadInput)
			}
		})
	}
}

// checkProperties checks what holds for any parameters and history.
func checkProperties(t *testing.T, m Model, p Params, h History, weeks float64) {
	t.Helper()
	if alive := m.PAlive(p, h); !(alive >= 0 && alive <= 1) {
		t.Errorf("%s: P(alive) of %+v at %+v = %v", m, h, p, alive)
	}
	if risk := m.ChurnRisk(p, h, weeks); !(risk >= 0 && risk <= 1) {
		t.Errorf("%s: churn risk of %+v at %+v = %v", m, h, p, risk)
	}
	previous := 0.0
	for _, t0 := range []float64{0, weeks / 3, weeks, 2 * weeks} {
		y, err := m.ExpectedPurchases(p, h, t0)
		if err != nil {
			t.Errorf("%s: E[Y(%v)] of %+v at %+v: %v", m, t0, h, p, err)
			return
		}
		if !(y >= 0) || math.IsInf(y, 0) || y < previous*(1-1e-11) {
			t.Errorf("%s: E[Y(%v)] of %+v at %+v = %v after %v", m, t0, h, p, y, previous)
		}
		previous = y
	}
}

func TestPropertiesOfRandomClients(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		p := Params{
			R: math.Exp(4 * random.NormFloat64()), Alpha: math.Exp(4 * random.NormFloat64()),
			A: math.Exp(4 * random.NormFloat64()), B: math.Exp(4 * random.NormFloat64()),
		}
		h := History{ClientID: "random", Age: math.Exp(4 * random.NormFloat64())}
		if h.X = int(math.Exp(8*random.Float64())) - 1; h.X > 0 {
			h.Recency = h.Age * random.Float64()
		}
		for _, m := range models {
			checkProperties(t, m, p, h, math.Exp(5*random.NormFloat64()))
		}
	}
}

func FuzzExpectedPurchases(f *testing.F) {
	f.Add(.24, 4.4, .79, 2.4, uint16(2), .8, 38.9, 39.)
	f.Add(10., .001, 1., .001, uint16(0), 0., 0., 5000.)
	f.Add(1e6, 1e6, 1e-6, 1e6, uint16(40000), 1., 1e5, 1.)
	f.Fuzz(func(t *testing.T, r, alpha, a, b float64, x uint16, part, age, weeks float64) {
		p := Params{R: r, Alpha: alpha, A: a, B: b}
		h := History{ClientID: "fuzz", X: int(x), Age: age}
		if x > 0 {
			h.Recency = age * part
		}
		for _, m := range models {
			y, err := m.ExpectedPurchases(p, h, weeks)
			if err != nil {
				if !errors.Is(err, ErrBadInput) && !errors.Is(err, ErrNoConvergence) {
					t.Errorf("error %v has no sentinel", err)
				}
				continue
			}
			if !(y >= 0) || math.IsInf(y, 0) {
				t.Errorf("%s: E[Y(%v)] of %+v at %+v = %v", m, weeks, h, p, y)
			}
		}
		// Where parameters are within what a fit can return, there is a value.
		for _, v := range []float64{r, alpha, a, b} {
			if !(v > 1e-7 && v < 1e8) {
				return
			}
		}
		if h.Check() == nil && weeks >= 1e-3 && weeks < 1e5 && age < 1e5 {
			checkProperties(t, BGNBD, p, h, weeks)
			checkProperties(t, MBGNBD, p, h, weeks)
		}
	})
}
