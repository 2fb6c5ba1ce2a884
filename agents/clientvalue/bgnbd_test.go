package clientvalue

import (
	"math"
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
	const step = .2
	x, k := float64(h.X), float64(m.chances(h.X))
	normal := params.R*math.Log(params.Alpha) - lgamma(params.R) +
		lgamma(params.A+params.B) - lgamma(params.A) - lgamma(params.B)
	var survived, dropped float64
	for u := -120.0; u < 12; u += step {
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
