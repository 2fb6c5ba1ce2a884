package resolution

import (
	"strings"
	"unicode"

	"github.com/nuzantara/ciclo/internal/fold"
)

// Tokens are the runs of letters and digits of a folded string, with their marks; an
// apostrophe belongs to its word and is left out ("o'brien" is "obrien").
func Tokens(s string) []string {
	s = strings.NewReplacer("'", "", "’", "", "ʼ", "").Replace(fold.Text(s))
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// older puts spellings of one sound into one. The order matters: what is earlier is
// replaced first. Indonesian names are written in the spelling of 1947 (dj, tj, nj,
// sj, ch; before that oe) or of 1972 (j, c, ny, sy, kh; u): Soeharto is Suharto,
// Tjokro Cokro, Hardjono Harjono and Haryono, Achmad Ahmad.
var older = []*strings.Replacer{
	strings.NewReplacer("tsch", "c", "sch", "s", "tch", "c", "tj", "c", "dj", "j"),
	strings.NewReplacer("nj", "n", "ny", "n", "sj", "s", "sy", "s",
		"oe", "u", "ou", "u", "oo", "u", "ph", "f", "th", "t", "dh", "d", "bh", "b", "dt", "t", "ght", "t", "gh", "g", "ck", "k", "cz", "s", "sz", "s", "tz", "s", "ts", "s", "zh", "s", "sh", "s"),
	// ch and kh are h before m and between a dark vowel and another (Rachmat, Mochamad).
	strings.NewReplacer("chm", "m", "khm", "m", "ocha", "oha", "ucha", "uha", "akhi", "ahi", "ch", "k", "kh", "k", "rj", "ry", "ce", "se", "ci", "si", "cy", "sy"),
}

// The classes of letters; those that are in none sound like themselves. Vowels count at
// the beginning alone; at the end what is voiced loses its voice.
var (
	sounds = map[rune]rune{'c': 'k', 'q': 'k', 'z': 's', 'v': 'f', 'w': 'f'}
	vowels = map[rune]rune{'a': 'a', 'e': 'a', 'i': 'i', 'o': 'u', 'u': 'u', 'y': 'j'}
	ends   = map[rune]rune{'d': 't', 'b': 'p', 'g': 'k'}
)

// mostSounds is how long a key is at most: endings say little.
const mostSounds = 8

// Phonetic is a key that spellings of one name share, after the manner of NYSIIS
// (Taft 1970) with rules for European and Indonesian names: a beginning vowel's class,
// then the consonants by class, none twice in a row, voiceless at the end. It is
// for blocking and says no more than "perhaps". Empty where the token has no letter.
func Phonetic(token string) string {
	word := fold.Text(token)
	for _, rules := range older {
		word = rules.Replace(word)
	}
	for _, silent := range []string{"kn", "wr", "ps", "gn"} {
		if strings.HasPrefix(word, silent) {
			word = word[1:]
		}
	}
	var key []rune
	first := true
	var last rune
	spelt := []rune(word)
	for i, r := range spelt {
		if !unicode.IsLetter(r) {
			continue
		}
		sound := r
		switch {
		case r == 'j' && last == 0 && !first && i+1 < len(spelt) && strings.ContainsRune("aeiou", spelt[i+1]):
			sound = 0 // Widjaja is Wijaya
		case vowels[r] != 0:
			sound = 0
			if first {
				sound = vowels[r]
			}
		case r == 'h' && !first:
			continue // silent, and it separates no doubled letters
		case r == 'x':
			if last != 'k' && !first {
				key = append(key, 'k')
			}
			sound = 's'
		default:
			if s, ok := sounds[r]; ok {
				sound = s
			}
		}
		if sound != 0 && sound != last {
			key = append(key, sound)
		}
		first, last = false, sound
	}
	if len(key) > 1 {
		if s, ok := ends[key[len(key)-1]]; ok {
			key[len(key)-1] = s
		}
	}
	return string(key[:min(len(key), mostSounds)])
}
