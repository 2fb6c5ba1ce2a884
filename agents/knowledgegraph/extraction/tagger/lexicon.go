package tagger

// lexicon is what the sentences of training say of words and names, by the hash of
// their cores. A sentence of training sees it without what it said itself, else a
// word's own tag would be its best feature, and that of no other text.
type lexicon struct {
	kinds int
	words map[uint64]counts
	// names are counts by type of whole names, by the hash of their words.
	names map[uint64]counts
}

// counts are occurrences: outside of names, by type within, and in lower case, or
// with a capital where no sentence begins.
type counts struct {
	outside, lower, capital uint16
	in                      [maxTypes]uint16
}

// maxNameWords is the longest name that is looked up as a whole.
const maxNameWords = 6

const maxCount = 1<<16 - 1

func (c *counts) add(o counts, sign int) {
	sum := func(a, b uint16) uint16 { return uint16(min(max(int(a)+sign*int(b), 0), maxCount)) }
	c.outside, c.lower, c.capital = sum(c.outside, o.outside), sum(c.lower, o.lower), sum(c.capital, o.capital)
	for t := range c.in {
		c.in[t] = sum(c.in[t], o.in[t])
	}
}

// learn counts a sentence's words and names into l.
func (l *lexicon) learn(words []word, e *example) {
	name, from := uint64(hashBasis), 0
	for i, w := range words {
		var c counts
		kind, place := (int(e.tags[i])-1)/perType, (int(e.tags[i])-1)%perType
		switch {
		case !e.known(i):
		case e.tags[i] == outside:
			c.outside = 1
		default:
			c.in[kind] = 1
		}
		if w.lower {
			c.lower = 1
		} else if w.capital && i > 0 {
			c.capital = 1
		}
		l.add(l.words, w.core, c)
		if e.tags[i] == outside {
			continue
		}
		if place == begin || place == unit {
			name, from = hashBasis, i
		}
		name = mix(name, w.core)
		if (place == last || place == unit) && i-from < maxNameWords {
			var c counts
			c.in[kind] = 1
			l.add(l.names, name, c)
		}
	}
}

func (l *lexicon) add(to map[uint64]counts, key uint64, c counts) {
	sum := to[key]
	sum.add(c, 1)
	to[key] = sum
}

func newLexicon(kinds int) lexicon {
	return lexicon{kinds: kinds, words: map[uint64]counts{}, names: map[uint64]counts{}}
}

// look writes into words what the lexicon knows of them, less what own has, which
// may be nil.
func (l *lexicon) look(words []word, own *lexicon) {
	for i := range words {
		w := &words[i]
		c := l.words[w.core]
		if own != nil {
			c.add(own.words[w.core], -1)
		}
		w.known, w.cased = c.known(l.kinds), c.cased()
	}
}

// known is a class of a word by what it was most of, how surely, and how often.
func (c counts) known(kinds int) uint64 {
	n, most, best := int(c.outside), int(c.outside), 0
	for t := range kinds {
		n += int(c.in[t])
		if int(c.in[t]) > most {
			most, best = int(c.in[t]), t+1
		}
	}
	if n == 0 {
		return 0
	}
	sure := 0
	switch {
	case most == n:
		sure = 2
	case most*4 >= n*3:
		sure = 1
	}
	return uint64(1 + best*16 + sure*4 + often(n))
}

// cased is a class of a word by how it is written elsewhere.
func (c counts) cased() uint64 {
	n := int(c.lower) + int(c.capital)
	if n == 0 {
		return 0
	}
	share := uint64(1)
	switch {
	case c.lower == 0:
		share = 0
	case c.capital == 0:
		share = 3
	case c.lower > c.capital:
		share = 2
	}
	return 1 + share*4 + uint64(often(n))
}

func often(n int) int {
	switch {
	case n == 1:
		return 0
	case n <= 3:
		return 1
	case n <= 10:
		return 2
	}
	return 3
}
