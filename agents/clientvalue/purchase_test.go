package clientvalue

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		purchases, want []Purchase
	}{
		"sorts by client and day": {
			[]Purchase{{"b", 1, 5}, {"a", 2, 6}, {"a", 1, 7}},
			[]Purchase{{"a", 1, 7}, {"a", 2, 6}, {"b", 1, 5}},
		},
		"one day is one purchase":               {[]Purchase{{"a", 1, 5}, {"a", 1, 6}}, []Purchase{{"a", 1, 11}}},
		"a free order is a purchase":            {[]Purchase{{"a", 1, 0}}, []Purchase{{"a", 1, 0}}},
		"a refund of the day lowers it":         {[]Purchase{{"a", 1, 5}, {"a", 1, -2}}, []Purchase{{"a", 1, 3}}},
		"a whole refund of the day undoes it":   {[]Purchase{{"a", 1, .3}, {"a", 1, -.1}, {"a", 1, -.2}}, nil},
		"a later refund lowers the purchase":    {[]Purchase{{"a", 1, 5}, {"a", 9, -2}}, []Purchase{{"a", 1, 3}}},
		"a later whole refund undoes it":        {[]Purchase{{"a", 1, 5}, {"a", 3, 4}, {"a", 9, -4}}, []Purchase{{"a", 1, 5}}},
		"a refund reaches back further":         {[]Purchase{{"a", 1, 5}, {"a", 3, 4}, {"a", 9, -6}}, []Purchase{{"a", 1, 3}}},
		"a refund beyond all purchases is lost": {[]Purchase{{"a", 1, 5}, {"a", 9, -60}, {"a", 12, 1}}, []Purchase{{"a", 12, 1}}},
		"a refund is of its own client":         {[]Purchase{{"a", 1, 5}, {"b", 9, -5}, {"b", 10, 2}}, []Purchase{{"a", 1, 5}, {"b", 10, 2}}},
		"nothing":                               {nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := append([]Purchase(nil), test.purchases...)
			got, err := Merge(test.purchases)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				got = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("purchases (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, test.purchases); diff != "" {
				t.Errorf("the argument was changed:\n%s", diff)
			}
		})
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string][]Purchase{
		"amount not a number": {{"a", 1, math.NaN()}},
		"infinite amount":     {{"a", 1, math.Inf(-1)}},
		"infinite sum":        {{"a", 1, math.MaxFloat64}, {"a", 1, math.MaxFloat64}},
		"client without id":   {{"", 1, 1}},
	}
	for name, purchases := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := Merge(purchases); !errors.Is(err, ErrBadInput) {
				t.Errorf("Merge = %v, %v; want %v", got, err, ErrBadInput)
			}
		})
	}
}

func TestSummarise(t *testing.T) {
	t.Parallel()
	purchases := []Purchase{
		{"two", 100, 10}, {"two", 107, 20}, {"two", 121, 40}, // and beyond the cut
		{"two", 128, 90},
		{"once", 120, 7},
		{"same day", 100, 1}, {"same day", 100, 2},
		{"last day", 121, 5},
		{"later", 122, 5},
	}
	want := []History{
		{ClientID: "last day", FirstSpend: 5},
		{ClientID: "once", Age: 1. / 7, FirstSpend: 7},
		{ClientID: "same day", Age: 3, FirstSpend: 3},
		{ClientID: "two", X: 2, Recency: 3, Age: 3, Spend: 30, FirstSpend: 10},
	}
	got, err := Summarise(purchases, 121)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("histories (-want +got):\n%s", diff)
	}
	if got, err := Summarise(purchases, 99); err != nil || len(got) != 0 {
		t.Errorf("before the first purchase: %v, %v", got, err)
	}
}

func TestSummariseAtTheEndsOfTime(t *testing.T) {
	t.Parallel()
	got, err := Summarise([]Purchase{{"a", math.MinInt32, 1}, {"a", math.MaxInt32, 1}}, math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	if err := got[0].Check(); err != nil {
		t.Error(err)
	}
}
