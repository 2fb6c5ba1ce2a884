package relations

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// self is where a message names its writer: a mention's item, and the items from and
// to (excluded) that say that it is the writer.
type self struct{ at, from, to int }

// writer is where a message names who writes it, in order: by an introduction or a
// signature; without any, where its client writes and is named. It is nothing where
// a message names several people so; where it introduces somebody whose name was not
// found, introductions alone count. client says that nobody is named, and that it is
// the conversation's client who writes.
func (t *text) writer(m extraction.Message, all []sentence) (found []self, client bool) {
	unknown := false
	for _, s := range all {
		for i := s.from; i < s.to; i++ {
			of, unnamed := t.introduction(s, i)
			found, unknown = append(found, of...), unknown || unnamed
		}
	}
	if signed, ok := t.signature(); ok && !unknown {
		found = append(found, signed)
	}
	own := func(mention extraction.Mention) bool {
		return m.ClientID != "" && mention.IsClient && mention.Type == extraction.Person && mention.FirmID == m.ClientID
	}
	if m.Role != "client" {
		// Who answers a client is somebody else: "Thanks, Anna".
		found = slices.DeleteFunc(found, func(s self) bool { return own(t.mentions[t.items[s.at].mention]) })
	}
	if len(found) == 0 && !unknown && m.Role == "client" {
		for i, it := range t.items {
			if it.mention >= 0 && own(t.mentions[it.mention]) && !greetings[t.word(i-1)] {
				found = append(found, self{i, i, i + 1})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b self) int { return a.at - b.at })
	found = slices.CompactFunc(found, func(a, b self) bool { return a.at == b.at })
	if !t.one(found) {
		return nil, false
	}
	return found, len(found) == 0 && !unknown && m.Role == "client" && m.ClientID != "" && !t.forwarded()
}

// introduction is what begins at an item and says who writes. It is unknown where it
// says so by a name that was not found.
func (t *text) introduction(s sentence, i int) (found []self, unknown bool) {
	for _, b := range []*book{patterns.names, patterns.shown} {
		for _, m := range t.matches(b, i) {
			at := m.subjects[0]
			shown := b == patterns.shown
			if m.begins && !t.opens(s, i) || t.word(at+1) == "'s" || t.quoted(i) ||
				(m.begins && t.pair(at)) || shown && (t.another(at+1) || t.asked(s, t.clauseStart(s, i), m.to)) {
				continue
			}
			found = append(found, self{at, i, m.to})
		}
	}
	return found, len(found) == 0 && t.unnamed(s, i)
}

// opens tells whether a clause begins at an item, if behind a greeting.
func (t *text) opens(s sentence, i int) bool {
	start := t.clauseStart(s, i)
	for i > start && t.items[i-1].mention < 0 && (openers[t.word(i-1)] || greetings[t.word(i-1)]) {
		i--
	}
	return i == start
}

// pair tells whether a person is named together with another: "sono Anna e Luca".
func (t *text) pair(at int) bool {
	next := at + 2
	return pauses[t.word(at+1)] && next < len(t.items) && t.items[next].mention >= 0 && t.mentions[t.items[next].mention].Type == extraction.Person
}

// another tells whether what follows a name is about somebody else than the writer:
// "this is Anna, my sister".
func (t *text) another(i int) bool {
	if t.word(i) == "," || t.word(i) == "and" || t.word(i) == "e" || t.word(i) == "dan" {
		i++
	}
	return others[t.word(i)]
}

// unnamed tells whether at an item begins a name of the writer that was not found:
// "my name is" or "I am" before a capital letter.
func (t *text) unnamed(s sentence, i int) bool {
	word, next := t.word(i), i+1
	switch {
	case (word == "i" || word == "name") && (t.word(next) == "am" || t.word(next) == "is"), word == "mi" && t.word(next) == "chiamo", word == "nama" && t.word(next) == "saya":
		next++
	case word == "i'm", word == "sono" && t.opens(s, i), word == "saya" && t.opens(s, i):
	default:
		return false
	}
	if next >= s.to || t.items[next].mention >= 0 {
		return false
	}
	r, _ := utf8.DecodeRuneInString(t.body[t.items[next].Start:])
	return unicode.IsUpper(r) && t.word(next) != "i"
}

const (
	// maxClosing is how many words a closing has: "with kind regards".
	maxClosing = 5
	// maxBehind is how many items may stand behind a signature: a title, a number.
	maxBehind = 8
)

// signature is the person who is named last, behind a closing that begins a sentence
// but is not the message's beginning.
func (t *text) signature() (self, bool) {
	at := -1
	for i, it := range t.items {
		if it.mention >= 0 && t.mentions[it.mention].Type == extraction.Person {
			at = i
		}
	}
	if at < 0 || len(t.items)-at-1 > maxBehind || t.quoted(at) {
		return self{}, false
	}
	closing := at
	for closing > 0 && (t.items[closing-1].stop && t.word(closing-1) != "?" || dashes[t.word(closing-1)]) {
		closing--
	}
	begin, regarding := closing, false
	for begin > 0 && closing-begin < maxClosing && t.items[begin-1].mention < 0 && closings[t.word(begin-1)] {
		begin--
		regarding = regarding || regards[t.word(begin)]
	}
	if begin == closing || begin == 0 || !t.items[begin-1].stop && !breaks[t.word(begin-1)] {
		return self{}, false
	}
	// Thanks go to somebody, unless they stand apart and are the last.
	if !regarding && (closing == at || slices.ContainsFunc(t.items[at+1:], func(it item) bool { return it.mention >= 0 || !it.stop })) {
		return self{}, false
	}
	return self{at, begin, at + 1}, true
}

// one tells whether all are one person.
func (t *text) one(all []self) bool {
	longest := ""
	of := func(s self) extraction.Mention { return t.mentions[t.items[s.at].mention] }
	for _, s := range all {
		if key := of(s).Key; len(key) > len(longest) {
			longest = key
		}
	}
	words := strings.Fields(longest)
	return !slices.ContainsFunc(all, func(s self) bool {
		return slices.ContainsFunc(strings.Fields(of(s).Key), func(word string) bool { return !slices.Contains(words, word) })
	})
}

var (
	// greetings may stand before an introduction; a name behind one is the reader's.
	greetings = wordSet("good morning afternoon evening day greetings yes dear hi hello hey thanks thank " +
		"selamat pagi siang sore malam halo hai salam kak kakak pak bu min mas mbak bapak ibu admin ya iya permisi maaf " +
		"buonasera buongiorno salve ciao gentile caro cara sì io")
	others = wordSet("my our his her their your who she he whose yang dia ia teman mia mio nostra nostro che lei lui is was")
	// closings are before a signature; regards are those that nobody is addressed by.
	closings = wordSet("with kind kindest best warm warmest many thanks thank you and so much regards regard wishes sincerely faithfully truly yours respectfully cheers in advance love " +
		"terima kasih banyak makasih salam hangat hormat kami saya wassalam dan " +
		"cordiali cordialmente saluti saluto distinti un caro cari grazie mille tante in anticipo fede molte e")
	// dashes may stand between a closing and a name.
	dashes  = wordSet(", - – —")
	regards = wordSet("regards regard wishes best sincerely faithfully truly yours respectfully cheers love salam hormat wassalam saluti saluto cordialmente fede")
)
