package conversation

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tokens that stand for what must not be copied from a conversation.
const (
	numberToken = "<number>"
	moneyToken  = "<money>"
	emailToken  = "<email>"
	linkToken   = "<link>"
)

// maxWord is the longest word that is kept, in characters; what is longer is no
// word but a key or a file.
const maxWord = 40

// tokenizer cuts text into tokens: words in lower case with their inner
// apostrophes, ?, !, emoji, each sign of a script without spaces (Han, Hiragana,
// Katakana), and placeholders for numbers, amounts of money, addresses and links. It
// is reused from text to text, so that it allocates nothing.
type tokenizer struct {
	word []byte
	// emit takes a token, valid until the next one; an empty one is the end of a
	// sentence, beyond which no n-gram reaches.
	emit func(token []byte)
	// pending is a number that may yet turn out to be money.
	pending, money bool
}

func (t *tokenizer) read(text string) {
	for len(text) > 0 {
		chunk := text
		if end := strings.IndexFunc(text, unicode.IsSpace); end >= 0 {
			chunk = text[:end]
			r, size := utf8.DecodeRuneInString(text[end:])
			text = text[end+size:]
			t.chunk(chunk)
			if r == '\n' {
				t.stop()
			}
			continue
		}
		text = ""
		t.chunk(chunk)
	}
	t.stop()
}

func (t *tokenizer) put(token string) {
	t.word = append(t.word[:0], token...)
	t.token()
}

// token passes t.word on.
func (t *tokenizer) token() {
	if t.pending {
		t.pending = false
		money := t.money || currencies[string(t.word)]
		kept := append([]byte(nil), t.word...)
		t.number(money)
		t.word = append(t.word[:0], kept...)
	}
	t.emit(t.word)
	t.money = currencies[string(t.word)]
}

func (t *tokenizer) number(money bool) {
	if money {
		t.emit([]byte(moneyToken))
	} else {
		t.emit([]byte(numberToken))
	}
	t.money = false
}

func (t *tokenizer) stop() {
	if t.pending {
		t.pending = false
		t.number(t.money)
	}
	t.money = false
	t.emit(nil)
}

// chunk reads what lies between two spaces.
func (t *tokenizer) chunk(chunk string) {
	switch {
	case chunk == "":
		return
	case strings.Contains(chunk, "://") || strings.HasPrefix(chunk, "www."):
		t.put(linkToken)
		return
	case isEmail(chunk):
		t.put(emailToken)
		return
	}
	for i := 0; i < len(chunk); {
		r, size := utf8.DecodeRuneInString(chunk[i:])
		switch {
		case unicode.Is(unicode.Han, r) || unicode.Is(unicode.Hiragana, r) || unicode.Is(unicode.Katakana, r):
			t.put(chunk[i : i+size])
		case unicode.IsLetter(r):
			i = t.letters(chunk, i)
			continue
		case unicode.IsDigit(r):
			i = t.digits(chunk, i)
			continue
		case r == '?' || r == '？' || r == '؟':
			t.put("?")
			t.stop()
		case r == '!' || r == '！':
			t.put("!")
			t.stop()
		case strings.ContainsRune(".;:…。", r):
			t.stop()
		case unicode.Is(unicode.Sc, r):
			if t.pending { // 5$
				t.pending = false
				t.number(true)
			} else {
				t.money = true
			}
		case isEmoji(r):
			i = t.emoji(chunk, i)
			continue
		}
		i += size
	}
}

func (t *tokenizer) letters(chunk string, i int) int {
	t.word = t.word[:0]
	length := 0
	for i < len(chunk) {
		r, size := utf8.DecodeRuneInString(chunk[i:])
		switch {
		case unicode.IsLetter(r) || unicode.IsMark(r):
			t.word = utf8.AppendRune(t.word, unicode.ToLower(r))
		case r == '\'' || r == '’':
			next, _ := utf8.DecodeRuneInString(chunk[i+size:])
			if !unicode.IsLetter(next) {
				t.end(length)
				return i
			}
			t.word = append(t.word, '\'')
		default:
			t.end(length)
			return i
		}
		length++
		i += size
	}
	t.end(length)
	return i
}

func (t *tokenizer) end(length int) {
	if length > maxWord {
		t.stop()
		return
	}
	t.token()
}

// digits reads a number with the points, commas, colons, slashes and hyphens within.
func (t *tokenizer) digits(chunk string, i int) int {
	money := t.money
	if t.pending {
		t.pending = false
		t.number(t.money)
	}
	for i < len(chunk) {
		r, size := utf8.DecodeRuneInString(chunk[i:])
		if !unicode.IsDigit(r) {
			next, _ := utf8.DecodeRuneInString(chunk[i+size:])
			if !strings.ContainsRune(".,:/-", r) || !unicode.IsDigit(next) {
				break
			}
		}
		i += size
	}
	t.pending, t.money = true, money
	return i
}

func isEmoji(r rune) bool { return r != utf8.RuneError && unicode.Is(unicode.So, r) }

// emoji reads one emoji with what is joined to it: skin, sign of presentation,
// further emoji behind a joiner.
func (t *tokenizer) emoji(chunk string, i int) int {
	start, joined := i, true
	for i < len(chunk) {
		r, size := utf8.DecodeRuneInString(chunk[i:])
		switch {
		case r == '\u200d':
			joined = true
		case r == '\ufe0f' || r >= 0x1f3fb && r <= 0x1f3ff:
		case isEmoji(r) && joined:
			joined = false
		default:
			t.put(chunk[start:i])
			return i
		}
		i += size
	}
	t.put(chunk[start:i])
	return i
}

// isEmail is rough: something, @, something with a point.
func isEmail(chunk string) bool {
	name, domain, found := strings.Cut(chunk, "@")
	return found && name != "" && strings.Contains(strings.TrimRight(domain, ".,;:!?)"), ".")
}
