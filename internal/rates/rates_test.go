package rates

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 5e-4 }

func TestDifference(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strata              []Stratum
		estimate, low, high float64
		ok                  bool
	}{
		// One stratum: .6 - .4, and Wald's interval: 1.96 · √(.24/100 + .24/100) = .1358.
		"one stratum":               {[]Stratum{{100, 40, 100, 60}}, .2, .0642, .3358, true},
		"nothing":                   {nil, 0, 0, 0, false},
		"one group alone":           {[]Stratum{{100, 40, 0, 0}}, 0, 0, 0, false},
		"groups that never meet":    {[]Stratum{{100, 40, 0, 0}, {0, 0, 100, 60}}, 0, 0, 0, false},
		"a stratum that says none":  {[]Stratum{{100, 40, 100, 60}, {50, 50, 0, 0}}, .2, .0642, .3358, true},
		"all won":                   {[]Stratum{{100, 100, 100, 100}}, 0, 0, 0, false},
		"as many won in both":       {[]Stratum{{100, 50, 100, 50}}, 0, -.1386, .1386, true},
		"Simpson: nothing in truth": {[]Stratum{{200, 160, 50, 40}, {50, 10, 200, 40}}, 0, -.0877, .0877, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, low, high, ok := Difference(c.strata)
			if ok != c.ok || !near(e, c.estimate) || !near(low, c.low) || !near(high, c.high) {
				t.Errorf("%.4f (%.4f to %.4f) %t", e, low, high, ok)
			}
		})
	}
}

// Of intervals of 95 %, about 95 in 100 hold the truth.
func TestCoverage(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, p float64) (won int) {
		for range n {
			if random.Float64() < p {
				won++
			}
		}
		return won
	}
	held, shown := 0, 0
	const sets = 2000
	for range sets {
		strata := []Stratum{{Before: 150, After: 60}, {Before: 60, After: 90}}
		for i, rate := range []float64{.2, .6} {
			strata[i].BeforeWon, strata[i].AfterWon = draw(strata[i].Before, rate), draw(strata[i].After, rate+.1)
		}
		if _, low, high, ok := Difference(strata); ok && low <= .1 && .1 <= high {
			held++
		}
		// What SmallestShown calls the smallest is shown in about 80 of 100.
		smallest, _ := SmallestShown(300, 300, 300)
		if _, low, _, _ := Difference([]Stratum{{300, draw(300, .5-smallest/2), 300, draw(300, .5+smallest/2)}}); low > 0 {
			shown++
		}
	}
	if part := float64(held) / sets; part < .935 || part > .965 {
		t.Errorf("%.3f of the intervals hold the truth", part)
	}
	if part := float64(shown) / sets; part < .77 || part > .84 {
		t.Errorf("%.3f show the smallest difference", part)
	}
}

func TestSmallestShown(t *testing.T) {
	t.Parallel()
	if d, ok := SmallestShown(100, 100, 100); !ok || !near(d, .1981) {
		t.Errorf("%.4f %t", d, ok)
	}
	for _, c := range [][3]int{{0, 10, 5}, {10, 0, 5}, {10, 10, 0}, {10, 10, 20}} {
		if d, ok := SmallestShown(c[0], c[1], c[2]); ok {
			t.Errorf("%v: %f", c, d)
		}
	}
}
