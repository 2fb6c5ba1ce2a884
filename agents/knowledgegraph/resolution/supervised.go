package resolution

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Example is a pair whose answer is known: what its similarities are, and whether it
// is one thing.
type Example struct {
	Features []float64
	Match    bool
}

// Boosting is how trees are grown.
type Boosting struct {
	// Rounds is the number of trees, each of Depth levels at most.
	Rounds, Depth int
	// Rate is the share of a tree's answer that is taken, in (0, 1].
	Rate float64
	// Leaf is the least that the examples of a leaf must weigh, each p(1-p), and Ridge
	// what is added to their weight.
	Leaf, Ridge float64
}

// Trees tell from a pair's similarities the probability that it is one thing: small
// decision trees, each grown on what the ones before it got wrong (gradient boosting,
// Friedman 2001; leaves by Newton's step, Chen & Guestrin 2016).
type Trees struct {
	features int
	base     float64
	trees    []tree
}

// tree is full to its depth: the children of node i are 2i+1 and 2i+2.
type tree struct {
	nodes []node
}

// node sends what is at most cut to the left; a leaf has feature -1.
type node struct {
	feature int
	cut     float64
	value   float64
}

// mostCuts is how many places a feature may be cut at: quantiles, where it has more
// values.
const mostCuts = 63

// Train grows trees. It draws no random numbers: the same examples in the same order
// give the same trees. It refuses examples of one kind only, of unequal lengths, and
// values that aren't finite.
func Train(examples []Example, o Boosting) (*Trees, error) {
	if o.Rounds < 1 || o.Depth < 1 || o.Depth > 8 || !(o.Rate > 0 && o.Rate <= 1) || !(o.Leaf >= 0) || !(o.Ridge > 0) {
		return nil, fmt.Errorf("trees can't be grown by %+v", o)
	}
	matches := 0
	for i, e := range examples {
		if len(e.Features) == 0 || len(e.Features) != len(examples[0].Features) {
			return nil, fmt.Errorf("example %d has %d features, the first has %d", i, len(e.Features), len(examples[0].Features))
		}
		for f, v := range e.Features {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("example %d: feature %d is %v", i, f, v)
			}
		}
		if e.Match {
			matches++
		}
	}
	if matches == 0 || matches == len(examples) {
		return nil, errors.New("there must be examples of one thing and of two")
	}
	g := newGrower(examples, o)
	t := &Trees{features: len(examples[0].Features), base: math.Log(float64(matches) / float64(len(examples)-matches))}
	odds := make([]float64, len(examples))
	for i := range odds {
		odds[i] = t.base
	}
	for range o.Rounds {
		for i, e := range examples {
			p := 1 / (1 + math.Exp(-odds[i]))
			g.gradient[i], g.weight[i] = -p, p*(1-p)
			if e.Match {
				g.gradient[i]++
			}
		}
		grown := g.grow()
		for i, e := range examples {
			odds[i] += grown.value(e.Features)
		}
		t.trees = append(t.trees, grown)
	}
	return t, nil
}

// Choose is the one of several ways of growing trees whose probabilities are best,
// by the mean log loss of examples that were held out, one in folds after another; it
// returns that too. Of equals it is the first.
func Choose(examples []Example, folds int, ways []Boosting) (best Boosting, loss float64, err error) {
	if folds < 2 || folds > len(examples) || len(ways) == 0 {
		return best, 0, fmt.Errorf("%d examples in %d folds, %d ways: nothing to choose by", len(examples), folds, len(ways))
	}
	losses := make([]float64, len(ways)*folds)
	err = halves(len(losses), func(i int) (err error) {
		losses[i], err = heldOut(examples, folds, i%folds, ways[i/folds])
		return err
	})
	if err != nil {
		return best, 0, err
	}
	loss = math.Inf(1)
	for w := range ways {
		sum := 0.
		for _, l := range losses[w*folds : (w+1)*folds] {
			sum += l
		}
		if sum /= float64(len(examples)); sum < loss {
			best, loss = ways[w], sum
		}
	}
	return best, loss, nil
}

// heldOut is the sum of the log losses of one fold.
func heldOut(examples []Example, folds, fold int, way Boosting) (float64, error) {
	var rest []Example
	for i, e := range examples {
		if i%folds != fold {
			rest = append(rest, e)
		}
	}
	trees, err := Train(rest, way)
	if err != nil {
		return 0, fmt.Errorf("train without fold %d: %w", fold, err)
	}
	loss := 0.
	for i := fold; i < len(examples); i += folds {
		p, err := trees.Probability(examples[i].Features)
		if err != nil {
			return 0, err
		}
		if !examples[i].Match {
			p = 1 - p
		}
		loss -= math.Log(max(p, 1e-15))
	}
	return loss, nil
}

