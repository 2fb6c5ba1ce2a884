package clientvalue

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
)

// SpendMethod is where expected spend comes from.
type SpendMethod string

const (
	// SpendGammaGamma is the Gamma-Gamma model.
	SpendGammaGamma SpendMethod = "gamma_gamma"
	// SpendPooled is one mean for all clients.
	SpendPooled SpendMethod = "pooled_mean"
)

// correlationLimit is the correlation of frequency and spend from which their
// independence, which the Gamma-Gamma model assumes, is in doubt.
const correlationLimit = .3

// SpendFit is a fitted spend model, or the pooled mean in its place.
type SpendFit struct {
	Method SpendMethod `json:"method"`
	// GammaGamma, LogLikelihood and what follows are of SpendGammaGamma.
	GammaGamma GammaGamma `json:"gamma_gamma"`
	// StandardErrors are of the logs of P, Q and Gamma, Covariance is theirs;
	// Identified as in Fitted.
	StandardErrors GammaGamma  `json:"standard_errors"`
	Covariance     [][]float64 `json:"covariance"`
	Identified     bool        `json:"identified"`
	LogLikelihood  float64     `json:"log_likelihood"`
	LowConfidence  bool        `json:"low_confidence"`
	Converged      bool        `json:"converged"`
	// Clients are those with a repeat purchase that cost something.
	Clients int `json:"clients"`
	// Correlation is Pearson's of x and mean spend over them, 0 where either
	// doesn't vary; CorrelationWarning is set beyond .3.
	Correlation        float64 `json:"correlation"`
	CorrelationWarning bool    `json:"correlation_warning"`
	// PooledMean is the mean amount of all repeat purchases, or of the first
	// purchases where there is none.
	PooledMean float64 `json:"pooled_mean"`
	// PooledError is the standard error of the log of PooledMean.
	PooledError float64 `json:"pooled_error"`
	// Reason says why the pooled mean stands in.
	Reason string `json:"reason,omitempty"`
}

// Expected returns the mean amount of a purchase expected of the client, in
// money.
func (s SpendFit) Expected(h History) float64 {
	if s.Method == SpendGammaGamma {
		return s.GammaGamma.ExpectedSpend(h.X, h.Spend)
	}
	return s.PooledMean
}

// Check returns ErrBadInput for a spend model of which the parameters are
// outside their domain.
func (s SpendFit) Check() error {
	if s.Method == SpendGammaGamma {
		if n := len(s.Covariance); n != 0 && n != 3 {
			return fmt.Errorf("covariance of %d spend parameters: %w", n, ErrBadInput)
		}
		return s.GammaGamma.Check()
	}
	if s.Method != SpendPooled || !(s.PooledMean >= 0) || math.IsInf(s.PooledMean, 0) {
		return fmt.Errorf("spend method %q, pooled mean %v: %w", s.Method, s.PooledMean, ErrBadInput)
	}
	return nil
}

