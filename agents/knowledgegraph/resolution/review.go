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
	// others is how many bits those weigh that exclude it.
	others float64
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
		others := max(c.rivals(key.x, key.y, math.Inf(-1)), c.rivals(key.y, key.x, math.Inf(-1)))
		if l.bits = bits - math.Log2(1+others); l.bits >= c.limits.low {
			found = append(found, review{link: l, others: bits - l.bits})
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
			r.fields = c.evidence.explain(x, y)
			if r.others > 0 {
				r.fields = append(r.fields, Field{Name: "others", Level: "exclude it", Bits: -r.others})
			}
			kept = append(kept, r)
		}
	}
	return kept, nil
}
