package resolution_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// either is a match where one of two similarities is high, but not both: no weights of
// single features tell it.
func either(n int, seed uint64) []resolution.Example {
	r := rand.New(rand.NewPCG(seed, 0))
	examples := make([]resolution.Example, n)
	for i := range examples {
		x, y := r.Float64(), r.Float64()
		examples[i] = resolution.Example{Features: []float64{x, r.Float64(), y}, Match: (x > .6) != (y > .3)}
	}
	return examples
}

var plainTrees = resolution.Boosting{Rounds: 60, Depth: 3, Rate: .2, Leaf: 1, Ridge: 1}

func TestTreesLearnAnInteraction(t *testing.T) {
	t.Parallel()
	trees, err := resolution.Train(either(2000, 1), plainTrees)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, e := range either(1000, 2) {
		p, err := trees.Probability(e.Features)
		if err != nil {
			t.Fatal(err)
		}
		if !(p > 0 && p < 1) {
			t.Fatalf("probability %v", p)
		}
		if (p >= .5) == e.Match {
			right++
		}
	}
	if right < 960 {
		t.Errorf("%d of 1,000 right", right)
	}
	if _, err := trees.Probability([]float64{1}); err == nil {
		t.Error("a pair of too few features was told")
	}
	if p, err := trees.Probability([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}); err != nil || !(p > 0 && p < 1) {
		t.Errorf("of what is no number: %v, %v", p, err)
	}
}

func TestTreesAreTheSameTwice(t *testing.T) {
	t.Parallel()
	examples := either(500, 3)
	first, err := resolution.Train(examples, plainTrees)
	if err != nil {
		t.Fatal(err)
	}
	second, err := resolution.Train(examples, plainTrees)
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("other trees, %v", err)
	}
}

func TestChooseTakesWhatHoldsOut(t *testing.T) {
	t.Parallel()
	stump := plainTrees
	stump.Depth = 1 // can't see two features together
	best, loss, err := resolution.Choose(either(1000, 4), 5, []resolution.Boosting{stump, plainTrees, plainTrees})
	if err != nil || best != plainTrees {
		t.Errorf("chose %+v, %v", best, err)
	}
	if !(loss > 0 && loss < .3) {
		t.Errorf("log loss %v", loss)
	}
}

func TestTrainRefuses(t *testing.T) {
	t.Parallel()
	good := either(100, 5)
	changed := func(by func(*resolution.Boosting)) resolution.Boosting {
		o := plainTrees
		by(&o)
		return o
	}
	for _, c := range []struct {
		name     string
		examples []resolution.Example
		o        resolution.Boosting
	}{
		{"no example", nil, plainTrees},
		{"examples of one kind", []resolution.Example{{[]float64{1}, true}, {[]float64{2}, true}}, plainTrees},
		{"unequal lengths", []resolution.Example{{[]float64{1}, true}, {[]float64{2, 3}, false}}, plainTrees},
		{"no features", []resolution.Example{{nil, true}, {nil, false}}, plainTrees},
		{"no number", []resolution.Example{{[]float64{math.NaN()}, true}, {[]float64{2}, false}}, plainTrees},
		{"no rounds", good, changed(func(o *resolution.Boosting) { o.Rounds = 0 })},
		{"too deep", good, changed(func(o *resolution.Boosting) { o.Depth = 9 })},
		{"no rate", good, changed(func(o *resolution.Boosting) { o.Rate = 0 })},
		{"no ridge", good, changed(func(o *resolution.Boosting) { o.Ridge = 0 })},
	} {
		if _, err := resolution.Train(c.examples, c.o); err == nil {
			t.Errorf("%s was taken", c.name)
		}
	}
	for name, choose := range map[string]func() error{
		"one fold": func() error { _, _, err := resolution.Choose(good, 1, []resolution.Boosting{plainTrees}); return err },
		"more folds than examples": func() error {
			_, _, err := resolution.Choose(good, 101, []resolution.Boosting{plainTrees})
			return err
		},
		"no way": func() error { _, _, err := resolution.Choose(good, 5, nil); return err },
	} {
		if choose() == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// BenchmarkTrain grows 100 trees of 5,000 examples.
func BenchmarkTrain(b *testing.B) {
	examples := either(5000, 6)
	o := plainTrees
	o.Rounds = 100
	for b.Loop() {
		if _, err := resolution.Train(examples, o); err != nil {
			b.Fatal(err)
		}
	}
}
