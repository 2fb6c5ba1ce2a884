package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
)

// Below these a back-test says nothing.
const (
	minHoldOutDays     = 28
	minBackTestClients = 20
)

// closeMAE is the relative difference of mean absolute errors within which the
// error of the total chooses the model.
const closeMAE = .01

// Accuracy compares predicted purchases with those made in a hold-out. Counts
// are per client, but for the sums.
type Accuracy struct {
	MAE  float64 `json:"mae"`
	RMSE float64 `json:"rmse"`
	// Correlation is Pearson's, 0 where either side doesn't vary.
	Correlation float64 `json:"correlation"`
	Predicted   float64 `json:"predicted"` // sum over clients
	Bought      int     `json:"bought"`    // sum over clients
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
// and compares them with those they made. The smaller mean absolute error
// chooses the model; within 1 %, the smaller error of the total. Where the
// history is too short or has too few clients or no repeat purchase by the cut,
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
		accuracy, err := Evaluate(ctx, m, fitted.Params, calibration, bought, weeks(cut, end))
		if err != nil {
			return BackTestReport{}, fmt.Errorf("back-test: %w", err)
		}
		report.Forecasts = append(report.Forecasts, Forecast{fitted, accuracy})
	}
	report.Chosen = choose(report.Forecasts)
	return report, nil
}

// choose returns the model of the better forecast, of equals the first.
func choose(forecasts []Forecast) Model {
	best := forecasts[0]
	for _, f := range forecasts[1:] {
		a, b := best.Accuracy, f.Accuracy
		better := b.MAE < a.MAE
		if math.Abs(a.MAE-b.MAE) <= closeMAE*math.Min(a.MAE, b.MAE) {
			better = b.totalError() < a.totalError()
		}
		if better {
			best = f
		}
	}
	return best.Fit.Model
}

func (a Accuracy) totalError() float64 { return math.Abs(a.Predicted - float64(a.Bought)) }

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

// Evaluate compares the purchases that a model with parameters p expects of each
// history in the weeks after it with those bought, one count a history.
// ErrNoClients without histories; ErrBadInput, ErrNoConvergence as from
// ExpectedPurchases.
func Evaluate(ctx context.Context, m Model, p Params, histories []History, bought []int, weeks float64) (Accuracy, error) {
	if err := checkAll(histories); err != nil {
		return Accuracy{}, fmt.Errorf("evaluate %s: %w", m, err)
	}
	if err := p.Check(); err != nil {
		return Accuracy{}, fmt.Errorf("evaluate %s: %w", m, err)
	}
	if len(bought) != len(histories) || !(weeks >= 0) || math.IsInf(weeks, 0) {
		return Accuracy{}, fmt.Errorf("evaluate %s: %d counts for %d histories over %v weeks: %w", m, len(bought), len(histories), weeks, ErrBadInput)
	}
	alive, index, err := forProspects(ctx, histories, runtime.GOMAXPROCS(0), func(of prospect) (float64, error) {
		return m.expectedIfAlive(p, of.x, of.age, weeks)
	})
	if err != nil {
		return Accuracy{}, fmt.Errorf("evaluate %s: %w", m, err)
	}
	var a Accuracy
	n := float64(len(histories))
	expected, actual := make([]float64, len(histories)), make([]float64, len(histories))
	for i, h := range histories {
		expected[i], actual[i] = alive[index[i]]*m.PAlive(p, h), float64(bought[i])
		miss := expected[i] - actual[i]
		a.MAE += math.Abs(miss) / n
		a.RMSE += miss * miss / n
		a.Predicted += expected[i]
		a.Bought += bought[i]
	}
	a.RMSE = math.Sqrt(a.RMSE)
	a.Correlation = correlation(expected, actual)
	return a, nil
}
