package resolution

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// Similarities are symmetric and within [0, 1]; equal strings have 1. They count
// characters (runes), not bytes, and read no further than the first 256 characters
// of a string or 64 tokens of a list, so that no input is expensive.
const (
	mostRunes  = 256
	mostTokens = 64
)

// runes reads a string into space that stays on the stack for names.
func runes(s string, space []rune) []rune {
	for _, r := range s {
		if len(space) == mostRunes {
			break
		}
		space = append(space, r)
	}
	return space
}

// Jaro is that of Jaro (1989): characters in common within half the longer string,
// less half of those that are in another order.
func Jaro(a, b string) float64 {
	switch {
	case a == b:
		return 1
	case a == "" || b == "":
		return 0
	case len(a) <= 64 && len(b) <= 64 && ascii(a) && ascii(b):
		return wordJaro(a, b)
	}
	var u, v [64]rune
	x, y := runes(a, u[:0]), runes(b, v[:0])
	window := max(max(len(x), len(y))/2-1, 0)
	var used [mostRunes]bool
	inX, inY := make([]rune, 0, 64), make([]rune, 0, 64)
	for i, r := range x {
		for j := max(i-window, 0); j < min(i+window+1, len(y)); j++ {
			if !used[j] && y[j] == r {
				used[j] = true
				inX = append(inX, r)
				break
			}
		}
	}
	for j, r := range y {
		if used[j] {
			inY = append(inY, r)
		}
	}
	swapped := 0
	for i := range inX {
		if inX[i] != inY[i] {
			swapped++
		}
	}
	return jaro(len(x), len(y), len(inX), swapped)
}

// wordJaro keeps in the bits of words where each character of b is, and which
// characters have a partner.
func wordJaro(a, b string) float64 {
	var at [0x80]uint64
	for j := range len(b) {
		at[b[j]] |= 1 << j
	}
	window := max(max(len(a), len(b))/2-1, 0)
	var usedA, usedB uint64
	for i := range len(a) {
		// The characters of b from i-window to i+window.
		within := ^uint64(0) << max(i-window, 0)
		if i+window < 63 {
			within &= 1<<(i+window+1) - 1
		}
		if free := at[a[i]] & within &^ usedB; free != 0 {
			usedA |= 1 << i
			usedB |= free & -free
		}
	}
	common, swapped := bits.OnesCount64(usedA), 0
	for range common {
		if a[bits.TrailingZeros64(usedA)] != b[bits.TrailingZeros64(usedB)] {
			swapped++
		}
		usedA, usedB = usedA&(usedA-1), usedB&(usedB-1)
	}
	return jaro(len(a), len(b), common, swapped)
}

func jaro(a, b, common, swapped int) float64 {
	if common == 0 {
		return 0
	}
	c := float64(common)
	return (c/float64(a) + c/float64(b) + (c-float64(swapped/2))/c) / 3
}

// JaroWinkler raises Jaro for a common beginning of up to four characters, a tenth of
// what is missing for each (Winkler 1990).
func JaroWinkler(a, b string) float64 {
	s, prefix := Jaro(a, b), 0
	for prefix < 4 && a != "" && b != "" {
		x, wide := utf8.DecodeRuneInString(a)
		if y, _ := utf8.DecodeRuneInString(b); x != y {
			break
		}
		a, b = a[wide:], b[wide:]
		prefix++
	}
	return s + .1*float64(prefix)*(1-s)
}

