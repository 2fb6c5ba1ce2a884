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

// relativeDays are words for days from the day of the message on. That day itself is
// left out: "how are you today?" is said of no date.
var relativeDays = map[string]int{
	"tomorrow": 1, "besok": 1, "domani": 1,
	"yesterday": -1, "ieri": -1,
	"day after tomorrow": 2, "lusa": 2, "dopodomani": 2,
	"day before yesterday": -2, "l'altro ieri": -2,
}

// relativePhrases are the longer before the shorter.
var relativePhrases = slices.SortedFunc(maps.Keys(relativeDays), func(a, b string) int {
	return cmp.Or(len(b)-len(a), strings.Compare(a, b))
})

// Ways to write a date, in folded text from their beginning on.
var (
	isoDate     = regexp.MustCompile(`^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})`)
	numericDate = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})`)
	dayMonth    = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th|°|o)?[\s-](?:of |di |del )?([a-z]{3,9})\.?,?[\s-](?:del |of |tahun )?(\d{4})`)
	monthDay    = regexp.MustCompile(`^([a-z]{3,9})\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})`)
	monthYear   = regexp.MustCompile(`^([a-z]{3,9})\.?,?\s(?:del |of |tahun )?(\d{4})`)
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
	next := 0
	for start, run := range runs(folded) {
		if start < next {
			continue
		}
		m := dateMatch{start: start}
		var ok bool
		if digit(run, 0) {
			m.end, m.key, m.confidence, ok = numberedDate(folded, start)
		} else if _, named := months[run]; named {
			m.end, m.key, m.confidence, ok = monthDate(folded, start)
		} else if !sent.IsZero() {
			m.end, m.key, m.confidence, ok = relativeDate(folded, start, run, sent)
		}
		behindPoint := digit(run, 0) && start > 1 && strings.IndexByte(".,", folded[start-1]) >= 0 && digit(folded, start-2)
		if ok && startsWord(folded, start) && endsNumber(folded, m.end) && !behindPoint {
			found = append(found, m)
		}
		next = max(next, m.end) // of 30 February 2026 not even the month is right
	}
	return found
}

// numberedDate is a date that begins with a number.
func numberedDate(folded string, start int) (end int, key string, confidence float64, ok bool) {
	near := closeTo(folded, start)
	if g := isoDate.FindStringSubmatch(near); g != nil {
		key, ok = day(integer(g[1]), time.Month(integer(g[2])), integer(g[3]))
		return start + len(g[0]), key, .97, ok
	}
	if g := numericDate.FindStringSubmatch(near); g != nil {
		key, confidence, ok = numeric(integer(g[1]), integer(g[3]), g[2], g[4])
		return start + len(g[0]), key, confidence, ok
	}
	if g := dayMonth.FindStringSubmatch(near); g != nil && months[g[2]] > 0 {
		key, ok = day(integer(g[3]), months[g[2]], integer(g[1]))
		return start + len(g[0]), key, .98, ok
	}
	return 0, "", 0, false
}

// monthDate is a date that begins with a month: a day, or the month itself.
func monthDate(folded string, start int) (end int, key string, confidence float64, ok bool) {
	near := closeTo(folded, start)
	if g := monthDay.FindStringSubmatch(near); g != nil {
		key, ok = day(integer(g[3]), months[g[1]], integer(g[2]))
		return start + len(g[0]), key, .98, ok
	}
	if g := monthYear.FindStringSubmatch(near); g != nil {
		key, ok = day(integer(g[2]), months[g[1]], 1)
		return start + len(g[0]), strings.TrimSuffix(key, "-01"), .9, ok
	}
	return 0, "", 0, false
}

// relativeDate is a day told from that of the message. Words are sought by their
// first, the longer phrase before the shorter.
func relativeDate(folded string, start int, run string, sent time.Time) (end int, key string, confidence float64, ok bool) {
	second, secondEnd := wordBehind(folded, start+len(run))
	of, first := weekdays[run]
	if first {
		key, ok = weekday(sent, of, second)
		return secondEnd, key, .8, ok
	}
	if of, named := weekdays[second]; named && (run == "next" || run == "last" || run == "this") {
		key, ok = weekday(sent, of, run)
		return secondEnd, key, .8, ok
	}
	for _, phrase := range relativePhrases {
		if strings.HasPrefix(phrase, run) && strings.HasPrefix(folded[start:], phrase) {
			return start + len(phrase), sent.AddDate(0, 0, relativeDays[phrase]).Format(time.DateOnly), .85, true
		}
	}
	return 0, "", 0, false
}

// wordBehind is the word that white space parts from what ends at a byte, and its end.
func wordBehind(folded string, at int) (string, int) {
	if at+1 >= len(folded) || folded[at] != ' ' && folded[at] != '\n' {
		return "", at
	}
	end := runEnd(folded, at+1)
	return folded[at+1 : end], end
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
	case "this", "ini":
		return sent.AddDate(0, 0, later).Format(time.DateOnly), later >= 0
	}
	return "", false
}

// integer is a number of few digits.
func integer(digits string) int {
	n := 0
	for _, c := range digits {
		n = 10*n + int(c-'0')
	}
	return n
}
