package postgres

import "strings"

// maxErrorText bounds what is kept of an error, in bytes.
const maxErrorText = 32 << 10

// storable makes any text fit a text column: valid UTF-8, no NUL, bounded.
func storable(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "�"), "�")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "… (cut)"
	}
	return text
}
