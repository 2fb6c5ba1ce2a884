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
		"smaller error":                         {Accuracy{MAE: 1}, Accuracy{MAE: .9}, MBGNBD},
		"smaller error against a worse total":   {Accuracy{MAE: .9, Predicted: 5, Bought: 9}, Accuracy{MAE: 1, Predicted: 9, Bought: 9}, BGNBD},
		"close errors, better total":            {Accuracy{MAE: .995, Predicted: 5, Bought: 9}, Accuracy{MAE: 1, Predicted: 8, Bought: 9}, MBGNBD},
		"close errors, total above is as wrong": {Accuracy{MAE: 1, Predicted: 8, Bought: 9}, Accuracy{MAE: .999, Predicted: 12, Bought: 9}, BGNBD},
		"equal":                                 {Accuracy{MAE: 1, Predicted: 8}, Accuracy{MAE: 1, Predicted: 8}, BGNBD},
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
