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

// segments are all of them, the most valuable first.
var segments = [...]Segment{VIP, High, Medium, Low}

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
// VIP. ErrBadInput for shares that are not parts of one whole.
func AssignSegments(scores []Score, shares Shares) error {
	limits, err := limitsOf(len(scores), shares, func(i int) Limit { return Limit{scores[i].CLV, scores[i].ClientID} })
	if err != nil {
		return err
	}
	for i := range scores {
		scores[i].Segment = limits.segment(Limit{scores[i].CLV, scores[i].ClientID})
	}
	return nil
}

// Limit is a place in the order of clients, the most valuable first, of equal
// values by id.
type Limit struct {
	CLV      float64 `json:"clv"`
	ClientID string  `json:"client_id"`
}

func (l Limit) compare(other Limit) int {
	return cmp.Or(cmp.Compare(other.CLV, l.CLV), cmp.Compare(l.ClientID, other.ClientID))
}

// Limits are the last clients of VIP or above, HIGH or above and MEDIUM or
// above; nil where there is none.
type Limits [3]*Limit

// limitsOf ranks n clients.
func limitsOf(n int, shares Shares, at func(int) Limit) (Limits, error) {
	var limits Limits
	if err := shares.Check(); err != nil {
		return limits, err
	}
	ranks := make([]Limit, n)
	for i := range ranks {
		ranks[i] = at(i)
	}
	slices.SortFunc(ranks, Limit.compare)
	for i, share := range [...]float64{shares.VIP, shares.VIP + shares.High, shares.VIP + shares.High + shares.Medium} {
		if end := min(int(math.Ceil(share*float64(n)-1e-6)), n); end > 0 {
			last := ranks[end-1]
			limits[i] = &last
		}
	}
	return limits, nil
}

func (l Limits) segment(of Limit) Segment {
	for i, segment := range segments[:len(l)] {
		if l[i] != nil && of.compare(*l[i]) <= 0 {
			return segment
		}
	}
	return Low
}
