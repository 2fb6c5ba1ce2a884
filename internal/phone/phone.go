// Package phone knows phone numbers: how they are written for the world, and
// where they ring. Imports: nyaruka/phonenumbers, which carries libphonenumber's
// tables.
package phone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// ErrInvalid says that a text is no phone number that could ring.
var ErrInvalid = errors.New("is not a phone number")

// maxNumber bounds what is looked at, in bytes.
const maxNumber = 64

// E164 returns a number in E.164, such as +390612345678. region is the country of
// numbers that name none, as two capitals; where it is empty each must begin with
// + or 00. ErrInvalid for what no plan of numbers has.
func E164(number, region string) (string, error) {
	number = strings.TrimSpace(number)
	if rest, found := strings.CutPrefix(number, "00"); found {
		number = "+" + rest
	}
	if number == "" || len(number) > maxNumber || strings.ContainsFunc(number, func(r rune) bool { return !strings.ContainsRune("+0123456789 ()-./", r) && r != '\u00a0' }) {
		return "", fmt.Errorf("%.40q %w", number, ErrInvalid)
	}
	if region == "" && !strings.HasPrefix(number, "+") {
		return "", fmt.Errorf("%q %w of the world: it names no country, such as +62", number, ErrInvalid)
	}
	parsed, err := phonenumbers.Parse(number, region)
	if err != nil {
		return "", fmt.Errorf("%q %w: %s", number, ErrInvalid, err)
	}
	if !phonenumbers.IsValidNumber(parsed) {
		return "", fmt.Errorf("%q %w: no plan of numbers has it", number, ErrInvalid)
	}
	return phonenumbers.Format(parsed, phonenumbers.E164), nil
}

// Zone returns the time zone of a number in E.164. Unknown where the number is, or
// where it may ring in zones that keep different time, as a mobile of a country
// with several: then the caller's own rule is better than a guess.
func Zone(e164 string) (zone string, known bool) {
	parsed, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return "", false
	}
	names, err := phonenumbers.GetTimezonesForNumber(parsed)
	if phonenumbers.GetNumberType(parsed) == phonenumbers.MOBILE {
		// The tables give a mobile its country's main zone; it rings in any of them.
		names, err = phonenumbers.GetTimezonesForPrefix(strconv.Itoa(int(parsed.GetCountryCode())))
	}
	if err != nil || len(names) == 0 {
		return "", false
	}
	var first *time.Location
	for _, name := range names {
		at, err := time.LoadLocation(name)
		if err != nil || name == "Etc/Unknown" {
			return "", false
		}
		if first == nil {
			first = at
		} else if !sameClock(first, at) {
			return "", false
		}
	}
	return names[0], true
}

// sameClock reports whether two zones show the same time in winter and in summer.
func sameClock(a, b *time.Location) bool {
	for _, month := range []time.Month{time.January, time.July} {
		at := time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC)
		_, x := at.In(a).Zone()
		_, y := at.In(b).Zone()
		if x != y {
			return false
		}
	}
	return true
}
