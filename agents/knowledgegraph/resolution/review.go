package resolution

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Reviews are for people, who read a few: the likeliest maxReviews in all, and
// maxReviewsOfOne of one cluster.
const (
	maxReviews      = 1000
	maxReviewsOfOne = 5
)

// review is a pair of clusters that a person should look at, by its strongest link.
type review struct {
	link
	fields []Field
}

// reviews are the doubts that are left, the likeliest first. Of clusters that exclude
// each other at most one is right, so that each weighs against the others.
func (c *clusters) reviews(ctx context.Context) ([]review, error) {
	type between struct{ x, y int }
	strongest := map[between]link{}
	for _, l := range c.links {
		x, y := c.find(l.a), c.find(l.b)
		if x == y {
			continue
		}
		key := between{min(x, y), max(x, y)}
		if known, ok := strongest[key]; !ok || l.stronger(known) {
			strongest[key] = l
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("find what to review: %w", ctx.Err())
	}
	var found []review
	for key, l := range strongest { // sorted below
		if c.allowed(key.x, key.y) == never {
			continue
		}
		bits := c.evidence.weigh(key.x, key.y)
		if bits < c.limits.low {
			continue
		}
		fields := c.evidence.explain(key.x, key.y)
		if others := max(c.rivals(key.x, key.y, math.Inf(-1)), c.rivals(key.y, key.x, math.Inf(-1))); others > 0 {
			against := -math.Log2(1 + others)
			bits += against
			fields = append(fields, Field{Name: "others", Level: "exclude it", Bits: against})
		}
		if bits >= c.limits.low {
			found = append(found, review{link{l.a, l.b, bits}, fields})
		}
	}
	slices.SortFunc(found, func(p, q review) int {
		return cmp.Or(cmp.Compare(q.bits, p.bits), cmp.Compare(p.a, q.a), cmp.Compare(p.b, q.b))
	})
	taken := map[int]int{}
	kept := found[:0]
	for _, r := range found {
		x, y := c.find(r.a), c.find(r.b)
		if len(kept) == maxReviews {
			break
		}
		if taken[x] < maxReviewsOfOne && taken[y] < maxReviewsOfOne {
			taken[x], taken[y] = taken[x]+1, taken[y]+1
			kept = append(kept, r)
		}
	}
	return kept, nil
}
