package relations

import (
	"fmt"
	"maps"
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
//	!         first: not behind a word that makes the mention part of something
//	          else, as "of" does in "the brother of X works for Y"
//
// The first word is neither optional nor repeated. Articles, numbers and the like
// are skipped before a mention.
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
	slot             byte // X, Y, x, y, or 0
	words            map[string]bool
	optional, repeat bool
}

type compiled struct {
	pattern
	whole    bool
	elements []element
}

// compile reads a pattern; classes are sets of words by name. Patterns are constants
// of this package: one that can't be read is a mistake in it.
func compile(p pattern, classes map[string]string) compiled {
	c := compiled{pattern: p}
	slots := ""
	for i, field := range strings.Fields(p.Text) {
		if field == "!" && i == 0 {
			c.whole = true
			continue
		}
		var e element
		if len(field) == 1 && strings.ContainsRune("XYxy", rune(field[0])) {
			e.slot = field[0]
			slots += strings.ToUpper(field)
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
	if slots != "XY" && slots != "YX" || c.elements[0].optional || c.elements[0].repeat {
		panic(fmt.Sprintf("pattern %q: it needs one subject, one object and a first word", p.Text)) //nolint:forbidigo // a constant of this package that is wrong
	}
	return c
}

// book is patterns by how they begin.
type book struct {
	// byWord are those that begin with a word; bySlot those that begin with a mention,
	// by what may follow it.
	byWord, bySlot map[string][]compiled
}

func newBook(languages ...language) *book {
	b := &book{map[string][]compiled{}, map[string][]compiled{}}
	for _, l := range languages {
		for _, p := range l.patterns {
			b.add(compile(p, l.classes))
		}
	}
	return b
}

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
}
