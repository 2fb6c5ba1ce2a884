package extraction

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// lawKind is a kind of law that is cited by number and year.
type lawKind struct {
	// key begins the normal form, name the form that is shown.
	key, name string
	// cites are its names in texts, folded, as a regular expression.
	cites string
}

// lawKinds are Indonesia's kinds in Indonesian and English, Italy's and the
// European Union's. An English "law" is taken for Indonesia's, since "law 6/2011" and
// "UU 6/2011" are one to this firm; Italy's legge keeps a key of its own.
var lawKinds = []lawKind{
	{"law", "Law", `law|act|uu|undang ?- ?undang`},
	{"government regulation", "Government Regulation", `government regulation|pp|peraturan pemerintah`},
	{"presidential regulation", "Presidential Regulation", `presidential regulation|perpres|peraturan presiden`},
	{"government regulation in lieu of law", "Government Regulation in Lieu of Law", `government regulation in lieu of law|perpp?u|peraturan pemerintah pengganti undang ?- ?undang`},
	{"presidential decree", "Presidential Decree", `presidential decree|keppres|keputusan presiden`},
	{"presidential instruction", "Presidential Instruction", `presidential instruction|inpres|instruksi presiden`},
	{"regional regulation", "Regional Regulation", `regional regulation|perda|peraturan daerah`},
	{"minister of finance regulation", "Minister of Finance Regulation", `(?:minister of finance|ministry of finance) regulation|pmk|peraturan menteri keuangan|permenkeu`},
	{"minister of law regulation", "Minister of Law Regulation", `permenkum(?:ham)?|minister of law and human rights regulation`},
	{"minister of manpower regulation", "Minister of Manpower Regulation", `permenaker(?:trans)?|minister of manpower regulation`},
	{"minister of trade regulation", "Minister of Trade Regulation", `permendag|minister of trade regulation`},
	{"legge", "Legge", `legge|l\.`},
	{"dlgs", "D.Lgs.", `d\. ?lgs\.?|dlgs|decreto legislativ[oi]|legislative decree`},
	{"dl", "D.L.", `d\. ?l\.|decreto[ -]legge`},
	{"dpr", "D.P.R.", `d\. ?p\. ?r\.?|dpr`},
	{"dpcm", "D.P.C.M.", `d\. ?p\. ?c\. ?m\.?|dpcm`},
	{"dm", "D.M.", `d\. ?m\.|decreto ministeriale`},
	{"eu regulation", "Regulation (EU)", `(?:regulation|regolamento|peraturan) \(? ?(?:eu|ue|ec|ce|eec|cee) ?\)?`},
	{"eu directive", "Directive", `(?:directive|direttiva) ?(?:\(? ?(?:eu|ue|ec|ce|eec|cee) ?\)?)?`},
}

// lawBegins are the first letters of citations, as runs have them.
var lawBegins = set("law act uu undang government pp peraturan presidential perpres perppu perpu presiden keppres keputusan inpres instruksi regional perda minister ministry pmk permenkeu permenkum permenkumham permenaker permenakertrans permendag legge l d dlgs decreto legislative dpr dpcm regulation regolamento directive direttiva")

// laws is a citation in folded text, from its beginning on: kind, "no.", number, and year. The groups are
// the kinds in order, then Italy's date before the number, "no.", the number, its
// year. Up to four words of a title may stand before "no." (UU Cipta Kerja No. 11
// Tahun 2020).
var laws = func() *regexp.Regexp {
	kinds := make([]string, len(lawKinds))
	for i, k := range lawKinds {
		kinds[i] = "(" + k.cites + ")"
	}
	return regexp.MustCompile(`^(?:` + strings.Join(kinds, "|") + `)` +
		`(?:\s(?:republik indonesia|ri|r\.i\.))?` +
		`(?:,?\s(?:del |of )?(\d{1,2}[°o]? \pL{3,10} \d{4}|\d{1,2}/\d{1,2}/\d{4}),?)?` +
		`((?:(?: \pL{2,20}){0,4}?,?\s)?(?:no ?\.?|nr ?\.?|n ?\.|n|numero|number|nomor|num\.))?` +
		`\s?(\d{1,4})` +
		`(?:\s?/\s?(?:[a-z]{2,8}(?:\.\d{1,3})?/)?(\d{4}|\d{1,4})(?:/(?:eu|ec|eec|ue|ce|cee))?|\s(?:of|ta?hu?n\.?|th\.?|year|del(?:l'anno)?|of the year|of year)\s(?:year )?(\d{4})|)`)
}()

