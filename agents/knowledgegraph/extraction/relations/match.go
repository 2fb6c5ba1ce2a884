package relations

import (
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// maxRow is how many mentions in a row are one subject or object.
const maxRow = 12

// match is where a pattern fits: items from and to (excluded), and the items that
// are its subjects and objects.
type match struct {
	compiled
	from, to          int
	subjects, objects []int
	// or is that the objects are alternatives.
	or bool
}

// text is a message's items.
type text struct {
	body     string
	items    []item
	mentions []extraction.Mention
	// selves are where the writer is named; client says that it is the client, unnamed.
	selves []self
	client bool
}

func (t *text) word(i int) string {
	if i < 0 || i >= len(t.items) {
		return ""
	}
	return t.items[i].word
}

// matches are those that begin at an item, by the book.
func (t *text) matches(b *book, i int) []match {
	candidates := b.byWord[t.items[i].word]
	if t.items[i].mention >= 0 {
		// By what stands behind it, or behind any of a row that it begins.
		var words []string
		for _, last := range t.row(i, func(extraction.Type) bool { return true }) {
			if word := t.word(last + 1); !slices.Contains(words, word) {
				words = append(words, word)
				candidates = slices.Concat(candidates, b.bySlot[word])
			}
		}
	}
	var all []match
	for _, c := range candidates {
		m := match{compiled: c, from: i}
		if to, ok := t.fit(&m, 0, i); ok {
			m.to = to
			all = append(all, m)
		}
	}
	return all
}

// fit goes on with a pattern's element at an item, the longest way first, and
// returns where the pattern ends.
func (t *text) fit(m *match, element, i int) (int, bool) {
	if element == len(m.elements) {
		return i, true
	}
	e := m.elements[element]
	switch e.slot {
	case '$':
		if !t.ends(i) {
			return 0, false
		}
		return t.fit(m, element+1, i)
	case '~':
		for _, after := range t.asides(i) {
			if to, ok := t.fit(m, element+1, after); ok {
				return to, true
			}
		}
		return 0, false
	case 0:
	default:
		return t.fitSlot(m, element, i)
	}
	most := 1
	if e.repeat {
		most = maxRepeat
	}
	taken := 0
	for taken < most && i+taken < len(t.items) && t.is(e, i+taken) {
		taken++
	}
	least := 1
	if e.optional || e.repeat {
		least = 0
	}
	for ; taken >= least; taken-- {
		if to, ok := t.fit(m, element+1, i+taken); ok {
			return to, true
		}
	}
	return 0, false
}

func (t *text) is(e element, i int) bool {
	it := t.items[i]
	if it.stop {
		return e.words["."] && it.word != "?"
	}
	return it.mention < 0 && e.words[it.word]
}

func (t *text) fitSlot(m *match, element, i int) (int, bool) {
	slot := m.elements[element].slot
	subject := slot == 'X' || slot == 'x'
	allowed := func(kind extraction.Type) bool {
		s := signatures[m.Predicate]
		if !subject {
			return slices.Contains(s.objects, kind)
		}
		return slices.Contains(s.subjects, kind) && (len(m.Subjects) == 0 || slices.Contains(m.Subjects, kind))
	}
	row := t.row(t.filled(i), allowed)
	if len(row) > 1 && (slot == 'x' || slot == 'y') {
		row = row[:1]
	}
	for ; len(row) > 0; row = row[:len(row)-1] {
		if to, ok := t.fit(m, element+1, row[len(row)-1]+1); ok {
			if subject {
				m.subjects = row
			} else {
				m.objects = row
				m.or = t.alternatives(row)
			}
			return to, true
		}
	}
	return 0, false
}

// row is mentions of allowed types in a row: with nothing but commas and conjunctions
// in between, and what may stand before a mention.
func (t *text) row(i int, allowed func(extraction.Type) bool) []int {
	var row []int
	for i < len(t.items) && len(row) < maxRow {
		at := t.items[i].mention
		if at < 0 || !allowed(t.mentions[at].Type) {
			break
		}
		row = append(row, i)
		i++
		joined := i
		for joined < len(t.items) && joined < i+3 && !t.items[joined].stop && joints[t.word(joined)] {
			joined++
		}
		if joined == i {
			break
		}
		i = t.filled(joined)
	}
	return row
}

// alternatives tells whether one of a row is enough.
func (t *text) alternatives(row []int) bool {
	for i := row[0]; i < row[len(row)-1]; i++ {
		if alternative[t.word(i)] {
			return true
		}
	}
	return false
}

// filled goes past articles, numbers and the like.
func (t *text) filled(i int) int {
	for n := 0; n < 5 && i < len(t.items) && t.items[i].mention < 0 && !t.items[i].stop; n++ {
		word := t.word(i)
		copied := i > 0 && copies[t.word(i-1)] && of[word]
		if !fillers[word] && !copies[word] && !copied && !number(word) {
			break
		}
		i++
	}
	return i
}

func number(word string) bool {
	for _, r := range word {
		if r < '0' || r > '9' {
			return false
		}
	}
	return word != ""
}

var (
	joints = wordSet("and or dan atau serta e ed o oppure , ; / & + • plus")
	// alternative are the joints of which one is enough.
	alternative = wordSet("or atau o oppure /")
	fillers     = wordSet("a an the this that your my our his her their its some any both one two three four five six new valid original recent signed passport-sized colour " +
		"sebuah seorang suatu satu dua tiga empat asli para " +
		"il lo la i gli le l' un uno una un' tuo tua suo sua vostro vostra due tre quattro valido valida originale")
	copies = wordSet("copy copies photocopy photocopies scan scans fotokopi salinan copia copie fotocopia scansione")
	of     = wordSet("of di del della dell' dello dei from")
)
