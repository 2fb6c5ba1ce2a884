package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/nuzantara/ciclo/agents/clientvalue"
)

// Decile is a tenth of the CDNOW customers by predicted purchases, the most first.
type Decile struct {
	Customers int
	Predicted float64
	Bought    int
}

// holdOut is the CDNOW log up to the cut, scored for the 39 weeks after it, and
// what was bought in them.
type holdOut struct {
	scores []clientvalue.Score
	recent []float64 // weeks since the last purchase
	bought []int
	spent  []float64
}

func readHoldOut(ctx context.Context, dataDir string) (holdOut, error) {
	log, err := ReadLog(dataDir)
	if err != nil {
		return holdOut{}, err
	}
	histories, err := clientvalue.Summarise(log, CDNOWCut)
	if err != nil {
		return holdOut{}, err
	}
	var h holdOut
	if h.bought, err = clientvalue.HoldOut(log, histories, CDNOWCut, CDNOWEnd); err != nil {
		return h, err
	}
	places := map[string]int{}
	for i, history := range histories {
		places[history.ClientID] = i
		h.recent = append(h.recent, history.Age-history.Recency)
	}
	h.spent = make([]float64, len(histories))
	for _, p := range log {
		if i, known := places[p.ClientID]; known && p.Day > CDNOWCut && p.Day <= CDNOWEnd {
			h.spent[i] += p.Amount
		}
	}
	fitted, err := clientvalue.Fit(ctx, histories, clientvalue.BGNBD, clientvalue.FitOptions{})
	if err != nil {
		return h, err
	}
	spend, err := clientvalue.FitSpend(ctx, histories)
	if err != nil {
		return h, err
	}
	options := clientvalue.DefaultOptions(CDNOWCut)
	options.HorizonDays = int(CDNOWEnd - CDNOWCut)
	h.scores, err = clientvalue.ScoreAll(ctx, histories, fitted, spend, options)
	return h, err
}

// order is the places of customers by a number, the largest first, of equal ones
// by id.
func (h holdOut) order(by func(i int) float64) []int {
	order := make([]int, len(h.scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(by(b), by(a)) })
	return order
}

// Ranking computes what ranking and calibration are worth on the CDNOW hold-out:
// data up to 1997-09-30, the 39 weeks after it.
func Ranking(dataDir string) ([]Figure, []Decile, error) {
	h, err := readHoldOut(context.Background(), dataDir)
	if err != nil {
		return nil, nil, fmt.Errorf("CDNOW hold-out: %w", err)
	}
	n := len(h.scores)
	byPurchases := h.order(func(i int) float64 { return h.scores[i].ExpectedPurchases })
	deciles := make([]Decile, 10)
	for rank, i := range byPurchases {
		d := &deciles[rank*10/n]
		d.Customers++
		d.Predicted += h.scores[i].ExpectedPurchases
		d.Bought += h.bought[i]
	}
	all, top := 0.0, 0.0
	for rank, i := range h.order(func(i int) float64 { return h.scores[i].ExpectedValue }) {
		all += h.spent[i]
		if rank < (n+5)/10 {
			top += h.spent[i]
		}
	}
	inside := 0
	expected := make([]float64, n)
	for i, s := range h.scores {
		expected[i] = s.ExpectedPurchases
		if h.bought[i] >= s.PurchasesLow && h.bought[i] <= s.PurchasesHigh {
			inside++
		}
	}
	within := func(name string, measured, low, high float64) Figure {
		return Figure{Name: name, Target: fmt.Sprintf("%g to %g", low, high), Measured: fmt.Sprintf("%.4g", measured), Pass: measured >= low && measured <= high}
	}
	return []Figure{
		near("top decile by expected value: share of the hold-out spend, %", 100*top/all, 50.2, .1),
		// Churn here is to buy nothing in the 39 weeks.
		near("AUC of buying at all in the hold-out, by expected purchases", auc(expected, h.bought, 1), .7725, .0005),
		near("AUC of the same, by weeks since the last purchase", auc(h.recent, h.bought, -1), .7714, .0005),
		within("customers whose purchases are within their interval of 90 %, %", 100*float64(inside)/float64(n), 90, 100),
	}, deciles, nil
}

// auc is the probability that of a customer who bought and one who didn't the
// first has the larger value (times sign), of equal values one half
// (Mann-Whitney).
func auc(values []float64, bought []int, sign float64) float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(sign*values[a], sign*values[b]) })
	ranks, buyers := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && values[order[j]] == values[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if bought[k] > 0 {
				ranks += float64(i+j+1) / 2
				buyers++
			}
		}
		i = j
	}
	others := float64(len(values)) - buyers
	return (ranks - buyers*(buyers+1)/2) / math.Max(buyers*others, 1)
}
