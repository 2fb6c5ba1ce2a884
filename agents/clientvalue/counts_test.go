package clientvalue

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestCountsSumToTheExpectation(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(31, 32))
	for range 300 {
		p := paramsOf([]float64{random.NormFloat64(), 2 + random.NormFloat64(), random.NormFloat64(), 1 + random.NormFloat64()})
		h := History{ClientID: "c", X: random.IntN(60), Age: 1 + 100*random.Float64()}
		if h.X > 0 {
			h.Recency = h.Age * random.Float64()
		}
		for _, m := range models {
			const weeks = 30
			want, err := m.ExpectedPurchases(p, h, weeks)
			if err != nil {
				t.Fatal(err)
			}
			alive := m.PAlive(p, h)
			c := m.countsIfAlive(p, prospect{h.X, h.Age}, weeks)
			c.most = 100_000
			sum, mass, mean, square := 0.0, 0.0, 0.0, 0.0
			c.each(func(_ int, _, atLeast float64) bool { sum += atLeast; return atLeast > 1e-14 })
			if sum *= alive; math.Abs(sum-want) > 1e-8*want+1e-12 {
				t.Errorf("%s: sum over P(Y >= n) of %+v at %+v = %v, expected purchases %v", m, h, p, sum, want)
			}
			for n := range 400 {
				probability := math.Exp(c.logProbability(n, alive))
				mass += probability
				mean += float64(n) * probability
				square += float64(n*n) * probability
			}
			if mean < 20 && (math.Abs(mass-1) > 1e-6 || math.Abs(mean-want) > 1e-4*want) {
				t.Errorf("%s: P(Y = n) of %+v at %+v has mass %v, mean %v, expected %v", m, h, p, mass, mean, want)
			}
			if got := alive * c.square(); mean < 20 && math.Abs(got-square) > 1e-3*square {
				t.Errorf("%s: E[Y^2] of %+v at %+v = %v, by probabilities %v", m, h, p, got, square)
			}
		}
	}
}

// TestCountsOfFrequentBuyers begins where probabilities are below floating point.
func TestCountsOfFrequentBuyers(t *testing.T) {
	t.Parallel()
	of := prospect{x: 3000, age: 3000. / 7}
	p := Params{R: 1, Alpha: 1, A: .001, B: 1}
	c := BGNBD.countsIfAlive(p, of, 1000./7)
	tail := c.tail()
	if len(tail) < 990 || len(tail) > 1000 || tail[800] < .9 {
		t.Errorf("%d counts are possible of a daily buyer in 1,000 days", len(tail))
	}
}
