package tagger

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomLattice is n tokens with random scores.
func randomLattice(random *rand.Rand, types []string, n int) *lattice {
	set := newTagset(types)
	l := &lattice{set: &set, transitions: make([]float32, set.size*set.size)}
	l.room(n)
	for i := range l.emissions {
		l.emissions[i] = float32(random.NormFloat64() * 3)
	}
	for i := range l.transitions {
		l.transitions[i] = float32(random.NormFloat64() * 3)
	}
	return l
}

// ways calls with each way to tag the sentence and its score.
func ways(l *lattice, call func(tags []uint8, score float64)) {
	n, size := len(l.tags), l.set.size
	var next func(tags []uint8, score float64)
	next = func(tags []uint8, score float64) {
		i := len(tags)
		if i == n {
			if !l.set.open[tags[n-1]] {
				call(tags, score)
			}
			return
		}
		for tag := range size {
			s := score + float64(l.emissions[i*size+tag])
			if i == 0 {
				if !l.set.enters(tag) {
					continue
				}
			} else {
				if !l.set.follows(int(tags[i-1]), tag) {
					continue
				}
				s += float64(l.transitions[int(tags[i-1])*size+tag])
			}
			next(append(slices.Clone(tags), uint8(tag)), s)
		}
	}
	next(nil, 0)
}

func TestDecodeFindsTheBestWay(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 5; n++ {
		for range 20 {
			l := randomLattice(random, []string{"a", "b"}, n)
			var want []uint8
			best := math.Inf(-1)
			ways(l, func(tags []uint8, score float64) {
				if score > best {
					want, best = tags, score
				}
			})
			if got := l.decode(); !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	}
}

func TestChancesAreSharesOfWays(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for n := 1; n <= 4; n++ {
		for range 10 {
			l := randomLattice(random, []string{"a", "b"}, n)
			for _, sharpness := range []float64{.1, .5, 1} {
				weights := map[Span]float64{}
				all := 0.
				ways(l, func(tags []uint8, score float64) {
					w := math.Exp(score * sharpness)
					all += w
					for _, span := range l.set.spans(tags) {
						weights[span] += w
					}
				})
				var c chances
				c.read(l, sharpness)
				for span, w := range weights {
					if got := c.of(l, span); math.Abs(got-w/all) > 1e-9 {
						t.Fatalf("%v of %d tokens: %v, want %v", span, n, got, w/all)
					}
				}
			}
		}
	}
}

func TestNoScoresBreakTheOrderOfTags(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		l := randomLattice(random, []string{"a", "b", "c"}, 1+random.IntN(30))
		scale := float32(math.Pow(10, float64(random.IntN(9)-3)))
		for i := range l.emissions {
			l.emissions[i] *= scale
		}
		for range random.IntN(4) {
			l.fix(random.IntN(len(l.tags)), outside)
		}
		tags := l.decode()
		if !l.set.enters(int(tags[0])) || l.set.open[tags[len(tags)-1]] {
			t.Fatalf("%v begins within a name or ends there", tags)
		}
		for i := 1; i < len(tags); i++ {
			if !l.set.follows(int(tags[i-1]), int(tags[i])) {
				t.Fatalf("%v: %d after %d", tags, tags[i], tags[i-1])
			}
		}
		if again := l.set.tags(l.set.spans(tags), len(tags)); !slices.Equal(again, tags) {
			t.Fatalf("%v as spans is %v", tags, again)
		}
		var c chances
		c.read(l, 1)
		for _, span := range l.set.spans(tags) {
			if p := c.of(l, span); !(p >= 0 && p <= 1) {
				t.Fatalf("chance %v", p)
			}
		}
	}
}
