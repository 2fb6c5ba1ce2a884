package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
)

// Below these a back-test says nothing.
const (
	minHoldOutDays     = 28
	minBackTestClients = 20
)

// Accuracy compares predicted purchases with those made in a hold-out. Counts
// are per client, but for the sums.
type Accuracy struct {
	MAE  float64 `json:"mae"`
	RMSE float64 `json:"rmse"`
	// Correlation is Pearson's, 0 where either side doesn't vary.
	Correlation float64 `json:"correlation"`
	Predicted   float64 `json:"predicted"` // sum over clients
	Bought      int     `json:"bought"`    // sum over clients
	// PredictedLow to PredictedHigh is an interval of 90 % of the sum: see
	// Total. Bought outside it says that the model is wrong, not unlucky.
	PredictedLow  float64 `json:"predicted_low"`
	PredictedHigh float64 `json:"predicted_high"`
	// LogScore is the mean over clients of -ln P(what the client bought), by the
	// model's distribution of the number: the smaller, the better. It is a
	// proper scoring rule: no other distribution than the true one is expected
	// to do better.
	LogScore float64 `json:"log_score"`
}

// Simple compares the simplest forecast with what was bought: everybody goes on
// buying at the rate of their repeat purchases so far. Counts are per client, but
// for the sum.
type Simple struct {
	MAE       float64 `json:"mae"`
	RMSE      float64 `json:"rmse"`
	Predicted float64 `json:"predicted"`
}

// Forecast is a model fitted to the calibration part and its accuracy on the
// hold-out.
type Forecast struct {
	Fit      Fitted   `json:"fit"`
	Accuracy Accuracy `json:"accuracy"`
}

// BackTestReport is the outcome of a back-test.
type BackTestReport struct {
	Cut       int32      `json:"cut"` // last day of the calibration, days since 1970-01-01
	End       int32      `json:"end"` // last day of the hold-out
	Clients   int        `json:"clients"`
	Chosen    Model      `json:"chosen"`
	Forecasts []Forecast `json:"forecasts"` // one a model, none where Reason is given
	// Simple is what a reader without a model would have said.
	Simple Simple `json:"simple"`
	// Reason says why there was no back-test; BG/NBD is then chosen.
	Reason string `json:"reason,omitempty"`
}

// HoldOutCut returns the last day before the last third of the days from the
// first purchase to end.
func HoldOutCut(first, end int32) int32 {
	return int32(int64(end) - (int64(end)-int64(first))/3)
}

// BackTest fits both models to the purchases up to the day cut, predicts the
// purchases from then to the day end of the clients who had bought by the cut,
// and compares them with those they made. The smaller log score chooses the model
// (docs/decisions/0014-choice-of-model.md). Where the history is too short or has too few clients or no repeat purchase by the cut,
// Reason says so and BG/NBD is chosen.
//
// ErrBadInput as from Merge, ErrNoConvergence as from ExpectedPurchases, the
// context's error.
func BackTest(ctx context.Context, purchases []Purchase, cut, end int32) (BackTestReport, error) {
	report := BackTestReport{Cut: cut, End: end, Chosen: BGNBD}
	calibration, err := Summarise(purchases, cut)
	if err != nil {
		return BackTestReport{}, fmt.Errorf("back-test: %w", err)
	}
	report.Clients = len(calibration)
	bought, err := HoldOut(purchases, calibration, cut, end)
	if err != nil {
		return BackTestReport{}, fmt.Errorf("back-test: %w", err)
	}
	repeats := 0
	for i := range calibration {
		repeats += calibration[i].X
	}
	switch days := int64(end) - int64(cut); {
	case days < minHoldOutDays:
		report.Reason = fmt.Sprintf("the last third of the history is %d days, fewer than %d", days, minHoldOutDays)
	case len(calibration) < minBackTestClients:
		report.Reason = fmt.Sprintf("%d clients had bought before the last third of the history, fewer than %d", len(calibration), minBackTestClients)
	case repeats == 0:
		report.Reason = "nobody had bought again before the last third of the history"
	}
	if report.Reason != "" {
		return report, nil
	}
	g := group(calibration)
	for _, m := range models {
		fitted, err := g.fit(ctx, m, FitOptions{})
		if errors.Is(err, ErrNoConvergence) {
			report.Forecasts = nil
			report.Reason = err.Error()
			return report, nil
		}
		if err != nil {
			return BackTestReport{}, fmt.Errorf("back-test: %w", err)
		}
		accuracy, err := Evaluate(ctx, fitted, calibration, bought, weeks(cut, end))
		if err != nil {
			return BackTestReport{}, fmt.Errorf("back-test: %w", err)
		}
		report.Forecasts = append(report.Forecasts, Forecast{fitted, accuracy})
	}
	report.Chosen = choose(report.Forecasts)
	report.Simple = simple(calibration, bought, weeks(cut, end))
	return report, nil
}

// String is the chosen model's promise beside what came of it, for a person to
// read: "predicted 1,653, bought 1,882 (-12 %)"; or why there is none.
func (r BackTestReport) String() string {
	for _, f := range r.Forecasts {
		if f.Fit.Model == r.Chosen {
			return f.Accuracy.String()
		}
	}
	return "no back-test: " + r.Reason
}

