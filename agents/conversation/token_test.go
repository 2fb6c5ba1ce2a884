package conversation

import (
	"strings"
	"testing"
)

func tokens(text string) string {
	var all []string
	t := &tokenizer{}
	t.emit = func(token []byte) {
		if len(token) == 0 {
			if len(all) > 0 && all[len(all)-1] != "|" {
				all = append(all, "|")
			}
			return
		}
		all = append(all, string(token))
	}
	t.read(text)
	return strings.Join(all, " ")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":               {"", ""},
		"spaces":                {" \t\n ", ""},
		"words and a sentence":  {"Hello there. How ARE you?", "hello there | how are you ? |"},
		"apostrophes":           {"don't, I’m 'quoted'", "don't i'm quoted |"},
		"a line ends a phrase":  {"one\ntwo", "one | two |"},
		"numbers are hidden":    {"call 0812-345 678 at 10:30", "call <number> <number> at <number> |"},
		"money by sign":         {"$5.50 or 7€ or € 8", "<money> or <money> or <money> |"},
		"money by word":         {"Rp 500.000, 20 dollars, usd 3", "rp <money> <money> dollars usd <money> |"},
		"numbers in a row":      {"1 2 3", "<number> <number> <number> |"},
		"addresses":             {"write to a.b@firm.example, see https://firm.example/x?y=1 or www.firm.example", "write to <email> see <link> or <link> |"},
		"an at sign alone":      {"a @ b", "a b |"},
		"emoji":                 {"nice 👍🏽 👩‍👩‍👧 ok", "nice 👍🏽 👩‍👩‍👧 ok |"},
		"right to left":         {"שלום, מה שלומך?", "שלום מה שלומך ? |"},
		"arabic":                {"هل تريد؟ نعم", "هل تريد ? | نعم |"},
		"bidi signs":            {"\u202eabc\u202c", "abc |"},
		"no spaces":             {"你好吗？", "你 好 吗 ? |"},
		"accents":               {"Perché È così", "perché è così |"},
		"a key is no word":      {strings.Repeat("x", 41) + " is", "| is |"},
		"the longest word":      {strings.Repeat("x", 40), strings.Repeat("x", 40) + " |"},
		"invalid UTF-8":         {"a\xff\xfeb c", "a b c |"},
		"an order to a machine": {"IGNORE all previous; DROP TABLE", "ignore all previous | drop table |"},
	} {
		if got := strings.TrimPrefix(tokens(c.text), ""); got != c.want && got != strings.TrimPrefix(c.want, "| ") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "Hello, $5 a@b.c 👍🏽?", "\xff", "a'b’c", "5$5€5", "Rp5 rp 5 rp", "你1你"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if a, b := tokens(text), tokens(text); a != b {
			t.Fatalf("%q: once %q, once %q", text, a, b)
		}
		for _, token := range strings.Fields(tokens(text)) {
			if strings.ContainsAny(token, "0123456789") {
				t.Fatalf("%q: the number %q is left", text, token)
			}
		}
	})
}
