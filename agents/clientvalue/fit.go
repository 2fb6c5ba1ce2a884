package clientvalue

import (
	"context"
	"fmt"
	"math"
	"runtime"
)

// Method is how parameters were estimated.
type Method string

const (
	// MaximumLikelihood is for at least 100 clients of whom at least 30 have
	// bought again.
	MaximumLikelihood Method = "maximum_likelihood"
	// MaximumPosterior adds the weak priors of Fit for fewer.
	MaximumPosterior Method = "maximum_posterior"
)

// Fewer than these are too few for maximum likelihood.
const (
	minClients = 100
	minRepeats = 30
)

// Fitted are a model's parameters and how they came about.
type Fitted struct {
	Model  Model  `json:"model"`
	Params Params `json:"params"`
	// StandardErrors are of the logs of the parameters: .1 is about 10 %. They
	// are from the observed information, with the priors where there are any.
	StandardErrors Params `json:"standard_errors"`
	// Covariance is of the logs of R, Alpha, A and B.
	Covariance [][]float64 `json:"covariance"`
	// Identified is false where a parameter is known to no better than a factor
	// of e: the likelihood is flat there, or has no maximum at all.
	Identified bool `json:"identified"`
	// LogLikelihood is of all clients, without the priors.
	LogLikelihood float64 `json:"log_likelihood"`
	Method        Method  `json:"method"`
	// LowConfidence says that there were too few clients for maximum
	// likelihood.
	LowConfidence bool `json:"low_confidence"`
	// Converged is false where the search ended before the gradient was small,
	// as it does on the way to parameters that have no finite best value.
	Converged    bool `json:"converged"`
	Clients      int  `json:"clients"`
	RepeatBuyers int  `json:"repeat_buyers"`
	Groups       int  `json:"groups"` // distinct (x, t_x, T)
	Evaluations  int  `json:"evaluations"`
}

// Check returns ErrBadInput for an unknown model and for parameters outside their
// domain.
func (f Fitted) Check() error {
	if _, err := f.Model.MarshalText(); err != nil {
		return err
	}
	if n := len(f.Covariance); n != 0 && n != 4 {
		return fmt.Errorf("covariance of %d parameters: %w", n, ErrBadInput)
	}
	return f.Params.Check()
}

// FitOptions are settings of Fit; the zero value is for use.
type FitOptions struct {
	// Starts is the number of starting points, 1 to 3; 0 is 3.
	Starts int
}

// prior is a normal distribution of the log of a parameter.
type prior struct{ mean, deviation float64 }

// weakPriors are the priors of R, Alpha (weeks), A and B. Their medians are a
// client who buys every 20 weeks and drops out after a purchase with
// probability 1/4; 95 % of R is between .03 and 9, of Alpha between .2 and 500
// weeks, of A and B within a factor of 7.
var weakPriors = [4]prior{
	{math.Log(.5), 1.5},
	{math.Log(10), 2},
	{math.Log(1), 1},
	{math.Log(3), 1},
}

// Fit estimates a model's parameters by maximum likelihood, by BFGS with the
// analytic gradient in the logs of the parameters, from several starts. With
// fewer than 100 clients or fewer than 30 who bought again it maximises the
// posterior under weak normal priors of the log-parameters instead (medians R
// .5, Alpha 10 weeks, A 1, B 3; standard deviations 1.5, 2, 1, 1) and marks
// LowConfidence; this is finite even where nobody bought again. The order of
// histories doesn't matter, to the byte.
//
// ErrNoClients without histories, ErrBadInput for a history no client can have,
// ErrNoConvergence where no finite likelihood was found.
func Fit(ctx context.Context, histories []History, m Model, options FitOptions) (Fitted, error) {
	if err := checkAll(histories); err != nil {
		return Fitted{}, fmt.Errorf("fit %s: %w", m, err)
	}
	g := group(histories)
	return g.fit(ctx, m, options)
}

func (g *grouped) fit(ctx context.Context, m Model, options FitOptions) (Fitted, error) {
	if m != BGNBD && m != MBGNBD || options.Starts < 0 || options.Starts > 3 {
		return Fitted{}, fmt.Errorf("fit %s from %d starts: %w", m, options.Starts, ErrBadInput)
	}
	fitted := Fitted{
		Model: m, Method: MaximumLikelihood,
		Clients: g.clients, RepeatBuyers: g.repeats, Groups: len(g.rows),
	}
	if g.clients < minClients || g.repeats < minRepeats {
		fitted.Method, fitted.LowConfidence = MaximumPosterior, true
	}
	workers := runtime.GOMAXPROCS(0)
	n := float64(g.clients)
	f := func(theta, gradient []float64) float64 { // the mean of a client
		sum := g.likelihood(m, paramsOf(theta), workers)
		if fitted.Method == MaximumPosterior {
			for i, p := range weakPriors {
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
	starts := g.starts()
	if options.Starts > 0 {
		starts = starts[:options.Starts]
	}
	found, err := maximise(ctx, f, starts[0], starts)
	if err != nil {
		return Fitted{}, fmt.Errorf("fit %s: %w", m, err)
	}
	fitted.Params = paramsOf(found.theta)
	fitted.LogLikelihood = g.likelihood(m, fitted.Params, workers)[0]
	fitted.Converged, fitted.Evaluations = found.converged, found.evaluations
	if err := fitted.Params.Check(); err != nil || math.IsNaN(fitted.LogLikelihood) || math.IsInf(fitted.LogLikelihood, 0) {
		return Fitted{}, fmt.Errorf("fit %s: likelihood %v at %+v: %w", m, fitted.LogLikelihood, fitted.Params, ErrNoConvergence)
	}
	fitted.Covariance = covarianceAt(found.theta, func(theta, gradient []float64) {
		f(theta, gradient)
		scale(gradient, n)
	})
	e := errorsOf(fitted.Covariance)
	fitted.StandardErrors = Params{R: e[0], Alpha: e[1], A: e[2], B: e[3]}
	fitted.Identified = identified(fitted.Covariance)
	return fitted, nil
}

// outermost bounds the logs of the points' parameters: beyond it expectations
// have long stopped to change, and sums to settle.
const outermost = 16

// points are the parameters that stand for the uncertainty of a fit, in pairs;
// none where it isn't known.
func (f Fitted) points() []Params {
	var points []Params
	for _, theta := range pointsAround(logsOf(f.Params), f.Covariance) {
		for i := range theta {
			theta[i] = math.Max(-outermost, math.Min(theta[i], outermost))
		}
		points = append(points, paramsOf(theta))
	}
	return points
}

// starts returns starting points in logs: a mixed, a moderate and a nearly
// homogeneous population, each with about the observed rate of purchases.
func (g *grouped) starts() [][]float64 {
	rate := .05 // a week, where nothing was observed
	if g.sumX > 0 && g.sumAge > 0 {
		rate = g.sumX / g.sumAge
	}
	var starts [][]float64
	for _, s := range [...]Params{{R: .25, A: .8, B: 2.5}, {R: 1, A: 1, B: 1}, {R: 4, A: .3, B: 3}} {
		starts = append(starts, []float64{math.Log(s.R), math.Log(s.R / rate), math.Log(s.A), math.Log(s.B)})
	}
	return starts
}

func logsOf(p Params) []float64 {
	return []float64{math.Log(p.R), math.Log(p.Alpha), math.Log(p.A), math.Log(p.B)}
}

func paramsOf(theta []float64) Params {
	return Params{R: math.Exp(theta[0]), Alpha: math.Exp(theta[1]), A: math.Exp(theta[2]), B: math.Exp(theta[3])}
}