// String says the totals: "predicted 1,653, bought 1,882 (-12 %)". The percentage
// is of what was bought, and left out where that is nothing.
func (a Accuracy) String() string {
	text := "predicted " + grouped3(math.Round(a.Predicted)) + ", bought " + grouped3(float64(a.Bought))
	if a.Bought == 0 {
		return text
	}
	percent := math.Round(100 * (a.Predicted/float64(a.Bought) - 1))
	switch {
	case percent < 0:
		return text + " (−" + grouped3(-percent) + " %)"
	case percent > 0:
		return text + " (+" + grouped3(percent) + " %)"
	}
	return text + " (±0 %)"
}

// grouped3 writes a whole number that is not negative with a comma before each
// three digits.
func grouped3(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func simple(histories []History, bought []int, weeks float64) Simple {
	var s Simple
	n := float64(len(histories))
	for i, h := range histories {
		expected := 0.0
		if h.X > 0 && h.Age > 0 {
			expected = float64(h.X) / h.Age * weeks
		}
		miss := expected - float64(bought[i])
		s.MAE += math.Abs(miss) / n
		s.RMSE += miss * miss / n
		s.Predicted += expected
	}
	s.RMSE = math.Sqrt(s.RMSE)
	return s
}

// choose returns the model of the better forecast, of equals the first.
func choose(forecasts []Forecast) Model {
	best := forecasts[0]
	for _, f := range forecasts[1:] {
		if f.Accuracy.LogScore < best.Accuracy.LogScore {
			best = f
		}
	}
	return best.Fit.Model
}

// HoldOut counts, for each history of the calibration (sorted by client, as
// Summarise returns them), the purchases after the day cut and up to the day
// end. Errors are those of Merge.
func HoldOut(purchases []Purchase, calibration []History, cut, end int32) ([]int, error) {
	var later []Purchase
	for _, p := range purchases {
		if p.Day > cut && p.Day <= end {
			later = append(later, p)
		}
	}
	later, err := Merge(later)
	if err != nil {
		return nil, fmt.Errorf("hold out purchases: %w", err)
	}
	bought := make([]int, len(calibration))
	i := 0
	for _, p := range later {
		for i < len(calibration) && calibration[i].ClientID < p.ClientID {
			i++
		}
		if i < len(calibration) && calibration[i].ClientID == p.ClientID {
			bought[i]++
		}
	}
	return bought, nil
}

// Evaluate compares the purchases that a fitted model expects of each history in
// the weeks after it with those bought, one count a history. ErrNoClients without
// histories; ErrBadInput, ErrNoConvergence as from ExpectedPurchases.
func Evaluate(ctx context.Context, fitted Fitted, histories []History, bought []int, weeks float64) (Accuracy, error) {
	m, p := fitted.Model, fitted.Params
	if err := checkAll(histories); err != nil {
		return Accuracy{}, fmt.Errorf("evaluate %s: %w", m, err)
	}
	if err := fitted.Check(); err != nil {
		return Accuracy{}, fmt.Errorf("evaluate %s: %w", m, err)
	}
	if len(bought) != len(histories) || !(weeks > 0) || math.IsInf(weeks, 0) {
		return Accuracy{}, fmt.Errorf("evaluate %s: %d counts for %d histories over %v weeks: %w", m, len(bought), len(histories), weeks, ErrBadInput)
	}
	points := fitted.points()
	alive, index, err := forProspects(ctx, histories, runtime.GOMAXPROCS(0), func(of prospect) (o prospects, err error) {
		if o.purchases, err = m.expectedIfAlive(p, of.x, of.age, weeks); err != nil {
			return o, err
		}
		o.square = m.countsIfAlive(p, of, weeks).square()
		for _, point := range points {
			purchases, err := m.expectedIfAlive(point, of.x, of.age, weeks)
			if err != nil {
				return o, err
			}
			o.logPurchases = append(o.logPurchases, logOf(purchases))
		}
		return o, nil
	})
	if err != nil {
		return Accuracy{}, fmt.Errorf("evaluate %s: %w", m, err)
	}
	var a Accuracy
	sum := totals{at: make([]float64, len(points))}
	n := float64(len(histories))
	expected, actual := make([]float64, len(histories)), make([]float64, len(histories))
	for i, h := range histories {
		of := &alive[index[i]]
		expected[i], actual[i] = of.purchases*m.PAlive(p, h), float64(bought[i])
		miss := expected[i] - actual[i]
		a.MAE += math.Abs(miss) / n
		a.RMSE += miss * miss / n
		a.LogScore -= m.countsIfAlive(p, prospect{h.X, h.Age}, weeks).logProbability(bought[i], m.PAlive(p, h)) / n
		a.Predicted += expected[i]
		a.Bought += bought[i]
		sum.include(m, p, points, h, of)
	}
	total := sum.interval()
	a.PredictedLow, a.PredictedHigh = total.Low, total.High
	a.RMSE = math.Sqrt(a.RMSE)
	a.Correlation = correlation(expected, actual)
	return a, nil
}
