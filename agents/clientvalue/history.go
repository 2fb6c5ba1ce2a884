package clientvalue

import (
	"fmt"
	"math"
)

// History is what the models need to know of a client as of a day.
type History struct {
	ClientID string `json:"client_id"`
	// X is the number of repeat purchases, the first not counted.
	X int `json:"x"`
	// Recency is the time from the first purchase to the last, Age from the
	// first to the cut day, both in weeks; 0 <= Recency <= Age.
	Recency float64 `json:"recency"`
	Age     float64 `json:"age"`
	// Spend is the mean amount of the repeat purchases, 0 when X is 0.
	Spend float64 `json:"spend"`
	// FirstSpend is the amount of the first purchase.
	FirstSpend float64 `json:"first_spend"`
}

// daysPerWeek converts days to the models' weeks.
const daysPerWeek = 7

// Summarise returns the histories, sorted by client, of the clients who had
// bought by the end of the day cut; later purchases are not looked at.
// Purchases are merged first (see Merge, whose errors it returns).
func Summarise(purchases []Purchase, cut int32) ([]History, error) {
	merged, err := Merge(upTo(purchases, cut))
	if err != nil {
		return nil, fmt.Errorf("summarise purchases: %w", err)
	}
	var histories []History
	for i := 0; i < len(merged); {
		first := merged[i]
		h := History{ClientID: first.ClientID, FirstSpend: first.Amount}
		last, sum := first.Day, 0.0
		j := i + 1
		for ; j < len(merged) && merged[j].ClientID == first.ClientID; j++ {
			last = merged[j].Day
			sum += merged[j].Amount
		}
		h.X = j - i - 1
		h.Recency = weeks(first.Day, last)
		h.Age = weeks(first.Day, cut)
		if h.X > 0 {
			h.Spend = sum / float64(h.X)
		}
		if math.IsInf(h.Spend, 0) {
			return nil, fmt.Errorf("amounts of client %q: sum is not finite: %w", h.ClientID, ErrBadInput)
		}
		histories = append(histories, h)
		i = j
	}
	return histories, nil
}

// weeks returns the time between two days in weeks; in int64, because the
// difference of two int32 days may not be one.
func weeks(from, to int32) float64 {
	return float64(int64(to)-int64(from)) / daysPerWeek
}

// maxX bounds the number of repeat purchases: one a day for 2,800 years.
const maxX = 1 << 20

// Check returns ErrBadInput, with the reason, for a history that no client can
// have.
func (h History) Check() error {
	var reason string
	switch {
	case h.X < 0 || h.X > maxX:
		reason = fmt.Sprintf("%d repeat purchases", h.X)
	case !(h.Age >= 0) || math.IsInf(h.Age, 0):
		reason = fmt.Sprintf("age %v", h.Age)
	case !(h.Recency >= 0 && h.Recency <= h.Age):
		reason = fmt.Sprintf("recency %v at age %v", h.Recency, h.Age)
	case h.X == 0 && h.Recency > 0:
		reason = fmt.Sprintf("recency %v without a repeat purchase", h.Recency)
	case !(h.Spend >= 0) || math.IsInf(h.Spend, 0):
		reason = fmt.Sprintf("mean spend %v", h.Spend)
	case !(h.FirstSpend >= 0) || math.IsInf(h.FirstSpend, 0):
		reason = fmt.Sprintf("first spend %v", h.FirstSpend)
	default:
		return nil
	}
	return fmt.Errorf("history of client %q: %s: %w", h.ClientID, reason, ErrBadInput)
}

func checkAll(histories []History) error {
	if len(histories) == 0 {
		return ErrNoClients
	}
	for i := range histories {
		if err := histories[i].Check(); err != nil {
			return err
		}
	}
	return nil
}
