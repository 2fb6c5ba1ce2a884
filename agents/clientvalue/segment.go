package clientvalue

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Segment is a class of clients by value.
type Segment string

// The segments, the most valuable first.
const (
	VIP    Segment = "VIP"
	High   Segment = "HIGH"
	Medium Segment = "MEDIUM"
	Low    Segment = "LOW"
)

// Shares are the parts of the clients, 0 to 1, in the segments above LOW, which
// takes the rest.
type Shares struct {
	VIP    float64 `json:"vip"`
	High   float64 `json:"high"`
	Medium float64 `json:"medium"`
}

// DefaultShares are the top 5 %, the next 15 % and the next 30 %.
func DefaultShares() Shares { return Shares{VIP: .05, High: .15, Medium: .30} }

// Check returns ErrBadInput unless the shares are parts of one whole.
func (s Shares) Check() error {
	sum := s.VIP + s.High + s.Medium
	if !(s.VIP >= 0 && s.High >= 0 && s.Medium >= 0 && sum <= 1+1e-9) {
		return fmt.Errorf("shares of segments %+v: %w", s, ErrBadInput)
	}
	return nil
}

// AssignSegments sets the segment of each score by its rank in CLV, of equal
// values by client id; the order of scores stays. A segment begins at the first
// rank within its share, so that of a single client's population the client is
// VIP.
func AssignSegments(scores []Score, shares Shares) error {
	if err := shares.Check(); err != nil {
		return err
	}
	ranks := make([]int, len(scores))
	for i := range ranks {
		ranks[i] = i
	}
	slices.SortFunc(ranks, func(a, b int) int {
		if c := cmp.Compare(scores[b].CLV, scores[a].CLV); c != 0 {
			return c
		}
		if c := cmp.Compare(scores[a].ClientID, scores[b].ClientID); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	end := func(share float64) int { return int(math.Ceil(share*float64(len(scores)) - 1e-6)) }
	vip, high, medium := end(shares.VIP), end(shares.VIP+shares.High), end(shares.VIP+shares.High+shares.Medium)
	for rank, i := range ranks {
		switch {
		case rank < vip:
			scores[i].Segment = VIP
		case rank < high:
			scores[i].Segment = High
		case rank < medium:
			scores[i].Segment = Medium
		default:
			scores[i].Segment = Low
		}
	}
	return nil
}
