package relations

import (
	"slices"
	"strings"
	"unicode"
)

// Argument is a mention by its words, the end excluded, and its type.
type Argument struct {
	Start, End int
	Type       string
	// Confidence is the chance that it is one, of that type; 0 is unknown.
	Confidence float64
}

// Sentence is words and the mentions among them, in order and without overlap.
type Sentence struct {
	Words    []string
	Mentions []Argument
}

// view is a sentence made ready for the features of its pairs.
type view struct {
	Sentence
	lower, shape, stem []string
	// of is the mention that a word belongs to, or -1.
	of []int
}

// is tells whether it is a view of just this sentence's memory.
func (v *view) is(s Sentence) bool {
	return len(v.Words) == len(s.Words) && len(v.Mentions) == len(s.Mentions) && len(s.Words) > 0 && len(s.Mentions) > 0 &&
		&v.Words[0] == &s.Words[0] && &v.Mentions[0] == &s.Mentions[0]
}

func look(s Sentence) *view {
	v := &view{Sentence: s, lower: make([]string, len(s.Words)), shape: make([]string, len(s.Words)), stem: make([]string, len(s.Words)), of: make([]int, len(s.Words))}
	for i, word := range s.Words {
		v.lower[i] = strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return '0'
			}
			return unicode.ToLower(r)
		}, word)
		v.shape[i] = shape(word)
		v.stem[i] = prefix(v.lower[i], 5)
		v.of[i] = -1
	}
	for i, m := range s.Mentions {
		for w := m.Start; w < m.End; w++ {
			v.of[w] = i
		}
	}
	return v
}

// shape is a word with A for capitals, a for other letters, 0 for digits and runs
// of more than two cut.
func shape(word string) string {
	var out []rune
	for _, r := range word {
		switch {
		case unicode.IsUpper(r):
			r = 'A'
		case unicode.IsLetter(r):
			r = 'a'
		case unicode.IsDigit(r):
			r = '0'
		}
		if n := len(out); n >= 2 && out[n-1] == r && out[n-2] == r {
			continue
		}
		out = append(out, r)
	}
	return string(out)
}

func prefix(word string, n int) string {
	for i := range word {
		if n == 0 {
			return word[:i]
		}
		n--
	}
	return word
}

// keys are the features of a pair, by hash: a model holds no words.
type keys struct {
	all  []uint64
	side string
}

func (k *keys) add(parts ...string) {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, part := range append(parts, k.side) {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	k.all = append(k.all, h)
}

// features are what the model knows of a pair.
func (v *view) features(subject, object int) []uint64 {
	first, second, side := subject, object, ">"
	if first > second {
		first, second, side = second, first, "<"
	}
	a, b := v.Mentions[first], v.Mentions[second]
	k := &keys{side: side + v.Mentions[subject].Type + v.Mentions[object].Type}
	k.add("bias")

	// What is in between, with mentions as their types.
	var path []string
	var types []string
	for w := a.End; w < b.Start; {
		if m := v.of[w]; m >= 0 {
			path = append(path, "<"+v.Mentions[m].Type+">")
			types = append(types, v.Mentions[m].Type)
			w = v.Mentions[m].End
			continue
		}
		path = append(path, v.lower[w])
		w++
	}
	k.add("distance", bucket(len(path)))
	k.add("mentions between", strings.Join(types, " "))
	same := func(t string) string {
		for _, x := range types {
			if x == t {
				return "y"
			}
		}
		return "n"
	}
	k.add("own between", same(a.Type), same(b.Type))
	if len(path) <= 6 {
		k.add("path", strings.Join(path, " "))
	}
	var words []string
	for _, p := range path {
		if p[0] != '<' {
			words = append(words, p)
		}
	}
	if len(words) <= 5 {
		k.add("words", strings.Join(words, " "))
	}
	for i, p := range path {
		k.add("between", p)
		k.add("between stem", prefix(p, 4))
		if len(p) > 4 {
			k.add("between suffix", p[len(p)-3:])
		}
		if i > 0 {
			k.add("between two", path[i-1], p)
		}
		if i > 1 {
			k.add("between three", path[i-2], path[i-1], p)
			k.add("between skip", path[i-2], p)
		}
	}
	if len(path) > 0 {
		k.add("first", path[0])
		k.add("last", path[len(path)-1])
		k.add("ends", path[0], path[len(path)-1])
	}
	commas, stops := 0, 0
	for _, p := range path {
		switch p {
		case ",":
			commas++
		case ";", ".", ":", "--", "(", ")", "-":
			stops++
		}
	}
	k.add("commas", bucket(commas))
	k.add("stops", bucket(stops))

	at := func(w int) string {
		switch {
		case w < 0:
			return "^"
		case w >= len(v.lower):
			return "$"
		case v.of[w] >= 0:
			return "<" + v.Mentions[v.of[w]].Type + ">"
		}
		return v.lower[w]
	}
	l1, l2, r1, r2 := at(a.Start-1), at(a.Start-2), at(b.End), at(b.End+1)
	k.add("left", l1)
	k.add("left two", l2, l1)
	k.add("right", r1)
	k.add("right two", r1, r2)
	k.add("around", l1, r1)
	for w := max(0, a.Start-5); w < a.Start; w++ {
		k.add("left bag", at(w))
	}
	for w := b.End; w < min(len(v.lower), b.End+5); w++ {
		k.add("right bag", at(w))
	}
	for i, m := range []Argument{a, b} {
		side := string("ab"[i])
		head := v.lower[m.End-1]
		k.add("head", side, head)
		k.add("start", side, v.lower[m.Start])
		k.add("name", side, strings.Join(v.lower[m.Start:m.End], " "))
		for w := m.Start; w < m.End; w++ {
			k.add("in", side, v.lower[w])
		}
		k.add("shape", side, strings.Join(v.shape[m.Start:m.End], " "))
		k.add("length", side, bucket(m.End-m.Start))
		k.add("confidence", side, string(rune('0'+int(10*m.Confidence))))
		k.add("suffix", side, head[max(0, len(head)-3):])
	}
	k.add("confidences", string(rune('0'+int(10*a.Confidence*b.Confidence))))
	k.add("least confidence", string(rune('0'+int(10*min(a.Confidence,b.Confidence)))))
	if v.alike(a, b) {
		k.add("alike")
	}
	if a.Start == 0 {
		k.add("opens")
	}
	if b.End >= len(v.lower)-1 {
		k.add("closes")
	}
	before, after := 0, 0
	for i, m := range v.Mentions {
		if i < first && (m.Type == a.Type || m.Type == b.Type) {
			before++
		}
		if i > second && (m.Type == a.Type || m.Type == b.Type) {
			after++
		}
	}
	k.add("before", bucket(before))
	k.add("after", bucket(after))
	slices.Sort(k.all)
	return slices.Compact(k.all)
}

// alike tells whether words of both begin alike, as in "the German government" and
// "Germany".
func (v *view) alike(a, b Argument) bool {
	for _, x := range v.stem[a.Start:a.End] {
		for _, y := range v.stem[b.Start:b.End] {
			if len(x) >= 4 && prefix(x, 4) == prefix(y, 4) {
				return true
			}
		}
	}
	return false
}

func bucket(n int) string {
	switch {
	case n <= 5:
		return string(rune('0' + n))
	case n <= 8:
		return "8"
	case n <= 12:
		return "12"
	case n <= 20:
		return "20"
	}
	return "more"
}
