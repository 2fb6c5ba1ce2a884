package extraction

import (
	"slices"
	"testing"
	"unicode/utf8"
)

func TestBytesAndCharacters(t *testing.T) {
	t.Parallel()
	body := "Già 王 e\u0301 👩‍⚖️."
	var inBytes, inCharacters []Span
	runes := []rune(body)
	at := 0
	for i, r := range runes { // each character, and from it to the end
		next := at + utf8.RuneLen(r)
		inBytes = append(inBytes, Span{at, next}, Span{at, len(body)})
		inCharacters = append(inCharacters, Span{i, i + 1}, Span{i, len(runes)})
		at = next
	}
	inBytes, inCharacters = append(inBytes, Span{0, 4}), append(inCharacters, Span{0, 3}) // out of order
	if got, err := Characters(body, inBytes); err != nil || !slices.Equal(got, inCharacters) {
		t.Errorf("characters of %v are %v, %v; want %v", inBytes, got, err, inCharacters)
	}
	if got, err := Bytes(body, inCharacters); err != nil || !slices.Equal(got, inBytes) {
		t.Errorf("bytes of %v are %v, %v; want %v", inCharacters, got, err, inBytes)
	}
	for _, s := range []Span{{-1, 2}, {0, len(body) + 1}, {0, 3}, {3, 4}} { // à is bytes 2 and 3
		if got, err := Characters(body, []Span{s}); err == nil {
			t.Errorf("%v is no span between characters, got %v", s, got)
		}
	}
	for _, s := range []Span{{-1, 2}, {0, len(runes) + 1}} {
		if got, err := Bytes(body, []Span{s}); err == nil {
			t.Errorf("%v is not within the body, got %v", s, got)
		}
	}
	if got, err := Characters("", nil); err != nil || len(got) != 0 {
		t.Errorf("nothing of nothing is %v, %v", got, err)
	}
}
