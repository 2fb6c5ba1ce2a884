package tagger

import (
	"cmp"
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// places are what was found in a message before, in order, to be met sentence by
// sentence.
type places struct {
	all  []place
	next int
}

// unaligned is the type of what begins or ends within a token.
const unaligned = "?"

// place has no type where it is a contact.
type place struct {
	extraction.Span
	kind extraction.Type
}

func newPlaces(found extraction.Found) *places {
	p := &places{}
	for _, m := range found.Mentions {
		p.all = append(p.all, place{m.Span, m.Type})
	}
	for _, c := range found.Contacts {
		p.all = append(p.all, place{Span: c.Span})
	}
	slices.SortFunc(p.all, func(a, b place) int {
		return cmp.Or(a.Start-b.Start, a.End-b.End, cmp.Compare(a.kind, b.kind))
	})
	return p
}

// among are the places within the next sentence's tokens. A place that doesn't begin
// and end with tokens is unaligned, and of all that it touches. given says whether a
// span touches one.
func (p *places) among(tokens []extraction.Span) (known []Span, given func(Span) bool) {
	at := 0
	for ; p.next < len(p.all); p.next++ {
		next := p.all[p.next]
		for at < len(tokens) && tokens[at].End <= next.Start {
			at++
		}
		if at == len(tokens) {
			break
		}
		end := at
		for end < len(tokens) && tokens[end].Start < next.End {
			end++
		}
		if end == at { // between tokens, or before this sentence
			continue
		}
		if len(known) > 0 && known[len(known)-1].End > at {
			continue
		}
		kind := string(next.kind)
		if tokens[at].Start != next.Start || tokens[end-1].End != next.End {
			kind = unaligned
		}
		known = append(known, Span{at, end, kind})
		if end == len(tokens) && next.End > tokens[end-1].End {
			break // it goes on in the next sentence
		}
	}
	return known, func(span Span) bool {
		return slices.ContainsFunc(known, func(k Span) bool { return k.Start < span.End && span.Start < k.End })
	}
}
