package clientvalue

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// sampleParams are those of the CDNOW 1:10 sample (Fader, Hardie & Lee 2005).
var sampleParams = Params{R: .2425929, Alpha: 4.41353124, A: .79288618, B: 2.42575389}

// sampleHistories are histories of that sample's kind.
var sampleHistories = []History{
	{ClientID: "1", X: 2, Recency: 30.43, Age: 38.86},
	{ClientID: "2", X: 1, Recency: 1.71, Age: 38.86},
	{ClientID: "3", X: 0, Recency: 0, Age: 38.86},
	{ClientID: "4", X: 0, Recency: 0, Age: 27},
	{ClientID: "5", X: 4, Recency: 26.57, Age: 27},
	{ClientID: "6", X: 7, Recency: 29.43, Age: 38.86},
	{ClientID: "7", X: 26, Recency: 30.86, Age: 31},
}

// relative is the difference of got and want relative to the larger, absolute
// below 1.
func relative(got, want float64) float64 {
	return math.Abs(got-want) / math.Max(1, math.Max(math.Abs(got), math.Abs(want)))
}

func TestLogLikelihood(t *testing.T) {
	t.Parallel()
	// Computed apart from this package from the beta and gamma functions of
	// the papers' own form of the likelihoods.
	tests := []struct {
		model  Model
		params Params
		want   []float64
	}{
		{BGNBD, sampleParams, []float64{-9.45970101205, -4.47043856612, -0.55380709698, -0.47610400185, -14.12837857776, -21.86483161125, -37.72831852072}},
		{MBGNBD, Params{R: .525, Alpha: 6.183, A: .891, B: 1.614}, []float64{-9.48555131453, -4.46036061258, -0.53983746353, -0.47421853394, -14.04803824730, -21.77652224890, -38.32212694783}},
	}
	for _, test := range tests {
		t.Run(test.model.String(), func(t *testing.T) {
			t.Parallel()
			for i, h := range sampleHistories {
				if got := test.model.LogLikelihood(test.params, h); relative(got, test.want[i]) > 1e-9 {
					t.Errorf("log-likelihood of %+v = %.10f, want %.10f", h, got, test.want[i])
				}
			}
		})
	}
}

// integrated computes a history's likelihood, P(alive) and E[Y(t)] from the
// behaviour of one client with rate lambda and dropout probability p, integrated
// over their gamma and beta distributions on a grid of ln lambda and logit p.
func integrated(m Model, params Params, h History, t float64) (likelihood, alive, expected float64) {
	const step = .1
	x, k := float64(h.X), float64(m.chances(h.X))
	normal := params.R*math.Log(params.Alpha) - lgamma(params.R) +
		lgamma(params.A+params.B) - lgamma(params.A) - lgamma(params.B)
	var survived, dropped float64
	for u := -140.0; u < 12; u += step {
		rate := math.Exp(u)
		logRate := params.R*u - params.Alpha*rate
		for v := -60.0; v < 40; v += step {
			p, q := 1/(1+math.Exp(-v)), 1/(1+math.Exp(v))
			weight := math.Exp(normal + logRate + params.A*math.Log(p) + params.B*math.Log(q) + x*u)
			// Alive at the end: k times not dropped out, nothing bought since.
			s := weight * math.Pow(q, k) * math.Exp(-rate*h.Age)
			survived += s
			expected += s * -math.Expm1(-rate*p*t) / p
			if k > 0 { // dropped out at the last purchase
				dropped += weight * p * math.Pow(q, k-1) * math.Exp(-rate*h.Recency)
			}
		}
	}
	cell := step * step
	return cell * (survived + dropped), survived / (survived + dropped), expected / (survived + dropped)
}

func TestModelsAgainstIntegration(t *testing.T) {
	t.Parallel()
	params := []Params{
		sampleParams,
		{R: 1.7, Alpha: 9, A: 1, B: 3.1},
		{R: 6, Alpha: 30, A: 2.2, B: .8}, // r above a+b: the series alternates
	}
	for _, m := range models {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			for _, p := range params {
				for _, h := range sampleHistories[:5] {
					likelihood, alive, expected := integrated(m, p, h, 39)
					got, err := m.ExpectedPurchases(p, h, 39)
					if err != nil {
						t.Fatal(err)
					}
					if relative(m.LogLikelihood(p, h), math.Log(likelihood)) > 1e-7 {
						t.Errorf("log-likelihood of %+v at %+v = %v, integrated %v", h, p, m.LogLikelihood(p, h), math.Log(likelihood))
					}
					if relative(m.PAlive(p, h), alive) > 1e-7 {
						t.Errorf("P(alive) of %+v at %+v = %v, integrated %v", h, p, m.PAlive(p, h), alive)
					}
					if relative(got, expected) > 1e-7 {
						t.Errorf("E[Y(39)] of %+v at %+v = %v, integrated %v", h, p, got, expected)
					}
				}
			}
		})
	}
}

func TestChurnRisk(t *testing.T) {
	t.Parallel()
	once := History{ClientID: "once", Age: 100}
	if got := BGNBD.PAlive(sampleParams, once); got != 1 {
		t.Errorf("P(alive) of a one-time buyer = %v, want 1", got)
	}
	if got := BGNBD.ChurnRisk(sampleParams, once, 4); got < .95 {
		t.Errorf("churn risk of a one-time buyer after 100 weeks = %v, want it near 1", got)
	}
	for _, m := range models {
		for _, h := range sampleHistories {
			previous := 1.0
			for _, weeks := range []float64{0, 1, 4, 13, 52, 1e6} {
				risk := m.ChurnRisk(sampleParams, h, weeks)
				if risk > previous || risk < 0 {
					t.Errorf("%s: churn risk of %+v within %v weeks = %v after %v", m, h, weeks, risk, previous)
				}
				previous = risk
			}
			// Nothing else than dropping out keeps from buying for ever.
			if dead := 1 - m.PAlive(sampleParams, h); previous < dead {
				t.Errorf("%s: churn risk %v of %+v is below the probability %v of having dropped out", m, previous, h, dead)
			}
		}
	}
}

func TestExpectedPurchasesSeriesAgainstQuadrature(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	compared := 0
	for range 2000 {
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
	if compared < 1000 {
		t.Errorf("the series settled in %d of 2000 cases", compared)
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