// FitSpend fits the Gamma-Gamma model by maximum likelihood to the clients with
// a repeat purchase and a mean spend above 0. With fewer than 30 of them it
// maximises the posterior under weak normal priors of the log-parameters
// (medians P 5, Q 4 and Gamma such that the population's mean is the clients';
// standard deviation 1 each) and marks LowConfidence.
//
// ErrNoClients without histories, ErrBadInput for a history no client can have,
// ErrSpendUnfit, with the reason, where nobody's repeat purchases cost anything,
// where mean spends don't vary, or where the best parameters leave the mean
// undefined (q <= 1).
func FitSpend(ctx context.Context, histories []History) (SpendFit, error) {
	if err := checkAll(histories); err != nil {
		return SpendFit{}, fmt.Errorf("fit spend: %w", err)
	}
	rows, mean := spendRows(histories)
	if len(rows) == 0 {
		return SpendFit{}, fmt.Errorf("fit spend: no client has a repeat purchase that cost something: %w", ErrSpendUnfit)
	}
	fit := SpendFit{
		Method: SpendGammaGamma, Clients: len(rows), PooledMean: pooledMean(histories),
		LowConfidence: len(rows) < minRepeats,
	}
	if spendsAreEqual(rows) {
		return SpendFit{}, fmt.Errorf("fit spend: all mean spends are the same: %w", ErrSpendUnfit)
	}
	fit.Correlation = spendCorrelation(rows)
	fit.CorrelationWarning = math.Abs(fit.Correlation) > correlationLimit
	// Amounts are fitted in units of their mean, so that no currency's is
	// special to the search.
	scaled := slices.Clone(rows)
	for i := range scaled {
		scaled[i].spend /= mean
		scaled[i].logSum -= math.Log(mean)
	}
	priors := [3]prior{{math.Log(5), 1}, {math.Log(4), 1}, {math.Log(3. / 5), 1}}
	n, workers := float64(len(rows)), runtime.GOMAXPROCS(0)
	f := func(theta, gradient []float64) float64 {
		sum := spendTotals(gammaGammaOf(theta, 1), scaled, workers)
		if fit.LowConfidence {
			for i, p := range priors {
				z := (theta[i] - p.mean) / p.deviation
				sum[0] -= z * z / 2
				sum[i+1] -= z / p.deviation
			}
		}
		for i := range gradient {
			gradient[i] = sum[i+1] / n
		}
		return sum[0] / n
	}
	starts := [][]float64{
		{math.Log(5), math.Log(4), math.Log(3. / 5)},
		{math.Log(1), math.Log(3), math.Log(2)},
		{math.Log(20), math.Log(10), math.Log(9. / 20)},
	}
	found, err := maximise(ctx, f, starts[0], starts)
	if err != nil {
		return SpendFit{}, fmt.Errorf("fit spend: %w", err)
	}
	fit.Converged = found.converged
	fit.GammaGamma = gammaGammaOf(found.theta, mean)
	if err := fit.GammaGamma.Check(); err != nil {
		return SpendFit{}, fmt.Errorf("fit spend: the best q, %.4g, leaves the mean spend undefined: %w", fit.GammaGamma.Q, ErrSpendUnfit)
	}
	fit.LogLikelihood = spendTotals(fit.GammaGamma, rows, workers)[0]
	if math.IsNaN(fit.LogLikelihood) || math.IsInf(fit.LogLikelihood, 0) {
		return SpendFit{}, fmt.Errorf("fit spend: likelihood %v at %+v: %w", fit.LogLikelihood, fit.GammaGamma, ErrSpendUnfit)
	}
	fit.Covariance = covarianceAt(found.theta, func(theta, gradient []float64) {
		f(theta, gradient)
		scale(gradient, n)
	})
	e := errorsOf(fit.Covariance)
	fit.StandardErrors = GammaGamma{P: e[0], Q: e[1], Gamma: e[2]}
	fit.Identified = identified(fit.Covariance)
	return fit, nil
}

// points are the parameters that stand for the uncertainty of the Gamma-Gamma
// fit, in pairs; none where it isn't known or is of the pooled mean. A point
// without a mean spend is moved to where there still is one, so that what
// follows from it is very large.
func (s SpendFit) points() []GammaGamma {
	if s.Method != SpendGammaGamma {
		return nil
	}
	g := s.GammaGamma
	var points []GammaGamma
	for _, theta := range pointsAround([]float64{math.Log(g.P), math.Log(g.Q), math.Log(g.Gamma)}, s.Covariance) {
		point := gammaGammaOf(theta, 1)
		point.Q = math.Max(point.Q, 1+1e-6)
		points = append(points, point)
	}
	return points
}

