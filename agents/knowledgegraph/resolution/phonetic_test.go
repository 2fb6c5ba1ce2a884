package resolution_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

func TestSpellingsOfOneNameShareAKey(t *testing.T) {
	t.Parallel()
	for _, spellings := range []string{
		"Soeharto Suharto", "Tjokro Cokro", "Hardjono Harjono Haryono", "Achmad Ahmad Akhmad", "Mochammad Mohamad Muhammad",
		"Rachmat Rahmat", "Widjaja Wijaya", "Jusuf Yusuf Yusoef", "Sjafruddin Syafrudin", "Njoman Nyoman", "Wajan Wayan",
		"Chairul Khairul", "Dewi Devi", "Andjani Anjani",
		"Michael Mikael", "Christian Kristian", "Schmidt Schmitt Smith", "Knight Night", "Müller Mueller Muller",
		"Philip Filip", "José Jose", "Xavier Savier", "Jakub Jakup", "Max Maks", "Αλέξης Αλεξης",
	} {
		names := strings.Fields(spellings)
		for _, n := range names[1:] {
			if a, b := resolution.Phonetic(names[0]), resolution.Phonetic(n); a != b || a == "" {
				t.Errorf("%s is %q, %s is %q", names[0], a, n, b)
			}
		}
	}
}

func TestOtherNamesHaveOtherKeys(t *testing.T) {
	t.Parallel()
	keys := map[string]string{}
	for _, n := range []string{"Suharto", "Sukarno", "Smith", "Jones", "Maria", "Martha", "Wayan", "Ketut", "Adi", "Oka", "Иван", "Пётр"} {
		key := resolution.Phonetic(n)
		if other, taken := keys[key]; taken {
			t.Errorf("%s and %s are both %q", n, other, key)
		}
		keys[key] = n
	}
	for _, none := range []string{"", "123", "--", "\xff"} {
		if got := resolution.Phonetic(none); got != "" {
			t.Errorf("Phonetic(%q) = %q", none, got)
		}
	}
	if got := resolution.Phonetic(strings.Repeat("badige", 1<<16)); len(got) > 8 {
		t.Errorf("a key of %d letters", len(got))
	}
}

func TestTokensAreFolded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"José  O’Brien-ŁUK", []string{"jose", "obrien", "luk"}},
		{"Straße №5", []string{"strasse", "no5"}},
		{"Ma\u200bria", []string{"maria"}}, // a zero-width space
		{"e\u0301t\u0301", []string{"et"}},
		{"ﬁn", []string{"fin"}},
		{"कुमार सिंह", []string{"कुमार", "सिंह"}}, // vowels that are marks
		{"한국 Йод", []string{"한국", "иод"}},
		{"a\u0301\u0489\u20dd b", []string{"a", "b"}},
		{"\xff?!", nil},
	} {
		if got := resolution.Tokens(c.text); !slices.Equal(got, c.want) {
			t.Errorf("Tokens(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}
