package clientvalue

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// ErrSpendUnfit says that the Gamma-Gamma model can't be fitted to the spend of
// these clients; the wrapping error gives the reason. The pooled mean then
// stands in (see PooledSpend).
var ErrSpendUnfit = errors.New("spend model can't be fitted")

// GammaGamma are the parameters of the Gamma-Gamma model of spend (Fader, Hardie
// & Lee 2005; Fader & Hardie 2013): a client's amounts are gamma distributed
// with shape P and a rate that is gamma distributed over clients with shape Q
// and rate Gamma (in money).
type GammaGamma struct {
	P     float64 `json:"p"`
	Q     float64 `json:"q"`
	Gamma float64 `json:"gamma"`
}

// Check returns ErrBadInput unless the parameters are positive and finite and Q
// is above 1, below which there is no mean spend.
func (g GammaGamma) Check() error {
	for _, v := range [...]float64{g.P, g.Q - 1, g.Gamma} {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("spend parameters %+v: %w", g, ErrBadInput)
		}
	}
	return nil
}

// LogLikelihood returns the log-likelihood of a mean spend > 0 over x > 0
// repeat purchases (Fader & Hardie 2013, eq. 1a).
func (g GammaGamma) LogLikelihood(x int, spend float64) float64 {
	n := float64(x)
	px := g.P * n
	return lgamma(px+g.Q) - lgamma(px) - lgamma(g.Q) + g.Q*math.Log(g.Gamma) +
		(px-1)*math.Log(spend) + px*math.Log(n) - (px+g.Q)*math.Log(g.Gamma+n*spend)
}

// ExpectedSpend returns E[M], the mean amount of a purchase expected of a client
// who made x repeat purchases of the mean amount spend (Fader & Hardie 2013, eq.
// 5): a weighted mean of spend and the population's mean p gamma/(q-1), which it
// is at x = 0. g must pass its Check; x and spend must not be negative.
func (g GammaGamma) ExpectedSpend(x int, spend float64) float64 {
	n := float64(x)
	weight := g.P * n / (g.P*n + g.Q - 1)
	mean := g.P * g.Gamma / (g.Q - 1)
	return (1-weight)*mean + weight*spend
}

// spendRow is a client with repeat purchases that cost something.
type spendRow struct {
	x             int
	spend, logSum float64 // logSum is ln(x spend)
}

// spendTotals is the sum of the Gamma-Gamma log-likelihood over rows and its
// gradient in ln P, ln Q, ln Gamma. As with grouped.likelihood, the number of
// workers doesn't change a byte.
func spendTotals(g GammaGamma, rows []spendRow, workers int) [4]float64 {
	chunks := (len(rows) + chunkRows - 1) / chunkRows
	sums := make([][4]float64, chunks)
	parallel(chunks, workers, func(i int) {
		sums[i] = spendChunk(g, rows[i*chunkRows:min((i+1)*chunkRows, len(rows))])
	})
	var total [4]float64
	for _, sum := range sums {
		for i := range total {
			total[i] += sum[i]
		}
	}
	return total
}

func spendChunk(g GammaGamma, rows []spendRow) [4]float64 {
	// The gamma functions of a row depend on x only, and rows come sorted by x.
	var px, constant, psiPX, psiSum float64
	psiQ, lgammaQ, logGamma := mathext.Digamma(g.Q), lgamma(g.Q), math.Log(g.Gamma)
	x := 0
	var total [4]float64
	for _, row := range rows {
		n := float64(row.x)
		if row.x != x {
			x = row.x
			px = g.P * n
			constant = lgamma(px+g.Q) - lgamma(px) - lgammaQ
			psiPX, psiSum = mathext.Digamma(px), mathext.Digamma(px+g.Q)
		}
		// ln(gamma + x spend) - ln gamma and - ln(x spend): the differences
		// stay exact where both logs are large.
		ratio := n * row.spend / g.Gamma
		above := math.Log1p(ratio)
		share := above + logGamma - row.logSum
		total[0] += constant - px*share - g.Q*above - (row.logSum - math.Log(n))
		total[1] += g.P * n * (psiSum - psiPX - share)
		total[2] += g.Q * (psiSum - psiQ - above)
		total[3] += g.Q - (px+g.Q)/(1+ratio)
	}
	return total
}
