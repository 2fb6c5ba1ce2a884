package clientvalue

import (
	"errors"
	"fmt"
	"math"
)

// ErrNoConvergence says that a sum or a search did not settle within its cap.
var ErrNoConvergence = errors.New("no convergence")

const (
	// seriesCap is the number of terms after which the quadrature is cheaper.
	seriesCap = 4096
	// seriesError is the largest relative rounding error for which the
	// series is trusted; beyond it cancellation has eaten the digits.
	seriesError = 2e-12
	epsilon     = 0x1p-52
	// maxNodes bounds a quadrature; a few hundred nodes are usual.
	maxNodes = 1 << 18
)

// expectedIfAlive returns E[Y(t)] of a client who is alive after x repeat
// purchases at age T; t is in weeks, >= 0. It does not depend on the recency,
// so that clients with the same x and T share it.
//
// With the dropout probability's posterior beta(a, b+k), k the chances to have
// dropped out, it is E_p[(1 - (1 + p t/(alpha+T))^-(r+x))/p]. The textbook
// closed form is a Gauss hypergeometric function that overflows for large x;
// Euler's transformation of it is summed here by expectationSeries, and where
// that cancels (r far above a+b) or needs too many terms (t far beyond alpha+T)
// the expectation itself is integrated by expectationQuadrature, whose integrand
// is positive.
func (m Model) expectedIfAlive(p Params, x int, age, t float64) (float64, error) {
	tau := t / (p.Alpha + age)
	if tau == 0 {
		return 0, nil
	}
	e := expectation{a: p.A, b: p.B + float64(m.chances(x)), rate: p.R + float64(x), tau: tau}
	if v, ok := e.series(p.B, float64(m.chances(x)-x)-p.R); ok {
		return v, nil
	}
	if v, ok := e.quadrature(); ok {
		return v, nil
	}
	return 0, fmt.Errorf("in %v weeks at %+v, x %d, age %v: %w", t, p, x, age, ErrNoConvergence)
}

// expectation is E_p[(1 - (1 + p tau)^-rate)/p] with p beta(a, b) distributed.
type expectation struct {
	a, b, rate, tau float64
}

// series sums the expectation as
//
//	(a+b-1) (-expm1(eL)/e) - exp(eL) H,  e = a-1, L = ln(1-z), z = tau/(1+tau)
//	H = sum of term_k, term_1 = (a+b-1-rate) z,
//	term_(k+1) = term_k (a+k-1)(a+b-1-rate+k)/((a+b-1+k)(k+1)) z
//
// b0 + shift is b-rate, passed in parts because x cancels in it. ok is false
// where the cap or the rounding error is exceeded: the sum is never cut
// silently.
func (e expectation) series(b0, shift float64) (value float64, ok bool) {
	z := e.tau / (1 + e.tau)
	log := -math.Log1p(e.tau)
	c := e.a + e.b - 1
	d := e.a - 1 + b0 + shift
	first := -log
	if e.a != 1 {
		first = -math.Expm1((e.a-1)*log) / (e.a - 1)
	}
	scale := math.Exp((e.a - 1) * log)
	// The expectation is at most rate tau, that of a client who never drops
	// out: beyond this rounding error it can't be within seriesError.
	limit := seriesError * e.rate * e.tau
	closed := 4 * (e.a + e.b + 1) * math.Abs(first) // in epsilons
	if epsilon*closed > limit || scale < 1e-250 {
		return 0, false
	}
	term := d * z
	sum, rounding := 0.0, 0.0
	for k := 1.0; k <= seriesCap; k++ {
		sum += term
		rounding += (k + 2) * math.Abs(term)
		if !(epsilon*scale*rounding <= limit) {
			return 0, false
		}
		ratio := (e.a + k - 1) * (d + k) / ((c + k) * (k + 1)) * z
		// d < c and (a+k-1)/(k+1) goes to 1, so that from d+k > 0 on no later
		// ratio is above bound: the rest of the sum is below a geometric series.
		if bound := math.Max((e.a+k-1)/(k+1), 1) * z; d+k > 0 && bound < 1 &&
			math.Abs(term)*bound <= epsilon/8*(1-bound)*math.Abs(sum) {
			value = c*first - scale*sum
			rounding = epsilon * (closed + scale*rounding)
			return value, value > 0 && !math.IsInf(value, 0) && rounding <= seriesError*value
		}
		term *= ratio
	}
	return 0, false
}

