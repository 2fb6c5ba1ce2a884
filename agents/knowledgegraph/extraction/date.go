package extraction

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// months are by their names in the demo's languages, folded; abbreviations of three
// letters or more count too.
var months = func() map[string]time.Month {
	all := map[string]time.Month{}
	for i, names := range []string{
		"january jan januari gennaio gen genn",
		"february feb februari pebruari febbraio febb",
		"march mar maret marzo",
		"april apr aprile",
		"may mei maggio mag magg",
		"june jun juni giugno giu",
		"july jul juli luglio lug",
		"august aug agustus agu agt ags agosto ago",
		"september sep sept settembre sett",
		"october oct oktober okt ottobre ott",
		"november nov nopember novembre",
		"december dec desember des dicembre dic",
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = time.Month(i + 1)
		}
	}
	return all
}()

// weekdays are those that mean nothing else: minggu is also a week, so that "minggu
// depan" is no day.
var weekdays = func() map[string]time.Weekday {
	all := map[string]time.Weekday{}
	for i, names := range []string{
		"sunday domenica", "monday senin lunedi", "tuesday selasa martedi", "wednesday rabu mercoledi",
		"thursday kamis giovedi", "friday jumat venerdi", "saturday sabtu sabato",
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = time.Weekday(i)
		}
	}
	return all
}()

// relativeDays are words for days from the day of the message on.
var relativeDays = map[string]int{
	"today": 0, "hari ini": 0, "oggi": 0,
	"tomorrow": 1, "besok": 1, "domani": 1,
	"yesterday": -1, "ieri": -1,
	"day after tomorrow": 2, "lusa": 2, "dopodomani": 2,
	"day before yesterday": -2, "l'altro ieri": -2,
}

// dates finds dates in folded text; the groups of each way to write one follow
// each other, as dateGroups counts them.
var dates = func() *regexp.Regexp {
	month := alternatives(months)
	weekday := alternatives(weekdays)
	relative := alternatives(relativeDays)
	return regexp.MustCompile(strings.Join([]string{
		`(\d{4})([-/.])(\d{1,2})[-/.](\d{1,2})`,
		`(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})`,
		`(\d{1,2})(?:st|nd|rd|th|°|o)?[\s-](?:of |di |del )?(` + month + `)\.?,?[\s-](?:del |of |tahun )?(\d{4})`,
		`(` + month + `)\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})`,
		`(` + month + `)\.?,?\s(?:del |of |tahun )?(\d{4})`,
		`(next|last|this) (` + weekday + `)`,
		`(` + weekday + `)\s(depan|mendatang|lalu|kemarin|ini|prossimo|prossima|scorso|scorsa)`,
		`(` + relative + `)`,
	}, "|"))
}()

