package tagger

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// grammar makes sentences of a small language in which context tells types: people
// speak, places are where things are, firms pay. Names are made up of syllables.
type grammar struct{ random *rand.Rand }

func newGrammar(seed uint64) grammar { return grammar{rand.New(rand.NewPCG(seed, 7))} }

func (g grammar) word() string {
	syllables := []string{"ba", "ko", "ri", "ten", "mu", "sa", "lo", "vi", "dar", "nel", "go", "pi"}
	var b strings.Builder
	for range 2 + g.random.IntN(2) {
		b.WriteString(syllables[g.random.IntN(len(syllables))])
	}
	return strings.ToUpper(b.String()[:1]) + b.String()[1:]
}

func (g grammar) sentence() Sentence {
	var s Sentence
	put := func(words ...string) { s.Tokens = append(s.Tokens, words...) }
	name := func(kind string, words ...string) {
		s.Spans = append(s.Spans, Span{len(s.Tokens), len(s.Tokens) + len(words), kind})
		put(words...)
	}
	switch g.random.IntN(4) {
	case 0:
		name("person", g.word(), g.word())
		put("said", "that", "it", "rains", "in")
		name("location", g.word())
	case 1:
		put("the", "invoice", "was", "paid", "by")
		name("company", "PT", g.word(), g.word())
		put("for")
		name("person", g.word())
	case 2:
		put("We", "wait", "for", "the", "papers")
	case 3:
		put("Mr")
		name("person", g.word())
		put("lives", "in")
		name("location", g.word(), g.word())
	}
	put(".")
	return s
}

func (g grammar) sentences(n int) []Sentence {
	all := make([]Sentence, n)
	for i := range all {
		all[i] = g.sentence()
	}
	return all
}

// quick are settings for tests of what doesn't depend on how well is learnt.
var quick = Settings{Epochs: 3, Runs: 1, MinCount: 1, Mask: .2, Margin: 1, Folds: 2, Seed: 1}

func spansText(s Sentence, spans []Span) []string {
	var all []string
	for _, span := range spans {
		all = append(all, fmt.Sprintf("%s: %s", span.Type, strings.Join(s.Tokens[span.Start:span.End], " ")))
	}
	return all
}
