package extraction

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest parts of an e-mail address, of RFC 5321.
const (
	longestLocal  = 64
	longestDomain = 255
)

// contactMatch is a contact at a place in the text that was read.
type contactMatch struct {
	start, end int
	value      string
}

// findEmails gives the e-mail addresses of text, from left to right. It looks from
// each @ to both sides, no further than addresses reach. Their normal form is in
// lower case, the name before the @ too: no mail service of today tells them apart.
func findEmails(text string) []contactMatch {
	var found []contactMatch
	for at := 0; ; {
		next := strings.IndexByte(text[at:], '@')
		if next < 0 {
			return found
		}
		from, sign := at, at+next
		at = sign + 1
		start, end := localStart(text, from, sign), domainEnd(text, at)
		if start == sign || end == at {
			continue
		}
		if before, _ := utf8.DecodeLastRuneInString(text[:start]); before == '@' || withinURL(text, start) {
			continue
		}
		found = append(found, contactMatch{start: start, end: end, value: strings.ToLower(text[start:end])})
		at = end
	}
}

// withinURL reports whether a place is of a URL: https://user:password@host.
func withinURL(text string, at int) bool {
	before := text[max(0, at-longestDomain):at]
	return strings.Contains(before[strings.LastIndexFunc(before, unicode.IsSpace)+1:], "://")
}

// localStart is where the part before an @ begins, not before from; it is the @
// where there is none.
func localStart(text string, from, sign int) int {
	start := sign
	for start > from {
		r, size := utf8.DecodeLastRuneInString(text[from:start])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) && !strings.ContainsRune("._%+-'&", r) {
			break
		}
		start -= size
		if sign-start > longestLocal {
			return sign
		}
	}
	for start < sign && strings.IndexByte(".'-&%+", text[start]) >= 0 { // quotes and lists
		start++
	}
	if start < sign && text[sign-1] == '.' || strings.Contains(text[start:sign], "..") {
		return sign
	}
	return start
}

// domainEnd is where the domain from at on ends: labels with dots between, the last
// of two letters or more. It is at itself where there is none.
func domainEnd(text string, at int) int {
	end, label, labels := at, at, 0
	last := at // of the last whole label that a dot precedes
	for end < len(text) && end-at <= longestDomain {
		r, size := utf8.DecodeRuneInString(text[end:])
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || r == '-' && end > label {
			end += size
			continue
		}
		if r != '.' || end == label {
			break
		}
		labels++
		if labels > 1 && topLevel(text[label:end]) {
			last = end
		}
		end++
		label = end
	}
	if end > label && labels > 0 && topLevel(strings.TrimRight(text[label:end], "-")) {
		last = label + len(strings.TrimRight(text[label:end], "-"))
	}
	if end-at > longestDomain {
		return at
	}
	return last
}

// topLevel reports whether a label can be the last of a domain.
func topLevel(label string) bool {
	if strings.HasPrefix(strings.ToLower(label), "xn--") {
		return len(label) > 4
	}
	return utf8.RuneCountInString(label) > 1 && !strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.Is(unicode.M, r) })
}
