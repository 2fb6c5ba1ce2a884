package llm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redaction is what was replaced in a request: what stands there now, and what stood
// there.
type redaction struct {
	shown map[string]string // by what is sent
	asked bool              // the answer is JSON
}

var (
	mailAddress = regexp.MustCompile(`[\pL\pN._%+'-]+@[\pL\pN.-]*[\pL\pN]`)
	// phoneNumber is an international number, or a national one: with a nought before
	// it, or ten digits and more. Dates and amounts are shorter, or have other signs.
	phoneNumber = regexp.MustCompile(`\+\p{Nd}[\p{Nd}\p{Zs}().\x{2010}-\x{2013}\-]{5,18}\p{Nd}|\(?0\p{Nd}[\p{Nd}\p{Zs}().\x{2010}-\x{2013}\-]{6,16}\p{Nd}|\p{Nd}{10,15}`)
)

// minName is the shortest word of a name that is replaced alone, in letters.
const minName = 3

// redact replaces e-mail addresses, phone numbers and the names in Names by words such
// as [name 1], the same for the same, in the system's text and the messages.
func redact(r *Request) redaction {
	d := redaction{shown: map[string]string{}, asked: len(r.Schema) > 0}
	words, counts := map[string]string{}, map[string]int{}
	replace := func(kind string) func(string) string {
		return func(found string) string {
			key := kind + strings.ToLower(found)
			if words[key] == "" {
				counts[kind]++
				words[key] = fmt.Sprintf("[%s %d]", kind, counts[kind])
				d.shown[words[key]] = found
			}
			return words[key]
		}
	}
	names := nameWords(r.Names)
	of := func(text string) string {
		text = replaceAll(text, mailAddress, nil, replace("e-mail"))
		text = replaceAll(text, phoneNumber, apart, replace("phone"))
		return replaceNames(text, names, replace("name"))
	}
	r.System = of(r.System)
	r.Messages = slices.Clone(r.Messages)
	for i := range r.Messages {
		r.Messages[i].Text = of(r.Messages[i].Text)
	}
	return d
}

// replaceAll replaces what a pattern finds, without the escape of JSON that it may begin
// in: texts are often inside of a JSON string, where a line's end is \n. It leaves what is
// not whole.
func replaceAll(text string, pattern *regexp.Regexp, whole func(text string, from, to int) bool, replace func(string) string) string {
	var out strings.Builder
	last := 0
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		from := afterEscape(text, at[0])
		if from >= at[1] || from < last || whole != nil && !whole(text, from, at[1]) {
			continue
		}
		out.WriteString(text[last:from])
		out.WriteString(replace(text[from:at[1]]))
		last = at[1]
	}
	out.WriteString(text[last:])
	return out.String()
}

// apart says that no letter or digit touches a place, but for those of an escape of JSON.
func apart(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	part := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return (!part(before) || escaped(text, from)) && !part(after)
}

// afterEscape is the place, or the end of the escape of JSON whose letters it is in.
func afterEscape(text string, at int) int {
	for back := 1; back <= 5 && back <= at; back++ { // from the backslash on
		if found := escape.FindString(text[at-back:]); found != "" && len(found) > back {
			return at - back + len(found)
		}
	}
	return at
}

var escape = regexp.MustCompile(`^\\(?:[bfnrt]|u[0-9a-fA-F]{4})`)

// escaped says whether an escape of JSON ends at the place.
func escaped(text string, at int) bool {
	for _, n := range []int{2, 6} {
		if at >= n && escape.FindString(text[at-n:]) == text[at-n:at] {
			return true
		}
	}
	return false
}

// restore puts back what was replaced.
func (d redaction) restore(text string) string {
	if len(d.shown) == 0 {
		return text
	}
	var pairs []string
	for word, stood := range d.shown {
		if d.asked {
			if quoted, err := json.Marshal(stood); err == nil {
				stood = string(quoted[1 : len(quoted)-1])
			}
		}
		pairs = append(pairs, word, stood)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// nameWords are the names and their words, the longest first.
func nameWords(names []string) []string {
	var all []string
	for _, name := range names {
		name = strings.Join(strings.Fields(name), " ")
		for _, word := range append(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' }), name) {
			if word = strings.ToLower(word); utf8.RuneCountInString(word) >= minName && !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	return all
}

// replaceNames replaces whole words alone, in whatever case.
func replaceNames(text string, names []string, replace func(string) string) string {
	for _, name := range names {
		pattern := regexp.MustCompile(`(?i)` + strings.ReplaceAll(regexp.QuoteMeta(name), " ", `\s+`))
		var out strings.Builder
		last := 0
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
			after, _ := utf8.DecodeRuneInString(text[at[1]:])
			if unicode.IsLetter(before) && !escaped(text, at[0]) || unicode.IsLetter(after) || inWord(text, at[0]) {
				continue
			}
			out.WriteString(text[last:at[0]])
			out.WriteString(replace(text[at[0]:at[1]]))
			last = at[1]
		}
		out.WriteString(text[last:])
		text = out.String()
	}
	return text
}

// inWord says whether a place lies within a word of ours, such as [name 1].
func inWord(text string, at int) bool {
	open := strings.LastIndexByte(text[:at], '[')
	return open >= 0 && strings.LastIndexByte(text[:at], ']') < open && ours.MatchString(text[open:])
}

var ours = regexp.MustCompile(`^\[(?:name|phone|e-mail) \d+\]`)
