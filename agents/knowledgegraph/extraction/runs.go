package extraction

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// runs are text's runs of letters, its runs of digits, and every other character
// alone, with the byte that each begins at. What is recognised begins with one of
// them, so that only few places are looked at closely, and time grows with the text.
func runs(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for at := 0; at < len(text); {
			end := runEnd(text, at)
			if !yield(at, text[at:end]) {
				return
			}
			at = end
		}
	}
}

func runEnd(text string, at int) int {
	first, size := utf8.DecodeRuneInString(text[at:])
	end := at + size
	switch {
	case '0' <= first && first <= '9':
		for digit(text, end) {
			end++
		}
	case 'a' <= first && first <= 'z' || first >= utf8.RuneSelf && unicode.IsLetter(first):
		for end < len(text) {
			c := text[end]
			if 'a' <= c && c <= 'z' {
				end++
				continue
			}
			if c < utf8.RuneSelf {
				break
			}
			r, size := utf8.DecodeRuneInString(text[end:])
			if !unicode.IsLetter(r) && !unicode.Is(unicode.M, r) {
				break
			}
			end += size
		}
	}
	return end
}

// digit reports whether there is one at a byte of text.
func digit(text string, at int) bool {
	return at >= 0 && at < len(text) && '0' <= text[at] && text[at] <= '9'
}

// closeTo is text from a byte on, no longer than anything that is recognised.
func closeTo(text string, at int) string { return text[at:min(len(text), at+longestForm)] }

// longestForm is in bytes: a law with its title and date.
const longestForm = 192
