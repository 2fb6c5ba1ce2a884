// Package rates compares the part that was won in two groups, before and after,
// within strata. Imports the standard library alone; databases and what is compared
// never belong in it.
//
// The difference is Mantel and Haenszel's (Greenland & Robins, Biometrics 41(1),
// 1985) with the variance of Sato (Biometrics 45(4), 1989).
package rates

import "math"

// Stratum counts one stratum's cases and how many of them were won.
type Stratum struct{ Before, BeforeWon, After, AfterWon int }

const (
	z95 = 1.959963984540054
	z80 = .8416212335729143
)

// Difference is the part won after less that before, with its interval of 95 %. ok is
// false where no stratum has both groups, or nothing varies: then it can't be told.
func Difference(strata []Stratum) (estimate, low, high float64, ok bool) {
	estimate, variance, ok := Estimate(strata)
	if !ok || variance < 1e-12 {
		return 0, 0, 0, false
	}
	half := z95 * math.Sqrt(variance)
	return estimate, math.Max(-1, estimate-half), math.Min(1, estimate+half), true
}

// Estimate is Mantel and Haenszel's difference of the parts won, after less before,
// within strata, and Sato's variance of it (Sato 1989); not ok where no stratum has
// both.
func Estimate(strata []Stratum) (difference, variance float64, ok bool) {
	var weight, sum, p, q float64
	for _, s := range strata {
		n1, n0, a, c := float64(s.After), float64(s.Before), float64(s.AfterWon), float64(s.BeforeWon)
		n := n1 + n0
		if n1 == 0 || n0 == 0 {
			continue
		}
		weight += n1 * n0 / n
		sum += (a*n0 - c*n1) / n
		p += (n1*n1*c - n0*n0*a + n1*n0*(n0-n1)/2) / (n * n)
		q += (a*(n0-c) + c*(n1-a)) / (2 * n)
	}
	if weight == 0 {
		return 0, 0, false
	}
	difference = sum / weight
	return difference, (difference*p + q) / (weight * weight), true
}

// SmallestShown is the difference between two groups that is shown, at the two-sided
// level of 5 %, with a probability of 80 %, where so many of all were won. ok is false
// where a group is empty or nothing varies.
func SmallestShown(before, after, won int) (difference float64, ok bool) {
	all := before + after
	if before <= 0 || after <= 0 || won <= 0 || won >= all {
		return 0, false
	}
	rate := float64(won) / float64(all)
	return (z95 + z80) * math.Sqrt(rate*(1-rate)*(1/float64(before)+1/float64(after))), true
}
