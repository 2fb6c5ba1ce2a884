package extraction

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// currencies are ISO 4217 codes by what texts say, folded.
var currencies = func() map[string]string {
	all := map[string]string{}
	for code, words := range map[string]string{
		"IDR": "idr rp rp. rupiah rupiahs rupie",
		"USD": "usd us$ us$. $ dollar dollars dolar dollaro dollari",
		"EUR": "eur € euro euros",
		"GBP": "gbp £ sterling sterline",
		"AUD": "aud a$ au$",
		"SGD": "sgd s$ sg$",
		"NZD": "nzd nz$",
		"CAD": "cad ca$ c$",
		"HKD": "hkd hk$",
		"MYR": "myr rm ringgit",
		"CHF": "chf sfr",
		"JPY": "jpy ¥ yen",
		"CNY": "cny rmb yuan",
		"INR": "inr ₹ rupees",
		"THB": "thb ฿ baht",
		"KRW": "krw ₩",
		"VND": "vnd ₫ dong",
		"PHP": "php ₱ peso",
	} {
		for word := range strings.FieldsSeq(words) {
			all[word] = code
		}
	}
	return all
}()

// powers are the zeros that a word behind a number adds. In rupiah m is a milliard.
var powers = map[string]int{
	"k": 3, "rb": 3, "ribu": 3, "thousand": 3, "mila": 3, "mille": 3,
	"jt": 6, "juta": 6, "million": 6, "millions": 6, "mio": 6, "mln": 6, "mn": 6, "m": 6, "milione": 6, "milioni": 6,
	"bn": 9, "b": 9, "billion": 9, "billions": 9, "miliar": 9, "milyar": 9, "miliardo": 9, "miliardi": 9, "mld": 9,
	"t": 12, "trillion": 12, "triliun": 12, "trilyun": 12,
}

// number is digits with or without groups, and what is behind the point.
const number = `\d{1,3}(?:[., ']\d{3}){1,5}(?:[.,]\d{1,2})?|\d{1,15}(?:[.,]\d{1,4})?`

// amounts finds a number with a currency before or behind it. Groups: currency,
// number, power; number, power, currency.
var amounts = func() *regexp.Regexp {
	before := `idr|rp\.?|usd|us\$|eur|euro|gbp|aud|au\$|a\$|sgd|sg\$|s\$|nzd|nz\$|cad|ca\$|c\$|hkd|hk\$|myr|rm|chf|sfr|jpy|cny|rmb|inr|thb|krw|vnd|php|[$€£¥₹฿₩₫₱]`
	behind := `rupiahs?|rupie|idr|us dollars?|dollar[sio]?|dolar|usd|us\$|euros?|eur|pounds? sterling|sterling|sterline|gbp|aud|sgd|nzd|cad|hkd|myr|ringgit|chf|jpy|yen|cny|rmb|yuan|inr|rupees|thb|baht|krw|vnd|dong|php|peso|[$€£¥₹฿₩₫₱]`
	power := `thousand|millions?|mila|mille|milion[ei]|billions?|trillion|miliard[io]|ribu|juta|mil[iy]ar|tril[iy]un|rb|jt|mio|mln|mld|mn|bn|k|m|b|t`
	return regexp.MustCompile(`(` + before + `) ?(` + number + `)(?: ?(` + power + `))?|` +
		`(` + number + `)(?: ?(` + power + `)(?: di| of)?)? ?(` + behind + `)`)
}()

// moneyMatch is an amount at a place in folded text.
type moneyMatch struct {
	start, end int
	key, name  string
	confidence float64
}

// findMoney gives the amounts of money of folded text, from left to right. Ranges
// (Rp 10-15 juta) are left out, since the number at hand is not the amount.
func findMoney(folded string) []moneyMatch {
	var found []moneyMatch
	for at := 0; at < len(folded); {
		groups := amounts.FindStringSubmatchIndex(folded[at:])
		if groups == nil {
			return found
		}
		group := func(n int) string {
			if groups[2*n] < 0 {
				return ""
			}
			return folded[at+groups[2*n] : at+groups[2*n+1]]
		}
		start, end := at+groups[0], at+groups[1]
		currency, digits, power := group(1), group(2), group(3)
		if power != "" && !endsWord(folded, end) { // $5 bill is five dollars
			end = at + groups[5]
			power = ""
		}
		if currency == "" {
			digits, power, currency = group(4), group(5), group(6)
		}
		m, ok := money(currency, digits, power)
		if ok && moneyStands(folded, start, end) {
			m.start, m.end = start, end
			found = append(found, m)
		}
		at = end
	}
	return found
}

