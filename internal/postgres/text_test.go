package postgres

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzStorable fits any text into a column, and leaves alone what fits.
func FuzzStorable(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\x00b", "\xff\xfe", "\xed\xa0\x80", strings.Repeat("é", maxErrorText), strings.Repeat("\xff", maxErrorText), strings.Repeat("x", maxErrorText-1) + "中"} {
		f.Add(seed, uint16(1))
	}
	f.Add("é", uint16(maxErrorText-1))
	f.Fuzz(func(t *testing.T, text string, times uint16) {
		text = strings.Repeat(text, min(int(times), maxErrorText/max(len(text), 1)+2)) // past the bound too
		stored := storable(text)
		if !utf8.ValidString(stored) || strings.Contains(stored, "\x00") || len(stored) > maxErrorText+len("… (cut)") {
			t.Errorf("%.200q is stored as %.200q, %d bytes", text, stored, len(stored))
		}
		if utf8.ValidString(text) && !strings.Contains(text, "\x00") && len(text) <= maxErrorText && stored != text {
			t.Errorf("%.200q is changed to %.200q", text, stored)
		}
	})
}
