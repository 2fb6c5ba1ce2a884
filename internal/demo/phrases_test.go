package demo

import (
	"strings"
	"testing"
)

// Every language has every phrase, and every phrase has what it needs.
func TestPhrases(t *testing.T) {
	t.Parallel()
	two := []phrases{introduced, moved, asked, denied, remarked}
	for _, by := range []map[string]phrases{asserted, withheld} {
		for _, p := range by {
			two = append(two, p)
		}
	}
	check := func(p phrases, has ...string) {
		for _, language := range languages {
			if len(p[language]) < 2 && len(has) > 0 {
				t.Errorf("%v: few phrases in %s", p, language)
			}
			for _, text := range p[language] {
				for _, token := range has {
					if strings.Count(strings.ToLower(text), token) != 1 {
						t.Errorf("%q: not one %s", text, token)
					}
				}
				if strings.Count(text, "{") != len(has) {
					t.Errorf("%q has something else", text)
				}
			}
		}
	}
	for _, p := range two {
		check(p, "{s}", "{o}")
	}
	check(reached, "{s}", "{c}")
	for _, p := range []phrases{handled, greeted, signed} {
		check(p, "{s}")
	}
	check(clientFill)
	check(agentFill)
}
