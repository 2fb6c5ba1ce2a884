package resolution

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
)

// may is what rules allow two clusters, whatever the evidence.
type may uint8

const (
	// joins: evidence alone decides.
	joins may = iota
	// asks: too little is known to do it without a person.
	asks
	// differs: they exclude each other as far as records say; only a person joins them.
	differs
	// never: they are not one, and nobody is asked.
	never
)

// evidence is what clustering asks about things of one type. A cluster is given by the
// index of one of its records, always the one that stayed (into) when clusters united.
type evidence interface {
	// weigh is how strongly two clusters are one, as log2 of the odds, from what all
	// records of each know together; weigh(x, y) = weigh(y, x).
	weigh(x, y int) float64
	// rule is what they are allowed, and cheap to ask.
	rule(x, y int) may
	// excludes is whether z can't be one with y, not even by way of x.
	excludes(x, y, z int) bool
	// explain is what weigh sums up, beside the prior.
	explain(x, y int) []Field
	// unite adds to one cluster what the other knows.
	unite(into, from int)
}

// link is two records that may be one, a < b, and what their clusters weighed last.
type link struct {
	a, b int
	bits float64
}

func (l link) stronger(o link) bool {
	if l.bits != o.bits {
		return l.bits > o.bits
	}
	return l.a < o.a || l.a == o.a && l.b < o.b
}

// thresholds are log2 of odds: from high on clusters are joined, from low on a person
// is asked. margin is by how much a cluster must be likelier than one that excludes it.
type thresholds struct {
	high, low, margin float64
}

// merge is how two clusters became one: the pair of records, the odds at that moment
// and what spoke for it.
type merge struct {
	link
	fields []Field
}

// clusters are a partition of records while it is made, the strongest pair first.
//
// Two clusters are joined on what both know together, not on one pair of their
// records: a weak bridge is weighed with all that its two ends' clusters have against
// each other, the least alike of their names and the contacts they do not share. Every
// decision holds between whole clusters. Where two clusters that can't be one both
// want a third, it goes to the stronger; where they are nearly as strong, to neither.
//
// Records come in order of their ids, so that ties, and with them all of the outcome,
// hang on ids and not on the order of the input.
type clusters struct {
	evidence evidence
	limits   thresholds
	root     []int
	members  [][]int
	// foes are, of a root, the roots that decisions keep it from.
	foes []map[int]struct{}
	// near are, of a root, links that end in it, by now perhaps with both ends; those
	// are forgotten whenever there are more than room links.
	near  [][]int32
	room  []int
	links []link
	queue queue
	made  []merge
}

func newClusters(n int, e evidence, limits thresholds) *clusters {
	c := &clusters{evidence: e, limits: limits, root: make([]int, n), members: make([][]int, n), foes: make([]map[int]struct{}, n), near: make([][]int32, n), room: make([]int, n)}
	for i := range n {
		c.root[i], c.members[i] = i, []int{i}
	}
	return c
}

func (c *clusters) find(i int) int {
	for c.root[i] != i {
		c.root[i] = c.root[c.root[i]]
		i = c.root[i]
	}
	return i
}

// apart keeps the clusters of two records, which aren't one yet, from ever being it.
func (c *clusters) apart(a, b int) {
	x, y := c.find(a), c.find(b)
	for _, p := range [2][2]int{{x, y}, {y, x}} {
		if c.foes[p[0]] == nil {
			c.foes[p[0]] = map[int]struct{}{}
		}
		c.foes[p[0]][p[1]] = struct{}{}
	}
}

// together makes one cluster of two records' clusters because somebody knows it, by a
// decision or the firm's id; false where a decision keeps them apart.
func (c *clusters) together(a, b int, why ...Field) bool {
	x, y := c.find(a), c.find(b)
	if x == y {
		return true
	}
	if c.areFoes(x, y) {
		return false
	}
	c.join(merge{link: link{a, b, math.Inf(1)}, fields: append(why, c.evidence.explain(x, y)...)})
	return true
}