// Edits is the optimal string alignment distance (Damerau 1964, Levenshtein 1966):
// characters inserted, left out, replaced, or two neighbours swapped, none of them
// edited twice.
func Edits(a, b string) int {
	if a == b {
		return 0
	}
	if len(a) <= 64 && ascii(a) && ascii(b) {
		return wordEdits(a, b[:min(len(b), mostRunes)])
	}
	var u, v [64]rune
	return tableEdits(runes(a, u[:0]), runes(b, v[:0]))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// wordEdits keeps a column of the table in the bits of two words (Hyyrö 2003): bit i
// of up and down says that row i is one more, or one less, than the row above it.
func wordEdits(a, b string) int {
	if a == "" {
		return len(b)
	}
	var at [0x80]uint64
	for i := range len(a) {
		at[a[i]] |= 1 << i
	}
	up, down, diagonal, before := ^uint64(0), uint64(0), uint64(0), uint64(0)
	distance, last := len(a), uint64(1)<<(len(a)-1)
	for i := range len(b) {
		equal := at[b[i]]
		swapped := (^diagonal & equal) << 1 & before
		diagonal = ((equal & up) + up) ^ up | equal | down | swapped
		right, left := down|^(diagonal|up), diagonal&up
		if right&last != 0 {
			distance++
		}
		if left&last != 0 {
			distance--
		}
		right, left = right<<1|1, left<<1
		up, down = left|^(diagonal|right), right&diagonal
		before = equal
	}
	return distance
}

func tableEdits(a, b []rune) int {
	width := len(b) + 1
	space := make([]int, 3*width)
	before, last, row := space[:width], space[width:2*width], space[2*width:]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j < width; j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// EditSimilarity is 1 less Edits as a share of the longer string.
func EditSimilarity(a, b string) float64 {
	if a == b {
		return 1
	}
	longer := min(max(utf8.RuneCountInString(a), utf8.RuneCountInString(b)), mostRunes)
	return 1 - float64(Edits(a, b))/float64(longer)
}

// QGrams is the share of common ones among the sets of q-grams of two strings
// (Jaccard), each string padded with q-1 blanks so that its ends count (Ukkonen 1992).
// q below 1 is taken for 1.
func QGrams(a, b string, q int) float64 {
	if a == b {
		return 1
	}
	return Jaccard(qgrams(a, q), qgrams(b, q))
}

func qgrams(s string, q int) []string {
	if s == "" {
		return nil
	}
	q = min(max(q, 1), mostRunes)
	pad := strings.Repeat("\x00", q-1)
	// places are where each character of the padded string begins, and its end.
	var places []int
	for i := range q - 1 {
		places = append(places, i)
	}
	end := 0
	for count := 0; count < mostRunes && end < len(s); count++ {
		_, wide := utf8.DecodeRuneInString(s[end:])
		places = append(places, len(pad)+end)
		end += wide
	}
	for i := range q {
		places = append(places, len(pad)+end+i)
	}
	padded := pad + s[:end] + pad
	var grams []string
	for i := 0; i+q < len(places); i++ {
		grams = append(grams, padded[places[i]:places[i+q]])
	}
	return grams
}

// Jaccard is the share of common ones among two sets of tokens (Jaccard 1912); 0
// where both are empty, for they have nothing in common.
func Jaccard(a, b []string) float64 {
	x, y := set(a), set(b)
	common := intersection(x, y)
	if common == 0 {
		return 0
	}
	return float64(common) / float64(len(x)+len(y)-common)
}

// Overlap is the share of the smaller of two sets of tokens that is in the other
// (Szymkiewicz 1934, Simpson 1943).
func Overlap(a, b []string) float64 {
	x, y := set(a), set(b)
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	return float64(intersection(x, y)) / float64(min(len(x), len(y)))
}

func set(tokens []string) []string {
	s := slices.Clone(tokens)
	slices.Sort(s)
	return slices.Compact(s)
}

func intersection(x, y []string) int {
	common := 0
	for _, t := range x {
		if _, in := slices.BinarySearch(y, t); in {
			common++
		}
	}
	return common
}

// MongeElkan is the mean, over the tokens of both lists, of each one's similarity to
// the closest in the other list (Monge & Elkan 1996, made symmetric as the mean of
// both directions). 0 where either is empty. A token may itself be a list, of a name's
// parts.
func MongeElkan[T any](a, b []T, similarity func(a, b T) float64) float64 {
	a, b = a[:min(len(a), mostTokens)], b[:min(len(b), mostTokens)]
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	rows, columns := make([]float64, len(a)), make([]float64, len(b))
	for i, v := range a {
		for j, w := range b {
			s := similarity(v, w)
			rows[i], columns[j] = max(rows[i], s), max(columns[j], s)
		}
	}
	return (mean(rows) + mean(columns)) / 2
}

// mean sums in order of size: the order of the tokens doesn't reach the last bit.
func mean(values []float64) float64 {
	slices.Sort(values)
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
