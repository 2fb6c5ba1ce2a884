package clientvalue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
)

// checkScore checks what holds for any score.
func checkScore(t *testing.T, s Score) {
	t.Helper()
	for name, v := range map[string]float64{
		"p_alive": s.PAlive, "expected purchases": s.ExpectedPurchases, "spend": s.ExpectedSpend, "value": s.ExpectedValue,
		"CLV": s.CLV, "CLV of 12 months": s.CLV12Months, "CLV of 36 months": s.CLV36Months, "total spend": s.TotalSpend,
		"lowest purchases": s.ExpectedPurchasesLow, "highest purchases": s.ExpectedPurchasesHigh, "lowest CLV": s.CLVLow, "highest CLV": s.CLVHigh,
	} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			t.Errorf("client %q: %s = %v", s.ClientID, name, v)
		}
	}
	if s.ExpectedPurchasesLow > s.ExpectedPurchases || s.ExpectedPurchases > s.ExpectedPurchasesHigh ||
		s.CLVLow > s.CLV || s.CLV > s.CLVHigh || s.PurchasesLow > s.PurchasesHigh || s.PurchasesLow < 0 ||
		s.CLV12Months > s.CLV36Months || s.FirstDay > s.LastDay {
		t.Errorf("score %+v", s)
	}
}

func TestHardPurchases(t *testing.T) {
	t.Parallel()
	var million, onlyOnce, sameAgeAndRecency, atOnce, scales, weekly []Purchase
	for i := range 1_000_000 {
		million = append(million, Purchase{"a", int32(9000 + i%900), .01})
	}
	for i := range 200 {
		id := fmt.Sprintf("%03d", i)
		million = append(million, Purchase{id, int32(9000 + i), 5})
		onlyOnce = append(onlyOnce, Purchase{id, int32(9000 + 3*i), 5})
		sameAgeAndRecency = append(sameAgeAndRecency, Purchase{id, int32(9000 + i), 5}, Purchase{id, 10000, float64(5 + i)})
		atOnce = append(atOnce, Purchase{id, 10000, 5})
		scales = append(scales, Purchase{id, int32(9000 + i), .001}, Purchase{id, int32(9400 + i), 1e12 * float64(1+i%2)}, Purchase{id, int32(9700 + i), .001})
		for day := i % 7; day < 1000; day += 7 {
			weekly = append(weekly, Purchase{id, int32(9000 + day), 20})
		}
	}
	for name, test := range map[string]struct {
		purchases []Purchase
		clients   int
		low       bool
	}{
		"a million payments of one client":    {million, 201, true},
		"everyone bought once":                {onlyOnce, 200, true},
		"recency is age":                      {sameAgeAndRecency, 200, false},
		"all on one day, age 0":               {atOnce, 200, true},
		"amounts of .001 and 1e12":            {scales, 200, false},
		"everyone buys weekly":                {weekly, 200, true}, // equal amounts: the spend is pooled
		"a single client":                     {[]Purchase{{"a", 9000, 5}}, 1, true},
		"a single client of today":            {[]Purchase{{"a", 10000, 5}}, 1, true},
		"a client who only got refunds":       {append([]Purchase{{"refunded", 9100, -50}}, onlyOnce...), 200, true},
		"a refund of more than was ever paid": {append([]Purchase{{"x", 9000, 5}, {"x", 9100, -50}, {"x", 9200, 3}}, onlyOnce...), 201, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prediction, err := Predict(context.Background(), test.purchases, DefaultOptions(10000))
			if err != nil {
				t.Fatal(err)
			}
			if prediction.Clients != test.clients || len(prediction.Scores) != test.clients || prediction.LowConfidence != test.low {
				t.Errorf("%d clients, %d scores, low confidence %v: %q", prediction.Clients, len(prediction.Scores), prediction.LowConfidence, prediction.Notes)
			}
			for _, s := range prediction.Scores {
				checkScore(t, s)
				if s.LowConfidence != test.low {
					t.Errorf("client %q: low confidence %v", s.ClientID, s.LowConfidence)
				}
			}
		})
	}
}

func TestHardAmounts(t *testing.T) {
	t.Parallel()
	for name, amount := range map[string]float64{"not a number": math.NaN(), "infinite": math.Inf(1), "minus infinite": math.Inf(-1)} {
		_, err := Predict(context.Background(), []Purchase{{"a", 1, 5}, {"b", 2, amount}}, DefaultOptions(10000))
		if !errors.Is(err, ErrBadInput) || !errors.Is(hopeless(err), ErrBadInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Predict(context.Background(), []Purchase{{"a", 1, -5}}, DefaultOptions(10000)); !errors.Is(err, ErrNoClients) {
		t.Errorf("only refunds: %v", err)
	}
}

// TestSmallFirms holds that priors keep firms of any size within reason.
func TestSmallFirms(t *testing.T) {
	t.Parallel()
	for _, clients := range []int{5, 20, 50} {
		var once, weekly []Purchase
		for i := range clients {
			id := fmt.Sprintf("%02d", i)
			once = append(once, Purchase{id, int32(9600 + 7*i), 20})
			for day := i % 7; day < 365; day += 7 {
				weekly = append(weekly, Purchase{id, int32(9635 + day), 20})
			}
		}
		for name, test := range map[string]struct {
			purchases []Purchase
			low, high float64 // of the purchases expected in a year
		}{"nobody came again": {once, 0, 1}, "everybody comes weekly": {weekly, 40, 60}} {
			t.Run(fmt.Sprintf("%d clients, %s", clients, name), func(t *testing.T) {
				t.Parallel()
				prediction, err := Predict(context.Background(), test.purchases, DefaultOptions(10000))
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range prediction.Scores {
					checkScore(t, s)
					if s.ExpectedPurchases < test.low || s.ExpectedPurchases > test.high || !s.LowConfidence {
						t.Errorf("score %+v", s)
					}
					if s.ExpectedPurchasesHigh/s.ExpectedPurchasesLow < 1.04 {
						t.Errorf("the interval of so few clients is %v to %v", s.ExpectedPurchasesLow, s.ExpectedPurchasesHigh)
					}
				}
			})
		}
	}
}
