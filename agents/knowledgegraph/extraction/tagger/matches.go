package tagger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// learnt are the types of names that are learnt from what a gazetteer finds: those
// that stand for names and not for words.
var learnt = []extraction.Type{extraction.Company, extraction.Location, extraction.Person}

const (
	// minNames and minSentences are the least to learn a tagger from, minTypeNames a
	// type: different names, and sentences with one.
	minNames, minTypeNames, minSentences = 30, 10, 100
	// maxMatched is how many sentences with names are learnt from, and as many again
	// without at most.
	maxMatched = 4000
)

// TrainMatches learns from what a gazetteer has found in messages: found[i] is of
// messages[i], whose order is of no matter. ErrTooLittle where there are too few
// names or sentences; then there is no tagger.
func TrainMatches(messages []extraction.Message, found []extraction.Found) (*Model, error) {
	if len(messages) != len(found) {
		return nil, fmt.Errorf("train tagger: %d messages, but %d were read", len(messages), len(found))
	}
	sorted, types, err := arrange(FromMatches(messages, found))
	if err != nil {
		return nil, fmt.Errorf("train tagger: %w", err)
	}
	names, matched := map[string]bool{}, 0
	for _, sentence := range sorted {
		if len(sentence.Spans) > 0 {
			matched++
		}
		for _, span := range sentence.Spans {
			names[sentence.name(span)] = true
		}
	}
	if len(names) < minNames || matched < minSentences {
		return nil, fmt.Errorf("train tagger: %w: %d names in %d sentences, and %d in %d are needed", ErrTooLittle, len(names), matched, minNames, minSentences)
	}
	s := matchSettings
	m := fit(sorted, types, s)
	m.calibration = calibrate(byName(sorted, types, s))
	return m, nil
}

// matchSettings hide the names' identity more often than Defaults: the names to find
// are those that aren't among the matches.
var matchSettings = Settings{Epochs: 6, Runs: 3, MinCount: 2, Mask: .5, Margin: 3, Folds: 3, Seed: 1}

// FromMatches are sentences to learn from: those with names of enough different ones
// of their type, and a sample of the others, by content. Capitals that were not
// matched may be names that nobody has listed, so such tokens are unknown, save where
// the messages have the word mostly in lower case.
func FromMatches(messages []extraction.Message, found []extraction.Found) []Sentence {
	var all []Sentence
	written := map[uint64]counts{}
	kinds := map[string]map[string]bool{}
	for i, m := range messages {
		taken := newPlaces(found[i])
		sentences(m.Body, func(tokens []extraction.Span) {
			sentence := Sentence{Unknown: make([]bool, len(tokens))}
			for _, token := range tokens {
				sentence.Tokens = append(sentence.Tokens, m.Body[token.Start:token.End])
			}
			sentence.Spans, _ = taken.among(tokens)
			count(written, sentence.Tokens)
			for _, span := range sentence.Spans {
				if kinds[span.Type] == nil {
					kinds[span.Type] = map[string]bool{}
				}
				kinds[span.Type][sentence.name(span)] = true
			}
			all = append(all, sentence)
		})
	}
	var matched, others []Sentence
	for _, sentence := range all {
		if sentence.doubt(written, func(kind string) bool { return len(kinds[kind]) >= minTypeNames }); len(sentence.Spans) > 0 {
			matched = append(matched, sentence)
		} else {
			others = append(others, sentence)
		}
	}
	matched = sample(matched, maxMatched)
	return append(matched, sample(others, len(matched))...)
}

// doubt leaves only spans to be learnt, and marks what is unknown.
func (s *Sentence) doubt(written map[uint64]counts, enough func(kind string) bool) {
	within := make([]bool, len(s.Tokens))
	var kept []Span
	for _, span := range s.Spans {
		for i := span.Start; i < span.End; i++ {
			within[i] = true
		}
		switch {
		case span.Type != unaligned && !slices.Contains(learnt, extraction.Type(span.Type)):
			// A word, money, a date or an address: no name.
		case span.Type != unaligned && enough(span.Type):
			kept = append(kept, span)
		default:
			for i := span.Start; i < span.End; i++ {
				s.Unknown[i] = true
			}
		}
	}
	s.Spans = kept
	for i, token := range s.Tokens {
		w := readWord(token)
		c := written[w.core]
		if !within[i] && w.capital && !ordinary[strings.ToLower(token)] && (c.lower == 0 || c.lower < c.capital) {
			s.Unknown[i] = true
		}
	}
}

// count counts how words are written, where it isn't for beginning a sentence.
func count(written map[uint64]counts, tokens []string) {
	for i, token := range tokens {
		w := readWord(token)
		c := written[w.core]
		switch {
		case w.lower:
			c.add(counts{lower: 1}, 1)
		case w.capital && i > 0:
			c.add(counts{capital: 1}, 1)
		default:
			continue
		}
		written[w.core] = c
	}
}

// sample are at most n sentences, by a hash of their content, equal ones once.
func sample(all []Sentence, n int) []Sentence {
	slices.SortFunc(all, func(a, b Sentence) int { return cmp.Or(cmp.Compare(a.hash(), b.hash()), a.compare(b)) })
	all = slices.CompactFunc(all, func(a, b Sentence) bool { return a.compare(b) == 0 })
	return all[:min(n, len(all))]
}

// name is how a span is written, whatever its case.
func (s *Sentence) name(span Span) string {
	return strings.ToLower(strings.Join(s.Tokens[span.Start:span.End], " "))
}

// byName hides the names of one fold after the other, as if nobody had listed them,
// and looks for them by a model of the rest. Every name that is found counts, save
// those that touch what is unknown anyway, where nobody knows.
func byName(sentences []Sentence, types []string, s Settings) []trial {
	var trials []trial
	for fold := range s.Folds {
		hidden := make([]Sentence, len(sentences))
		for i, sentence := range sentences {
			hidden[i] = sentence.hide(func(span Span) bool {
				return Sentence{Tokens: []string{sentence.name(span)}}.fold(s.Folds) == fold
			})
		}
		r := fit(hidden, types, s).NewReader()
		for i, sentence := range sentences {
			for _, span := range r.decode(sentence.Tokens, hidden[i].Spans) {
				if sentence.touchesUnknown(span) || hidden[i].has(span) {
					continue
				}
				trials = append(trials, r.try(span, sentence.has(span)))
			}
		}
	}
	return trials
}

// hide makes the spans for which it is asked unknown.
func (s Sentence) hide(which func(Span) bool) Sentence {
	hidden := Sentence{Tokens: s.Tokens, Unknown: slices.Clone(s.Unknown)}
	for _, span := range s.Spans {
		if !which(span) {
			hidden.Spans = append(hidden.Spans, span)
			continue
		}
		for i := span.Start; i < span.End; i++ {
			hidden.Unknown[i] = true
		}
	}
	return hidden
}
