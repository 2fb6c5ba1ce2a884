package resolution

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä ", 5000)
	for name, c := range map[string]struct {
		a, b string
		want int
	}{
		"the same":                         {"Anna Ruiz", "anna  RUIZ", nameEqual},
		"the family's name first":          {"Anna Ruiz", "Ruiz, Anna", nameEqual},
		"accents":                          {"José Núñez", "Jose Nunez", nameEqual},
		"titles":                           {"Bapak Putu Wirawan", "Dr. Putu Wirawan", nameEqual},
		"nothing but a title":              {"Ibu", "Bapak", nameDifferent},
		"a letter wrong":                   {"Annalisa Ruiz", "Anmalisa Ruiz", nameClose},
		"two letters swapped":              {"Marco Rossi", "Marco Rosis", nameClose},
		"two words wrong":                  {"Marco Rossi", "Marko Rosi", nameClose},
		"one word or two":                  {"Mary Ann Lee", "Maryann Lee", nameClose},
		"too short for a mistake":          {"Ana Lee", "Eva Lee", nameDifferent},
		"three letters wrong":              {"Alexandra Lee", "Aleksandar Lee", nameDifferent},
		"an initial":                       {"A. Ruiz", "Anna Ruiz", nameInitials},
		"an initial of another":            {"P. Ruiz", "Anna Ruiz", nameDifferent},
		"nothing but initials":             {"A. R.", "Anna Ruiz", nameDifferent},
		"one more name":                    {"Anna Maria Ruiz", "Anna Ruiz", nameContained},
		"the given name":                   {"Anna", "Anna Ruiz", nameSingle},
		"one word in both":                 {"Anna", "anna", nameSingle},
		"a letter":                         {"A.", "A. Ruiz", nameDifferent},
		"one family":                       {"Pedro Ruiz", "Anna Ruiz", nameDifferent},
		"no name":                          {"…", "Anna Ruiz", Missing},
		"no names":                         {"", "!", Missing},
		"without end":                      {long, long, nameSingle},
		"without end, and a word of it":    {long, "ä", nameDifferent},
		"without end, with another end":    {long, long + "ö", nameDifferent},
		"a word without end":               {strings.Repeat("ä", 10_000) + " Ruiz", strings.Repeat("ä", 9_999) + " Ruiz", nameDifferent},
		"Cyrillic and Latin letters alike": {"Аnna Ruiz", "Anna Ruiz", nameClose},
		"from right to left":               {"דוד לוי", "לוי דוד", nameEqual},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newName(c.a), newName(c.b)
			if got := a.alike(b).level; got != c.want {
				t.Errorf("level %d, want %d", got, c.want)
			}
			if got := b.alike(a).level; got != c.want {
				t.Errorf("the other way: level %d, want %d", got, c.want)
			}
		})
	}
}

func TestCompanyNames(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]struct{ key, forms string }{
		"PT. Kusuma Legal, Tbk.": {"kusumalegal", "pt"},
		"Kusuma Pte. Ltd.":       {"kusuma", "ltd"},
		"Rossi S.p.A.":           {"rossi", "spa"},
		"Smith & Co.":            {"smithand", ""},
		"Smith Limited":          {"smith", "ltd"},
		"PT":                     {"pt", ""},
		"Co Ltd":                 {"coltd", ""},
		"":                       {"", ""},
		"SAP AG":                 {"sap", "ag"},
	} {
		got := newCompanyName(written)
		if got.key != want.key || strings.Join(got.forms, " ") != want.forms {
			t.Errorf("%q is %q %q, want %q %q", written, got.key, got.forms, want.key, want.forms)
		}
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"https://www.kusuma.co.id/team?x=1": "kusuma.co.id",
		"WWW.Kusuma.CO.ID":                  "kusuma.co.id",
		"kusuma.com:8080/x":                 "kusuma.com",
		"https://facebook.com/kusuma":       "",
		"https://co.id":                     "",
		"http://[::1":                       "",
		"":                                  "",
		"localhost":                         "",
	} {
		if got, _ := pageDomain(page); got != want {
			t.Errorf("%q has the domain %q, want %q", page, got, want)
		}
	}
	for address, want := range map[string]string{"anna@mail.kusuma-legal.co.id": "kusuma-legal", "anna@gmail.com": "", "anna@yahoo.co.id": "", "anna": "", "@": ""} {
		if _, got := mailDomain(address); got != want {
			t.Errorf("%q is of %q, want %q", address, got, want)
		}
	}
}
