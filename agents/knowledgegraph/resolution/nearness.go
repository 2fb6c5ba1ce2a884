package resolution

import "math"

// Nearness is 1 less the difference of two numbers as a share of scale, at least 0;
// 0 where anything isn't a number or scale isn't above 0.
func Nearness(a, b, scale float64) float64 {
	if d := math.Abs(a-b) / scale; scale > 0 && d < 1 {
		return 1 - d
	}
	return 0
}

// DateLikeness is how two dates are alike.
type DateLikeness int

// From the closest.
const (
	SameDate DateLikeness = iota
	// DayForMonth is the same date with day and month in each other's place.
	DayForMonth
	// OneDigit is one digit wrong, or two neighbours swapped.
	OneDigit
	// SameYear is the same year, or the same month and day.
	SameYear
	OtherDate
)

// Dates compares two dates of eight digits each, year, month, day; what isn't that
// has no likeness but to be equal or one digit off.
func Dates(a, b string) DateLikeness {
	switch {
	case a == b:
		return SameDate
	case len(a) != 8 || len(b) != 8:
		if Edits(a, b) == 1 {
			return OneDigit
		}
		return OtherDate
	case a[:4] == b[:4] && a[4:6] == b[6:] && a[6:] == b[4:6]:
		return DayForMonth
	case Edits(a, b) == 1:
		return OneDigit
	case a[:4] == b[:4] || a[4:] == b[4:]:
		return SameYear
	default:
		return OtherDate
	}
}
