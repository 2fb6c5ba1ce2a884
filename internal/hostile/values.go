package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
)

// generator makes requests of a document. Each connection has its own.
type generator struct {
	document *document
	known    *known
	random   *rand.Rand
	token    string
}

// chance is true so often.
func (g *generator) chance(p float64) bool { return g.random.Float64() < p }

func pick[T any](g *generator, list []T) T { return list[g.random.IntN(len(list))] }

// hints are values of what is told to people alone, by name: without them hardly a
// request would come past the first check. No address in them is anybody's.
var hints = map[string][]any{
	"url":              {"http://127.0.0.1:9/", "http://localhost:9/x?y=z", "https://127.0.0.1:9"},
	"name":             {"nightly", "every-day", "a-b-c-1"},
	"cron":             {"*/5 * * * *", "0 3 * * *", "@daily", "0 0 31 2 *", "59 23 28-31 * 5", "*/61 * * * *"},
	"zone":             {"Europe/Madrid", "UTC", "America/New_York", "Europe/Atlantis", "../UTC"},
	"wait":             {"1ms", "20ms", "0s", "1m", "1h", "-1s", "5"},
	"overlap":          {"skip", "queue", "cancel"},
	"catch_up":         {"latest", "all", "none"},
	"interval_seconds": {30, 60, 3600, 1, 0, -1, 1 << 40},
	"agents":           {[]any{}, []any{"test-noop"}, []any{"test-noop", "test-noop"}, []any{"nobody"}},
	"parameters":       {map[string]any{}, nil, map[string]any{"millis": 1}, []any{}},
	"max_parallel":     {1, 3, 100, 101},
	"jitter_seconds":   {0, 5, 3600},
}

// value makes a value that the schema allows. sure is false where the schema does
// not say all about what is allowed.
func (g *generator) value(s schema, name string) (value any, sure bool) {
	s = g.document.resolve(s)
	sure = !inProse(s)
	if list := hints[name]; list != nil && !sure && g.chance(0.8) {
		return pick(g, list), false
	}
	if list, ok := s["enum"].([]any); ok {
		return pick(g, list), sure
	}
	if list, ok := s["anyOf"].([]any); ok {
		one, _ := pick(g, list).(map[string]any)
		value, inner := g.value(one, name)
		return value, sure && inner
	}
	types := kinds(s)
	if len(types) == 0 {
		return pick(g, []any{nil, true, 1, "x", []any{}, map[string]any{}}), false
	}
	switch pick(g, types) {
	case "integer":
		return g.integer(s), sure
	case "number":
		return number(s, "minimum", 0) + g.random.Float64()*min(number(s, "maximum", 1000)-number(s, "minimum", 0), 1000), sure
	case "boolean":
		if b, ok := s["default"].(bool); ok && g.chance(0.8) {
			return b, sure
		}
		return g.chance(0.5), sure
	case "array":
		list := []any{}
		items, _ := s["items"].(map[string]any)
		for range g.random.IntN(3) {
			one, inner := g.value(items, name)
			list, sure = append(list, one), sure && inner
		}
		return list, sure
	case "object":
		object := map[string]any{}
		for _, name := range properties(s) {
			if !requires(s, name) && g.chance(0.6) {
				sure = sure && !inProse(of(s, "properties", name)) // prose may ask for it
				continue
			}
			one, inner := g.value(of(s, "properties", name), name)
			object[name], sure = one, sure && inner
		}
		return object, sure
	case "null":
		return nil, sure
	default:
		return g.text(s), sure
	}
}

// integer is mostly a small one, so that what it asks for has an end.
func (g *generator) integer(s schema) int64 {
	least, most := number(s, "minimum", -5), number(s, "maximum", 1<<53)
	switch roll := g.random.Float64(); {
	case roll < 0.1:
		return int64(least)
	case roll < 0.11:
		return int64(most)
	case roll < 0.2 && s["default"] != nil:
		return int64(number(s, "default", 0))
	default:
		return int64(least) + g.random.Int64N(int64(min(most-least, 30))+1)
	}
}

// alphabet is of texts: what is written everywhere, and what trips programs.
var alphabet = []string{"a", "b", "Z", "0", "9", " ", "-", "_", ".", "/", "\\", `"`, "'", "%", "&", "=", "+", "#", "?", ";", "<", "\n", "\t", "é", "ß", "中", "😀", "\u202e", "\u0301", "\ufeff", "\u0001", `\u0000`}