// PooledSpend returns the pooled mean as the spend model, for where FitSpend
// returns ErrSpendUnfit; reason is kept with it.
func PooledSpend(histories []History, reason string) SpendFit {
	rows, _ := spendRows(histories)
	return SpendFit{
		Method: SpendPooled, Clients: len(rows), PooledMean: pooledMean(histories),
		PooledError: pooledError(histories), LowConfidence: true, Converged: true, Reason: reason,
	}
}

// pooledError is the standard error of the log of the pooled mean: of a ratio of
// sums over clients, each client's amounts being of one kind. Few clients can
// agree by chance, so that below 30 it is at least .5 over the root of their
// number.
func pooledError(histories []History) float64 {
	mean := pooledMean(histories)
	if mean == 0 {
		return 0
	}
	repeats := 0
	for i := range histories {
		if histories[i].X > 0 && histories[i].Spend > 0 {
			repeats++
		}
	}
	var squares []float64
	clients, purchases := 0, 0.0
	for i := range histories {
		h := &histories[i]
		n, amount := float64(h.X), h.Spend
		if repeats == 0 {
			n, amount = 1, h.FirstSpend
		}
		if n > 0 {
			miss := n * (amount/mean - 1)
			squares = append(squares, miss*miss)
			clients++
			purchases += n
		}
	}
	slices.Sort(squares)
	sum := 0.0
	for _, s := range squares {
		sum += s
	}
	e := math.Sqrt(sum) / purchases
	if clients < minRepeats {
		e = math.Max(e, .5/math.Sqrt(float64(clients)))
	}
	return math.Min(e, farthest)
}

// spendRows returns the rows of the clients whose repeat purchases cost
// something, sorted, and the mean of their mean spends.
func spendRows(histories []History) (rows []spendRow, mean float64) {
	for i := range histories {
		h := &histories[i]
		if h.X > 0 && h.Spend > 0 {
			rows = append(rows, spendRow{h.X, h.Spend, math.Log(float64(h.X)) + math.Log(h.Spend)})
		}
	}
	slices.SortFunc(rows, func(a, b spendRow) int {
		if a.x != b.x {
			return cmp.Compare(a.x, b.x)
		}
		return cmp.Compare(a.spend, b.spend)
	})
	for _, row := range rows {
		mean += row.spend / float64(len(rows))
	}
	return rows, mean
}

func spendsAreEqual(rows []spendRow) bool {
	low, high := rows[0].spend, rows[0].spend
	for _, row := range rows {
		low, high = math.Min(low, row.spend), math.Max(high, row.spend)
	}
	// Means of equal amounts may differ in their last digits.
	return high-low <= 1e-9*high
}

// spendCorrelation returns Pearson's correlation of x and mean spend.
func spendCorrelation(rows []spendRow) float64 {
	xs, spends := make([]float64, len(rows)), make([]float64, len(rows))
	for i, row := range rows {
		xs[i], spends[i] = float64(row.x), row.spend
	}
	return correlation(xs, spends)
}

// pooledMean is a mean over purchases; amounts are sorted, so that the order of
// clients doesn't matter to the sum.
func pooledMean(histories []History) float64 {
	var repeats, firsts []float64
	purchases := 0
	for i := range histories {
		h := &histories[i]
		firsts = append(firsts, h.FirstSpend)
		if h.X > 0 {
			repeats = append(repeats, float64(h.X)*h.Spend)
			purchases += h.X
		}
	}
	if mean := meanOf(repeats, purchases); mean > 0 {
		return mean
	}
	return meanOf(firsts, len(firsts))
}

// meanOf returns the sum of values over n, 0 over 0. It sorts values.
func meanOf(values []float64, n int) float64 {
	slices.Sort(values)
	mean := 0.0
	for _, v := range values {
		mean += v / float64(n)
	}
	return mean
}

func gammaGammaOf(theta []float64, unit float64) GammaGamma {
	return GammaGamma{P: math.Exp(theta[0]), Q: math.Exp(theta[1]), Gamma: math.Exp(theta[2]) * unit}
}
