package eval

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/nuzantara/ciclo/agents/clientvalue"
)

// Planted are the two populations whose parameters must be found again: the
// demo's firm, in which clients may leave after their first purchase, and one of
// the other kind.
var Planted = []Population{
	{
		Model: clientvalue.MBGNBD, Params: clientvalue.Params{R: .8, Alpha: 12, A: .7, B: 3.5},
		Spend: clientvalue.GammaGamma{P: 6, Q: 4, Gamma: 900}, Clients: 1000, Weeks: 156, Intake: 117,
	},
	{
		Model: clientvalue.BGNBD, Params: clientvalue.Params{R: .6, Alpha: 8, A: .9, B: 2.8},
		Spend: clientvalue.GammaGamma{P: 5, Q: 4, Gamma: 30}, Clients: 1000, Weeks: 104, Intake: 52,
	},
}

// seeds calls do for seeds 1 to n on all processors and returns the first error.
func seeds(n int, do func(seed int) error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range n {
		room <- struct{}{}
		wait.Go(func() {
			errs[i] = do(i + 1)
			<-room
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// recoverySeeds populations are drawn of each kind. Of a right method 95.4 of 100
// are expected within two standard errors, by the normal distribution, and fewer
// than recoveryLeast with a probability of .6 %.
const (
	recoverySeeds = 100
	recoveryLeast = 90
)

// Recovery draws planted populations and counts how often each parameter is
// within two standard errors of the planted one, on the log scale on which both
// are estimated.
func Recovery() ([]Figure, error) {
	ctx := context.Background()
	var figures []Figure
	for _, planted := range Planted {
		misses := make([][7]float64, recoverySeeds)
		err := seeds(recoverySeeds, func(seed int) error {
			p := planted
			p.Seed = uint64(1000 + seed)
			histories, err := clientvalue.Summarise(p.Purchases(), p.Cut())
			if err != nil {
				return err
			}
			f, err := clientvalue.Fit(ctx, histories, p.Model, clientvalue.FitOptions{})
			if err != nil {
				return err
			}
			s, err := clientvalue.FitSpend(ctx, histories)
			if err != nil {
				return err
			}
			z := func(got, want, e float64) float64 { return math.Log(got/want) / e }
			misses[seed-1] = [7]float64{
				z(f.Params.R, p.Params.R, f.StandardErrors.R), z(f.Params.Alpha, p.Params.Alpha, f.StandardErrors.Alpha),
				z(f.Params.A, p.Params.A, f.StandardErrors.A), z(f.Params.B, p.Params.B, f.StandardErrors.B),
				z(s.GammaGamma.P, p.Spend.P, s.StandardErrors.P), z(s.GammaGamma.Q, p.Spend.Q, s.StandardErrors.Q),
				z(s.GammaGamma.Gamma, p.Spend.Gamma, s.StandardErrors.Gamma),
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("recovery: %w", err)
		}
		for i, name := range []string{"r", "alpha", "a", "b", "p", "q", "gamma"} {
			within := 0
			for _, m := range misses {
				if math.Abs(m[i]) <= 2 {
					within++
				}
			}
			figures = append(figures, Figure{
				Name:     fmt.Sprintf("%s, planted %s within 2 standard errors, of %d", planted.Model, name, recoverySeeds),
				Target:   fmt.Sprintf("95.4, ≥ %d", recoveryLeast),
				Measured: fmt.Sprint(within), Pass: within >= recoveryLeast,
			})
		}
	}
	return figures, nil
}

// coverage are the shares of what intervals of 90 % cover.
type coverage struct{ purchases, value, counts, total float64 }

// Coverage draws planted populations of a number of clients, and counts how often
// the intervals of 90 % cover what they say: the expectation under the planted
// parameters, the number of purchases of the next 26 weeks, and their total. Of
// 100 draws a right interval of a total covers fewer than 83 with a probability
// of 1 %; the clients of one draw share its parameters, so that their mean varies
// about as much. Numbers are whole, so that their interval covers more than 90.
func Coverage(clients, draws int, planted Population) ([]Figure, error) {
	ctx := context.Background()
	const weeks = 26
	found := make([]coverage, draws)
	err := seeds(draws, func(seed int) error {
		p := planted
		p.Seed, p.Clients, p.Weeks = uint64(5000+seed), clients, planted.Weeks+weeks
		cut := p.Cut() - 7*weeks
		purchases := p.Purchases()
		histories, err := clientvalue.Summarise(purchases, cut)
		if err != nil {
			return err
		}
		bought, err := clientvalue.HoldOut(purchases, histories, cut, p.Cut())
		if err != nil {
			return err
		}
		fitted, err := clientvalue.Fit(ctx, histories, p.Model, clientvalue.FitOptions{})
		if err != nil {
			return err
		}
		spend, err := clientvalue.FitSpend(ctx, histories)
		if err != nil {
			spend = clientvalue.PooledSpend(histories, err.Error())
		}
		options := clientvalue.DefaultOptions(cut)
		options.HorizonDays = 7 * weeks
		scores, err := clientvalue.ScoreAll(ctx, histories, fitted, spend, options)
		if err != nil {
			return err
		}
		accuracy, err := clientvalue.Evaluate(ctx, fitted, histories, bought, weeks)
		if err != nil {
			return err
		}
		c := &found[seed-1]
		n := float64(len(scores))
		for i, s := range scores {
			want, err := p.Model.ExpectedPurchases(p.Params, histories[i], weeks)
			if err != nil {
				return err
			}
			value, err := p.Model.CLV(p.Params, histories[i], p.Spend.ExpectedSpend(histories[i].X, histories[i].Spend), weeks, 1, options.DiscountRate)
			if err != nil {
				return err
			}
			if s.ExpectedPurchasesLow <= want && want <= s.ExpectedPurchasesHigh {
				c.purchases += 1 / n
			}
			if s.CLVLow <= value && value <= s.CLVHigh {
				c.value += 1 / n
			}
			if s.PurchasesLow <= bought[i] && bought[i] <= s.PurchasesHigh {
				c.counts += 1 / n
			}
		}
		if b := float64(accuracy.Bought); accuracy.PredictedLow <= b && b <= accuracy.PredictedHigh {
			c.total = 1
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("coverage: %w", err)
	}
	var sum coverage
	for _, c := range found {
		sum.purchases += 100 * c.purchases / float64(draws)
		sum.value += 100 * c.value / float64(draws)
		sum.counts += 100 * c.counts / float64(draws)
		sum.total += 100 * c.total / float64(draws)
	}
	var figures []Figure
	for _, f := range []struct {
		name          string
		measured, low float64
		target        string
	}{
		{"true expectation of purchases", sum.purchases, 83, "90, ≥ 83"},
		{"true CLV", sum.value, 83, "90, ≥ 83"},
		{"number of purchases", sum.counts, 90, "≥ 90"},
		{"total of purchases", sum.total, 83, "90, ≥ 83"},
	} {
		figures = append(figures, Figure{
			Name:   fmt.Sprintf("%s, %d clients, %% of intervals that cover the %s", planted.Model, clients, f.name),
			Target: f.target, Measured: fmt.Sprintf("%.1f", f.measured), Pass: f.measured >= f.low,
		})
	}
	return figures, nil
}

// Coverages are those of small, middling and large populations of both kinds: the
// small ones lean on priors.
func Coverages() ([]Figure, error) {
	var all []Figure
	for _, clients := range []int{5, 20, 50, 100, 1000} {
		for _, planted := range Planted {
			figures, err := Coverage(clients, 100, planted)
			if err != nil {
				return nil, err
			}
			all = append(all, figures...)
		}
	}
	return all, nil
}

// Choice is how a rule that chooses the model by the back-test fares over planted
// populations of both kinds.
type Choice struct {
	Rule string
	// Right is the share of choices of the planted kind.
	Right float64
	// TotalError is the mean of |predicted/bought - 1| over the 26 weeks after the
	// run, LogScore the mean of -ln P(bought) of a client.
	TotalError, LogScore float64
}

// rules are what choices are compared by: smaller is the better forecast.
var rules = []struct {
	name string
	loss func(clientvalue.Accuracy) float64
}{
	{"MAE", func(a clientvalue.Accuracy) float64 { return a.MAE }},
	{"RMSE", func(a clientvalue.Accuracy) float64 { return a.RMSE }},
	{"log score (in use)", func(a clientvalue.Accuracy) float64 { return a.LogScore }},
	{"total", func(a clientvalue.Accuracy) float64 { return math.Abs(a.Predicted - float64(a.Bought)) }},
}

// Choices compares the rules over draws populations of each kind, of n clients.
func Choices(clients, draws int) ([]Choice, error) {
	ctx := context.Background()
	const weeks = 26
	found := make([][6]Choice, len(Planted)*draws)
	err := seeds(len(found), func(seed int) error {
		p := Planted[seed%len(Planted)]
		p.Seed, p.Clients, p.Weeks = uint64(9000+seed), clients, p.Weeks+weeks
		now := p.Cut() - 7*weeks
		purchases := p.Purchases()
		report, err := clientvalue.BackTest(ctx, purchases, clientvalue.HoldOutCut(populationStart, now), now)
		if err != nil {
			return err
		}
		histories, err := clientvalue.Summarise(purchases, now)
		if err != nil {
			return err
		}
		bought, err := clientvalue.HoldOut(purchases, histories, now, p.Cut())
		if err != nil {
			return err
		}
		var later [2]clientvalue.Accuracy
		for _, f := range report.Forecasts {
			m := f.Fit.Model
			fitted, err := clientvalue.Fit(ctx, histories, m, clientvalue.FitOptions{})
			if err != nil {
				return err
			}
			if later[m], err = clientvalue.Evaluate(ctx, fitted, histories, bought, weeks); err != nil {
				return err
			}
		}
		note := func(place int, rule string, m clientvalue.Model) {
			c := Choice{Rule: rule, LogScore: later[m].LogScore, TotalError: math.Abs(later[m].Predicted/float64(max(later[m].Bought, 1)) - 1)}
			if m == p.Model {
				c.Right = 1
			}
			found[seed-1][place] = c
		}
		for i, rule := range rules {
			m := clientvalue.BGNBD
			if rule.loss(report.Forecasts[1].Accuracy) < rule.loss(report.Forecasts[0].Accuracy) {
				m = clientvalue.MBGNBD
			}
			note(i, rule.name, m)
		}
		bg, mbg := report.Forecasts[0].Accuracy, report.Forecasts[1].Accuracy
		by := rules[0].loss
		if math.Abs(bg.MAE-mbg.MAE) <= .01*math.Min(bg.MAE, mbg.MAE) {
			by = rules[3].loss
		}
		m := clientvalue.BGNBD
		if by(mbg) < by(bg) {
			m = clientvalue.MBGNBD
		}
		note(4, "MAE, within 1 % total", m)
		note(5, "the planted kind", p.Model)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("choices: %w", err)
	}
	var out [6]Choice
	for _, draw := range found {
		for i, c := range draw {
			out[i].Rule = c.Rule
			out[i].Right += c.Right / float64(len(found))
			out[i].TotalError += c.TotalError / float64(len(found))
			out[i].LogScore += c.LogScore / float64(len(found))
		}
	}
	return out[:], nil
}
