package extraction

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word that may be of a name: O'Connor and Jean-Pierre are one.
type token struct {
	Span
	// text is folded, without apostrophes and hyphens.
	text string
	// capital: it is of letters, and the first is one; shouted: so are all of several.
	capital, shouted bool
	// near: there is no more than a blank and a dot between it and the token before.
	near bool
	// first: a sentence or line begins with it.
	first bool
	// taken: others have found something in it.
	taken bool
}

const (
	// longestGap is how many bytes there may be between two words of a name.
	longestGap = 4
	// longestNameWord is in bytes; longer ones are no names.
	longestNameWord = 48
	// mostNameWords are of one name, those between given and family names included.
	mostNameWords = 6
)

// tokens are a message's, from left to right, with what was found in it.
func tokens(body string, found Found) []token {
	var all []token
	var sign word // the last, if it may be within a word
	ended := true // the last sign ends a sentence
	joined := false
	splitWords(body, func(w word, folded []byte) {
		if w.sign {
			joined = (w.apostrophe || w.hyphen) && !w.gap && len(all) > 0 && all[len(all)-1].End == w.Start
			sign = w
			if r, _ := utf8.DecodeRuneInString(body[w.Start:]); strings.ContainsRune(".!?…•", r) {
				ended = true
			}
			return
		}
		first, _ := utf8.DecodeRuneInString(body[w.Start:])
		next := token{Span: w.Span, text: string(folded), first: ended || w.broken, shouted: shouted(body[w.Start:w.End])}
		next.capital = (unicode.IsUpper(first) || unicode.IsTitle(first)) && !strings.ContainsFunc(next.text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.Is(unicode.M, r) })
		signed := sign.End > 0 && (len(all) == 0 || sign.Start >= all[len(all)-1].End)
		next.near = w.gap && !w.broken && !signed && len(all) > 0 && all[len(all)-1].reaches(body, w.Start)
		attached := joined && !w.gap
		joined, ended = false, false
		if !attached {
			all = append(all, next)
			return
		}
		last := &all[len(all)-1]
		switch {
		case sign.apostrophe && next.text == "s": // Anna's
		case last.capital && next.capital && (sign.hyphen || !elided[last.text] || !last.first && last.text != "l"):
			if last.End-last.Start <= longestNameWord { // longer ones are no names, however they go on
				last.text += next.text
			}
			last.End, last.shouted = next.End, last.shouted || next.shouted
		default: // dell'avvocato, I'm, Bali-based
			last.capital = last.capital && sign.apostrophe
			all = append(all, next)
		}
	})
	for i := range all {
		all[i].capital = all[i].capital && all[i].End-all[i].Start <= longestNameWord
	}
	take(all, found)
	return all
}

// reaches reports whether a name may go on at a place behind the token: a dot between
// is of a title, an initial or PT, and ends a sentence behind B.V.
func (t token) reaches(body string, start int) bool {
	gap := body[t.End:start]
	if len(gap) > longestGap || !strings.Contains(gap, ".") {
		return len(gap) <= longestGap
	}
	return titles[t.text] || formsBefore[t.text] || !anyForm(t.text) && (utf8.RuneCountInString(t.text) == 1 || strings.Contains(body[t.Start:t.End], "."))
}

// elided are Italian words before an apostrophe that aren't of the name behind.
var elided = set("l un all dall dell nell sull quell")

// shouted reports a word in capitals, of more than one letter.
func shouted(word string) bool {
	return utf8.RuneCountInString(word) > 1 && word == strings.ToUpper(word) && word != strings.ToLower(word)
}

// take marks what others have found something in.
func take(all []token, found Found) {
	places := make([]Span, 0, len(found.Mentions)+len(found.Contacts))
	for _, m := range found.Mentions {
		places = append(places, m.Span)
	}
	for _, c := range found.Contacts {
		places = append(places, c.Span)
	}
	slices.SortFunc(places, func(a, b Span) int { return cmp.Compare(a.Start, b.Start) })
	at := 0
	for i := range all {
		for at < len(places) && places[at].End <= all[i].Start {
			at++
		}
		all[i].taken = at < len(places) && places[at].Start < all[i].End
	}
}

// goesOn reports whether a token beside a name may be a part of what the name is a
// part of: "Moreau" of Rafael Moreau, "Ltd" of Bumi Jaya Ltd, "Bali" in Spa Bali.
func (t token) goesOn() bool {
	switch {
	case anyForm(t.text) && !titles[t.text]:
		return true
	case !t.capital || titles[t.text] || t.ordinary() || t.shouted && degrees[t.text]:
		return false
	}
	return true
}

// ordinary reports words that are no names, or are seldom.
func (t token) ordinary() bool {
	return !t.taken && (common[t.text] || opening[t.text] || t.first && adverb(t.text))
}

// whole reports whether nothing goes on at either side of the tokens from first to
// last, the last included.
func whole(all []token, first, last int) bool {
	return (first == 0 || !all[first].near || !all[first-1].goesOn()) &&
		(last+1 == len(all) || !all[last+1].near || !all[last+1].goesOn())
}

// adverb reports words that mostly are no names where a sentence begins with them.
func adverb(word string) bool {
	return len(word) > 5 && (strings.HasSuffix(word, "ly") || strings.HasSuffix(word, "mente"))
}

// opening are words that sentences begin with, or that come before names, and are no
// names; folded, besides common ones.
var opening = set(`
contact email mail phone ring reach text message whatsapp meet met visit pay invite inform notify greet regarding concerning attention attn cc
did whether unless although though however moreover therefore besides meanwhile maybe perhaps indeed despite thus hence so whose
apakah sayangnya mungkin katanya sepertinya kebetulan memang sebenarnya biasanya dulu dahulu setahu menurut kabarnya ternyata sebelumnya semoga mengenai soal benarkah betulkah silakan silahkan hubungi kontak telepon temui kabari nama nomor kantor teman rekan
purtroppo forse magari infatti inoltre comunque dunque credo penso pare sembra certo insomma riguardo circa chiami chiamare contatti contattare contatta scriva scrivere senta sentire incontri qui spettabile
colleague friend lawyer boss partner husband wife brother sister son daughter collega amico amica avvocato capo socio socia marito moglie
`)
