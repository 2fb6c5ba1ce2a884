package relations

import (
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// maxAside is how many items may stand between "I" and what is joined to it by "and".
const maxAside = 12

// byWriter finds what a message's writer says of themselves.
func (t *text) byWriter(s sentence, said map[triple]extraction.Relation) {
	if len(t.selves) == 0 && !t.client {
		return
	}
	for i := s.from; i < s.to; i++ {
		for _, m := range t.matches(patterns.own, i) {
			if m.whole && (nouns[t.word(i-1)] || i > s.from && t.items[i-1].mention >= 0 && !t.isWriter(i-1)) ||
				m.begins && !t.speaks(s, i) || t.word(m.to) == "'s" ||
				t.doubted(s, m.Predicate, m.from, m.to) || t.left(s, m) || t.reported(s, i) || t.quoted(i) ||
				t.client && !t.plain(s, m) {
				continue
			}
			subject, quote, sure := t.byWhom(s, m)
			if sure == 0 {
				continue
			}
			for _, object := range m.objects {
				t.say(said, extraction.Relation{
					Span: quote, Subject: subject, Object: t.items[object].mention,
					Predicate: m.Predicate, Confidence: m.Confidence * sure,
				})
			}
		}
	}
}

var (
	// selfWords are how one speaks of oneself; without, "lavoro" is a noun.
	selfWords = wordSet("i i'm saya aku io")
	// besides are words that make a client's statement about another time, another
	// person, or working with somebody.
	besides = wordSet("with when once if until unless from next last ago former formerly before after soon will would dreamt said says told believes friend forwarded fwd " +
		"dengan kalau jika bila ketika nanti akan mulai depan lalu dulu lama kata teman diteruskan " +
		"con quando se prossimo prossima futuro scorso ex prima dopo dice amico amica inoltrato")
	// goesOn are words that may follow what one works for.
	goesOn = wordSet("now and since in as at here but so sekarang dan sejak di sebagai jadi tapi adesso ora e da a come ma quindi")
	// forwards are words of messages that others wrote.
	forwards = wordSet("forwarded fwd fw diteruskan inoltrato oggetto subject sent wrote")
)

// plain tells whether a client who gives no name speaks of themselves beyond doubt: in
// the first person in so many words, of now, and of the thing itself, not of a part of
// it. Nothing else in such a message says whose words these are.
func (t *text) plain(s sentence, m match) bool {
	own := false
	for i := s.from; i < s.to; i++ {
		if t.items[i].mention >= 0 {
			continue
		}
		if besides[t.word(i)] {
			return false
		}
		own = own || selfWords[t.word(i)] && i >= m.from-1 && i < m.to
	}
	return own && (t.ends(m.to) || t.items[m.to].mention < 0 && goesOn[t.word(m.to)])
}

// forwarded tells whether a message holds what others wrote.
func (t *text) forwarded() bool {
	for i, it := range t.items {
		if it.mention < 0 && forwards[t.word(i)] {
			return true
		}
	}
	return false
}

// ofClient is how sure it is that a client's messages are the client's own.
const ofClient = .9

// byWhom is the writer where they are named nearest to what they say, or the client
// who is not named, the words that say so, and how sure that is; 0 is nobody.
func (t *text) byWhom(s sentence, m match) (subject int, quote extraction.Span, sure float64) {
	clause := extraction.Span{Start: t.items[t.clauseStart(s, m.from)].Start, End: t.items[t.clauseEnd(m.to)-1].End}
	bare := extraction.Span{Start: t.items[m.from].Start, End: t.items[m.to-1].End}
	after, _ := slices.BinarySearchFunc(t.selves, m.from, func(of self, at int) int { return of.at - at })
	for _, words := range []extraction.Span{clause, bare} {
		if t.client && words.End-words.Start <= maxQuote {
			return extraction.Writer, words, ofClient
		}
		for i := max(0, after-1); i < min(after+1, len(t.selves)); i++ {
			of := t.selves[i]
			span := extraction.Span{Start: min(words.Start, t.items[of.from].Start), End: max(words.End, t.items[of.to-1].End)}
			if n := span.End - span.Start; n <= maxQuote && (sure == 0 || n < quote.End-quote.Start) {
				subject, quote, sure = t.items[of.at].mention, span, 1
			}
		}
		if sure > 0 {
			return subject, quote, sure
		}
	}
	return 0, extraction.Span{}, 0
}

func (t *text) isWriter(i int) bool {
	_, is := slices.BinarySearchFunc(t.selves, i, func(of self, at int) int { return of.at - at })
	return is
}

// ends tells whether a clause ends before an item.
func (t *text) ends(i int) bool {
	return i >= len(t.items) || t.items[i].stop || t.items[i].mention < 0 && breaks[t.word(i)]
}

// asides are where it can go on behind "I": at once, or behind something that the
// writer does too and a conjunction, with nobody else in between.
func (t *text) asides(i int) []int {
	all := []int{i}
	for j := i; j < len(t.items) && j < i+maxAside && !t.items[j].stop; j++ {
		word := t.word(j)
		if t.items[j].mention >= 0 {
			if t.mentions[t.items[j].mention].Type == extraction.Person && !t.isWriter(j) {
				break
			}
			continue
		}
		to := word == "to" && (j+1 >= len(t.items) || t.items[j+1].mention < 0)
		if to || anyone[word] || denied(word) || hypotheses[word] || doubts[word] || wishes[word] || pasts[word] {
			break
		}
		if pauses[word] || word == "," && t.isWriter(j-1) {
			all = append(all, j+1)
		}
	}
	return all
}

// speaks tells whether "I" at an item is the subject, and not whose what stands before
// it is ("istri saya"): whether only a greeting or a time stands before it.
func (t *text) speaks(s sentence, i int) bool {
	for i > s.from {
		before := t.items[i-1]
		word := before.word
		switch {
		case before.mention >= 0:
			return t.mentions[before.mention].Type == extraction.Date || t.isWriter(i-1)
		case breaks[word] || turns[word]:
			return true
		case !openers[word] && !greetings[word] && !times[word] && !number(word):
			return false
		}
		i--
	}
	return true
}

// left tells whether a sentence goes on to say that the writer is there no more.
func (t *text) left(s sentence, m match) bool {
	if m.Predicate != extraction.WorksFor {
		return false
	}
	clause := true
	for i := m.to; i < s.to; i++ {
		clause = clause && (t.items[i].mention >= 0 || !breaks[t.word(i)] && !pauses[t.word(i)])
		if clause && ending[t.word(i)] {
			return true
		}
		if leaving[t.word(i)] {
			next := t.filled(i + 1)
			return next >= len(t.items) || t.items[next].mention < 0
		}
	}
	return false
}

// reported tells whether what begins at an item is in the words of somebody else:
// "Anna says I work for Acme".
func (t *text) reported(s sentence, at int) bool {
	for i := s.from; i < at; i++ {
		if reports[t.word(i)] && !firsts[t.word(i-1)] {
			return true
		}
	}
	return false
}

// quoted tells whether an item is in a line of a message that is answered, or between
// marks of quotation. A quotation ends with its line.
func (t *text) quoted(at int) bool {
	start := t.items[at].Start
	line := t.body[max(0, start-maxLine):start]
	line = line[strings.LastIndexByte(line, '\n')+1:]
	opened := strings.Count(line, "“") + strings.Count(line, "«") - strings.Count(line, "”") - strings.Count(line, "»")
	return strings.HasPrefix(strings.TrimLeft(line, " \t"), ">") || strings.Count(line, `"`)%2 == 1 || opened > 0
}

// maxLine bounds how much of a line is looked at for quotations, in bytes.
const maxLine = 1000

var (
	// nouns make a noun of a word that is also a verb: "un lavoro per", "cerco lavoro".
	nouns = wordSet("il lo la un uno una al nel dal sul del di per mio tuo suo nostro vostro loro nuovo buon bel questo quel altro molto cerco cerca cercano cercando cercare offro offre offrono trovare trovo chi che ci non")
	// anyone is a subject besides the writer, or an auxiliary that a verb behind it would
	// belong to.
	anyone = wordSet("you u he she it they we who which that what where whom them him us someone somebody everyone anybody " +
		"used did will can may might must shall let let's i'll i'd i'd've going about " +
		"anda kamu dia ia mereka kami kita yang akan dulu bisa boleh " +
		"lui lei loro noi voi che chi cui dovevo potevo ero potrei posso devo")
	// times may stand before "saya" without being anybody's.
	times = wordSet("sekarang kini saat sejak mulai bulan minggu tahun hari tanggal ini itu lalu kemarin sudah udah lama baru awal akhir dari di sini memang kebetulan juga bahwa lagi nih")
	// ending says until when, and leaving that something has ended.
	ending  = wordSet("until till sampai hingga fino")
	leaving = wordSet("left quit resigned keluar berhenti resign lasciato dimesso dimessa licenziato licenziata")
	reports = wordSet("say says said tell tells told write writes wrote replied answered claims quote bilang kata berkata ujar tulis menulis dice dicono disse detto scrive scrisse scritto")
	firsts  = wordSet("i i've have saya aku sudah ho già")
)
