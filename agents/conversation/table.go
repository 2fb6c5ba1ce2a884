package conversation

import (
	"math"

	"github.com/nuzantara/ciclo/internal/rates"
)

// table is the two by two table of one stratum: conversations with a feature and
// without, and how many of them were won.
type table struct{ with, withWon, without, withoutWon int }

// exactWidth is up to how many different numbers of won conversations with the
// feature the test is exact; above, the normal approximation is as good.
const exactWidth = 500

// smallestP is what a p-value below it is given as.
const smallestP = 1e-300

// pValue asks whether having the feature and being won are independent within
// strata: two-sided, conditional on the margins of each (Fisher's exact test where
// there is one stratum, Birch's where there are several; in large tables Mantel and
// Haenszel's with continuity correction). A result counts as at least as extreme
// where it is no more probable. 1 where no stratum says anything.
func pValue(strata []table) float64 {
	observed, width := 0, 0
	var expected, variance float64
	for _, s := range strata {
		low, high := s.bounds()
		if low == high {
			continue
		}
		n, won := float64(s.with+s.without), float64(s.withWon+s.withoutWon)
		observed += s.withWon - low
		width += high - low
		expected += float64(s.with)*won/n - float64(low)
		variance += float64(s.with) * float64(s.without) * won * (n - won) / (n * n * (n - 1))
	}
	if variance == 0 {
		return 1
	}
	if width > exactWidth {
		miss := math.Max(0, math.Abs(float64(observed)-expected)-.5)
		return math.Max(smallestP, math.Erfc(miss/math.Sqrt(2*variance)))
	}
	distribution := []float64{1}
	for _, s := range strata {
		if low, high := s.bounds(); low < high {
			distribution = convolve(distribution, s.hypergeometric(low, high))
		}
	}
	limit, p := distribution[observed]*(1+1e-7), 0.
	for _, probability := range distribution {
		if probability <= limit {
			p += probability
		}
	}
	return math.Min(1, math.Max(smallestP, p))
}

// bounds are the fewest and the most conversations with the feature that may have
// been won, by the margins.
func (s table) bounds() (low, high int) {
	won := s.withWon + s.withoutWon
	return max(0, won-s.without), min(s.with, won)
}

// hypergeometric is the distribution of withWon from low to high by the margins.
func (s table) hypergeometric(low, high int) []float64 {
	won, n := s.withWon+s.withoutWon, s.with+s.without
	mode := min(high, max(low, (won+1)*(s.with+1)/(n+2)))
	p := make([]float64, high-low+1)
	p[mode-low] = 1
	total := 1.
	up := func(k int) float64 { // p(k+1)/p(k)
		return float64(won-k) * float64(s.with-k) / (float64(k+1) * float64(s.without-won+k+1))
	}
	for k := mode; k < high; k++ {
		p[k+1-low] = p[k-low] * up(k)
		total += p[k+1-low]
	}
	for k := mode - 1; k >= low; k-- {
		p[k-low] = p[k+1-low] / up(k)
		total += p[k-low]
	}
	for i := range p {
		p[i] /= total
	}
	return p
}

func convolve(a, b []float64) []float64 {
	sum := make([]float64, len(a)+len(b)-1)
	for i, x := range a {
		for j, y := range b {
			sum[i+j] += x * y
		}
	}
	return sum
}

// Interval is an estimate with its interval of 95 %.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

const z95 = 1.959963984540054

// riskDifference is the part that was won with the feature less that without, over
// strata; nil where no stratum has both, or nothing varies. Where the feature tells
// won from lost without exception, the variance would be 0: it is taken with one
// more of each outcome with the feature and without (Agresti & Caffo, The American
// Statistician 54(4), 2000).
func riskDifference(strata []table) *Interval {
	var all table
	var compared []rates.Stratum
	for _, s := range strata {
		if s.with > 0 && s.without > 0 {
			all = table{all.with + s.with, all.withWon + s.withWon, all.without + s.without, all.withoutWon + s.withoutWon}
			compared = append(compared, rates.Stratum{Before: s.without, BeforeWon: s.withoutWon, After: s.with, AfterWon: s.withWon})
		}
	}
	d, variance, ok := rates.Estimate(compared)
	if !ok {
		return nil
	}
	if variance < 1e-12 {
		if d == 0 {
			return nil
		}
		variance = softened(all.with, all.withWon) + softened(all.without, all.withoutWon)
	}
	half := z95 * math.Sqrt(variance)
	return &Interval{d, math.Max(-1, d-half), math.Min(1, d+half)}
}

// softened is the variance of a part with one more of each outcome.
func softened(n, won int) float64 {
	part := float64(won+1) / float64(n+2)
	return part * (1 - part) / float64(n+2)
}

// oddsRatio is Mantel and Haenszel's with the variance of Robins, Breslow and
// Greenland; nil where it is 0 or endless.
func oddsRatio(strata []table) *Interval {
	var r, s, pr, psqr, qs float64
	for _, t := range strata {
		n := float64(t.with + t.without)
		if t.with == 0 || t.without == 0 {
			continue
		}
		a, b := float64(t.withWon), float64(t.with-t.withWon)
		c, d := float64(t.withoutWon), float64(t.without-t.withoutWon)
		ri, si, pi, qi := a*d/n, b*c/n, (a+d)/n, (b+c)/n
		r, s = r+ri, s+si
		pr, psqr, qs = pr+pi*ri, psqr+pi*si+qi*ri, qs+qi*si
	}
	if r == 0 || s == 0 {
		return nil
	}
	half := z95 * math.Sqrt(pr/(2*r*r)+psqr/(2*r*s)+qs/(2*s*s))
	odds := r / s
	return &Interval{odds, odds * math.Exp(-half), odds * math.Exp(half)}
}