// money is an amount's normal form: "IDR 15000000", "USD 1200.5".
func money(currency, digits, power string) (moneyMatch, bool) {
	currency = strings.TrimSpace(currency)
	fields := strings.Fields(currency) // us dollars, pounds sterling
	code, known := currencies[fields[len(fields)-1]]
	whole, part := decimal(digits, points[power])
	if !known {
		return moneyMatch{}, false
	}
	zeros := powers[power]
	if power == "m" && code == "IDR" {
		zeros = 9
	}
	for ; zeros > 0; zeros-- {
		next := byte('0')
		if part != "" {
			next, part = part[0], part[1:]
		}
		whole += string(next)
	}
	whole, part = strings.TrimLeft(whole, "0"), strings.TrimRight(part, "0")
	if whole == "" {
		whole = "0"
	}
	m := moneyMatch{key: code + " " + whole, name: code + " " + grouped(whole), confidence: .97}
	if part != "" {
		m.key += "." + part
		m.name += "." + part
	}
	if strings.HasPrefix(currency, "$") || strings.HasPrefix(currency, "¥") || currency == "peso" || currency == "rm" {
		m.confidence = .85 // of several countries
	}
	return m, true
}

// points are the signs before fractions in the languages of powers: 1.234 million is
// as much as 1,234 juta.
var points = func() map[string]byte {
	all := map[string]byte{}
	for power := range powers {
		all[power] = '.'
	}
	for power := range strings.FieldsSeq("rb ribu mila mille jt juta mio mln milione milioni miliar milyar miliardo miliardi mld triliun trilyun") {
		all[power] = ','
	}
	return all
}()

// decimal splits a number into its whole and the digits behind the point. With both
// signs the last is the point. One sign alone stands between thousands where three
// digits follow it, unless it is the point as the language of the power has it, or
// the number begins with 0; else it is the point.
func decimal(digits string, point byte) (whole, part string) {
	plain := strings.NewReplacer(" ", "", "'", "").Replace(digits)
	at := strings.LastIndexAny(plain, ".,")
	if at < 0 {
		return plain, ""
	}
	before, sign, behind := plain[:at], plain[at], plain[at+1:]
	thousands := len(behind) == 3 && plain[0] != '0'
	if signs := strings.Count(before, ".") + strings.Count(before, ","); signs == 0 {
		thousands = thousands && sign != point
	} else {
		thousands = thousands && strings.IndexByte(before, sign) >= 0
	}
	if thousands {
		before, behind = before+behind, ""
	}
	return strings.NewReplacer(".", "", ",", "").Replace(before), behind
}

// grouped puts a comma between thousands.
func grouped(whole string) string {
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// moneyStands reports whether an amount is not part of something longer: a word, a
// number that goes on, or a range.
func moneyStands(folded string, start, end int) bool {
	number := digit(folded, start)
	before, size := utf8.DecodeLastRuneInString(folded[:start])
	if first, _ := utf8.DecodeRuneInString(folded[start:]); start > 0 && isWord(before) && (isWord(first) || digit(folded, start-1)) {
		return false
	}
	if number && strings.ContainsRune(".,/'", before) && digit(folded, start-size-1) {
		return false
	}
	if lower, ranges := strings.CutSuffix(strings.TrimRight(folded[:start], " "), "-"); ranges && number && digit(lower, len(strings.TrimRight(lower, " "))-1) {
		return false
	}
	if !endsWord(folded, end) || end < len(folded) && strings.IndexByte(".,'", folded[end]) >= 0 && digit(folded, end+1) {
		return false
	}
	upper, ranges := strings.CutPrefix(strings.TrimLeft(folded[end:], " "), "-")
	return !ranges || !digit(strings.TrimLeft(upper, " "), 0)
}

// digit reports whether there is one at a byte of text.
func digit(text string, at int) bool {
	return at >= 0 && at < len(text) && '0' <= text[at] && text[at] <= '9'
}

// endsWord reports whether no word goes on at end. A sign such as $ ends by itself.
func endsWord(folded string, end int) bool {
	last, _ := utf8.DecodeLastRuneInString(folded[:end])
	next, _ := utf8.DecodeRuneInString(folded[end:])
	return end == len(folded) || !isWord(last) || !isWord(next)
}