func (c *clusters) join(m merge) {
	into, from := c.find(m.a), c.find(m.b)
	if size := func(r int) int { return len(c.members[r]) + len(c.near[r]) }; size(from) > size(into) {
		into, from = from, into
	}
	c.evidence.unite(into, from)
	c.root[from] = into
	c.members[into] = append(c.members[into], c.members[from]...)
	for foe := range c.foes[from] { // every one is moved, in whatever order
		delete(c.foes[foe], from)
		c.foes[foe][into] = struct{}{}
		if c.foes[into] == nil {
			c.foes[into] = map[int]struct{}{}
		}
		c.foes[into][foe] = struct{}{}
	}
	c.near[into] = append(c.near[into], c.near[from]...)
	if len(c.near[into]) > max(c.room[into], mostRivals) {
		c.outward(into)
		c.room[into] = 2 * len(c.near[into])
	}
	c.members[from], c.foes[from], c.near[from] = nil, nil, nil
	c.made = append(c.made, m)
}

func (c *clusters) areFoes(x, y int) bool {
	_, foes := c.foes[x][y]
	return foes
}

// allowed is what decisions and rules allow two clusters.
func (c *clusters) allowed(x, y int) may {
	if c.areFoes(x, y) {
		return never
	}
	return c.evidence.rule(x, y)
}

// agglomerate joins what links and limits join.
func (c *clusters) agglomerate(ctx context.Context, pairs []Candidate) error {
	for n, p := range pairs {
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("weigh pairs: %w", ctx.Err())
		}
		x, y := c.find(p.A), c.find(p.B)
		if x == y {
			continue
		}
		bits := c.evidence.weigh(x, y)
		if bits < c.limits.low-c.limits.margin || c.allowed(x, y) == never {
			continue
		}
		at := int32(len(c.links))
		c.links = append(c.links, link{p.A, p.B, bits})
		c.near[x], c.near[y] = append(c.near[x], at), append(c.near[y], at)
	}
	// What clusters know together may raise a pair that was too weak before, so that
	// links are gone through until nothing is joined any more.
	for made := -1; made != len(c.made); {
		made = len(c.made)
		c.queue = c.queue[:0]
		for _, l := range c.links {
			if x, y := c.find(l.a), c.find(l.b); x != y && c.allowed(x, y) == joins {
				if bits := c.evidence.weigh(x, y); bits >= c.limits.high {
					c.queue = append(c.queue, link{l.a, l.b, bits})
				}
			}
		}
		heap.Init(&c.queue)
		if err := c.drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *clusters) drain(ctx context.Context) error {
	for n := 0; len(c.queue) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("join clusters: %w", ctx.Err())
		}
		l := heap.Pop(&c.queue).(link)
		x, y := c.find(l.a), c.find(l.b)
		if x == y || c.allowed(x, y) != joins {
			continue
		}
		switch bits := c.evidence.weigh(x, y); {
		case bits < c.limits.high:
		case bits < l.bits:
			// Weaker by what was joined since: its turn is later.
			heap.Push(&c.queue, link{l.a, l.b, bits})
		default:
			l.bits = bits
			if c.rivals(x, y, bits-c.limits.margin) == 0 && c.rivals(y, x, bits-c.limits.margin) == 0 {
				c.join(merge{link: l, fields: c.evidence.explain(x, y)})
			}
		}
	}
	return nil
}

// mostRivals is how many links a cluster may have to be asked who else wants it: one
// that has thousands is somebody whom all conversations are about, and a single one of
// them changes nothing.
const mostRivals = 1000

// rivals is the sum of the odds of x with the clusters that can't be one with y and
// have more than so many bits with x.
func (c *clusters) rivals(x, y int, least float64) (odds float64) {
	if len(c.near[x]) > mostRivals {
		return 0
	}
	for _, z := range c.outward(x) {
		if z == y || !c.areFoes(y, z) && !c.evidence.excludes(x, y, z) || c.allowed(x, z) != joins {
			continue
		}
		if bits := c.evidence.weigh(x, z); bits > least {
			odds += math.Exp2(bits)
		}
	}
	return odds
}

// outward forgets links that have come to lie within x, and returns the clusters at the
// other ends of the rest, in order.
func (c *clusters) outward(x int) []int {
	var others []int
	c.near[x] = slices.DeleteFunc(c.near[x], func(at int32) bool {
		a, b := c.find(c.links[at].a), c.find(c.links[at].b)
		if a != b {
			others = append(others, a+b-x)
		}
		return a == b
	})
	slices.Sort(others)
	return slices.Compact(others)
}

// queue is a heap of links, the strongest first.
type queue []link

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].stronger(q[j]) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is heap's.
func (q *queue) Push(l any) { *q = append(*q, l.(link)) }

// Pop is heap's.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
