package phone

import (
	"strings"
	"testing"
)

func TestNumbersAsFirmsWriteThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ number, region, want string }{
		{"+39 06 1234 5678", "", "+390612345678"},
		{"0039 (06) 1234-5678", "", "+390612345678"},
		{"06 1234 5678", "IT", "+390612345678"},
		{"0812-3456-7890", "ID", "+6281234567890"},
		{"+62 812.3456.7890", "IT", "+6281234567890"},
		{"(212) 555-2368", "US", "+12125552368"},
		{"٠٦١٢٣٤٥٦٧٨", "IT", "+390612345678"}, // digits are digits
		{"+44\u00a020 7946 0018", "", "+442079460018"},
	} {
		if got, err := E164(c.number, c.region); err != nil || got != c.want {
			t.Errorf("%q in %q is %q, %v; want %q", c.number, c.region, got, err, c.want)
		}
	}
	for name, c := range map[string]struct{ number, region string }{
		"empty": {"", "IT"}, "too short": {"12", "IT"}, "too long": {"+39061234567890123456", ""}, "very long": {strings.Repeat("1", 1000), "IT"},
		"no country": {"06 1234 5678", ""}, "letters": {"0800-FLOWERS", "US"}, "a NUL": {"+390612345678\x00", ""}, "an extension": {"+390612345678 ext. 5", ""},
		"a country that isn't": {"+999 1234567", ""}, "a line break": {"+3906123\n45678", ""}, "a plus inside": {"39+0612345678", "IT"},
	} {
		if got, err := E164(c.number, c.region); err == nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWhereANumberIsAtHome(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"+390612345678":  "Europe/Rome",
		"+442079460018":  "Europe/London",
		"+393331234567":  "Europe/Rome", // a mobile; the Vatican has the same clock
		"+12125552368":   "America/New_York",
		"+62361234567":   "Asia/Makassar", // a line in Bali
		"+61412345678":   "",              // a mobile of a country with several zones
		"+6281234567890": "",              // a mobile of a country with three zones
		"+8001234567890": "",              // of no country
		"":               "",
	} {
		got, known := Zone(number)
		if got != want || known != (want != "") {
			t.Errorf("%s is in %q (%v), not %q", number, got, known, want)
		}
	}
}

func FuzzE164(f *testing.F) {
	f.Add("+39 06 1234 5678", "")
	f.Add("0812", "ID")
	f.Fuzz(func(t *testing.T, number, region string) {
		got, err := E164(number, region)
		if err != nil {
			return
		}
		if again, err := E164(got, ""); err != nil || again != got {
			t.Errorf("%q in %q became %q, which becomes %q, %v", number, region, got, again, err)
		}
		Zone(got)
	})
}

func TestE164(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ number, region, want string }{
		{"+39 333 123 4567", "", "+393331234567"}, {"333 123 4567", "it", "+393331234567"}, {"0039 333 1234567", "IT", "+393331234567"},
		{"0812-3456-7890", "ID", "+6281234567890"}, {"+44 (0)20 7946 0000", "", "+442079460000"},
		{"333 123 4567", "", ""}, {"+39 333 123 4567 ext 5", "", ""}, {"1-800-FLOWERS", "US", ""}, {"+3933", "", ""},
		{"+3933312345671234567", "", ""}, {"+39333\x001234567", "", ""}, {"", "IT", ""}, {"333 123 4567", "Italy", ""}, {strings.Repeat("3", 200), "IT", ""},
	} {
		got, err := E164(c.number, c.region)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q in %q is %q, %v", c.number, c.region, got, err)
		}
	}
}

func TestZone(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"+393331234567": "Europe/Rome", "+390612345678": "Europe/Rome", "+6281234567890": "", "+623618765432": "Asia/Makassar",
		"+12125550123": "America/New_York", "+447911123456": "Europe/London", "+18005551234": "", "+34612345678": "", "x": "",
	} {
		if got, ok := Zone(number); got != want || ok != (want != "") {
			t.Errorf("%s is in %q, %v", number, got, ok)
		}
	}
}
