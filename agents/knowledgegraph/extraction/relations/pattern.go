package relations

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// pattern is a way to say a relation, in words:
//
//	X, Y      the subject and the object: a mention, or several in a row
//	x, y      just one mention
//	a|b       one of these words
//	?a|b      or none of them
//	*a|b      any number of them, to maxRepeat
//	@title    a word of that class, also after ? and *
//	.         the end of a sentence
//	$         the end of a clause, which is not taken
//	~         what else the writer says before "and", or nothing: "left Acme and"
//	!         first: not behind a word that makes the mention part of something
//	          else, as "of" does in "the brother of X works for Y"
//	^         first: a clause begins here, if behind a greeting
//
// The first word is neither optional nor repeated. Articles, numbers and the like
// are skipped before a mention. What the writer says of themselves has no X, and
// what introduces them no Y.
type pattern struct {
	Predicate  extraction.Predicate
	Confidence float64
	Text       string
	// Subjects narrow the subject's types, where there are any.
	Subjects []extraction.Type
}

// maxRepeat is how often a word that may be repeated may.
const maxRepeat = 3

// element is a compiled word of a pattern.
type element struct {
	slot             byte // X, Y, x, y, $, ~, or 0
	words            map[string]bool
	optional, repeat bool
}

type compiled struct {
	pattern
	whole, begins bool
	elements      []element
}

// compile reads a pattern that has these slots, in one of these orders; classes are
// sets of words by name. Patterns are constants of this package: one that can't be
// read is a mistake in it.
func compile(p pattern, classes map[string]string, orders ...string) compiled {
	c := compiled{pattern: p}
	slots := ""
	for i, field := range strings.Fields(p.Text) {
		if i == 0 && (field == "!" || field == "^") {
			c.whole, c.begins = field == "!", field == "^"
			continue
		}
		var e element
		if len(field) == 1 && strings.ContainsRune("XYxy$~", rune(field[0])) {
			e.slot = field[0]
			if field != "$" && field != "~" {
				slots += strings.ToUpper(field)
			}
			c.elements = append(c.elements, e)
			continue
		}
		field, e.optional = strings.CutPrefix(field, "?")
		field, e.repeat = strings.CutPrefix(field, "*")
		e.words = map[string]bool{}
		for word := range strings.SplitSeq(field, "|") {
			name, class := strings.CutPrefix(word, "@")
			if !class {
				e.words[word] = true
				continue
			}
			if classes[name] == "" {
				panic(fmt.Sprintf("pattern %q: no class %s", p.Text, word)) //nolint:forbidigo // a constant of this package that is wrong
			}
			maps.Copy(e.words, wordSet(classes[name]))
		}
		c.elements = append(c.elements, e)
	}
	if !slices.Contains(orders, slots) || c.elements[0].optional || c.elements[0].repeat {
		panic(fmt.Sprintf("pattern %q: it needs %s and a first word", p.Text, strings.Join(orders, " or "))) //nolint:forbidigo // a constant of this package that is wrong
	}
	return c
}

// book is patterns by how they begin.
type book struct {
	// byWord are those that begin with a word; bySlot those that begin with a mention,
	// by what may follow it.
	byWord, bySlot map[string][]compiled
}

func newBook() *book { return &book{map[string][]compiled{}, map[string][]compiled{}} }

func (b *book) add(c compiled) {
	if c.elements[0].slot == 0 {
		for word := range c.elements[0].words {
			b.byWord[word] = append(b.byWord[word], c)
		}
		return
	}
	next := map[string]bool{}
	for _, e := range c.elements[1:] {
		maps.Copy(next, e.words)
		if !e.optional && !e.repeat {
			break
		}
	}
	for word := range next {
		b.bySlot[word] = append(b.bySlot[word], c)
	}
}

// language is how a language says relations.
type language struct {
	// classes are words by the name of their class.
	classes  map[string]string
	patterns []pattern
	// own are what writers say of themselves.
	own []pattern
	// names are how writers say who they are, shown are those that may also be said of
	// somebody else or be a question.
	names, shown []string
}

// shelf is the books of languages.
type shelf struct{ relations, own, names, shown *book }

func newShelf(languages ...language) shelf {
	s := shelf{newBook(), newBook(), newBook(), newBook()}
	for _, l := range languages {
		for _, p := range l.patterns {
			s.relations.add(compile(p, l.classes, "XY", "YX"))
		}
		for _, p := range l.own {
			s.own.add(compile(p, l.classes, "Y"))
		}
		for _, text := range l.names {
			s.names.add(compile(pattern{Predicate: extraction.WorksFor, Text: text}, l.classes, "X"))
		}
		for _, text := range l.shown {
			s.shown.add(compile(pattern{Predicate: extraction.WorksFor, Text: text}, l.classes, "X"))
		}
	}
	return s
}
