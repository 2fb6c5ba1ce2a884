package resolution

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// table is evidence by numbers: two clusters weigh the mean of their records' pairs,
// which speak for nothing where they aren't named.
type table struct {
	bits    map[[2]int]float64
	rules   map[[2]int]may
	members map[int][]int
}

func newTable(n int, bits map[[2]int]float64) *table {
	t := &table{bits: bits, rules: map[[2]int]may{}, members: map[int][]int{}}
	for i := range n {
		t.members[i] = []int{i}
	}
	return t
}

func (t *table) weigh(x, y int) float64 {
	sum := 0.
	for _, a := range t.members[x] {
		for _, b := range t.members[y] {
			sum += t.bits[[2]int{min(a, b), max(a, b)}]
		}
	}
	return sum / float64(len(t.members[x])*len(t.members[y]))
}

func (t *table) rule(x, y int) (most may) {
	for _, a := range t.members[x] {
		for _, b := range t.members[y] {
			most = max(most, t.rules[[2]int{min(a, b), max(a, b)}])
		}
	}
	return most
}

func (t *table) excludes(_, y, z int) bool { return t.rule(y, z) >= differs }

func (t *table) explain(x, y int) []Field { return []Field{{"mean", "of pairs", t.weigh(x, y)}} }

func (t *table) unite(into, from int) {
	t.members[into] = append(t.members[into], t.members[from]...)
	slices.Sort(t.members[into])
	delete(t.members, from)
}

func (t *table) pairs() (pairs []Candidate) {
	for p := range t.bits {
		pairs = append(pairs, Candidate{p[0], p[1]})
	}
	slices.SortFunc(pairs, func(a, b Candidate) int { return slices.Compare([]int{a.A, a.B}, []int{b.A, b.B}) })
	return pairs
}

func parts(c *clusters) (all [][]int) {
	for i := range c.root {
		if c.find(i) == i {
			slices.Sort(c.members[i])
			all = append(all, c.members[i])
		}
	}
	slices.SortFunc(all, slices.Compare)
	return all
}

var testLimits = thresholds{high: 5, low: -2, margin: 3}

