// Package tagger finds names in running text: an averaged structured perceptron over
// BILOU tags (Collins 2002; Ratinov and Roth 2009), with Viterbi under the tags' hard
// order and forward-backward for confidences. It learns from the text it is given and
// nothing else; the same sentences in any order give the same model to the byte.
package tagger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Sentence is one to learn from.
type Sentence struct {
	Tokens []string
	// Spans are its names, in the order of their places, none overlapping another.
	Spans []Span
	// Unknown are tokens of which nobody knows whether they are of a name; it is empty
	// where all is known.
	Unknown []bool
}

// Span is a name: tokens from 0, the end excluded.
type Span struct {
	Start, End int
	Type       string
}

// check refuses what can't be learnt from.
func (s Sentence) check() error {
	if len(s.Unknown) != 0 && len(s.Unknown) != len(s.Tokens) {
		return fmt.Errorf("%d tokens, but %d say whether they are known", len(s.Tokens), len(s.Unknown))
	}
	end := 0
	for _, span := range s.Spans {
		if span.Start < end || span.End <= span.Start || span.End > len(s.Tokens) {
			return fmt.Errorf("a name at %d to %d of %d tokens, after one that ends at %d", span.Start, span.End, len(s.Tokens), end)
		}
		if span.Type == "" {
			return errors.New("a name without type")
		}
		end = span.End
	}
	return nil
}

// compare puts sentences in order of their content.
func (s Sentence) compare(o Sentence) int {
	return cmp.Or(
		slices.Compare(s.Tokens, o.Tokens),
		slices.CompareFunc(s.Spans, o.Spans, func(a, b Span) int {
			return cmp.Or(a.Start-b.Start, a.End-b.End, cmp.Compare(a.Type, b.Type))
		}),
		slices.CompareFunc(s.Unknown, o.Unknown, func(a, b bool) int {
			switch {
			case a == b:
				return 0
			case a:
				return 1
			}
			return -1
		}),
	)
}

// hash is of the tokens.
func (s Sentence) hash() uint64 {
	h := uint64(hashBasis)
	for _, token := range s.Tokens {
		for _, r := range token {
			h = hashRune(h, r)
		}
		h = mix(h, 1)
	}
	return h
}

// fold is one of n, by content.
func (s Sentence) fold(n int) int { return int(mix(s.hash(), 2) % uint64(n)) }

func (s Sentence) has(span Span) bool { return slices.Contains(s.Spans, span) }

// touchesUnknown says whether a token of the span is unknown.
func (s Sentence) touchesUnknown(span Span) bool {
	return len(s.Unknown) > 0 && slices.Contains(s.Unknown[span.Start:span.End], true)
}
