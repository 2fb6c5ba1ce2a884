package relations

import (
	"slices"
	"strconv"
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

// Sentence is words and the mentions among them, in order and without overlap; none
// is empty.
type Sentence struct {
	Words    []string
	Mentions []Argument
}

// view is a sentence made ready for the features of its pairs.
type view struct {
	Sentence
	// stem is a word's beginning.
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
		v.stem[i] = prefix(v.lower[i], 4)
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

// features are what a model knows of a pair, by hash and in order.
func (v *view) features(subject, object int) []uint64 {
	first, second, order := subject, object, ">"
	if first > second {
		first, second, order = second, first, "<"
	}
	a, b := v.Mentions[first], v.Mentions[second]
	k := &keys{pair: order + v.Mentions[subject].Type + " " + v.Mentions[object].Type}
	k.add("bias")
	v.between(k, a, b)
	v.around(k, a, b)
	v.named(k, "first", a)
	v.named(k, "second", b)
	k.add("confidences", tenth(a.Confidence*b.Confidence))
	k.add("least confidence", tenth(min(a.Confidence, b.Confidence)))
	if v.alike(a, b) {
		k.add("alike")
	}
	before, after := 0, 0
	for i, m := range v.Mentions {
		if m.Type != a.Type && m.Type != b.Type {
			continue
		}
		if i < first {
			before++
		} else if i > second {
			after++
		}
	}
	k.add("of their types before", bucket(before))
	k.add("of their types after", bucket(after))
	slices.Sort(k.all)
	return slices.Compact(k.all)
}

// keys are features by hash: a model holds no words.
type keys struct {
	all []uint64
	// pair is the order and the types of both, of which every feature is.
	pair string
}

// add is of a kind of feature and its parts, by FNV-1a.
func (k *keys) add(parts ...string) {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	write := func(part string) {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	write(k.pair)
	for _, part := range parts {
		write(part)
	}
	k.all = append(k.all, h)
}

// between are the words from one to the other, with mentions as their types.
func (v *view) between(k *keys, a, b Argument) {
	var path, words, types []string
	commas, stops := 0, 0
	for w := a.End; w < b.Start; {
		if m := v.of[w]; m >= 0 {
			types = append(types, v.Mentions[m].Type)
			path = append(path, "<"+v.Mentions[m].Type+">")
			w = v.Mentions[m].End
			continue
		}
		words = append(words, v.lower[w])
		path = append(path, v.lower[w])
		switch v.lower[w] {
		case ",":
			commas++
		case ";", ".", ":", "--", "(", ")", "-":
			stops++
		}
		w++
	}
	k.add("distance", bucket(len(path)))
	k.add("commas", bucket(commas))
	k.add("stops", bucket(stops))
	k.add("mentions between", strings.Join(types, " "))
	k.add("own types between", strconv.FormatBool(slices.Contains(types, a.Type)), strconv.FormatBool(slices.Contains(types, b.Type)))
	if len(path) <= 6 {
		k.add("path", strings.Join(path, " "))
	}
	if len(words) <= 5 {
		k.add("words", strings.Join(words, " "))
	}
	for i, word := range path {
		k.add("between", word)
		k.add("between, beginning", prefix(word, 4))
		if len(word) > 4 {
			k.add("between, end", word[len(word)-3:])
		}
		if i > 0 {
			k.add("between, two", path[i-1], word)
		}
		if i > 1 {
			k.add("between, three", path[i-2], path[i-1], word)
			k.add("between, two of three", path[i-2], word)
		}
	}
	if len(path) > 0 {
		k.add("between, first", path[0])
		k.add("between, last", path[len(path)-1])
		k.add("between, ends", path[0], path[len(path)-1])
	}
}

// around are the words before the first and behind the second.
func (v *view) around(k *keys, a, b Argument) {
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
	left, right := at(a.Start-1), at(b.End)
	k.add("left", left)
	k.add("left two", at(a.Start-2), left)
	k.add("right", right)
	k.add("right two", right, at(b.End+1))
	k.add("left and right", left, right)
	for w := max(0, a.Start-5); w < a.Start; w++ {
		k.add("near the left", at(w))
	}
	for w := b.End; w < min(len(v.lower), b.End+5); w++ {
		k.add("near the right", at(w))
	}
	if a.Start == 0 {
		k.add("opens")
	}
	if b.End >= len(v.lower)-1 {
		k.add("closes")
	}
}

// named are a mention's own words.
func (v *view) named(k *keys, which string, m Argument) {
	words := v.lower[m.Start:m.End]
	head := words[len(words)-1]
	k.add("head", which, head)
	k.add("head's end", which, head[max(0, len(head)-3):])
	k.add("start", which, words[0])
	k.add("name", which, strings.Join(words, " "))
	for _, word := range words {
		k.add("in", which, word)
	}
	k.add("shape", which, strings.Join(v.shape[m.Start:m.End], " "))
	k.add("length", which, bucket(len(words)))
	k.add("confidence", which, tenth(m.Confidence))
}

// alike tells whether words of both begin alike, as in "the German government" and
// "Germany".
func (v *view) alike(a, b Argument) bool {
	for _, x := range v.stem[a.Start:a.End] {
		for _, y := range v.stem[b.Start:b.End] {
			if len(x) >= 4 && x == y {
				return true
			}
		}
	}
	return false
}

func tenth(p float64) string { return strconv.Itoa(int(10 * p)) }

func bucket(n int) string {
	switch {
	case n <= 5:
		return strconv.Itoa(n)
	case n <= 8:
		return "8"
	case n <= 12:
		return "12"
	case n <= 20:
		return "20"
	}
	return "more"
}
