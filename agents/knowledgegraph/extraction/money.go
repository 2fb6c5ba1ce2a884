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
var number = regexp.MustCompile(`^(?:\d{1,3}(?:[., ']\d{3}){1,5}(?:[.,]\d{1,2})?|\d{1,15}(?:[.,]\d{1,4})?)`)

// cents are a number without its whole.
var cents = regexp.MustCompile(`^\.\d{1,2}`)

// moneyMatch is an amount at a place in folded text.
type moneyMatch struct {
	start, end int
	key, name  string
	confidence float64
}

// findMoney gives the amounts of money of folded text, from left to right: a
// currency and a number in either order. Ranges (Rp 10-15 juta) are left out, since
// the number at hand is not the amount.
func findMoney(folded string) []moneyMatch {
	var found []moneyMatch
	next := 0
	for start, run := range runs(folded) {
		if start < next {
			continue
		}
		var currency, digits, power string
		end := start
		if digit(run, 0) {
			digits = number.FindString(closeTo(folded, start))
			end += len(digits)
			power, end = powerAt(folded, end)
			for _, filler := range []string{" ", "di ", "of ", "us ", "pounds "} { // milioni di euro, us dollars
				if strings.HasPrefix(folded[end:], filler) {
					end += len(filler)
				}
			}
			currency = currencyAt(folded, end)
			end += len(currency)
		} else if currency = currencyAt(folded, start); currency != "" {
			end += len(currency)
			if strings.HasPrefix(folded[end:], " ") {
				end++
			}
			digits = number.FindString(closeTo(folded, end))
			if digits == "" { // $.50
				digits = cents.FindString(closeTo(folded, end))
			}
			power, end = powerAt(folded, end+len(digits))
		}
		if currency == "" || digits == "" || !moneyStands(folded, start, end) {
			continue
		}
		m := money(currency, digits, power)
		m.start, m.end = start, end
		found = append(found, m)
		next = end
	}
	return found
}

// currencyAt is the currency that folded text has at a byte, or empty.
func currencyAt(folded string, at int) string {
	if at == len(folded) {
		return ""
	}
	end := runEnd(folded, at)
	for _, behind := range []string{"$.", "$", ".", ""} { // us$, rp.
		if strings.HasPrefix(folded[end:], behind) {
			if word := folded[at : end+len(behind)]; currencies[word] != "" {
				return word
			}
		}
	}
	return ""
}

// powerAt is the power behind a number that ends at a byte, and where it ends.
func powerAt(folded string, at int) (string, int) {
	start := at
	if strings.HasPrefix(folded[at:], " ") {
		start++
	}
	if start == len(folded) {
		return "", at
	}
	end := runEnd(folded, start)
	word := folded[start:end]
	if powers[word] == 0 || !endsWord(folded, end) { // 5 kg
		return "", at
	}
	return word, end
}

// money is an amount's normal form: "IDR 15000000", "USD 1200.5".
func money(currency, digits, power string) moneyMatch {
	code := currencies[currency]
	whole, part := decimal(digits, points[power])
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
	switch currency {
	case "$", "¥", "peso", "rm", "dollar", "dollars", "dolar": // of several countries
		m.confidence = .85
	}
	return m
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
	if number && (before == '.' || strings.ContainsRune(",/'", before) && digit(folded, start-size-1)) {
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

// endsWord reports whether no word goes on at end. A sign such as $ ends by itself.
func endsWord(folded string, end int) bool {
	last, _ := utf8.DecodeLastRuneInString(folded[:end])
	next, _ := utf8.DecodeRuneInString(folded[end:])
	return end == len(folded) || !isWord(last) || !isWord(next)
}
