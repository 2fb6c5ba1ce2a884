package main

import (
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
)

// matching makes a text that a pattern matches, with unbounded repeats short.
func matching(random *rand.Rand, pattern string) (string, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", fmt.Errorf("read the pattern %q: %w", pattern, err)
	}
	var text strings.Builder
	match(random, parsed, &text)
	return text.String(), nil
}

func match(random *rand.Rand, p *syntax.Regexp, into *strings.Builder) {
	repeat := func(least, most int) {
		for range least + random.IntN(most-least+1) {
			match(random, p.Sub[0], into)
		}
	}
	const more = 12
	switch p.Op {
	case syntax.OpLiteral:
		into.WriteString(string(p.Rune))
	case syntax.OpCharClass:
		i := 2 * random.IntN(len(p.Rune)/2)
		into.WriteRune(p.Rune[i] + rune(random.IntN(int(p.Rune[i+1]-p.Rune[i])+1)))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		into.WriteRune(rune(' ' + random.IntN('~'-' ')))
	case syntax.OpStar:
		repeat(0, more)
	case syntax.OpPlus:
		repeat(1, more)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		most := p.Max
		if most < 0 {
			most = p.Min + more
		}
		repeat(p.Min, most)
	case syntax.OpAlternate:
		match(random, p.Sub[random.IntN(len(p.Sub))], into)
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range p.Sub {
			match(random, sub, into)
		}
	}
}
