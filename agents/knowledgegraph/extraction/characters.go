package extraction

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Characters counts in characters (Unicode code points) what spans count in bytes,
// in one pass over the body, which is valid UTF-8. Spans may come in any order and
// overlap. Refused are those outside the body or with an end within a character.
func Characters(body string, spans []Span) ([]Span, error) {
	counted := make([]Span, len(spans))
	at, characters := 0, 0
	for _, end := range ends(spans) {
		if end.at < 0 || end.at > len(body) || end.at < len(body) && !utf8.RuneStart(body[end.at]) {
			return nil, fmt.Errorf("span %d, bytes %d to %d, is not between characters of a body of %d bytes", end.span, spans[end.span].Start, spans[end.span].End, len(body))
		}
		characters += utf8.RuneCountInString(body[at:end.at])
		at = end.at
		end.put(counted, characters)
	}
	return counted, nil
}

// Bytes is the way back: spans that count characters become spans in bytes. Refused
// are those outside the body.
func Bytes(body string, spans []Span) ([]Span, error) {
	counted := make([]Span, len(spans))
	at, characters := 0, 0
	for _, end := range ends(spans) {
		for characters < end.at && at < len(body) {
			_, size := utf8.DecodeRuneInString(body[at:])
			at += size
			characters++
		}
		if characters != end.at {
			return nil, fmt.Errorf("span %d, characters %d to %d, is not within a body of %d bytes", end.span, spans[end.span].Start, spans[end.span].End, len(body))
		}
		end.put(counted, at)
	}
	return counted, nil
}

// spanEnd is one of a span's two ends.
type spanEnd struct {
	at, span int
	last     bool
}

// ends are the spans' ends from left to right.
func ends(spans []Span) []spanEnd {
	all := make([]spanEnd, 0, 2*len(spans))
	for i, s := range spans {
		all = append(all, spanEnd{at: s.Start, span: i}, spanEnd{at: s.End, span: i, last: true})
	}
	slices.SortFunc(all, func(a, b spanEnd) int { return a.at - b.at })
	return all
}

func (e spanEnd) put(spans []Span, at int) {
	if e.last {
		spans[e.span].End = at
	} else {
		spans[e.span].Start = at
	}
}
