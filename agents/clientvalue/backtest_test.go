package clientvalue

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bg, mbg Accuracy
		want    Model
	}{
		"smaller log score":                 {Accuracy{LogScore: 1}, Accuracy{LogScore: .9}, MBGNBD},
		"whatever the mean error and total": {Accuracy{LogScore: .9, MAE: 2, Predicted: 5, Bought: 9}, Accuracy{LogScore: 1, MAE: 1, Predicted: 9, Bought: 9}, BGNBD},
		"equal":                             {Accuracy{LogScore: 1}, Accuracy{LogScore: 1}, BGNBD},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := choose([]Forecast{{Fitted{Model: BGNBD}, test.bg}, {Fitted{Model: MBGNBD}, test.mbg}})
			if got != test.want {
				t.Errorf("chose %s, want %s", got, test.want)
			}
		})
	}
}

func TestBackTestInALine(t *testing.T) {
	t.Parallel()
	of := func(predicted float64, bought int) BackTestReport {
		return BackTestReport{Chosen: MBGNBD, Forecasts: []Forecast{
			{Fitted{Model: BGNBD}, Accuracy{Predicted: 1, Bought: 1}},
			{Fitted{Model: MBGNBD}, Accuracy{Predicted: predicted, Bought: bought}},
		}}
	}
	for want, report := range map[string]BackTestReport{
		"predicted 1,653, bought 1,882 (−12 %)":                                      of(1653.4, 1882),
		"predicted 1,234,567, bought 1,000,000 (+23 %)":                              of(1234567, 1000000),
		"predicted 100, bought 100 (±0 %)":                                           of(100.2, 100),
		"predicted 3, bought 0":                                                      of(3, 0),
		"no back-test: nobody had bought again before the last third of the history": {Reason: "nobody had bought again before the last third of the history"},
	} {
		if got := report.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSimpleForecast(t *testing.T) {
	t.Parallel()
	histories := []History{{X: 4, Recency: 9, Age: 10}, {Age: 5}, {X: 1}}
	got := simple(histories, []int{1, 1, 0}, 5)
	want := Simple{MAE: 2. / 3, RMSE: math.Sqrt(2. / 3), Predicted: 2}
	if math.Abs(got.MAE-want.MAE)+math.Abs(got.RMSE-want.RMSE)+math.Abs(got.Predicted-want.Predicted) > 1e-12 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestHoldOut(t *testing.T) {
	t.Parallel()
	if got := HoldOutCut(100, 400); got != 300 {
		t.Errorf("HoldOutCut(100, 400) = %d, want 300", got)
	}
	if got := HoldOutCut(math.MinInt32, math.MaxInt32); got < 0 {
		t.Errorf("HoldOutCut of all time = %d", got)
	}
	purchases := []Purchase{
		{"a", 1, 5}, {"a", 11, 5}, {"a", 11, 2}, {"a", 12, 5}, {"a", 21, 5},
		{"b", 10, 5}, {"c", 11, 5}, {"d", 3, 1}, {"d", 20, 1},
	}
	calibration, err := Summarise(purchases, 10)
	if err != nil {
		t.Fatal(err)
	}
	got, err := HoldOut(purchases, calibration, 10, 20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2, 0, 1}, got); diff != "" {
		t.Errorf("purchases of a, b and d (-want +got):\n%s", diff)
	}
}
