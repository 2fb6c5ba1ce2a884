package retention

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Bounds of an age. Under a day something may still be tried again, polled or looked
// at; the database refuses it too.
const (
	MinAge = 24 * time.Hour
	MaxAge = 100 * 365 * 24 * time.Hour
)

var errAge = errors.New("must be a whole number of hours, days or weeks, such as 48h, 90d or 12w")

// ParseAge reads a whole number of hours, days of 24 hours or weeks: 48h, 90d, 12w,
// from MinAge to MaxAge.
func ParseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, errAge
	}
	unit := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 63)
	switch {
	case unit == 0, err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%q %w", text, errAge)
	case err != nil || n > uint64(MaxAge/unit):
		return 0, fmt.Errorf("%q is more than %d days", text, MaxAge/(24*time.Hour))
	case time.Duration(n)*unit < MinAge:
		return 0, fmt.Errorf("%q is less than a day: what ended so lately may still be tried again, polled or looked at", text)
	}
	return time.Duration(n) * unit, nil
}
