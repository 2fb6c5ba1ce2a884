package tagger

import "slices"

// Tags by number: 0 is outside, then for each type begin, inside, last and unit.
const (
	outside = 0

	begin  = 0
	inside = 1
	last   = 2
	unit   = 3

	// perType is how many tags a type has.
	perType = 4
)

// maxTypes keeps a tag's number within a byte.
const maxTypes = 16

// tagset is the tags of a model's types and which may follow which.
type tagset struct {
	types []string // in order
	size  int
	// open tags go on within a name: begin and inside.
	open []bool
	// free may follow what is not open, and begin a sentence; closing ones may end it
	// and are followed by free ones: outside, last and unit.
	free, closing []int
	// before are for each tag those that it may follow.
	before [][]int
}

func newTagset(types []string) tagset {
	s := tagset{types: types, size: 1 + perType*len(types)}
	s.open = make([]bool, s.size)
	s.free, s.closing = []int{outside}, []int{outside}
	for t := range types {
		s.open[tagOf(t, begin)], s.open[tagOf(t, inside)] = true, true
		s.free = append(s.free, tagOf(t, begin), tagOf(t, unit))
		s.closing = append(s.closing, tagOf(t, last), tagOf(t, unit))
	}
	s.before = make([][]int, s.size)
	for tag := range s.size {
		for before := range s.size {
			if s.follows(before, tag) {
				s.before[tag] = append(s.before[tag], before)
			}
		}
	}
	return s
}

// enters says whether a tag may begin a sentence.
func (s tagset) enters(tag int) bool { return slices.Contains(s.free, tag) }

func tagOf(kind, place int) int { return 1 + perType*kind + place }

// follows says whether a tag may stand right after another.
func (s tagset) follows(before, tag int) bool {
	if !s.open[before] {
		return slices.Contains(s.free, tag)
	}
	kind := (before - 1) / perType
	return tag == tagOf(kind, inside) || tag == tagOf(kind, last)
}

// tags are the tags of n tokens that spans say; spans of types that aren't in the
// set are none.
func (s tagset) tags(spans []Span, n int) []uint8 {
	tags := make([]uint8, n)
	for _, span := range spans {
		kind := slices.Index(s.types, span.Type)
		if kind < 0 {
			continue
		}
		if span.End == span.Start+1 {
			tags[span.Start] = uint8(tagOf(kind, unit))
			continue
		}
		for i := span.Start; i < span.End; i++ {
			tags[i] = uint8(tagOf(kind, inside))
		}
		tags[span.Start], tags[span.End-1] = uint8(tagOf(kind, begin)), uint8(tagOf(kind, last))
	}
	return tags
}

// spans are those that tags say, which must keep to follows.
func (s tagset) spans(tags []uint8) []Span {
	var spans []Span
	start := 0
	for i, tag := range tags {
		if tag == outside {
			continue
		}
		kind, place := (int(tag)-1)/perType, (int(tag)-1)%perType
		if place == begin || place == unit {
			start = i
		}
		if place == last || place == unit {
			spans = append(spans, Span{start, i + 1, s.types[kind]})
		}
	}
	return spans
}
