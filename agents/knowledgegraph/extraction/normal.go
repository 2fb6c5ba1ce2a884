package extraction

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Normal is the normal form of a name of the type, the Key of its mentions: folded,
// words alone with one blank between. Persons are without titles and with their
// given names first, companies without their legal form ("PT Bali Jaya Tbk" is
// "bali jaya"), laws by number and year where they have them ("law 6/2011", by
// whatever language). It is empty where the name has no letter and no digit. Money
// and dates have theirs from Exact.
func Normal(t Type, name string) string {
	switch t {
	case Law:
		if key, _, ok := lawOf(name); ok {
			return key
		}
	case Person:
		name = givenFirst(name)
	}
	words := nameWords(Fold(name))
	switch t {
	case Person:
		words = withoutTitles(words)
	case Company:
		words = withoutForms(words)
	}
	return strings.Join(words, " ")
}

// nameWords are the words of folded text: runs of letters and digits, an inner
// apostrophe left out, and letters with dots as one word (s.r.l. is srl), likewise
// titles and degrees that have dots (m.kn.).
func nameWords(folded string) []string {
	var words []string
	for field := range strings.FieldsFuncSeq(folded, func(r rune) bool {
		return !isWord(r) && r != '\'' && r != '.'
	}) {
		field = strings.ReplaceAll(field, "'", "")
		parts := strings.FieldsFunc(field, func(r rune) bool { return r == '.' })
		if joined := strings.Join(parts, ""); len(parts) > 1 && (titles[joined] || degrees[joined] || !slices.ContainsFunc(parts, func(p string) bool { return utf8.RuneCountInString(p) > 1 })) {
			parts = []string{joined}
		}
		words = append(words, parts...)
	}
	return words
}

// isWord reports what words are made of.
func isWord(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || 'A' <= r && r <= 'Z'
	}
	return unicode.In(r, unicode.L, unicode.Nd, unicode.M)
}

// givenFirst turns "Ruiz, Anna" round, and leaves out what follows a comma and is
// degrees alone.
func givenFirst(name string) string {
	parts := strings.Split(name, ",")
	parts = slices.DeleteFunc(parts, func(part string) bool { return len(withoutDegrees(nameWords(Fold(part)))) == 0 })
	switch len(parts) {
	case 0:
		return name
	case 2:
		return parts[1] + " " + parts[0]
	}
	return strings.Join(parts, " ")
}

// withoutTitles leaves out titles before the name, and degrees behind it, as long
// as a word is left.
func withoutTitles(words []string) []string {
	for len(words) > 1 && titles[words[0]] {
		words = words[1:]
	}
	if kept := withoutDegrees(words); len(kept) > 1 {
		return kept
	}
	return words
}

func withoutDegrees(words []string) []string {
	for len(words) > 0 && degrees[words[len(words)-1]] {
		words = words[:len(words)-1]
	}
	return words
}

// withoutForms leaves out legal forms at both ends, as long as a word is left.
func withoutForms(words []string) []string {
	from, to := betweenForms(words)
	return words[from:to]
}

// betweenForms is where a name's words are without legal forms at both ends.
func betweenForms(words []string) (from, to int) {
	to = len(words)
	for to-from > 1 && formsBefore[words[from]] {
		from++
	}
	for to-from > 1 {
		last := words[to-1]
		switch {
		case to-from > 2 && words[to-2] == "sdn" && last == "bhd":
			to -= 2
		case formsBehind[last] || formsInCapitals[last]:
			to--
		default:
			return from, to
		}
	}
	return from, to
}

// hasForm reports whether a name begins with or ends in a legal form, and has a
// word beside it: "PT Bali Jaya" and "Acme S.r.l.", but not "PT PMA". Forms that
// are also names of people (Co, Sa) count where they are in capitals.
func hasForm(name string) bool {
	words := nameWords(Fold(name))
	if len(words) < 2 || formsBefore[words[0]] && len(withoutForms(words)) == 1 && anyForm(words[len(words)-1]) {
		return false
	}
	last := words[len(words)-1]
	if formsBefore[words[0]] || formsBehind[last] {
		return true
	}
	if !formsInCapitals[last] {
		return false
	}
	written := strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == ',' })
	end := strings.ReplaceAll(written[len(written)-1], ".", "")
	return end == strings.ToUpper(end) || end == "SpA" || strings.Contains(written[len(written)-1], ".")
}

func anyForm(word string) bool {
	return formsBefore[word] || formsBehind[word] || formsInCapitals[word]
}

// Legal forms of companies, and what stands before and behind the names of people,
// folded and without dots.
var (
	formsBefore     = set("pt cv ud yayasan koperasi perkumpulan perseroan")
	formsBehind     = set("tbk ltd limited inc incorporated llc llp plc corp corporation gmbh srl srls sarl snc sapa bv pty pte bhd ltda eurl aps kft sro doo pma persero perseroda cv pt")
	formsInCapitals = set("co sa ag se ab as nv kg oy spa sas lp kk company")
	titles          = set("mr mrs ms miss mx dr prof sir bpk bapak pak ibu bu sdr sdri tn ny nona tuan nyonya sig sigra signor signora signore dott dottssa dottor avv avvocato ing geom rag arch notaio haji hj drs dra ir")
	degrees         = set("sh mh skom msi mkn bsc se mm st mt phd md mba msc llm esq jr sr spd ssi")
)

func set(words string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		all[word] = true
	}
	return all
}
