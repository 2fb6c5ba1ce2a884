package relations

import (
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// What takes back what a pattern finds, in all languages at once: chats mix them.
var (
	negations = wordSet("not no never nobody none neither nor without cannot hardly false untrue wrong dont doesnt isnt arent wasnt cant wont didnt " +
		"tidak tak gak ga nggak enggak ngga bukan belum jangan tanpa salah " +
		"non mai nessuno nessuna né senza mica neanche nemmeno falso sbagliato")
	// hypotheses and doubts hold to the end of the sentence.
	hypotheses = wordSet("if unless whether suppose supposing imagine pretend assuming provided " +
		"jika kalau apabila bila seandainya andai andaikan misalkan umpamanya apakah " +
		"se qualora purché supponiamo immagina ammesso")
	doubts = wordSet("think guess assume believe doubt unsure maybe perhaps possibly probably apparently supposedly allegedly rumour rumor rumours rumors heard claims claimed wonder wondering " +
		"mungkin katanya sepertinya kayaknya barangkali konon kira rasa " +
		"forse credo penso pare sembra dicono dubito magari probabilmente")
	// wishes and pasts take back what is said of people and firms; a rule stays a rule.
	pasts  = wordSet("former formerly previously ex until mantan bekas dulu dahulu pernah eks sampai hingga l'ex fino")
	wishes = wordSet("wish hope want wants wanted would could should planning ingin semoga berharap mau vorrei vorrebbe spero")
	// overs say behind a fact that it holds no more.
	overs = wordSet("anymore formerly previously")
	// asks begin a question, with its mark or without; whens only with it.
	asks  = wordSet("do does did is are was were can could will would should has have am may must what who which where why whose apakah apa siapa berapa dimana bagaimana kenapa mengapa bolehkah bisakah quale quali chi cosa dove perché quanto quanti")
	whens = wordSet("how when kapan gimana quando come che è c'è")
	// openers may stand before the first word of a clause.
	openers = wordSet("and but so hi hello hey dear please also then well ok okay dan tapi jadi halo lalu oke e ma quindi allora ciao buongiorno")
	// breaks end a clause.
	breaks = wordSet(", ; : ( ) - – — " + bullet)
	turns  = wordSet("but however though although because so tapi tetapi namun karena sebab jadi ma però perché quindi")
	pauses = wordSet("and but or dan tapi atau e ma o")
)

// denied is a word of negation.
func denied(word string) bool {
	return negations[word] || len(word) > 3 && word[len(word)-3:] == "n't"
}

// clauseStart is where the clause that an item is in begins.
func (t *text) clauseStart(s sentence, i int) int {
	for i > s.from && !breaks[t.word(i-1)] && !turns[t.word(i-1)] {
		i--
	}
	return i
}

// clauseEnd is where the clause of what ends before an item ends.
func (t *text) clauseEnd(i int) int {
	for i < len(t.items) && !t.items[i].stop && !breaks[t.word(i)] && !turns[t.word(i)] {
		i++
	}
	return i
}

// doubted tells whether a sentence does not say what was found in it: it denies it,
// asks it, supposes it, or hands on what it doubts.
func (t *text) doubted(s sentence, p extraction.Predicate, from, to int) bool {
	start := t.clauseStart(s, from)
	personal := p == extraction.WorksFor || p == extraction.LocatedIn || p == extraction.ClientOf
	for i := s.from; i < from; i++ {
		word := t.word(i)
		if hypotheses[word] || doubts[word] || i >= start && (denied(word) || personal && (wishes[word] || pasts[word])) {
			return true
		}
	}
	// Behind it, to the clause's end: "…, if …" is another matter.
	for i := to; i < len(t.items) && !t.items[i].stop && !breaks[t.word(i)] && !pauses[t.word(i)]; i++ {
		word := t.word(i)
		if hypotheses[word] || denied(word) || overs[word] {
			return true
		}
	}
	return t.asked(s, start, to)
}

// asked tells whether the clause from start is a question, or belongs to one. What
// stands before the clause that asks is said: "I'm Anna from Acme, can you help me?"
func (t *text) asked(s sentence, start, to int) bool {
	if asks[t.opening(start)] || asks[t.opening(s.from)] {
		return true
	}
	end := to
	for end < len(t.items) && !t.items[end].stop && end-to < maxItems {
		end++
	}
	if t.word(end) != "?" {
		return false
	}
	for i := to; i < end; i++ {
		word, next := t.word(i), t.opening(i+1)
		if (breaks[word] || pauses[word] || turns[word]) && (asks[next] || whens[next]) {
			// "…, is he?" asks for what stands before it.
			return end-i <= 3
		}
	}
	return true
}

// opening is the first word from an item on that may begin a question.
func (t *text) opening(i int) string {
	for openers[t.word(i)] {
		i++
	}
	return t.word(i)
}

// Doubted tells whether a message does not say what some of its words seem to: the
// sentence around them denies it, asks it, supposes it, or hands on what it doubts; or they
// are of more than one sentence. The words are whole ones, in bytes of the body.
func Doubted(body string, words extraction.Span, p extraction.Predicate) bool {
	items, err := itemise(body, nil)
	if err != nil {
		return true
	}
	t := &text{body: body, items: items}
	from := slices.IndexFunc(items, func(i item) bool { return i.End > words.Start })
	if from < 0 {
		return true
	}
	to := from
	for to < len(items) && items[to].Start < words.End {
		to++
	}
	for to > from && items[to-1].stop { // their own point
		to--
	}
	s := sentence{from, to}
	for s.from > 0 && !items[s.from-1].stop {
		s.from--
	}
	for s.to < len(items) && !items[s.to].stop {
		s.to++
	}
	return slices.ContainsFunc(items[from:to], func(i item) bool { return i.stop }) || t.deniedWithin(from, to) || t.doubted(s, p, from, to)
}
