package conversation

import (
	"math"
	"testing"
)

func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance || math.IsNaN(got) {
		t.Errorf("%s: %.10g, want %.10g", name, got, want)
	}
}

func TestFisher(t *testing.T) {
	t.Parallel()
	// The lady tasting tea: 3 of 4 right.
	near(t, "tea", pValue([]table{{4, 3, 4, 1}}), 0.4857142857142857, 1e-12)
	near(t, "all right", pValue([]table{{4, 4, 4, 0}}), 2./70, 1e-12)
	near(t, "one stratum", pValue([]table{{100, 30, 100, 50}}), 0.0059373411, 1e-9) // by integers, all tables
	near(t, "no difference", pValue([]table{{100, 30, 100, 30}}), 1, 1e-12)
	near(t, "nobody won", pValue([]table{{10, 0, 10, 0}}), 1, 0)
	near(t, "nothing", pValue(nil), 1, 0)
}

// Two strata, all outcomes counted one by one.
func TestExactOverStrata(t *testing.T) {
	t.Parallel()
	strata := []table{{5, 4, 6, 2}, {7, 5, 4, 1}}
	choose := func(n, k int) float64 {
		if k < 0 || k > n {
			return 0
		}
		c := 1.
		for i := range k {
			c = c * float64(n-i) / float64(i+1)
		}
		return c
	}
	p := map[int]float64{}
	total := 0.
	for a := range 6 {
		for b := range 8 {
			w := choose(5, a) * choose(6, 6-a) * choose(7, b) * choose(4, 6-b)
			p[a+b] += w
			total += w
		}
	}
	want := 0.
	for _, w := range p {
		if w <= p[9]*(1+1e-9) {
			want += w / total
		}
	}
	near(t, "exact", pValue(strata), want, 1e-12)
}

// Where it takes over, the normal approximation is near the exact value.
func TestApproximation(t *testing.T) {
	t.Parallel()
	exact := pValue([]table{{1000, 280, 1000, 220}})       // 500 wide
	approximate := pValue([]table{{1002, 281, 1002, 221}}) // wider
	if ratio := approximate / exact; ratio < .85 || ratio > 1.15 {
		t.Errorf("exact %g, approximate %g", exact, approximate)
	}
	if p := pValue([]table{{100_000, 90_000, 100_000, 10_000}}); p != smallestP {
		t.Errorf("p %g", p)
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	one := []table{{100, 60, 100, 40}}
	d := riskDifference(one)
	near(t, "difference", d.Estimate, .2, 1e-12)
	near(t, "its interval", d.Low, .2-z95*math.Sqrt(.24/100+.24/100), 1e-12) // Wald's, in one balanced stratum
	o := oddsRatio(one)
	near(t, "odds ratio", o.Estimate, 2.25, 1e-12)
	near(t, "its interval", math.Log(o.High), math.Log(2.25)+z95*math.Sqrt(1./60+1./40+1./40+1./60), 1e-12) // Woolf's, in one stratum

	// Simpson's: 80 % in one stratum, 20 % in the other, with the feature or not.
	simpson := []table{{80, 64, 20, 16}, {20, 4, 80, 16}}
	near(t, "within strata", riskDifference(simpson).Estimate, 0, 1e-12)
	near(t, "odds within strata", oddsRatio(simpson).Estimate, 1, 1e-12)
	near(t, "p within strata", pValue(simpson), 1, 1e-12)
	if p := pValue([]table{{100, 68, 100, 32}}); p > 1e-5 {
		t.Errorf("pooled: %g", p)
	}
	if d := riskDifference([]table{{50, 50, 50, 0}}); d.Estimate != 1 || d.Low > .95 || d.Low < .85 || d.High != 1 {
		t.Errorf("without exception: %+v", d)
	}
	for name, strata := range map[string][]table{"nothing": nil, "none without": {{10, 5, 0, 0}}, "all won": {{10, 10, 10, 10}}} {
		if d := riskDifference(strata); d != nil {
			t.Errorf("%s: difference %v", name, d)
		}
		if o := oddsRatio(strata); o != nil {
			t.Errorf("%s: odds %v", name, o)
		}
	}
}

func TestBenjaminiHochberg(t *testing.T) {
	t.Parallel()
	got := benjaminiHochberg([]float64{.01, .04, .03, .005, .5})
	for i, want := range []float64{.025, .05, .05, .025, .5} {
		near(t, "q", got[i], want, 1e-12)
	}
}

func TestSmallestDetectable(t *testing.T) {
	t.Parallel()
	// (1.959964 + .841621)·sqrt(.25/(1000·.25))
	near(t, "half", SmallestDetectable(1000, 500, 2, .1).RiskDifference, 2.801585*math.Sqrt(.001), 1e-6)
	if SmallestDetectable(10, 0, 5, .1) != nil || SmallestDetectable(10, 5, 0, .1) != nil {
		t.Error("a sample of one class, or without features, could show something")
	}
}
