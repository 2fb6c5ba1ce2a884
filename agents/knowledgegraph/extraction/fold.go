package extraction

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold is text as it is compared and searched: lower case, without accents and
// zero-width characters, compatible forms as plain ones (ﬁ is fi, １ is 1), one sort
// of apostrophe and dash, and one blank for each run of white space, none at the
// ends. Folding twice changes nothing.
func Fold(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	blank := false
	foldEach(text, func(r rune, _, _ int) {
		if isBlank(r) {
			blank = b.Len() > 0
			return
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	})
	return b.String()
}

// foldEach gives each folded character with the bytes of text that it comes from,
// an accent being part of its letter. White space is given as it is, line breaks
// as \n; nothing is given for what folding removes.
func foldEach(text string, emit func(r rune, start, end int)) {
	var apart []byte
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf && (i+1 == len(text) || text[i+1] < utf8.RuneSelf) {
			foldLetter(rune(c), i, i+1, emit)
			i++
			continue
		}
		n := norm.NFKC.NextBoundaryInString(text[i:], true)
		end := i + n
		first, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case isApostrophe(first): // some of them are a blank and an accent to NFKD
			emit('\'', i, end)
		case isSuperscript(first): // 15.000¹ is not 15.0001
			emit(first, i, end)
		case size == n && !unicode.IsLetter(first) && norm.NFKD.QuickSpanString(text[i:end]) == n:
			foldLetter(first, i, end, emit)
		default:
			apart = norm.NFKD.AppendString(apart[:0], text[i:end])
			kept := apart[:0]
			letters := 0
			for rest := apart; len(rest) > 0; {
				r, size := utf8.DecodeRune(rest)
				if !isAccent(r) {
					kept = append(kept, rest[:size]...)
					letters++
				}
				rest = rest[size:]
			}
			if letters > 1 { // Korean syllables, and Japanese sounds
				kept = norm.NFC.Append(nil, kept...)
			}
			for len(kept) > 0 {
				r, size := utf8.DecodeRune(kept)
				foldLetter(r, i, end, emit)
				kept = kept[size:]
			}
		}
		i = end
	}
}

// foldLetter gives what is left of one character that has no accent.
func foldLetter(r rune, start, end int, emit func(r rune, start, end int)) {
	switch {
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == ' ', r == '\n':
		emit(r, start, end)
	case 'A' <= r && r <= 'Z':
		emit(r+'a'-'A', start, end)
	case r == '\v', r == '\f', r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
		emit('\n', start, end)
	case isBlank(r):
		emit(' ', start, end)
	case isInvisible(r), isAccent(r):
	case isApostrophe(r):
		emit('\'', start, end)
	case unicode.Is(unicode.Pd, r), r == '−':
		emit('-', start, end)
	default:
		// By way of the capital, final sigma is sigma and ı is i.
		r = unicode.ToLower(unicode.ToUpper(r))
		switch r { // letters that have no accent to take off
		case 'ß':
			emit('s', start, end)
			emit('s', start, end)
		case 'æ':
			emit('a', start, end)
			emit('e', start, end)
		case 'œ':
			emit('o', start, end)
			emit('e', start, end)
		case 'ø':
			emit('o', start, end)
		case 'đ', 'ð':
			emit('d', start, end)
		case 'ł':
			emit('l', start, end)
		case 'ħ':
			emit('h', start, end)
		default:
			emit(r, start, end)
		}
	}
}

// isBlank reports white space, and the control characters, which show as nothing.
func isBlank(r rune) bool {
	if ' ' < r && r < '\x7f' {
		return false
	}
	return unicode.IsSpace(r) || unicode.Is(unicode.Cc, r)
}

// isInvisible reports characters without width: joiners, marks of direction, soft
// hyphens, byte order marks.
func isInvisible(r rune) bool { return unicode.Is(unicode.Cf, r) }

// isAccent reports marks that a reader leaves out: those of European letters, the
// points of Hebrew and Arabic, variation selectors. Vowels of Thai and of India's
// scripts are marks too, but letters to their readers, and so are Japan's voicing marks.
func isAccent(r rune) bool {
	if r < 0x300 || r == '\u3099' || r == '\u309a' || !unicode.Is(unicode.Mn, r) {
		return false
	}
	return unicode.In(r, unicode.Inherited, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Hebrew, unicode.Arabic)
}

func isApostrophe(r rune) bool {
	switch r {
	case '\'', '`', '´', '‘', '’', '‛', 'ʹ', 'ʻ', 'ʼ', 'ʽ', 'ˈ', '′', '＇', '｀':
		return true
	}
	return false
}

func isSuperscript(r rune) bool {
	return r == '¹' || r == '²' || r == '³' || '⁰' <= r && r <= '⁹' || '₀' <= r && r <= '₉'
}

// view is a text that was changed for reading, with the way back: start and end
// are the bytes of the original that each of its own bytes comes from. Postgres
// holds no text beyond 1 GiB, so 32 bits are enough.
type view struct {
	text       string
	start, end []int32
}

func newView(size int) (*strings.Builder, *view) {
	var b strings.Builder
	b.Grow(size)
	return &b, &view{start: make([]int32, 0, size), end: make([]int32, 0, size)}
}

func (v *view) write(b *strings.Builder, r rune, start, end int) {
	before := b.Len()
	b.WriteRune(r)
	for range b.Len() - before {
		v.start = append(v.start, int32(start))
		v.end = append(v.end, int32(end))
	}
}

// foldedView is text folded, with runs of white space as one blank, or as one line
// break where they hold one.
func foldedView(text string) *view {
	b, v := newView(len(text))
	var blank rune
	var from, to int
	foldEach(text, func(r rune, start, end int) {
		if isBlank(r) {
			if blank == 0 {
				blank, from = r, start
			} else if r == '\n' {
				blank = r
			}
			to = end
			return
		}
		if blank != 0 {
			v.write(b, blank, from, to)
			blank = 0
		}
		v.write(b, r, start, end)
	})
	v.text = b.String()
	return v
}

// visibleView is text without its invisible characters, else as it is.
func visibleView(text string) *view {
	b, v := newView(len(text))
	for i, r := range text {
		if r < utf8.RuneSelf || !isInvisible(r) {
			v.write(b, r, i, i+utf8.RuneLen(r))
		}
	}
	v.text = b.String()
	return v
}

// visible is text as it is shown: without invisible characters, blanks as one.
func visible(text string) string { return strings.Join(strings.Fields(visibleView(text).text), " ") }

// span is the place in the original of the view's bytes from start to end, which
// are not none.
func (v *view) span(start, end int) Span {
	return Span{Start: int(v.start[start]), End: int(v.end[end-1])}
}
