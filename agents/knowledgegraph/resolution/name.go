package resolution

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// name is a person's as it is compared: words in order of the alphabet, since some
// write the family's name first. A word of one letter is an initial.
type name struct {
	tokens []string
	key    string
	// run is the words as they are written, without blanks.
	run string
}

// titles are no part of a name, unless there is nothing else.
var titles = strings.Fields("mr mrs ms miss dr prof sir madam pak bapak bu ibu bpk sdr sdri tuan nyonya sig signor signora dott dottssa herr frau sr sra don dona mme mlle")

func newName(s string) *name {
	tokens := Tokens(s)
	if plain := slices.DeleteFunc(slices.Clone(tokens), func(t string) bool { return slices.Contains(titles, t) }); len(plain) > 0 {
		tokens = plain
	}
	return nameOf(tokens)
}

// nameOf is the name of words as they are written.
func nameOf(words []string) *name {
	tokens := slices.Clone(words)
	slices.Sort(tokens)
	return &name{tokens, strings.Join(tokens, " "), strings.Join(words, "")}
}

// full is whether it is more than a given name or a family's, and no longer than names
// are.
func (n *name) full() bool { return len(n.tokens) > 1 && len(n.tokens) <= mostWords }

// The levels of two names, the closest first.
const (
	nameEqual = iota
	nameClose
	nameInitials
	nameContained
	nameSingle
	nameDifferent
)

var nameLevels = []Level{
	{Name: "equal", M: .75, U: .002, Shared: true},
	{Name: "a letter or two off", M: .07, U: .0005},
	{Name: "initials", M: .04, U: .0005},
	{Name: "contained", M: .06, U: .0005},
	{Name: "one word", M: .06, U: .01},
	{Name: "different", M: .02, U: .9865},
}

// Words of at least so many letters may have one, and two, of them wrong.
const (
	oneMistake  = 4
	twoMistakes = 8
	// mostWords bounds what is compared word by word.
	mostWords = 8
)

// alike is how two names are: the level, the words that both have, and the number of
// those that are alike only nearly, or by their first letter.
type alike struct {
	level  int
	common []string
	nearly int
}

func (n *name) alike(o *name) alike {
	if len(n.tokens) == 0 || len(o.tokens) == 0 {
		return alike{level: Missing}
	}
	if n.key == o.key {
		if n.full() {
			return alike{nameEqual, n.tokens, 0}
		}
		return alike{nameSingle, n.tokens, 0}
	}
	different := alike{level: nameDifferent}
	if len(n.tokens) > mostWords || len(o.tokens) > mostWords {
		return different
	}
	if n.key > o.key { // what is greedy below is then the same both ways
		n, o = o, n
	}
	common, ours, theirs := split(n.tokens, o.tokens)
	whole := slices.ContainsFunc(common, func(t string) bool { return utf8.RuneCountInString(t) > 1 })
	switch {
	case len(ours) == 0 || len(theirs) == 0:
		switch {
		case !whole:
			return different
		case len(common) > 1:
			return alike{nameContained, common, 0}
		}
		return alike{nameSingle, common, 0}
	case n.run == o.run:
		return alike{nameClose, common, 1}
	case len(ours) == len(theirs) && (whole || n.full()) && misspelt(ours, theirs):
		return alike{nameClose, common, len(ours)}
	case whole && (abbreviated(ours, theirs) || abbreviated(theirs, ours)):
		return alike{nameInitials, common, min(len(ours), len(theirs))}
	}
	return different
}

// within is whether all words of n are o's, or initials of o's.
func (n *name) within(o *name) bool {
	if len(n.tokens) > mostWords || len(o.tokens) > mostWords {
		return n.key == o.key
	}
	_, ours, theirs := split(n.tokens, o.tokens)
	return len(ours) == 0 || len(ours) <= len(theirs) && abbreviated(ours, theirs)
}

// split takes two ordered lists apart into what both have and what is left.
func split(a, b []string) (common, ours, theirs []string) {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch strings.Compare(a[i], b[j]) {
		case 0:
			common = append(common, a[i])
			i, j = i+1, j+1
		case -1:
			ours = append(ours, a[i])
			i++
		default:
			theirs = append(theirs, b[j])
			j++
		}
	}
	return common, append(ours, a[i:]...), append(theirs, b[j:]...)
}

// misspelt is whether each word is one of the others with a letter or two wrong, and
// no more than two in all.
func misspelt(ours, theirs []string) bool {
	left, wrong := slices.Clone(theirs), 0
	for _, t := range ours {
		best, least := -1, 3
		for i, o := range left {
			length := max(utf8.RuneCountInString(t), utf8.RuneCountInString(o))
			if length < oneMistake || length > 64 {
				continue
			}
			if e := Edits(t, o); e < least && (e == 1 || length >= twoMistakes) {
				best, least = i, e
			}
		}
		if best < 0 {
			return false
		}
		left, wrong = slices.Delete(left, best, best+1), wrong+least
	}
	return wrong <= 2
}

// abbreviated is whether each of the short ones is the initial of one of the others.
func abbreviated(short, long []string) bool {
	left := slices.Clone(long)
	for _, t := range short {
		i := slices.IndexFunc(left, func(o string) bool { return utf8.RuneCountInString(t) == 1 && strings.HasPrefix(o, t) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}
