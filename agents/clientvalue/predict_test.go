package clientvalue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mixedPurchases are purchases drawn without any model, in cents, over 300 days.
func mixedPurchases(clients int) []Purchase {
	random := rand.New(rand.NewPCG(12, 13))
	var purchases []Purchase
	for i := range clients {
		gap := 1 + 120*random.Float64()
		for day := random.Float64() * 150; day < 300; day += gap * random.ExpFloat64() {
			purchases = append(purchases, Purchase{
				ClientID: fmt.Sprintf("%04d", i), Day: 10000 + int32(day),
				Amount: math.Round(1000*random.ExpFloat64()) / 100,
			})
			if random.Float64() < .1+.004*gap {
				break
			}
		}
	}
	return purchases
}

func TestPredictDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	purchases := mixedPurchases(400)
	encode := func(purchases []Purchase) string {
		prediction, err := Predict(context.Background(), purchases, DefaultOptions(10300))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(prediction)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := encode(purchases)
	random := rand.New(rand.NewPCG(14, 15))
	for range 3 {
		shuffled := append([]Purchase(nil), purchases...)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, encode(shuffled)); diff != "" {
			t.Fatalf("another order gives other bytes:\n%.2000s", diff)
		}
	}
}

func TestPredictIsConsistent(t *testing.T) {
	t.Parallel()
	purchases := mixedPurchases(400)
	options := DefaultOptions(10290)
	options.Margin = .4
	options.HorizonDays = 100
	prediction, err := Predict(context.Background(), purchases, options)
	if err != nil {
		t.Fatal(err)
	}
	if got := prediction.BackTest; len(got.Forecasts) != 2 || got.Reason != "" || got.Chosen != prediction.Chosen {
		t.Errorf("back-test = %+v", got)
	}
	if prediction.Clients != len(prediction.Scores) || len(prediction.Fits) != 2 {
		t.Errorf("%d clients, %d scores, %d fits", prediction.Clients, len(prediction.Scores), len(prediction.Fits))
	}
	histories, err := Summarise(purchases, options.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	m, p := prediction.Chosen, prediction.Fits[prediction.Chosen].Params
	horizon := 100. / 7
	for i, s := range prediction.Scores {
		h := histories[i]
		expected, err := m.ExpectedPurchases(p, h, horizon)
		if err != nil {
			t.Fatal(err)
		}
		clv, err := m.CLV(p, h, s.ExpectedSpend, horizon, options.Margin, options.DiscountRate)
		if err != nil {
			t.Fatal(err)
		}
		year, err := m.CLV(p, h, s.ExpectedSpend, 52, options.Margin, options.DiscountRate)
		if err != nil {
			t.Fatal(err)
		}
		want := Score{
			ClientID: h.ClientID, PAlive: m.PAlive(p, h),
			ChurnRisk30: m.ChurnRisk(p, h, 30./7), ChurnRisk90: m.ChurnRisk(p, h, 90./7),
			ExpectedPurchases: expected, ExpectedSpend: prediction.Spend.Expected(h),
			ExpectedValue: expected * s.ExpectedSpend * options.Margin,
			CLV:           clv, CLV12Months: year, Segment: s.Segment,
			X: h.X, Recency: h.Recency, Age: h.Age, Spend: h.Spend,
		}
		years, err := m.CLV(p, h, s.ExpectedSpend, 156, options.Margin, options.DiscountRate)
		if err != nil {
			t.Fatal(err)
		}
		want.CLV36Months = years
		want.FirstDay, want.LastDay, want.TotalSpend = daysOf(purchases, h.ClientID, options.AsOf)
		// The intervals are checked on their own.
		want.ExpectedPurchasesLow, want.ExpectedPurchasesHigh = s.ExpectedPurchasesLow, s.ExpectedPurchasesHigh
		want.CLVLow, want.CLVHigh, want.PurchasesLow, want.PurchasesHigh = s.CLVLow, s.CLVHigh, s.PurchasesLow, s.PurchasesHigh
		if !(s.ExpectedPurchasesLow < expected && expected < s.ExpectedPurchasesHigh) || !(s.CLVLow < clv && clv < s.CLVHigh) || s.PurchasesLow > s.PurchasesHigh {
			t.Errorf("intervals of %+v", s)
		}
		if diff := cmp.Diff(want, s, cmp.Comparer(func(a, b float64) bool { return relative(a, b) < 1e-12 })); diff != "" {
			t.Errorf("score (-want +got):\n%s", diff)
		}
		if s.CLV > s.ExpectedValue || s.CLV12Months < s.CLV {
			t.Errorf("value %v, discounted %v, within a year %v", s.ExpectedValue, s.CLV, s.CLV12Months)
		}
	}
}

func daysOf(purchases []Purchase, client string, asOf int32) (first, last int32, total float64) {
	for _, p := range purchases {
		if p.ClientID != client || p.Day > asOf {
			continue
		}
		if total == 0 && last == 0 {
			first = p.Day
		}
		last = p.Day
		total += p.Amount
	}
	return first, last, total
}

func TestPredictOfDegeneratePurchases(t *testing.T) {
	t.Parallel()
	var sameDay, free, once []Purchase
	for i := range 150 {
		id := fmt.Sprintf("%03d", i)
		sameDay = append(sameDay, Purchase{id, 10000, 5})
		once = append(once, Purchase{id, 9000 + int32(i), 5})
		free = append(free, Purchase{id, 9000 + int32(i), 0})
		for n := range i % 4 {
			free = append(free, Purchase{id, 9100 + int32(i+n*(100+i)), 0})
		}
	}
	tests := map[string]struct {
		purchases []Purchase
		notes     []string // beginnings
	}{
		"one client, one purchase": {[]Purchase{{"a", 9990, 5}}, []string{
			"no back-test", "1 clients, 0 of whom", "every client is expected to spend the pooled mean, 5.00",
		}},
		"one client, many purchases": {[]Purchase{{"a", 9000, 5}, {"a", 9100, 6}, {"a", 9800, 9}}, []string{
			"no back-test", "1 clients, 1 of whom", "every client is expected",
		}},
		"everyone bought on the last day": {sameDay, []string{"no back-test", "150 clients, 0 of whom", "every client is expected"}},
		"everyone bought once":            {once, []string{"no back-test", "150 clients, 0 of whom", "every client is expected"}},
		"everything was free":             {free, []string{"parameters of", "every client is expected to spend the pooled mean, 0.00", "nothing is expected"}},
		"later payments": {append([]Purchase{{"z", 10001, 5}}, once...), []string{
			"1 payments after", "no back-test", "150 clients, 0 of whom", "every client is expected",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prediction, err := Predict(context.Background(), test.purchases, DefaultOptions(10000))
			if err != nil {
				t.Fatal(err)
			}
			if !prediction.LowConfidence {
				t.Error("confidence is not low")
			}
			left := prediction.Notes
			for _, want := range test.notes {
				if len(left) == 0 || !strings.HasPrefix(left[0], want) {
					t.Fatalf("notes %q, want next %q", left, want)
				}
				left = left[1:]
			}
			// JSON refuses what is not a finite number.
			if _, err := json.Marshal(prediction); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPredictRefuses(t *testing.T) {
	t.Parallel()
	good := []Purchase{{"a", 9990, 5}}
	with := func(change func(*Options)) Options {
		o := DefaultOptions(10000)
		change(&o)
		return o
	}
	tests := map[string]struct {
		purchases []Purchase
		options   Options
		want      error
	}{
		"no purchases":               {nil, DefaultOptions(10000), ErrNoClients},
		"no purchases by then":       {good, DefaultOptions(9000), ErrNoClients},
		"everything was refunded":    {[]Purchase{{"a", 9, 5}, {"a", 10, -5}}, DefaultOptions(10000), ErrNoClients},
		"amount not a number":        {[]Purchase{{"a", 9990, math.NaN()}}, DefaultOptions(10000), ErrBadInput},
		"amounts beyond numbers":     {[]Purchase{{"a", 9000, 1e308}, {"a", 9990, 1e308}, {"a", 9991, 1e308}}, DefaultOptions(10000), ErrBadInput},
		"no options":                 {good, Options{}, ErrBadInput},
		"no horizon":                 {good, with(func(o *Options) { o.HorizonDays = 0 }), ErrBadInput},
		"horizon of a century":       {good, with(func(o *Options) { o.HorizonDays = 36500 }), ErrBadInput},
		"negative margin":            {good, with(func(o *Options) { o.Margin = -1 }), ErrBadInput},
		"discount rate not a number": {good, with(func(o *Options) { o.DiscountRate = math.NaN() }), ErrBadInput},
		"shares above 1":             {good, with(func(o *Options) { o.Shares.VIP = .9 }), ErrBadInput},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := Predict(context.Background(), test.purchases, test.options); !errors.Is(err, test.want) {
				t.Errorf("Predict = %+v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestPredictStopsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Predict(ctx, mixedPurchases(100), DefaultOptions(10300)); !errors.Is(err, context.Canceled) {
		t.Errorf("Predict of an ended context: %v", err)
	}
	histories := mixedHistories(10)
	spend := PooledSpend(histories, "")
	if _, err := ScoreAll(ctx, histories, Fitted{Params: sampleParams}, spend, DefaultOptions(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("ScoreAll of an ended context: %v", err)
	}
}
