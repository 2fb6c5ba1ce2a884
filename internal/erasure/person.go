package erasure

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/internal/phone"
)

// person is what a client is known by beside the id.
type person struct{ names, mails, phones []string }

// addresses are the normal forms, as messages have them: E.164, and mail addresses in
// lower case. Region is of national numbers.
func (p person) addresses(region string) []string {
	var all []string
	for _, mail := range p.mails {
		if mail = strings.ToLower(strings.TrimSpace(mail)); mail != "" {
			all = append(all, mail)
		}
	}
	for _, number := range p.phones {
		if e164, err := phone.E164(number, region); err == nil {
			all = append(all, e164)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

const (
	// notWithinWord is before and behind what is no part of a longer word.
	notAfterWord, notBeforeWord = `(?<![[:alnum:]])`, `(?![[:alnum:]])`
	minName                     = 3 // letters of a name of one word
	minDigits                   = 6 // of a phone number
)

var special = regexp.MustCompile(`[!-/:-@\[-` + "`" + `{-~]`)

// quoted is a text as a regular expression of Postgres.
func quoted(text string) string { return special.ReplaceAllString(text, `\$0`) }

// patterns are regular expressions of Postgres by which the person is found in texts:
// the whole name, in any case; a name of one word as it is written alone, since "made"
// is no name; mail addresses; phone numbers however they are grouped.
func (p person) patterns(region string) []string {
	var all []string
	for _, name := range p.names {
		words := strings.Fields(name)
		for i := range words {
			words[i] = quoted(words[i])
		}
		switch {
		case len(words) > 1:
			all = append(all, `(?i)`+notAfterWord+strings.Join(words, `[[:space:]]+`)+notBeforeWord)
		case len(words) == 1 && utf8.RuneCountInString(strings.TrimSpace(name)) >= minName:
			all = append(all, notAfterWord+words[0]+notBeforeWord)
		}
	}
	for _, mail := range p.mails {
		if mail = strings.TrimSpace(mail); mail != "" {
			all = append(all, `(?i)`+notAfterWord+quoted(mail)+notBeforeWord)
		}
	}
	for _, number := range slices.Concat(p.phones, p.addresses(region)) {
		if strings.Contains(number, "@") {
			continue
		}
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, strings.TrimPrefix(strings.TrimSpace(number), "00"))
		if len(digits) >= minDigits {
			all = append(all, `(?<![[:digit:]])\+?`+strings.Join(strings.Split(digits, ""), `[ ().\/-]{0,3}`)+`(?![[:digit:]])`)
		}
	}
	slices.SortFunc(all, func(a, b string) int { // the longest first: they may hold one another
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// words are those of names and addresses that a trained model may show.
func (p person) words() []string {
	var all []string
	for _, text := range slices.Concat(p.names, p.mails) {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
			if utf8.RuneCountInString(word) >= minName {
				all = append(all, word, strings.ToLower(word))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