// lawMatch is a law at a place in folded text.
type lawMatch struct {
	start, end int
	key, name  string
}

// findLaws gives the laws of folded text, from left to right.
func findLaws(folded string) []lawMatch {
	var found []lawMatch
	next := 0
	for start, run := range runs(folded) {
		if start < next || !lawBegins[run] || !startsWord(folded, start) {
			continue
		}
		near := closeTo(folded, start)
		groups := laws.FindStringSubmatch(near)
		if groups == nil {
			continue
		}
		m := lawMatch{start: start, end: start + len(groups[0])}
		var ok bool
		if m.key, m.name, ok = cite(groups); ok && endsNumber(folded, m.end) {
			found = append(found, m)
			next = m.end
		}
	}
	return found
}

// cite is the key and name of a match, and whether it is a citation at all: with a
// year that laws have.
func cite(groups []string) (key, name string, ok bool) {
	var kind lawKind
	for i, k := range lawKinds {
		if groups[i+1] != "" {
			kind = k
		}
	}
	n := len(lawKinds)
	date, no, number, year := groups[n+1], groups[n+2], groups[n+3], groups[n+4]+groups[n+5]
	if year == "" && date != "" && no != "" { // D.Lgs. 8 giugno 2001, n. 231
		year = date[len(date)-4:]
	}
	number = strings.TrimLeft(number, "0")
	if strings.HasPrefix(kind.key, "eu ") {
		return citeEU(kind, number, year)
	}
	if number == "" || !lawYear(year) {
		return "", "", false
	}
	return kind.key + " " + number + "/" + year, kind.name + " " + number + "/" + year, true
}

// citeEU knows that the Union puts the year first since 2015 (2016/679) and always
// in directives (95/46/EC), and the number first in older regulations (1907/2006).
func citeEU(kind lawKind, first, second string) (key, name string, ok bool) {
	second = strings.TrimLeft(second, "0")
	switch {
	case first == "" || second == "":
		return "", "", false
	case lawYear(first) && (!lawYear(second) || kind.key != "eu regulation" || second >= "2015"):
	case lawYear(second) && kind.key == "eu regulation":
	case len(first) == 2 && kind.key == "eu directive" && first >= "58":
		first = "19" + first
	default:
		return "", "", false
	}
	return kind.key + " " + first + "/" + second, kind.name + " " + first + "/" + second, true
}

func lawYear(year string) bool { return len(year) == 4 && year >= "1850" && year <= "2149" }

// lawOf is the law that a name begins with, and whether it is one with a number and
// year: "Law No. 6 of 2011 on Immigration" is "law 6/2011".
func lawOf(name string) (key, shown string, ok bool) {
	found := findLaws(foldedView(name).text)
	if len(found) == 0 || found[0].start > 0 {
		return "", "", false
	}
	return found[0].key, found[0].name, true
}

// startsWord reports whether no word, and no number, goes on at start from before.
func startsWord(folded string, start int) bool {
	before, _ := utf8.DecodeLastRuneInString(folded[:start])
	return start == 0 || !isWord(before) && before != '-' && before != '@' && before != '/'
}

// endsNumber reports whether no number and no word goes on at end.
func endsNumber(folded string, end int) bool {
	if end == len(folded) {
		return true
	}
	next, size := utf8.DecodeRuneInString(folded[end:])
	after, _ := utf8.DecodeRuneInString(folded[end+size:])
	switch next {
	case '.', ',', '/':
		return after < '0' || after > '9'
	case '-':
		return !isWord(after)
	}
	return !isWord(next)
}