// alternatives are a table's words as a regular expression, the longer first, so
// that one that begins another doesn't hide it.
func alternatives[V any](table map[string]V) string {
	words := slices.SortedFunc(maps.Keys(table), func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	return strings.Join(words, "|")
}

// Of each way to write a date, the first group.
const (
	isoDate      = 1
	numericDate  = 5
	dayMonth     = 9
	monthDay     = 12
	monthYear    = 15
	nextWeekday  = 17
	weekdayNext  = 19
	relativeDate = 21
)

// dateMatch is a date at a place in folded text.
type dateMatch struct {
	start, end int
	// key is of ISO 8601: a day, or a month such as 2026-03.
	key        string
	confidence float64
}

// findDates gives the dates of folded text, from left to right. Days relative to the
// message are of sent's own zone, and left out where sent is zero or where people
// would not agree ("next Tuesday" on a Monday). Days without a year are left out.
func findDates(folded string, sent time.Time) []dateMatch {
	var found []dateMatch
	for at := 0; at < len(folded); {
		groups := dates.FindStringSubmatchIndex(folded[at:])
		if groups == nil {
			return found
		}
		start, end := at+groups[0], at+groups[1]
		group := func(n int) string {
			if groups[2*n] < 0 {
				return ""
			}
			return folded[at+groups[2*n] : at+groups[2*n+1]]
		}
		key, confidence, ok := date(group, sent)
		if ok && startsWord(folded, start) && endsNumber(folded, end) && !(digit(folded, start) && start > 1 && strings.IndexByte(".,", folded[start-1]) >= 0 && digit(folded, start-2)) {
			found = append(found, dateMatch{start: start, end: end, key: key, confidence: confidence})
		}
		at = end
	}
	return found
}

// date is a match's key and confidence.
func date(group func(int) string, sent time.Time) (key string, confidence float64, ok bool) {
	switch {
	case group(isoDate) != "":
		key, ok = day(integer(group(isoDate)), time.Month(integer(group(isoDate+2))), integer(group(isoDate+3)))
		return key, .97, ok
	case group(numericDate) != "":
		return numeric(integer(group(numericDate)), integer(group(numericDate+2)), group(numericDate+1), group(numericDate+3))
	case group(dayMonth) != "":
		key, ok = day(integer(group(dayMonth+2)), months[group(dayMonth+1)], integer(group(dayMonth)))
		return key, .98, ok
	case group(monthDay) != "":
		key, ok = day(integer(group(monthDay+2)), months[group(monthDay)], integer(group(monthDay+1)))
		return key, .98, ok
	case group(monthYear) != "":
		key, ok = day(integer(group(monthYear+1)), months[group(monthYear)], 1)
		return strings.TrimSuffix(key, "-01"), .9, ok
	case sent.IsZero():
		return "", 0, false
	case group(nextWeekday) != "":
		key, ok = weekday(sent, weekdays[group(nextWeekday+1)], group(nextWeekday))
		return key, .8, ok
	case group(weekdayNext) != "":
		key, ok = weekday(sent, weekdays[group(weekdayNext)], group(weekdayNext+1))
		return key, .8, ok
	}
	return sent.AddDate(0, 0, relativeDays[group(relativeDate)]).Format(time.DateOnly), .85, true
}

// day is a day of the calendar in ISO 8601; years of four digits from 1800 on.
func day(year int, month time.Month, of int) (string, bool) {
	at := time.Date(year, month, of, 0, 0, 0, 0, time.UTC)
	return at.Format(time.DateOnly), year >= 1800 && year < 2200 && at.Month() == month && at.Day() == of
}

// numeric reads the day first, as Indonesia and Italy do, unless only the other
// order is a date. Where both are and differ it is half a guess, except behind
// dots, which nobody writes months first with.
func numeric(first, second int, sign, year string) (key string, confidence float64, ok bool) {
	y := integer(year)
	if len(year) == 2 {
		y += 2000
		confidence = -.2
	}
	dayFirst, isDayFirst := day(y, time.Month(second), first)
	monthFirst, isMonthFirst := day(y, time.Month(first), second)
	switch {
	case isDayFirst && (!isMonthFirst || first == second):
		return dayFirst, confidence + .95, true
	case isDayFirst && sign == ".":
		return dayFirst, confidence + .9, true
	case isDayFirst:
		return dayFirst, confidence + .5, true
	}
	return monthFirst, confidence + .9, isMonthFirst && sign != "."
}

// weekday is the day that all would take "next Tuesday" for: the coming one, where
// that is in the next week (from Monday on), so that it is also the one of next
// week; and likewise the last one. "This" one is of the week of the message.
func weekday(sent time.Time, of time.Weekday, which string) (string, bool) {
	days := (int(of) - int(sent.Weekday()) + 7) % 7 // to the coming one, or today
	fromMonday := func(d time.Weekday) int { return (int(d) + 6) % 7 }
	later := fromMonday(of) - fromMonday(sent.Weekday()) // within the week
	switch which {
	case "next", "depan", "mendatang", "prossimo", "prossima":
		return sent.AddDate(0, 0, days).Format(time.DateOnly), later < 0
	case "last", "lalu", "kemarin", "scorso", "scorsa":
		return sent.AddDate(0, 0, days-7).Format(time.DateOnly), later > 0
	}
	return sent.AddDate(0, 0, later).Format(time.DateOnly), later >= 0
}

// integer is a number of few digits.
func integer(digits string) int {
	n := 0
	for _, c := range digits {
		n = 10*n + int(c-'0')
	}
	return n
}
