package clientvalue

import "math"

// counts is the distribution of the number of purchases of a client who is
// alive, within t weeks after the history. Given the rate and the dropout
// probability p, at least n are bought where n of the Poisson process's arrivals
// fall within t and the client stays after each of the first n-1; the two are
// independent a posteriori, the rate gamma(r+x, alpha+T) and p beta(a, b+k), so
// that
//
//	P(Y >= n) = P(N >= n) E[(1-p)^(n-1)], N negative binomial
//
// of which the sum over n is ExpectedPurchases' expectation. With P(alive) in
// front it is the client's own.
type counts struct {
	shape, z float64 // N's: r+x and t/(alpha+T+t)
	a, b     float64 // p's
	most     int     // of purchases: there is one a day
}

func (m Model) countsIfAlive(p Params, of prospect, t float64) counts {
	return counts{
		shape: p.R + float64(of.x), z: t / (p.Alpha + of.age + t),
		a: p.A, b: p.B + float64(m.chances(of.x)),
		most: int(math.Ceil(t*daysPerWeek - 1e-6)),
	}
}

// each calls do with n, the probability of exactly n-1 arrivals, and that of at
// least n purchases, from n = 1 on until do says no or there can be no more.
func (c counts) each(do func(n int, arrivals, atLeast float64) bool) {
	// The first probabilities may be below floating point: they are kept in
	// logs until there is something to see.
	log := c.shape * math.Log1p(-c.z)
	logZ := math.Log(c.z)
	p, more, stays := math.Exp(log), 1.0, 1.0
	inLogs := log < -600
	for n := 1; n <= c.most; n++ {
		more = math.Max(more-p, 0)
		if !do(n, p, more*stays) {
			return
		}
		k := float64(n)
		if inLogs {
			log += math.Log((c.shape+k-1)/k) + logZ
			p, inLogs = math.Exp(log), log < -600
		} else {
			p *= (c.shape + k - 1) / k * c.z
		}
		stays *= (c.b + k - 1) / (c.a + c.b + k - 1)
	}
}

// negligible is a probability that moves no quantile of a client's interval.
const negligible = 1e-3

// tail returns P(Y >= n) at n-1, until it is negligible.
func (c counts) tail() []float64 {
	var tail []float64
	c.each(func(_ int, _, atLeast float64) bool {
		if atLeast < negligible {
			return false
		}
		tail = append(tail, atLeast)
		return true
	})
	return tail
}

// square returns E[Y^2].
func (c counts) square() float64 {
	sum := 0.0
	c.each(func(n int, _, atLeast float64) bool {
		sum += float64(2*n-1) * atLeast
		// Beyond the mean, n P(Y >= n) falls at least like a geometric series.
		return float64(n) < 2*c.shape*c.z/(1-c.z)+20 || float64(2*n-1)*atLeast > 1e-9*sum
	})
	return sum
}

// logProbability returns the log of P(Y = n) of a client who is alive with the
// given probability.
func (c counts) logProbability(n int, alive float64) float64 {
	if n == 0 {
		some := 0.0
		c.each(func(_ int, _, atLeast float64) bool { some = atLeast; return false })
		return math.Log1p(-math.Min(alive*some, 1-epsilon))
	}
	k := float64(n)
	// exactly n arrivals and staying after n-1 of them, or more and leaving
	// after the n-th
	exactly := math.Exp(lgamma(c.shape+k) - lgamma(c.shape) - lgamma(k+1) + c.shape*math.Log1p(-c.z) + k*math.Log(c.z))
	stays := lgamma(c.a+c.b) - lgamma(c.b) + lgamma(c.b+k-1) - lgamma(c.a+c.b+k-1)
	leaves := c.a / (c.a + c.b + k - 1)
	most := c
	most.most = n + 1
	more := 0.0 // more than n arrivals
	arrived := 1.0
	most.each(func(_ int, arrivals, _ float64) bool {
		arrived = math.Max(arrived-arrivals, 0)
		more = arrived
		return true
	})
	return math.Log(math.Max(alive, 1e-300)) + stays + math.Log(math.Max(exactly+more*leaves, 1e-300))
}
