package extraction

import (
	"unicode"
	"unicode/utf8"
)

// word is one token of folded text: a word, a letter of a script that is written
// without blanks, or a sign.
type word struct {
	Span
	// id is the word's number in a vocabulary, or -1 where it isn't in it.
	id int32
	// gap is white space before it, or the beginning of the text; broken is a line
	// break in it.
	gap, broken bool
	// capital is a first letter that is not a small one, or a digit; sign is no word.
	capital, sign, apostrophe, hyphen bool
}

// splitWords gives text's words, folded, from left to right; the folded bytes are
// valid until the next one. Letters with dots are one word (S.r.l. is srl), and a dot
// behind a letter or an abbreviation of names (Ltd., Dr.) is left out.
func splitWords(text string, emit func(w word, folded []byte)) {
	var w word
	var folded []byte
	gap, broken, single := true, true, false
	initials := false // so far the word is letters with dots
	flush := func() {
		if len(folded) == 0 {
			return
		}
		emit(w, folded)
		folded = folded[:0]
		gap, broken, single = false, false, false
	}
	begin := func(r rune, start, end int) {
		first, _ := utf8.DecodeRuneInString(text[start:])
		w = word{Span: Span{Start: start, End: end}, gap: gap, broken: broken, capital: !unicode.IsLower(first), sign: !isWord(r), apostrophe: r == '\'', hyphen: r == '-'}
		folded = utf8.AppendRune(folded, r)
		initials = true
	}
	foldEach(text, func(r rune, start, end int) {
		switch {
		case isBlank(r):
			flush()
			gap, broken = true, broken || r == '\n'
		case isWord(r) && !alone(r) || unicode.Is(unicode.M, r) && len(folded) > 0:
			if single && !unicode.Is(unicode.M, r) {
				flush()
			}
			if len(folded) > 0 {
				initials = initials && start > w.Start && text[start-1] == '.'
				w.End = end
				folded = utf8.AppendRune(folded, r)
			} else {
				begin(r, start, end)
			}
		case r == '.':
			if len(folded) > 0 && initials && !single && oneLetter(text[end:]) {
				return
			}
			abbreviated := len(folded) > 0 && (initials || anyForm(string(folded)) || titles[string(folded)])
			flush()
			if !abbreviated {
				begin(r, start, end)
				flush()
			}
		default:
			flush()
			begin(r, start, end)
			if isWord(r) {
				single = true // only its marks may follow
				return
			}
			flush()
		}
	})
	flush()
}

// oneLetter reports whether text begins with a letter that no other follows.
func oneLetter(text string) bool {
	first, size := utf8.DecodeRuneInString(text)
	next, _ := utf8.DecodeRuneInString(text[size:])
	return unicode.IsLetter(first) && !isWord(next) && !isInvisible(next)
}

// alone reports letters of scripts without blanks, each of which may begin a word.
// Katakana is written without blanks too, but a run of it is mostly one word.
func alone(r rune) bool {
	return r >= 0xe00 && !unicode.Is(unicode.M, r) && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