// Probability is that of a pair to be one thing.
func (t *Trees) Probability(features []float64) (float64, error) {
	if len(features) != t.features {
		return 0, fmt.Errorf("%d features, the trees know %d", len(features), t.features)
	}
	odds := t.base
	for _, grown := range t.trees {
		odds += grown.value(features)
	}
	return 1 / (1 + math.Exp(-odds)), nil
}

func (t *tree) value(features []float64) float64 {
	i := 0
	for t.nodes[i].feature >= 0 {
		// NaN goes right: a comparison with it is false.
		if features[t.nodes[i].feature] <= t.nodes[i].cut {
			i = 2*i + 1
		} else {
			i = 2*i + 2
		}
	}
	return t.nodes[i].value
}

// grower holds the examples by bins of their values, one example's after another's,
// and the space for growing.
type grower struct {
	o                Boosting
	cuts             [][]float64
	bins             []uint8
	gradient, weight []float64
}

func newGrower(examples []Example, o Boosting) *grower {
	n := len(examples)
	features := len(examples[0].Features)
	g := &grower{o: o, bins: make([]uint8, n*features), gradient: make([]float64, n), weight: make([]float64, n)}
	for f := range features {
		values := make([]float64, n)
		for i, e := range examples {
			values[i] = e.Features[f]
		}
		slices.Sort(values)
		distinct := slices.Compact(slices.Clone(values))
		var cuts []float64
		if len(distinct) <= mostCuts {
			for i := 1; i < len(distinct); i++ {
				cuts = append(cuts, (distinct[i-1]+distinct[i])/2)
			}
		} else {
			for q := 1; q <= mostCuts; q++ {
				cuts = append(cuts, values[q*(n-1)/(mostCuts+1)])
			}
			cuts = slices.Compact(cuts)
		}
		for i, e := range examples {
			// The bin is the number of cuts below the value.
			at, _ := slices.BinarySearch(cuts, e.Features[f])
			g.bins[i*features+f] = uint8(at)
		}
		g.cuts = append(g.cuts, cuts)
	}
	return g
}

func (g *grower) grow() tree {
	t := tree{nodes: make([]node, 1<<(g.o.Depth+1)-1)}
	all := make([]int32, len(g.gradient))
	for i := range all {
		all[i] = int32(i)
	}
	g.split(t.nodes, 0, g.o.Depth, all, g.sum(all))
	return t
}

// sums are those of examples, by feature and bin.
type sums [][mostCuts + 1]struct{ gradient, weight float64 }

func (g *grower) sum(examples []int32) sums {
	features := len(g.cuts)
	s := make(sums, features)
	for _, e := range examples {
		d, w := g.gradient[e], g.weight[e]
		for f, bin := range g.bins[int(e)*features : int(e+1)*features] {
			s[f][bin].gradient += d
			s[f][bin].weight += w
		}
	}
	return s
}

// less turns sums into those of the examples that aren't among part's.
func (s sums) less(part sums) {
	for f := range s {
		for bin := range s[f] {
			s[f][bin].gradient -= part[f][bin].gradient
			s[f][bin].weight -= part[f][bin].weight
		}
	}
}

// split makes node i of the examples, whose sums are given, and what is below it.
func (g *grower) split(nodes []node, i, depth int, examples []int32, s sums) {
	var gradient, weight float64
	for _, e := range examples {
		gradient, weight = gradient+g.gradient[e], weight+g.weight[e]
	}
	nodes[i] = node{feature: -1, value: g.o.Rate * gradient / (weight + g.o.Ridge)}
	if depth == 0 {
		return
	}
	worth := gradient * gradient / (weight + g.o.Ridge)
	best, feature, cut := 1e-9, -1, 0
	for f := range s {
		var left, lefts float64
		for c := range g.cuts[f] {
			left, lefts = left+s[f][c].gradient, lefts+s[f][c].weight
			right, rights := gradient-left, weight-lefts
			if lefts < g.o.Leaf || rights < g.o.Leaf {
				continue
			}
			if gain := left*left/(lefts+g.o.Ridge) + right*right/(rights+g.o.Ridge) - worth; gain > best {
				best, feature, cut = gain, f, c
			}
		}
	}
	if feature < 0 {
		return
	}
	nodes[i].feature, nodes[i].cut = feature, g.cuts[feature][cut]
	var left, right []int32
	for _, e := range examples {
		if int(g.bins[int(e)*len(g.cuts)+feature]) <= cut {
			left = append(left, e)
		} else {
			right = append(right, e)
		}
	}
	var ofLeft, ofRight sums
	if depth > 1 { // leaves need none
		// The larger part has what the smaller one hasn't.
		ofLeft, ofRight = s, s
		if len(left) < len(right) {
			ofLeft = g.sum(left)
			ofRight.less(ofLeft)
		} else {
			ofRight = g.sum(right)
			ofLeft.less(ofRight)
		}
	}
	g.split(nodes, 2*i+1, depth-1, left, ofLeft)
	g.split(nodes, 2*i+2, depth-1, right, ofRight)
}
