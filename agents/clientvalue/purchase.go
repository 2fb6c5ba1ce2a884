package clientvalue

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Errors by which a caller decides.
var (
	// ErrNoClients says that there is nobody to compute anything for.
	ErrNoClients = errors.New("no clients")
	// ErrBadInput says that a purchase, history, parameter or option is
	// outside its domain; the wrapping error names it.
	ErrBadInput = errors.New("bad input")
)

// Purchase is one payment of one client. Amount may be 0 (a free order is an
// order) or negative (a refund).
type Purchase struct {
	ClientID string  `json:"client_id"`
	Day      int32   `json:"day"` // days since 1970-01-01 UTC
	Amount   float64 `json:"amount"`
}

// Merge sorts purchases by client and day and makes the payments of one client
// on one day one purchase. Refunds are netted: a day on which a refund leaves
// nothing is no purchase, and what such a day leaves below zero is taken off
// the client's latest earlier purchases, which are undone where nothing is left
// of them. The argument is left as it was. An amount that is not finite or a
// client without an id is ErrBadInput.
func Merge(purchases []Purchase) ([]Purchase, error) {
	sorted := slices.Clone(purchases)
	for _, p := range sorted {
		if math.IsNaN(p.Amount) || math.IsInf(p.Amount, 0) {
			return nil, fmt.Errorf("amount %v of client %q on day %d: %w", p.Amount, p.ClientID, p.Day, ErrBadInput)
		}
		if p.ClientID == "" {
			return nil, fmt.Errorf("client without an id on day %d: %w", p.Day, ErrBadInput)
		}
	}
	// The amount is part of the order, so that sums do not depend on the
	// order in which the payments of a day came.
	sortPurchases(sorted)
	merged := sorted[:0]
	start := 0 // of the client's purchases in merged
	for i := 0; i < len(sorted); {
		day, refunded := sorted[i], sorted[i].Amount < 0
		j := i + 1
		for ; j < len(sorted) && sorted[j].ClientID == day.ClientID && sorted[j].Day == day.Day; j++ {
			day.Amount += sorted[j].Amount
			refunded = refunded || sorted[j].Amount < 0
		}
		if math.IsInf(day.Amount, 0) {
			return nil, fmt.Errorf("amounts of client %q on day %d: sum is not finite: %w", day.ClientID, day.Day, ErrBadInput)
		}
		i = j
		if len(merged) > 0 && merged[len(merged)-1].ClientID != day.ClientID {
			start = len(merged)
		}
		if refunded && day.Amount < cent/2 {
			merged = takeOff(merged, start, -day.Amount)
			continue
		}
		merged = append(merged, day)
	}
	return merged, nil
}

// cent is the smallest amount that a netted purchase is told from nothing by:
// binary sums of decimal amounts leave crumbs far below it.
const cent = 0.01

// takeOff takes a refund off the purchases from start on, the latest first.
func takeOff(purchases []Purchase, start int, refund float64) []Purchase {
	for refund >= cent/2 && len(purchases) > start {
		last := &purchases[len(purchases)-1]
		if last.Amount-refund >= cent/2 {
			last.Amount -= refund
			return purchases
		}
		refund -= last.Amount
		purchases = purchases[:len(purchases)-1]
	}
	return purchases
}

// sortPurchases sorts by client, day and amount.
func sortPurchases(purchases []Purchase) {
	if !slices.IsSortedFunc(purchases, comparePurchases) {
		slices.SortFunc(purchases, comparePurchases)
	}
}

func comparePurchases(a, b Purchase) int {
	if c := strings.Compare(a.ClientID, b.ClientID); c != 0 {
		return c
	}
	if a.Day != b.Day {
		if a.Day < b.Day {
			return -1
		}
		return 1
	}
	switch {
	case a.Amount < b.Amount:
		return -1
	case a.Amount > b.Amount:
		return 1
	}
	return 0
}

// Days returns the first and the last day of purchases, 0 and 0 of none.
func Days(purchases []Purchase) (first, last int32) {
	for i, p := range purchases {
		if i == 0 || p.Day < first {
			first = p.Day
		}
		if i == 0 || p.Day > last {
			last = p.Day
		}
	}
	return first, last
}

// upTo returns the purchases of which the day is at most cut: the same slice
// where that is all of them, which is not to be written to.
func upTo(purchases []Purchase, cut int32) []Purchase {
	if !slices.ContainsFunc(purchases, func(p Purchase) bool { return p.Day > cut }) {
		return purchases
	}
	kept := make([]Purchase, 0, len(purchases))
	for _, p := range purchases {
		if p.Day <= cut {
			kept = append(kept, p)
		}
	}
	return kept
}
