package conversation

import (
	"math"
	"slices"
)

// Kind is what sort of feature one is.
type Kind string

// The kinds of features. Those above a median are binary by a cut that no outcome
// has a say in: the median of the conversations up to the split.
const (
	Ngram        Kind = "ngram"          // the agent says it, within one sentence
	Length       Kind = "length"         // more words a turn than the median
	Turns        Kind = "turns"          // more turns of the agent than the median
	Questions    Kind = "questions"      // a larger part of the agent's turns asks than the median
	ResponseTime Kind = "response_time"  // the agent's median answer comes later than the median
	CallToAction Kind = "call_to_action" // the agent says one of the lexicon's phrases
	Money        Kind = "money"          // the agent names an amount of money
	Politeness   Kind = "politeness"     // the agent says one of the lexicon's phrases
)

// Kinds are all of them.
var Kinds = []Kind{Ngram, Length, Turns, Questions, ResponseTime, CallToAction, Money, Politeness}

// Feature is what a conversation has or has not. Names of features that are no
// n-grams have an underscore, which no n-gram has.
type Feature struct {
	Kind Kind
	Name string
	// Above is the cut of a feature that is a number: words, turns, a part, seconds.
	Above *float64
	// Z is the log-odds z-score of an n-gram, by how often it is said.
	Z *float64

	in []uint32 // the conversations that have it, ascending
	of []uint32 // those that may; nil is all
}

// Settings are how patterns are looked for.
type Settings struct {
	// MinSupport is how many conversations must have a feature, and have it not.
	MinSupport int
	// Q is the accepted part of false discoveries.
	Q float64
	// Prior is a₀, the weight of the Dirichlet prior, in tokens.
	Prior float64
	// Later is the part of the conversations, the latest, that confirms.
	Later float64
}

// DefaultSettings are those of the agent.
func DefaultSettings() Settings { return Settings{MinSupport: 30, Q: .1, Prior: 1000, Later: .3} }

// Split is how many conversations lie in the earlier part: those that begin at one
// instant stay together.
func (c *Corpus) Split(later float64) int {
	n := len(c.Conversations)
	split := n - int(later*float64(n))
	for split > 0 && split < n && c.Conversations[split].StartedAt == c.Conversations[split-1].StartedAt {
		split++
	}
	return split
}

// Features are the corpus's features that enough of the first split conversations
// have, and have not, in a fixed order.
func (c *Corpus) Features(split int, s Settings) []Feature {
	var all []Feature
	grams := c.ngrams(split, s.MinSupport)
	scores := zOfGrams(grams, s.Prior)
	for i, g := range grams {
		all = append(all, Feature{Kind: Ngram, Name: g.text, Z: &scores[i], in: g.in})
	}
	number := func(kind Kind, name string, value func(facts) float64) {
		all = append(all, c.above(kind, name, split, value))
	}
	number(Length, "turn_length", func(f facts) float64 { return float64(f.words) / float64(f.turns) })
	number(Turns, "turn_count", func(f facts) float64 { return float64(f.turns) })
	number(Questions, "question_rate", func(f facts) float64 { return float64(f.asking) / float64(f.turns) })
	number(ResponseTime, "response_time", func(f facts) float64 {
		if f.response < 0 {
			return math.NaN()
		}
		return float64(f.response) / 1e6
	})
	all = append(all, Feature{Kind: Money, Name: "money_mentioned", in: c.having(func(f facts) bool { return f.money })})
	for m, one := range markers {
		all = append(all, Feature{Kind: one.kind, Name: one.feature, in: c.having(func(f facts) bool { return f.marks&(1<<m) != 0 })})
	}
	return slices.DeleteFunc(all, func(f Feature) bool {
		of := split
		if f.of != nil {
			of = below(f.of, split)
		}
		with := below(f.in, split)
		return with < s.MinSupport || of-with < s.MinSupport
	})
}

// below is how many of ascending numbers lie below one.
func below(in []uint32, split int) int {
	n, _ := slices.BinarySearch(in, uint32(split))
	return n
}

func (c *Corpus) having(has func(facts) bool) []uint32 {
	in := []uint32{}
	for i, f := range c.facts {
		if has(f) {
			in = append(in, uint32(i))
		}
	}
	return in
}

// above makes a number binary by the median of the first split conversations; where
// it is not known (NaN) the conversation is not one of those that may have it.
func (c *Corpus) above(kind Kind, name string, split int, value func(facts) float64) Feature {
	f := Feature{Kind: kind, Name: name, of: []uint32{}}
	values := make([]float64, len(c.facts))
	var first []float64
	for i, one := range c.facts {
		values[i] = value(one)
		if math.IsNaN(values[i]) {
			continue
		}
		f.of = append(f.of, uint32(i))
		if i < split {
			first = append(first, values[i])
		}
	}
	if len(first) == 0 {
		return f
	}
	slices.Sort(first)
	cut := first[(len(first)-1)/2]
	f.Above = &cut
	for _, i := range f.of {
		if values[i] > cut {
			f.in = append(f.in, i)
		}
	}
	return f
}