// quadrature integrates the expectation over w = ln(p/(1-p)) by the trapezoidal
// rule, which converges exponentially for an integrand that is analytic in a
// strip (Trefethen & Weideman, SIAM Review 56(3), 2014): the step is halved
// until two sums agree. The beta density is normalised by the same rule, which
// spares the beta function and its cancellation.
func (e expectation) quadrature() (value float64, ok bool) {
	spread := math.Sqrt(1/e.a + 1/e.b) // of a beta's logit, near its mode
	if spread < 3e-7 {
		// A point, to the last digit but two: the error is of the order of
		// the spread's square.
		value, _ = e.at(math.Log(e.a) - math.Log(e.b))
		return value, value > 0 && !math.IsInf(value, 0)
	}
	step := math.Min(spread, 1)
	mass, sum := e.trapezoid(0, step)
	previous := sum / mass
	for range 12 {
		moreMass, more := e.trapezoid(step/2, step)
		mass, sum = mass+moreMass, sum+more
		step /= 2
		value = sum / mass
		// A halving squares the error at least; the difference is asked to be
		// smaller than that needs, for two errors may agree by chance.
		if math.Abs(value-previous) <= 1e-10*value {
			return value, value > 0 && !math.IsInf(value, 0)
		}
		previous = value
	}
	return 0, false
}

// trapezoid returns the sums of the beta density and of the integrand over the
// nodes that are offset, plus any number of steps, from the density's mode, in
// units of the density there; NaN beyond maxNodes.
func (e expectation) trapezoid(offset, step float64) (mass, sum float64) {
	mode := math.Log(e.a) - math.Log(e.b)
	f, top := e.at(mode)
	// The integrand grows to the left by at most the factor f(0)/f(mode).
	negligible := -45 - math.Max(0, math.Log(e.rate)+math.Log(e.tau)-math.Log(f))
	// Beyond left and right the integrand is, to the last digit, an
	// exponential of which the rest of the sum is a geometric series.
	left := -42 - math.Log1p(e.tau) - math.Log1p(e.rate) - math.Log1p(e.b)
	right := 42 + math.Log1p(e.a)
	nodes := 0
	for w := mode + offset; nodes < maxNodes; w += step {
		nodes++
		f, logWeight := e.at(w)
		weight := math.Exp(logWeight - top)
		if w > right {
			weight /= -math.Expm1(-e.b * step)
		}
		mass += weight
		sum += weight * f
		if w > right || logWeight-top < negligible {
			break
		}
	}
	for w := mode + offset - step; nodes < maxNodes; w -= step {
		nodes++
		f, logWeight := e.at(w)
		weight := math.Exp(logWeight - top)
		if w < left {
			weight /= -math.Expm1(-e.a * step)
		}
		mass += weight
		sum += weight * f
		if w < left || logWeight-top < negligible {
			break
		}
	}
	if nodes >= maxNodes {
		return math.NaN(), math.NaN()
	}
	return mass, sum
}

// at returns (1 - (1 + p tau)^-rate)/p and the log of p^a (1-p)^b at
// p = 1/(1+e^-w).
func (e expectation) at(w float64) (f, logWeight float64) {
	small := math.Exp(-math.Abs(w))
	tail := math.Log1p(small)
	logP, logQ, p := -tail, -tail, 1/(1+small)
	if w > 0 {
		logQ -= w
	} else {
		logP += w
		p *= small
	}
	if p*e.tau < 1e-300 || p < 1e-300 {
		f = e.rate * e.tau
	} else {
		f = -math.Expm1(-e.rate*math.Log1p(p*e.tau)) / p
	}
	return f, e.a*logP + e.b*logQ
}