func TestClusters(t *testing.T) {
	t.Parallel()
	type bits = map[[2]int]float64
	for name, c := range map[string]struct {
		n    int
		bits bits
		// apart and together are decisions; differ is a rule.
		apart, together, differ [][2]int
		want, reviews           [][]int
	}{
		"nothing":                            {n: 2, want: [][]int{{0}, {1}}},
		"a pair above and one below":         {n: 4, bits: bits{{0, 1}: 6, {2, 3}: 4}, want: [][]int{{0, 1}, {2}, {3}}, reviews: [][]int{{2, 3}}},
		"a pair that nobody should look at":  {n: 2, bits: bits{{0, 1}: -3}, want: [][]int{{0}, {1}}},
		"a chain to its left":                {n: 3, bits: bits{{0, 1}: 20, {1, 2}: 10}, apart: [][2]int{{0, 2}}, want: [][]int{{0, 1}, {2}}},
		"a chain to its right":               {n: 3, bits: bits{{0, 1}: 10, {1, 2}: 20}, apart: [][2]int{{0, 2}}, want: [][]int{{0}, {1, 2}}},
		"a chain as strong on both sides":    {n: 3, bits: bits{{0, 1}: 10, {1, 2}: 11}, apart: [][2]int{{0, 2}}, want: [][]int{{0}, {1}, {2}}, reviews: [][]int{{1, 2}, {0, 1}}},
		"a chain under a rule":               {n: 3, bits: bits{{0, 1}: 20, {1, 2}: 10}, differ: [][2]int{{0, 2}}, want: [][]int{{0, 1}, {2}}, reviews: [][]int{{1, 2}}},
		"a chain of two decisions":           {n: 4, bits: bits{{0, 1}: 20, {1, 2}: 19, {1, 3}: 18}, apart: [][2]int{{0, 3}}, together: [][2]int{{2, 3}}, want: [][]int{{0}, {1}, {2, 3}}, reviews: [][]int{{0, 1}, {1, 2}}},
		"a cycle with one that is apart":     {n: 3, bits: bits{{0, 1}: 30, {1, 2}: 20, {0, 2}: 12}, apart: [][2]int{{0, 1}}, want: [][]int{{0}, {1, 2}}},
		"decided without any evidence":       {n: 3, together: [][2]int{{0, 1}}, want: [][]int{{0, 1}, {2}}},
		"decided against the evidence":       {n: 3, bits: bits{{0, 1}: -40, {1, 2}: 30}, together: [][2]int{{0, 1}}, apart: [][2]int{{1, 2}}, want: [][]int{{0, 1}, {2}}},
		"one that waits until it is certain": {n: 3, bits: bits{{0, 1}: 4, {0, 2}: 30, {1, 2}: 8}, want: [][]int{{0, 1, 2}}},
		"a weak bridge": {
			n: 6, bits: bits{{0, 1}: 20, {1, 2}: 20, {0, 2}: 20, {3, 4}: 20, {4, 5}: 20, {3, 5}: 20, {2, 3}: 12, {0, 4}: -10},
			want: [][]int{{0, 1, 2}, {3, 4, 5}}, reviews: [][]int{{2, 3}},
		},
		"the same bridge, of two alone": {n: 2, bits: bits{{0, 1}: 12}, want: [][]int{{0, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTable(c.n, c.bits)
			for _, p := range c.differ {
				e.rules[p] = differs
			}
			got := newClusters(c.n, e, testLimits)
			for _, p := range c.apart {
				got.apart(p[0], p[1])
			}
			for _, p := range c.together {
				if !got.together(p[0], p[1]) {
					t.Errorf("%v are not kept together", p)
				}
			}
			if err := got.agglomerate(t.Context(), e.pairs()); err != nil {
				t.Fatal(err)
			}
			if all := parts(got); !slices.EqualFunc(all, c.want, slices.Equal) {
				t.Errorf("clusters %v, want %v", all, c.want)
			}
			reviews, err := got.reviews(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var pairs [][]int
			for _, r := range reviews {
				pairs = append(pairs, []int{r.a, r.b})
			}
			if !slices.EqualFunc(pairs, c.reviews, slices.Equal) {
				t.Errorf("reviews %v, want %v", pairs, c.reviews)
			}
		})
	}
}

// TestDecisionsHold draws evidence and decisions, and the order of pairs.
func TestDecisionsHold(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		n := 2 + rng.IntN(30)
		bits := map[[2]int]float64{}
		for range rng.IntN(4 * n) {
			if a, b := rng.IntN(n), rng.IntN(n); a < b {
				bits[[2]int{a, b}] = math.Round(20*rng.Float64()) - 5 // with ties
			}
		}
		var apart, together [][2]int
		for range rng.IntN(n) {
			if a, b := rng.IntN(n), rng.IntN(n); a != b {
				if rng.IntN(3) == 0 {
					together = append(together, [2]int{a, b})
				} else {
					apart = append(apart, [2]int{a, b})
				}
			}
		}
		var first [][]int
		var reviewed []review
		for range 5 {
			e := newTable(n, bits)
			c := newClusters(n, e, testLimits)
			for _, p := range apart {
				c.apart(p[0], p[1])
			}
			for _, p := range together {
				if kept, one := c.together(p[0], p[1]), c.find(p[0]) == c.find(p[1]); kept != one {
					t.Fatalf("seed %d: together says %v, and it is %v", seed, kept, one)
				}
			}
			pairs := e.pairs()
			rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
			if err := c.agglomerate(t.Context(), pairs); err != nil {
				t.Fatal(err)
			}
			reviews, err := c.reviews(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range apart {
				if c.find(p[0]) == c.find(p[1]) {
					t.Fatalf("seed %d: %v are one against a decision", seed, p)
				}
				for _, r := range reviews {
					if x, y := c.find(r.a), c.find(r.b); x == c.find(p[0]) && y == c.find(p[1]) || y == c.find(p[0]) && x == c.find(p[1]) {
						t.Fatalf("seed %d: %v are for review although decided", seed, p)
					}
				}
			}
			all := parts(c)
			if first == nil {
				first, reviewed = all, reviews
			}
			if !slices.EqualFunc(all, first, slices.Equal) {
				t.Fatalf("seed %d: another order gives %v, not %v", seed, all, first)
			}
			if !slices.EqualFunc(reviews, reviewed, func(a, b review) bool { return a.link == b.link }) {
				t.Fatalf("seed %d: another order gives reviews %v, not %v", seed, reviews, reviewed)
			}
		}
	}
}

func TestReviewsAreFew(t *testing.T) {
	t.Parallel()
	bits := map[[2]int]float64{}
	for i := 1; i <= 8; i++ {
		bits[[2]int{0, i}] = float64(i) / 2
	}
	n := 9
	for ; n < 9+2*maxReviews; n += 2 {
		bits[[2]int{n, n + 1}] = -1
	}
	e := newTable(n, bits)
	c := newClusters(n, e, testLimits)
	if err := c.agglomerate(t.Context(), e.pairs()); err != nil {
		t.Fatal(err)
	}
	reviews, err := c.reviews(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of := 0
	for i, r := range reviews {
		if r.a == 0 {
			of++
			if i >= maxReviewsOfOne || r.b != 8-i {
				t.Errorf("review %d of the first is %d, %d", i, r.a, r.b)
			}
		}
	}
	if len(reviews) != maxReviews || of != maxReviewsOfOne {
		t.Errorf("%d reviews, %d of the first; want %d and %d", len(reviews), of, maxReviews, maxReviewsOfOne)
	}
}

// certain is evidence that any two are one.
type certain struct{ keys }

func (certain) weigh(_, _ int) float64    { return 20 }
func (certain) rule(_, _ int) may         { return joins }
func (certain) excludes(_, _, _ int) bool { return false }

// TestOneInAllConversations has a record that all others are linked with, and more of
// them than rivals are looked for.
func TestOneInAllConversations(t *testing.T) {
	t.Parallel()
	n := 4 * mostRivals
	var pairs []Candidate
	for i := 1; i < n; i++ {
		pairs = append(pairs, Candidate{0, i})
		for j := max(i-3, 1); j < i; j++ {
			pairs = append(pairs, Candidate{j, i})
		}
	}
	c := newClusters(n, certain{}, testLimits)
	c.apart(5, n-5)
	if err := c.agglomerate(t.Context(), pairs); err != nil {
		t.Fatal(err)
	}
	if all := parts(c); len(all) > 3 || c.find(5) == c.find(n-5) {
		t.Errorf("%d clusters of %d records, %v that the two that are apart are one", len(all), n, c.find(5) == c.find(n-5))
	}
	for i := range n {
		if c.find(i) == i && len(c.near[i]) > 2*mostRivals+len(c.near) {
			t.Errorf("%d has %d links, most of them within it", i, len(c.near[i]))
		}
	}
}
