package conversation

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/internal/phone"
)

// Reasons why a line is left out.
const (
	holdsName        = "holds a word of a client's name"
	holdsMail        = "holds an e-mail address"
	holdsPhone       = "holds a phone number"
	holdsAmount      = "holds an amount of money"
	holdsLink        = "holds a link"
	holdsMarkup      = "holds markup or what can't be printed"
	readsAsOrder     = "reads as an instruction to the reader"
	repeatsAClient   = "repeats more than six words in a row of a client's message"
	tooLong          = "is too long"
	holdsNumber      = "holds a number that no program counted"
	beyondTheLimit   = "beyond the number of lines that a block has"
	withoutAnyReason = ""
)

const (
	// maxRepeated is how many words in a row may be those of a client's message.
	maxRepeated = 6
	// maxLine bounds a line, in characters.
	maxLine = 1200
)

// Lint looks for what must not stand in a prompt. It is made for some texts; then it
// is shown all clients and, where Repeats says so, their messages, of which it keeps
// only what those texts hold; then it is asked.
type Lint struct {
	words    map[string]bool // of the texts
	named    map[string]bool // those of them that are part of a client's name
	names    [][]string      // whole names of short words, as Chinese ones are
	ends     map[string]bool // last digits of numbers in the texts
	contacts map[string]bool // those of them that are a client's
	runs     map[string]bool // runs of words in the texts, one longer than may be repeated
	repeated map[string]bool // those of them that are in a client's message
}

// NewLint makes a Lint for texts that come from data or from an author.
func NewLint(texts []string) *Lint {
	l := &Lint{
		words: map[string]bool{}, named: map[string]bool{}, ends: map[string]bool{}, contacts: map[string]bool{},
		runs: map[string]bool{}, repeated: map[string]bool{},
	}
	for _, text := range texts {
		words := wordsOf(text)
		for _, w := range words {
			l.words[w] = true
		}
		for i := 0; i+maxRepeated < len(words); i++ {
			l.runs[strings.Join(words[i:i+maxRepeated+1], " ")] = true
		}
		if end := lastDigits(text); end != "" {
			l.ends[end] = true
		}
	}
	return l
}

// wordsOf are the runs of letters in lower case; each sign of a script without spaces
// is a word.
func wordsOf(text string) []string {
	var words []string
	start := -1
	end := func(at int) {
		if start >= 0 {
			words = append(words, strings.ToLower(text[start:at]))
			start = -1
		}
	}
	for i, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			end(i)
			words = append(words, string(r))
		case unicode.IsLetter(r) || start >= 0 && unicode.IsMark(r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
		}
	}
	end(len(text))
	return words
}

// enoughDigits is how many last digits tell one phone from others.
const enoughDigits = 7

// lastDigits are the last digits of a text that has enough of them.
func lastDigits(text string) string {
	var digits []byte
	for i := range len(text) {
		if '0' <= text[i] && text[i] <= '9' {
			digits = append(digits, text[i])
		}
	}
	if len(digits) < enoughDigits {
		return ""
	}
	return string(digits[len(digits)-enoughDigits:])
}

// leastName is the shortest word of a name, in characters, that counts alone: shorter
// ones (de, al) are words of the language, and count together.
const leastName = 3

// Client shows the Lint a client's name and contacts.
func (l *Lint) Client(name string, contacts ...string) {
	words := wordsOf(name)
	short := true
	for _, w := range words {
		if utf8.RuneCountInString(w) >= leastName {
			short = false
			if l.words[w] {
				l.named[w] = true
			}
		}
	}
	if short && len(words) > 1 {
		whole := true
		for _, w := range words {
			whole = whole && l.words[w]
		}
		if whole {
			l.names = append(l.names, words)
		}
	}
	for _, contact := range contacts {
		if end := lastDigits(contact); end != "" && l.ends[end] {
			l.contacts[end] = true
		}
	}
}

// Repeats says whether messages must be shown: whether a text is long enough.
func (l *Lint) Repeats() bool { return len(l.runs) > 0 }

