package eval

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/relations"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/tagger"
)

const (
	// taggedFolds are those that the train part is read in.
	taggedFolds = 5
	// leastChance is that of an entity that may be part of a relation though the
	// tagger prefers another, or none.
	leastChance = .15
)

// tagged is a sentence and what a tagger that has not seen it makes of it: the best
// entities, and others that may be.
type tagged struct {
	CoNLLSentence
	best, others []tagger.Guess
}

// crossTagged reads each sentence with a tagger that has seen the other folds.
func crossTagged(train []CoNLLSentence) ([]tagged, error) {
	all := make([]tagged, len(train))
	for fold := range taggedFolds {
		var seen []CoNLLSentence
		for _, s := range train {
			if s.fold() != fold {
				seen = append(seen, s)
			}
		}
		names, err := trainNames(seen)
		if err != nil {
			return nil, err
		}
		reader := names.NewReader()
		for i, s := range train {
			if s.fold() == fold {
				all[i] = readNames(reader, s)
			}
		}
	}
	return all, nil
}

func trainNames(seen []CoNLLSentence) (*tagger.Model, error) {
	sentences := make([]tagger.Sentence, len(seen))
	for i, s := range seen {
		sentences[i].Tokens = s.Tokens
		for _, span := range s.Spans {
			sentences[i].Spans = append(sentences[i].Spans, tagger.Span(span))
		}
	}
	return tagger.Train(sentences, tagger.Defaults())
}

func readNames(reader *tagger.Reader, s CoNLLSentence) tagged {
	n := tagged{CoNLLSentence: s, best: reader.Read(s.Tokens, nil)}
	for _, g := range reader.Alternatives(s.Tokens, leastChance) {
		if g.Type != "Other" && !slices.ContainsFunc(n.best, func(b tagger.Guess) bool { return b.Span == g.Span }) {
			n.others = append(n.others, g)
		}
	}
	return n
}

// fold is by content: equal sentences are in one.
func (s CoNLLSentence) fold() int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(s.Tokens, " "))) // a hash takes all
	return int(h.Sum64() % taggedFolds)
}

// has is the relation of two entities, empty where there is none or they are none.
func (s CoNLLSentence) has(head, tail CoNLLSpan) string {
	for _, r := range s.Relations {
		if s.Spans[r.Head] == head && s.Spans[r.Tail] == tail {
			return r.Type
		}
	}
	return ""
}

// examples are all pairs of entities of which one at least may be of a relation: of
// the best ones, and of others in their midst.
func (n tagged) examples() []relations.Example {
	best := arguments(n.best)
	var all []relations.Example
	add := func(s relations.Sentence, i, j int) {
		head, tail := s.Mentions[i], s.Mentions[j]
		all = append(all, relations.Example{Sentence: s, Subject: i, Object: j, Relation: n.has(CoNLLSpan{head.Start, head.End, head.Type}, CoNLLSpan{tail.Start, tail.End, tail.Type})})
	}
	plain := relations.Sentence{Words: n.Tokens, Mentions: best}
	for i := range best {
		for j := range best {
			if i != j {
				add(plain, i, j)
			}
		}
	}
	others := arguments(n.others)
	every := slices.Concat(best, others)
	for i, a := range others {
		for j, b := range every {
			if j == len(best)+i || overlap(a, b) || j > len(best)+i {
				continue
			}
			s := relations.Sentence{Words: n.Tokens, Mentions: []relations.Argument{a, b}}
			for _, m := range best {
				if !overlap(m, a) && !overlap(m, b) {
					s.Mentions = append(s.Mentions, m)
				}
			}
			slices.SortFunc(s.Mentions, func(a, b relations.Argument) int { return cmp.Compare(a.Start, b.Start) })
			x, y := slices.Index(s.Mentions, a), slices.Index(s.Mentions, b)
			add(s, x, y)
			add(s, y, x)
		}
	}
	return all
}

// known is the sentence as it is, with the chance that the tagger gives its entities.
func (n tagged) known() tagged {
	k := tagged{CoNLLSentence: n.CoNLLSentence}
	for _, span := range n.Spans {
		g := tagger.Guess{Span: tagger.Span(span)}
		for _, other := range slices.Concat(n.best, n.others) {
			if other.Span == g.Span {
				g.Confidence = other.Confidence
			}
		}
		k.best = append(k.best, g)
	}
	return k
}

// toldAll are sentences whose entities are told.
func toldAll(sentences []CoNLLSentence) []tagged {
	all := make([]tagged, len(sentences))
	for i, s := range sentences {
		all[i].CoNLLSentence = s
		for _, span := range s.Spans {
			all[i].best = append(all[i].best, tagger.Guess{Span: tagger.Span(span), Confidence: 1})
		}
	}
	return all
}

func arguments(guesses []tagger.Guess) []relations.Argument {
	all := make([]relations.Argument, len(guesses))
	for i, g := range guesses {
		all[i] = relations.Argument{Start: g.Start, End: g.End, Type: g.Type, Confidence: g.Confidence}
	}
	return all
}

func overlap(a, b relations.Argument) bool { return a.Start < b.End && b.Start < a.End }
