package imports

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// shape is the JSON type of a value; a column takes one or several. A cell of CSV
// is a word, whatever is in it.
type shape uint8

const (
	word shape = 1 << iota
	number
	truth
	list
	object
	null
)

func (s shape) String() string {
	var names []string
	for i, name := range []string{"a string", "a number", "true or false", "a list of strings", "an object", "null"} {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// cell is one value of a row. The shape is 0 where the row hasn't got the column.
type cell struct {
	shape shape
	text  []byte
	list  [][]byte
}

// empty reports whether there is nothing to parse.
func (c cell) empty() bool {
	return c.shape == 0 || c.shape == null || (c.shape == word && len(c.text) == 0)
}

// Longest values, in bytes.
const (
	maxID   = 200
	maxText = 1000
	maxTags = 100
)

var errEncoding = errors.New("is not UTF-8: save the file as UTF-8")

func checkText(text []byte, longest int) error {
	switch {
	case !utf8.Valid(text):
		return fmt.Errorf("%.40q %w", text, errEncoding)
	case bytes.IndexByte(text, 0) >= 0:
		return fmt.Errorf("%.40q has the character U+0000", text)
	case len(text) > longest:
		return fmt.Errorf("%.40q… has %d bytes, at most %d are taken", text, len(text), longest)
	}
	return nil
}

func parseID(dst []byte, c cell, _ *intake) ([]byte, error) {
	if c.shape == number && !isDecimal(c.text, maxID, 0) {
		return dst, fmt.Errorf("%.40q is a number with a fraction or an exponent", c.text)
	}
	if err := checkText(c.text, maxID); err != nil {
		return dst, err
	}
	return appendEscaped(dst, c.text), nil
}

func parseText(dst []byte, c cell, _ *intake) ([]byte, error) {
	if err := checkText(c.text, maxText); err != nil {
		return dst, err
	}
	return appendEscaped(dst, c.text), nil
}

func oneOf(words ...string) func([]byte, cell, *intake) ([]byte, error) {
	return func(dst []byte, c cell, _ *intake) ([]byte, error) {
		if !slices.Contains(words, string(c.text)) {
			return dst, fmt.Errorf("%.40q is not one of %s", c.text, strings.Join(words, ", "))
		}
		return append(dst, c.text...), nil
	}
}

func parseBool(dst []byte, c cell, _ *intake) ([]byte, error) {
	b, err := strconv.ParseBool(string(c.text))
	if err != nil {
		return dst, fmt.Errorf("%.40q is not true or false", c.text)
	}
	return strconv.AppendBool(dst, b), nil
}

// parseTags takes a list, or a text whose tags are separated by semicolons.
func parseTags(dst []byte, c cell, _ *intake) ([]byte, error) {
	tags := c.list
	if c.shape == word {
		tags = bytes.Split(c.text, []byte(";"))
	}
	if len(tags) > maxTags {
		return dst, fmt.Errorf("are %d, at most %d are taken", len(tags), maxTags)
	}
	array := []byte{'{'}
	for _, tag := range tags {
		if tag = bytes.TrimSpace(tag); len(tag) == 0 {
			continue
		}
		if err := checkText(tag, maxID); err != nil {
			return dst, err
		}
		if len(array) > 1 {
			array = append(array, ',')
		}
		array = append(array, '"')
		for _, b := range tag {
			if b == '"' || b == '\\' {
				array = append(array, '\\')
			}
			array = append(array, b)
		}
		array = append(array, '"')
	}
	return appendEscaped(dst, append(array, '}')), nil
}

// isDecimal reports whether a text is a decimal of at most so many digits before
// and after the point.
func isDecimal(text []byte, before, after int) bool {
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	whole := digits(text)
	if whole == 0 || whole > before {
		return false
	}
	if whole == len(text) {
		return true
	}
	fraction := text[whole+1:]
	return text[whole] == '.' && len(fraction) > 0 && len(fraction) <= after && digits(fraction) == len(fraction)
}

// digits counts those that a text begins with.
func digits(text []byte) int {
	for i, b := range text {
		if b < '0' || b > '9' {
			return i
		}
	}
	return len(text)
}

// Digits of money and rates: beyond any sum, and numeric keeps them exactly.
const (
	wholeDigits    = 15
	fractionDigits = 18
)

func parseAmount(dst []byte, c cell, _ *intake) ([]byte, error) {
	if !isDecimal(c.text, wholeDigits, fractionDigits) {
		return dst, fmt.Errorf("%.40q is not a decimal such as 1200.50, of at most %d digits before the point and %d after it", c.text, wholeDigits, fractionDigits)
	}
	return append(dst, c.text...), nil
}

func parseRate(dst []byte, c cell, _ *intake) ([]byte, error) {
	if !isDecimal(c.text, wholeDigits, fractionDigits) || c.text[0] == '-' || len(bytes.Trim(c.text, "0.")) == 0 {
		return dst, fmt.Errorf("%.40q is not a decimal above 0 such as 0.9215, of at most %d digits before the point and %d after it", c.text, wholeDigits, fractionDigits)
	}
	return append(dst, c.text...), nil
}

func parseSentiment(dst []byte, c cell, _ *intake) ([]byte, error) {
	v, err := strconv.ParseFloat(string(c.text), 64)
	if err != nil || !(v >= -1 && v <= 1) {
		return dst, fmt.Errorf("%.40q is not a number from -1 to 1", c.text)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64), nil
}

func isCurrency(text []byte) bool {
	return len(text) == 3 && !slices.ContainsFunc(text, func(b byte) bool { return b < 'A' || b > 'Z' })
}

func parseCurrency(dst []byte, c cell, _ *intake) ([]byte, error) {
	if !isCurrency(c.text) {
		return dst, fmt.Errorf("%.40q is not three capitals such as EUR", c.text)
	}
	return append(dst, c.text...), nil
}

// firstYear is the first whose dates are believed; the last day is tomorrow, for
// whoever is ahead of UTC.
const firstYear = 1900

func believed(t time.Time, in *intake) error {
	if t.Year() < firstYear || t.After(in.now.Add(24*time.Hour)) {
		return fmt.Errorf("%s is not between %d and now", t.Format(time.RFC3339), firstYear)
	}
	return nil
}

// parseInstant takes a day, which begins at midnight UTC, or an instant.
func parseInstant(dst []byte, c cell, in *intake) ([]byte, error) {
	text, layout := string(c.text), time.DateTime // UTC
	switch {
	case len(text) == len(time.DateOnly):
		layout = time.DateOnly
	case len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == 'T':
		layout = time.RFC3339
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return dst, fmt.Errorf("%.40q is not a date such as 2026-01-31 or an instant such as 2026-01-31T10:00:00Z", text)
	}
	if err := believed(t, in); err != nil {
		return dst, err
	}
	return t.UTC().AppendFormat(dst, "2006-01-02 15:04:05.999999Z"), nil
}

func parseDay(dst []byte, c cell, in *intake) ([]byte, error) {
	t, err := time.Parse(time.DateOnly, string(c.text))
	if err != nil {
		return dst, fmt.Errorf("%.40q is not a date such as 2026-01-31", c.text)
	}
	if err := believed(t, in); err != nil {
		return dst, err
	}
	return append(dst, c.text...), nil
}