// Message shows the Lint what a client wrote.
func (l *Lint) Message(body string) {
	words := wordsOf(body)
	for i := 0; i+maxRepeated < len(words); i++ {
		if !l.words[words[i+maxRepeated]] {
			i += maxRepeated // no run goes over it
			continue
		}
		if run := strings.Join(words[i:i+maxRepeated+1], " "); l.runs[run] {
			l.repeated[run] = true
		}
	}
}

var (
	mailLike = regexp.MustCompile(`[^\s@“”"(),;]+@[^\s@“”"(),;]+\.[^\s@“”"(),;]+`)
	// numberLike is what may be a phone number, however it is written.
	numberLike = regexp.MustCompile(`\+?\d[\d\s().\-/]{5,}\d`)
	// orders are how texts speak to a model instead of to a person.
	orders = regexp.MustCompile(`(?i)\b(ignore|ignoring|disregard|override|overrule|bypass|jailbreak|prompts?|instructions?|you are now|from now on|act as|pretend|developer mode|rules above|abaikan|instruksi|ignora|ignorare|istruzioni|dimentica le|ignoriere|anweisung|ignorez|ignore[zr]?)\b`)
	// idLike are ids that can be shown as they are.
	idLike = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/#+-]{0,79}$`)
)

// Refuse says why a line must not stand in the block; empty is that it may.
func (l *Lint) Refuse(line Line) string {
	if utf8.RuneCountInString(line.Text) > maxLine || utf8.RuneCountInString(line.Advice) > maxAdvice {
		return tooLong
	}
	if !utf8.ValidString(line.Text) || strings.ContainsFunc(line.Text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d' || r == '\u2028' || r == '\u2029'
	}) {
		return holdsMarkup
	}
	for _, text := range line.Foreign {
		if reason := l.refuse(text); reason != withoutAnyReason {
			return reason
		}
	}
	if strings.ContainsFunc(line.Advice, unicode.IsNumber) {
		return holdsNumber
	}
	return withoutAnyReason
}

func (l *Lint) refuse(text string) string {
	if strings.ContainsAny(text, "<>`[]{}|*_\\“”") {
		return holdsMarkup
	}
	if mailLike.MatchString(text) {
		return holdsMail
	}
	if l.holdsPhone(text) {
		return holdsPhone
	}
	switch token := standIn(text); token {
	case moneyToken:
		return holdsAmount
	case linkToken:
		return holdsLink
	case emailToken:
		return holdsMail
	}
	if orders.MatchString(text) {
		return readsAsOrder
	}
	words := wordsOf(text)
	for i, w := range words {
		if l.named[w] {
			return holdsName
		}
		for _, name := range l.names {
			if i+len(name) <= len(words) && strings.Join(words[i:i+len(name)], " ") == strings.Join(name, " ") {
				return holdsName
			}
		}
		if i+maxRepeated < len(words) && l.repeated[strings.Join(words[i:i+maxRepeated+1], " ")] {
			return repeatsAClient
		}
	}
	return withoutAnyReason
}

// holdsPhone says whether a text holds a client's number, or one that a country gives
// out.
func (l *Lint) holdsPhone(text string) bool {
	if l.contacts[lastDigits(text)] {
		return true
	}
	for _, number := range numberLike.FindAllString(text, -1) {
		if _, err := phone.E164("+"+strings.TrimLeft(number, "+0 "), ""); err == nil {
			return true
		}
	}
	return false
}

// standIn is the first token of a text that stands for an amount, an address or a
// link; empty where there is none.
func standIn(text string) string {
	found := ""
	t := tokenizer{emit: func(token []byte) {
		if s := string(token); found == "" && (s == moneyToken || s == linkToken || s == emailToken) {
			found = s
		}
	}}
	t.read(text)
	return found
}

// Shows says whether an id of a conversation may be shown.
func (l *Lint) Shows(id string) bool {
	return idLike.MatchString(id) && l.refuse(strings.ReplaceAll(id, "_", "-")) == withoutAnyReason
}
