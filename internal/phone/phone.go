// Package phone knows phone numbers: how they are written for the world, and
// where they are at home. Imports: nyaruka/phonenumbers, which carries
// libphonenumber's tables.
package phone

import (
	"errors"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // images have no zones of their own
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// E164 is a phone number as +, country code and digits, such as +393331234567.
// Region is the two letters of the country that national numbers are of; without
// it only international ones are taken. Refused: numbers that no country gives
// out, letters, extensions. The error doesn't show the number.
func E164(number, region string) (string, error) {
	number = strings.TrimSpace(number)
	if rest, found := strings.CutPrefix(number, "00"); found {
		number = "+" + rest // as most of the world dials it
	}
	switch {
	case number == "":
		return "", errors.New("the phone number is empty")
	case len(number) > 100:
		return "", errors.New("the phone number is too long")
	case strings.ContainsFunc(number, noPart):
		return "", errors.New("the phone number holds more than digits, +, spaces and - . / ( )")
	}
	region = strings.ToUpper(strings.TrimSpace(region))
	if region != "" && !Region(region) {
		return "", errors.New("the region of phone numbers is no country that has them, such as IT")
	}
	parsed, err := phonenumbers.Parse(number, region)
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		return "", errors.New("the phone number has no country code that exists (+39 …), and no region says whose national number it is")
	case err != nil:
		return "", errors.New("the phone number is none: " + err.Error())
	}
	switch reason := phonenumbers.IsPossibleNumberWithReason(parsed); {
	case reason == phonenumbers.TOO_SHORT:
		return "", errors.New("the phone number is too short")
	case reason == phonenumbers.TOO_LONG:
		return "", errors.New("the phone number is too long")
	case !phonenumbers.IsValidNumber(parsed):
		return "", errors.New("the phone number is none that its country gives out")
	}
	return phonenumbers.Format(parsed, phonenumbers.E164), nil
}

// noPart reports whether a character belongs to no phone number.
func noPart(r rune) bool {
	return !unicode.IsDigit(r) && !unicode.Is(unicode.Zs, r) && !unicode.Is(unicode.Pd, r) && !strings.ContainsRune("+＋./()", r)
}

// Zone is the IANA zone where a number in E.164 is at home. A landline's area code
// says it, and a North American number's, though people move with theirs. Mobile
// numbers of other countries say the country alone, so that all of its zones come
// into question: +62 812 … is false, since Indonesia has three, and so are Spain's
// mobiles, for the Canaries. Of zones whose clocks agree for the next year, such
// as Rome and the Vatican, it is the country's own.
func Zone(number string) (string, bool) {
	parsed, err := phonenumbers.Parse(number, "")
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return "", false
	}
	var zones []string
	e164 := strings.TrimPrefix(phonenumbers.Format(parsed, phonenumbers.E164), "+")
	switch phonenumbers.GetNumberType(parsed) {
	case phonenumbers.FIXED_LINE, phonenumbers.FIXED_LINE_OR_MOBILE:
		zones, err = phonenumbers.GetTimezonesForPrefix(e164)
	case phonenumbers.MOBILE:
		country := strings.TrimSuffix(e164, phonenumbers.GetNationalSignificantNumber(parsed))
		zones, err = phonenumbers.GetTimezonesForPrefix(country)
	default: // freephone, satellites …: at home nowhere
		return "", false
	}
	if err != nil || len(zones) == 0 || !agree(zones) {
		return "", false
	}
	if example := phonenumbers.GetExampleNumber(phonenumbers.GetRegionCodeForCountryCode(int(parsed.GetCountryCode()))); example != nil {
		own, err := phonenumbers.GetTimezonesForNumber(example)
		if err == nil && len(own) == 1 && slices.Contains(zones, own[0]) {
			return own[0], true
		}
	}
	return zones[0], true
}

// agree reports whether the zones exist and their clocks show the same on each of
// the next 366 days.
func agree(zones []string) bool {
	now := time.Now()
	var first *time.Location
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil { // also Etc/Unknown
			return false
		}
		if first == nil {
			first = zone
		}
		for day := range 366 {
			at := now.AddDate(0, 0, day)
			_, a := at.In(first).Zone()
			if _, b := at.In(zone).Zone(); a != b {
				return false
			}
		}
	}
	return true
}

// Region reports whether two capitals are a country that has phone numbers: GB is,
// UK and EU are not.
func Region(code string) bool { return phonenumbers.GetSupportedRegions()[code] }
