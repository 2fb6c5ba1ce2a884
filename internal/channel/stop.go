package channel

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// stopWords opt out, in English, Italian, Indonesian, Spanish, French and German,
// without accents.
var stopWords = []string{
	"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke",
	"basta", "ferma", "fermati", "disiscrivi", "disiscrivimi", "cancellami", "annulla",
	"berhenti", "stopsemua", "batal",
	"baja", "parar", "cancelar", "detener",
	"arret", "arreter", "arretez", "desabonner", "desinscrire",
	"stopp", "abmelden", "abbestellen", "aufhoren",
}

// startWords opt in again, as the whole message alone. Yes is none: it answers too
// many other questions.
var startWords = []string{"start", "unstop", "subscribe", "iscrivi", "iscrivimi", "mulai", "alta", "reprendre", "anmelden"}

// wish reads a message for an opt-out or opt-in. Case, accents and punctuation
// don't matter. An opt-out is a stop word alone, or first in a message of four
// words at most: rather one "cancel our meeting tomorrow" too many than one "stop
// sending me this" unheard.
func wish(body string) (stop, start bool) {
	var plain strings.Builder
	for _, r := range norm.NFKD.String(body) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			plain.WriteRune(unicode.ToLower(r))
		case !unicode.Is(unicode.Mn, r):
			plain.WriteByte(' ')
		}
	}
	words := strings.Fields(plain.String())
	if len(words) == 0 {
		return false, false
	}
	whole := strings.Join(words, "") // also s.t.o.p and opt-out
	if slices.Contains(stopWords, whole) || (len(words) <= 4 && slices.Contains(stopWords, words[0])) {
		return true, false
	}
	return false, slices.Contains(startWords, whole)
}
