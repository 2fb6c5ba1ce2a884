package fold_test

import (
	"testing"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/internal/fold"
)

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "",
		"Anna Ruiz":              "anna ruiz",
		" \t Anna \n\n  RUÍZ  ":  "anna ruiz",
		"Ruiz":                   "ruiz",
		"A\u200bnna\u200d\ufeff": "anna",
		"an\u00adna":             "anna",
		"Straße":                 "strasse",
		"Jørgensen Łódź":         "jorgensen lodz",
		"İstanbul, ISTANBUL":     "istanbul, istanbul",
		"D’Angelo – Œuvre":       "d'angelo - oeuvre",
		"ＡＢＣ１２３ ﬁn":              "abc123 fin",
		"Иван ЙОД":               "иван иод",
		"北京":                     "北京",
		"ภาษี":                   "ภาษี",
		"a\x00b":                 "a b",
		"a\xffb":                 "a\uFFFDb",
		"\u0301":                 "",
		"\u200b":                 "",
	} {
		if got := fold.Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"Anna Ruíz", "İ \u200b ǅ ŉ ﬅ", "ᾳͅ ΰ", "a\xff\x00b", "ẛ̣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := fold.Text(text)
		if twice := fold.Text(once); twice != once || !utf8.ValidString(once) {
			t.Errorf("%q is folded to %q, and that to %q", text, once, twice)
		}
	})
}
