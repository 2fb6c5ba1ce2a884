package extraction

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// spellings are the words of a person's name as addresses may have them: folded,
// without their letters that aren't ASCII (bjrklund), and with German and
// Scandinavian ones as two (bjoerklund). Equal ones are given once.
func spellings(name string) [][]string {
	all := [][]string{strings.Fields(Normal(Person, name))}
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return all
	}
	composed := norm.NFC.String(name)
	dropped := strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf && unicode.IsLetter(r) {
			return -1
		}
		return r
	}, composed)
	for _, other := range []string{dropped, asTwo.Replace(composed)} {
		words := strings.Fields(Normal(Person, other))
		if !slices.ContainsFunc(all, func(known []string) bool { return slices.Equal(known, words) }) {
			all = append(all, words)
		}
	}
	return all
}

// asTwo are letters that are written as two where there is no key for them.
var asTwo = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ø", "oe", "å", "aa", "æ", "ae", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "Ø", "Oe", "Å", "Aa", "Æ", "Ae")

// wholeForms are what may stand of a name before an @ that has both given and family
// name: one after the other, with what is between them, its initials, or without.
// Particles are of the family name or left out.
func wholeForms(words []string) []string {
	return names(words, func(given, family string) []string { return []string{given + family, family + given} })
}

// initialForms are those that have the given name's initial only.
func initialForms(words []string) []string {
	return names(words, func(given, family string) []string {
		return []string{initial(given) + family, family + initial(given)}
	})
}

func names(words []string, forms func(given, family string) []string) []string {
	if len(words) < 2 || len(words) > mostNameWords {
		return nil
	}
	begin := len(words) - 1
	for begin > 1 && particles[words[begin-1]] {
		begin--
	}
	given, middle, last := words[0], words[1:begin], words[len(words)-1]
	initials := ""
	for _, w := range middle {
		initials += initial(w)
	}
	var all []string
	for _, family := range []string{last, strings.Join(words[begin:], "")} {
		for _, between := range []string{"", strings.Join(middle, ""), initials} {
			for i, form := range forms(given, family) {
				if between != "" && i > 0 {
					continue // family names first have none between
				}
				if between != "" {
					form = strings.TrimSuffix(form, family) + between + family
				}
				if !slices.Contains(all, form) {
					all = append(all, form)
				}
			}
		}
	}
	return all
}

func initial(word string) string {
	_, size := utf8.DecodeRuneInString(word)
	return word[:size]
}

// localParts are the words before an @, folded: runs of letters.
func localParts(address string) []string {
	local, _, _ := strings.Cut(address, "@")
	return strings.FieldsFunc(Fold(local), func(r rune) bool { return !unicode.IsLetter(r) })
}
