package tagger

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// maxSentence is how many tokens are tagged at once; what is longer is cut.
const maxSentence = 120

// sentences cuts a body into sentences of tokens by their places: words, with what
// joins them inside (O'Brien, Jean-Luc, U.S.A, 1,000), and signs one by one. A
// sentence ends with a line, or behind . ! ? and white space where no small letter
// follows. White space and invisible signs are in no token.
func sentences(body string, emit func(tokens []extraction.Span)) {
	var tokens []extraction.Span
	end := func() {
		if len(tokens) > 0 {
			emit(tokens)
			tokens = tokens[:0]
		}
	}
	stopped := false // the last token may end a sentence
	spaced := false
	for at := 0; at < len(body); {
		r, size := utf8.DecodeRuneInString(body[at:])
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029':
			end()
			stopped = false
			at += size
			continue
		case unicode.IsSpace(r) || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r):
			spaced = true
			at += size
			continue
		}
		if stopped && spaced && !unicode.IsLower(r) {
			end()
		}
		start := at
		if isWord(r) {
			at = wordEnd(body, at)
		} else {
			at += size
		}
		tokens = append(tokens, extraction.Span{Start: start, End: at})
		stopped = r == '!' || r == '?' || r == '…' || r == '。' || r == '.' && !abbreviated(body, tokens)
		spaced = false
		if len(tokens) == maxSentence {
			end()
			stopped = false
		}
	}
	end()
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// wordEnd is where the word that begins at start ends.
func wordEnd(body string, start int) int {
	end, letters := start, 0
	for at := start; at < len(body); {
		r, size := utf8.DecodeRuneInString(body[at:])
		if isWord(r) {
			at += size
			end = at
			letters++
			continue
		}
		next, _ := utf8.DecodeRuneInString(body[at+size:])
		inner := false
		switch r {
		case '\'', '’', '-', '‐', '&', '_', '@', '\u200d', '\u200c':
			inner = isWord(next)
		case '.', ',':
			before, _ := utf8.DecodeLastRuneInString(body[:at])
			inner = isWord(next) && (letters == 1 && r == '.' || unicode.IsDigit(before) && unicode.IsDigit(next))
		}
		if !inner {
			// The dot of an initial is part of it: "J. Lee", "U.S. law".
			if r == '.' && letters == 1 {
				if before, _ := utf8.DecodeLastRuneInString(body[:at]); unicode.IsUpper(before) {
					return at + size
				}
			}
			return end
		}
		at += size
		if r == '.' {
			letters = 0
		}
	}
	return end
}

// abbreviated says whether the dot that is the last token is one of a title or the
// like, behind which the sentence goes on.
func abbreviated(body string, tokens []extraction.Span) bool {
	if len(tokens) < 2 {
		return false
	}
	dot, before := tokens[len(tokens)-1], tokens[len(tokens)-2]
	return before.End == dot.Start && strings.Contains(abbreviations, " "+strings.ToLower(body[before.Start:before.End])+" ")
}

const abbreviations = " mr mrs ms dr prof st sr jr bpk ir drs sig dott avv ing jl no nos pt cv ltd inc co corp tbk "