func (g *generator) text(s schema) string {
	least, most := int(number(s, "minLength", 0)), int(number(s, "maxLength", 200))
	if pattern, ok := s["pattern"].(string); ok {
		text, err := matching(g.random, pattern)
		for err == nil && len(text) < least {
			text += text
		}
		return text[:min(len(text), most)]
	}
	switch s["format"] {
	case "date-time":
		at := time.Date(1970+g.random.IntN(100), time.Month(1+g.random.IntN(12)), 1+g.random.IntN(28), g.random.IntN(24), g.random.IntN(60), g.random.IntN(60), g.random.IntN(1e9), time.UTC)
		if g.chance(0.5) {
			at = time.Now().Add(time.Duration(g.random.IntN(7200)-3600) * time.Second)
		}
		return at.In(time.FixedZone("", 60*(g.random.IntN(1680)-840))).Format(pick(g, []string{time.RFC3339, time.RFC3339Nano}))
	case "uri":
		return "http://127.0.0.1:9/" + g.word()
	}
	if g.chance(0.3) {
		return g.word()
	}
	var text strings.Builder
	for range least + g.random.IntN(min(most, least+30)-least+1) {
		text.WriteString(pick(g, alphabet))
	}
	return text.String()
}

// word is of lower-case letters.
func (g *generator) word() string {
	text := make([]byte, 1+g.random.IntN(8))
	for i := range text {
		text[i] = byte('a' + g.random.IntN(26))
	}
	return string(text)
}

// wrong makes a value that the schema does not allow; false where it allows all
// that could be written there. asText is of a query or a header, where everything
// is text.
func (g *generator) wrong(s schema, asText bool) (any, bool) {
	s = g.document.resolve(s)
	if list, ok := s["anyOf"].([]any); ok {
		for _, one := range list {
			if inner, ok := one.(map[string]any); ok && !slices.Contains(kinds(inner), "null") {
				s = g.document.resolve(inner)
			}
		}
	}
	types := kinds(s)
	if len(types) == 0 {
		return nil, false
	}
	var bad []any
	is := func(kind string) bool { return slices.Contains(types, kind) }
	if !asText {
		for kind, value := range map[string]any{"string": g.word(), "integer": 3, "boolean": true, "array": []any{1}, "object": map[string]any{"x": 1}, "null": nil} {
			if !is(kind) && (kind != "integer" || !is("number")) {
				bad = append(bad, value)
			}
		}
		slices.SortFunc(bad, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) // the seed decides
	}
	if list, ok := s["enum"].([]any); ok {
		bad = append(bad, g.word()+"-no")
		if !slices.Contains(list, any("")) {
			bad = append(bad, "")
		}
	}
	switch {
	case is("integer") || is("number"):
		if asText {
			bad = append(bad, g.word(), "", "0x10", "1_0", " 1", "NaN", "Infinity")
		}
		if is("integer") {
			bad = append(bad, 1.5)
		}
		if _, ok := s["minimum"]; ok {
			bad = append(bad, number(s, "minimum", 0)-1, -1e9)
		}
		if _, ok := s["maximum"]; ok {
			bad = append(bad, number(s, "maximum", 0)+1, 1e15)
		}
	case is("boolean") && asText:
		bad = append(bad, "yes", "TRUE", "1", "")
	case is("array") && asText:
		items, _ := s["items"].(map[string]any)
		return g.wrong(items, true)
	case s["format"] == "date-time":
		bad = append(bad, "yesterday", "2026-13-01T00:00:00Z", "2026-01-31", "1700000000")
	case s["pattern"] != nil || s["maxLength"] != nil || s["minLength"] != nil:
		if s["minLength"] != nil {
			bad = append(bad, "")
		}
		if most := int(number(s, "maxLength", 0)); most > 0 {
			bad = append(bad, strings.Repeat("a", most+1))
		}
		if pattern, ok := s["pattern"].(string); ok {
			if rule, err := regexp.Compile(pattern); err == nil && !rule.MatchString("é\x7f") {
				bad = append(bad, "é\x7f")
			}
		}
	}
	if len(bad) == 0 {
		return nil, false
	}
	return pick(g, bad), true
}

// plain is a value as a query or a header holds it.
func plain(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
