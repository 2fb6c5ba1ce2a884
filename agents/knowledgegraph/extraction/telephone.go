package extraction

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/internal/phone"
)

// digitGroup is a run of digits, with what is before it in the same run of groups.
type digitGroup struct {
	start, end, digits int
	// opens is + or ( before it; zero is a first 0; tight is a dash or dot before it.
	plus, opens, zero, tight bool
}

// Telephone numbers in E.164 have 15 digits at most; 00 may stand for +. Fewer than 7
// are of no network that the world reaches.
const (
	fewestDigits = 7
	mostDigits   = 17
	// mostGroups is how many groups of digits a number is written in, and mostTries
	// how many ways to cut a run of groups are tried.
	mostGroups = 8
	mostTries  = 6
)

// findPhones gives the telephone numbers of text, from left to right, in E.164. Those
// of the region may be without + where they begin with 0 or a bracket, are written in
// groups, or are announced ("call", "hp"); taken tells places that are something else.
func findPhones(text, region string, taken func(start, end int) bool) []contactMatch {
	var found []contactMatch
	for at := 0; at < len(text); {
		var run []digitGroup
		run, at = digitGroups(text, at)
		found = append(found, phonesOf(text, run, region, taken)...)
	}
	return found
}

// digitGroups are the next groups of digits with no more than a few signs of phone
// numbers between, and where they end.
func digitGroups(text string, at int) ([]digitGroup, int) {
	var run []digitGroup
	var next digitGroup
	gap := 0
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case '0' <= r && r <= '9' || r >= utf8.RuneSelf && unicode.IsDigit(r):
			if !next.plus && !next.opens {
				next.start = at
			}
			next.zero = r == '0'
			for at < len(text) {
				r, size := utf8.DecodeRuneInString(text[at:])
				if !unicode.IsDigit(r) {
					break
				}
				at += size
				next.digits++
			}
			next.end = at
			run = append(run, next)
			next, gap = digitGroup{}, 0
			continue
		case (r == '+' || r == '＋') && len(run) == 0:
			next = digitGroup{start: at, plus: true}
			gap = 0
		case r == '(' && !next.opens && !next.plus:
			next.start, next.opens = at, true
			gap++
		case r == ')' || r == '(':
			gap++
		case r == '-' || r == '.' || r >= utf8.RuneSelf && unicode.Is(unicode.Pd, r):
			next.tight = true
			gap++
		case r == ' ' || r >= utf8.RuneSelf && unicode.Is(unicode.Zs, r):
			gap++
		default:
			if len(run) > 0 {
				return run, at
			}
			next, gap = digitGroup{}, 0
		}
		if len(run) > 0 && gap > 3 || (r == '+' || r == '＋') && len(run) > 0 {
			return run, at
		}
		at += size
	}
	return run, at
}

// phonesOf are the numbers in a run of groups: the longest first, from the left.
func phonesOf(text string, run []digitGroup, region string, taken func(start, end int) bool) []contactMatch {
	var found []contactMatch
	tries := 0
	for i := 0; i < len(run) && tries < mostTries; i++ {
		if i > 0 && run[i].tight {
			continue
		}
		last, digits := i, 0
		for j := i; j < len(run) && j < i+mostGroups && digits+run[j].digits <= mostDigits; j++ {
			digits += run[j].digits
			last = j
		}
		for j := last; j >= i && digits >= fewestDigits && tries < mostTries; j-- {
			number := text[run[i].start:run[j].end]
			if (j+1 == len(run) || !run[j+1].tight) && phoneStands(text, run, i, j, region) && !taken(run[i].start, run[j].end) {
				tries++
				if value, err := phone.E164(dialled(number), region); err == nil {
					found = append(found, contactMatch{start: run[i].start, end: run[j].end, value: value})
					i = j
					break
				}
			}
			digits -= run[j].digits
		}
		if run[i].plus && len(found) == 0 {
			return nil // the rest is of a number that is none
		}
	}
	return found
}

// dialled are a number's digits and its +: what stands between is no matter.
func dialled(number string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || r == '+' {
			return r
		}
		if r == '＋' {
			return '+'
		}
		return -1
	}, number)
}

// phoneStands reports whether groups from first to last look like a number, and not
// like an amount, an address of the net or a part of a longer word.
func phoneStands(text string, run []digitGroup, first, last int, region string) bool {
	start, end := run[first].start, run[last].end
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	next, _ := utf8.DecodeRuneInString(text[end:])
	if start > 0 && (isWord(before) || strings.ContainsRune("#/=+,'", before) || before == '.' && start > 1 && isWord(rune(text[start-2]))) || end < len(text) && (isWord(next) || strings.ContainsRune("%/=@'", next)) {
		return false
	}
	groups := run[first : last+1]
	if groups[0].plus || strings.HasPrefix(text[start:], "00") {
		return true
	}
	if region == "" || thousandsOf(text[start:end], groups) {
		return false
	}
	return groups[0].zero || groups[0].opens || len(groups) > 2 || announced(text[:start])
}

// thousandsOf reports groups that an amount has: 15.000.000, 192.168.1.100.
func thousandsOf(number string, groups []digitGroup) bool {
	if len(groups) < 2 || groups[0].digits > 3 || groups[0].opens {
		return false
	}
	for _, g := range groups[1:] {
		if g.digits != 3 && !strings.Contains(number, ".") {
			return false
		}
		if g.digits > 3 {
			return false
		}
	}
	return strings.Trim(number, "0123456789.") == "" || strings.Trim(number, "0123456789 ") == "" && !groups[0].zero
}

// announced reports a word for telephones right before.
func announced(before string) bool {
	words := strings.FieldsFunc(Fold(before[max(0, len(before)-32):]), func(r rune) bool { return !isWord(r) })
	return len(words) > 0 && announcements[words[len(words)-1]]
}

var announcements = set("tel telp telepon telephone phone ph mobile cell cellulare cell cel hp wa whatsapp call fax telefono numero nomor nomer number hubungi chiamami sms")
