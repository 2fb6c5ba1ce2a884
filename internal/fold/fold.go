// Package fold brings names into a form by which they are compared and searched:
// whoever wrote them with other letters, accents or blanks means the same. Imports:
// golang.org/x/text.
package fold

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// alike are letters and signs that Unicode doesn't take apart, and what people type
// for them.
var alike = strings.NewReplacer(
	"ø", "o", "ł", "l", "đ", "d", "ħ", "h", "ŧ", "t", "ı", "i", "æ", "ae", "œ", "oe", "ð", "d", "þ", "th", "ß", "ss", "ς", "σ",
	"‘", "'", "’", "'", "ʼ", "'", "`", "'", "“", `"`, "”", `"`, "‐", "-", "‒", "-", "–", "-", "—", "-", "−", "-",
)

// Text is the text in lower case, compatibility characters taken apart (NFKD)
// without the marks that combine with letters, without characters that have no
// width or that enclose others, syllables of Hangul as one, and with one blank where
// there were blanks, none at the ends. Folded once
// more it stays as it is. Marks of class 0, such as vowels of Thai and Hindi, are
// letters and stay. What is no UTF-8 becomes U+FFFD.
func Text(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	blank := false
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(text, "\uFFFD")) {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			blank = b.Len() > 0
			continue
		case unicode.In(r, unicode.Cf, unicode.Me) || norm.NFKD.PropertiesString(string(r)).CCC() != 0:
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	// Not by Unicode's case folding, which turns Cherokee to and fro.
	return norm.NFC.String(alike.Replace(strings.ToLower(b.String())))
}
