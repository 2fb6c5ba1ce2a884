package tagger

// features emits a token's features as hashes. Those that tell which name it is come
// first, so that training can leave them out.
type features struct {
	words []word
	// named is for each token its place and type within a name that the lexicon has.
	named []uint64
	// runs are for each token the first and one past the last of the run of
	// capitalised words that it is in; equal where there is none.
	runs [][2]int
	// quoted: an odd number of quotation marks so far; caps: the sentence has no
	// word in lower case.
	quoted []bool
	caps   bool
}

// edge stands for what is before a sentence and behind it.
var edge = word{exact: 1, core: 1, shape: 1}

func (f *features) at(i int) *word {
	if i < 0 || i >= len(f.words) {
		return &edge
	}
	return &f.words[i]
}

// read prepares for a sentence's words, which the lexicon has seen.
func (f *features) read(words []word, l, own *lexicon) {
	f.words = words
	l.look(words, own)
	f.named = f.named[:0]
	f.runs = f.runs[:0]
	f.quoted = f.quoted[:0]
	f.caps = true
	for range words {
		f.named = append(f.named, 0)
	}
	for i := 0; i < len(words); {
		i = l.nameAt(words, i, own, f.named)
	}
	odd := false
	for i := range words {
		w := &words[i]
		if w.lower {
			f.caps = false
		}
		if w.core == quoteMark {
			odd = !odd
		}
		f.quoted = append(f.quoted, odd)
		if i < len(f.runs) {
			continue
		}
		if !w.capital {
			f.runs = append(f.runs, [2]int{i, i})
			continue
		}
		end := runEnd(words, i)
		for range end - i {
			f.runs = append(f.runs, [2]int{i, end})
		}
	}
}

// runEnd is where the run of capitalised words that begins at i ends: at
// punctuation, or a word in lower case that isn't "of" between two capitals.
func runEnd(words []word, i int) int {
	end := i + 1
	for end < len(words) && end-i < maxRun && !words[end-1].ends {
		switch {
		case words[end].capital:
			end++
		case words[end].core == ofWord && end+1 < len(words) && words[end+1].capital:
			end += 2
		default:
			return end
		}
	}
	return end
}

// maxRun is the longest run in words, but for one "of".
const maxRun = 12

var (
	quoteMark = readWord(`"`).core
	ofWord    = readWord("of").core
)

// nameAt marks the longest known name that begins at i and returns where to look on.
func (l *lexicon) nameAt(words []word, i int, own *lexicon, named []uint64) int {
	if words[i].known == 0 {
		return i + 1
	}
	key, end, kind := uint64(hashBasis), i, 0
	for n := 0; n < maxNameWords && i+n < len(words); n++ {
		key = mix(key, words[i+n].core)
		c, found := l.names[key]
		if !found {
			continue
		}
		if own != nil {
			c.add(own.names[key], -1)
		}
		most := uint16(0)
		for t := range l.kinds {
			if c.in[t] > most {
				most, kind, end = c.in[t], t, i+n+1
			}
		}
	}
	for j := i; j < end; j++ {
		place := inside
		switch {
		case end == i+1:
			place = unit
		case j == i:
			place = begin
		case j == end-1:
			place = last
		}
		named[j] = uint64(tagOf(kind, place))
	}
	return max(end, i+1)
}

func flags(values ...bool) uint64 {
	n := uint64(1)
	for _, v := range values {
		n <<= 1
		if v {
			n |= 1
		}
	}
	return n
}

// emit appends the features of token i; the first identity of them say what name it is.
func (f *features) emit(dst []uint32, i int) (all []uint32, identity int) {
	w, p1, p2, n1, n2 := f.at(i), f.at(i-1), f.at(i-2), f.at(i+1), f.at(i+2)
	template := uint64(100)
	add := func(h uint64) {
		template++
		dst = append(dst, feature(template, h))
	}
	start := len(dst)
	add(w.exact)
	add(w.core)
	add(mix(p1.core, w.core))
	add(mix(w.core, n1.core))
	add(mix(w.shape, w.core))
	add(w.known)
	add(mix(w.known, w.shape))
	add(f.named[i])
	identity = len(dst) - start

	add(0)
	for k := range affixes {
		add(w.prefixes[k])
		add(w.suffixes[k])
	}
	add(mix(w.suffixes[2], w.shape))
	add(p1.core)
	add(n1.core)
	add(p2.core)
	add(n2.core)
	add(mix(p1.core, n1.core))
	add(mix(p2.core, p1.core))
	add(mix(n1.core, n2.core))
	add(w.shape)
	add(p1.shape)
	add(n1.shape)
	add(mix(p1.shape, w.shape))
	add(mix(w.shape, n1.shape))
	add(mix(p1.shape, mix(w.shape, n1.shape)))
	add(mix(p2.shape, mix(p1.shape, w.shape)))
	add(mix(w.shape, mix(n1.shape, n2.shape)))
	add(mix(p1.core, w.shape))
	add(mix(w.shape, n1.core))
	add(p1.suffixes[2])
	add(n1.suffixes[2])
	add(w.cased)
	add(mix(w.cased, w.shape))
	add(mix(p1.known, w.shape))
	add(mix(n1.known, w.shape))
	add(mix(p1.known, mix(w.known, n1.known)))
	add(p1.known)
	add(n1.known)
	first := i == 0
	add(flags(first, w.ends, p1.ends, f.quoted[i], f.caps))
	add(mix(w.shape, flags(first, f.caps)))
	run := f.runs[i]
	if run[1] > run[0] {
		before, head, tail, after := f.at(run[0]-1), f.at(run[0]), f.at(run[1]-1), f.at(run[1])
		place := uint64(min(i-run[0], 3)*8 + min(run[1]-i, 4))
		add(place)
		add(mix(place, before.core))
		add(mix(place, after.core))
		add(before.core)
		add(after.core)
		add(tail.core)
		add(head.core)
		add(mix(place, tail.core))
		add(mix(place, head.core))
		add(mix(place, tail.known))
		add(mix(place, head.known))
		add(mix(before.core, after.core))
		add(tail.suffixes[2])
		add(mix(f.at(run[0]-2).core, before.core))
		add(mix(after.core, f.at(run[1]+1).core))
	}
	if w.capital {
		f.elsewhere(i, func(template, h uint64) { dst = append(dst, feature(template, h)) })
	}
	return dst, identity
}

// elsewhere adds where else in the sentence the word of token i is.
func (f *features) elsewhere(i int, add func(template, h uint64)) {
	found := 0
	for j := range f.words {
		if j == i || f.words[j].core != f.words[i].core {
			continue
		}
		add(1, f.at(j-1).core)
		add(2, f.at(j+1).core)
		add(3, mix(f.at(j-1).shape, f.at(j+1).shape))
		if run := f.runs[j]; run[1] > run[0] {
			add(4, f.at(run[1]-1).core)
			add(5, uint64(run[1]-run[0]))
			add(6, f.at(run[0]-1).core)
			add(7, f.at(run[1]).core)
		}
		if found++; found == maxElsewhere {
			return
		}
	}
}

// maxElsewhere keeps a sentence of one word over and over from taking long.
const maxElsewhere = 3

// feature is the number of a feature in the model; two that share one are rare and
// do little harm.
func feature(template, h uint64) uint32 { return max(uint32(mix(template, h)>>32), 1) }
