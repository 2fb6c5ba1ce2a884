package tagger

import (
	"strings"
	"unicode"
)

// word is what features see of one token; strings are by their hashes.
type word struct {
	// exact is as it is written; core is in lower case, without punctuation around.
	exact, core uint64
	// shape has a sign for each run of signs of one kind, as in Xx-0, and tells one
	// capital at the beginning from more.
	shape uint64
	// prefixes and suffixes of the core, of one to four characters; shorter cores have
	// the whole.
	prefixes, suffixes [affixes]uint64
	// capital, lower, digit: what the core begins with.
	capital, lower, digit bool
	// ends: punctuation that ends a sentence or clause is part of the token, as in "Boise.".
	ends bool
	// known and cased are what the lexicon says of the core.
	known, cased uint64
}

const affixes = 4

const (
	hashBasis = 14695981039346656037
	hashPrime = 1099511628211
)

// hashRune goes on with an FNV-1a hash, by characters instead of bytes.
func hashRune(h uint64, r rune) uint64 { return (h ^ uint64(r)) * hashPrime }

// mix makes one hash of two.
func mix(a, b uint64) uint64 {
	h := (a ^ b*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>29
}

// maxCharacters is how much of a token is looked at: what is longer is no name.
const maxCharacters = 64

func readWord(token string) word {
	var w word
	w.exact, w.shape = hashBasis, hashBasis
	previous := rune(0)
	n := 0
	var letters [maxCharacters]rune
	first, end := -1, 0 // the core within letters
	for _, r := range token {
		if n == maxCharacters {
			break
		}
		letters[n] = unicode.ToLower(r)
		w.exact = hashRune(w.exact, r)
		kind := rune('-')
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			kind = 'X'
		case unicode.IsLetter(r) || unicode.IsMark(r):
			kind = 'x'
		case unicode.IsDigit(r):
			kind = '0'
		case r == '.' || r == ',':
			kind = r
		}
		if kind != previous {
			w.shape = hashRune(w.shape, kind)
		} else if kind == 'X' && n == 1 {
			w.shape = hashRune(w.shape, '+')
		}
		previous = kind
		if kind == 'X' || kind == 'x' || kind == '0' {
			if first < 0 {
				first = n
				w.capital, w.lower, w.digit = kind == 'X', kind == 'x', kind == '0'
			}
			end = n + 1
		}
		n++
	}
	if first < 0 { // punctuation alone
		first, end = 0, n
	} else if end < n && strings.ContainsRune(".,;:!?", letters[n-1]) {
		w.ends = true
	}
	w.core = hashBasis
	for i := first; i < end; i++ {
		w.core = hashRune(w.core, letters[i])
		if i-first < affixes {
			w.prefixes[i-first] = w.core
		}
	}
	for i := max(end-first, 0); i < affixes; i++ {
		w.prefixes[i] = w.core
	}
	for k := range affixes {
		h := uint64(hashBasis)
		for i := max(end-1-k, first); i < end; i++ {
			h = hashRune(h, letters[i])
		}
		w.suffixes[k] = h
	}
	return w
}

// readWords are the words of tokens, in dst's memory where it is large enough.
func readWords(dst []word, tokens []string) []word {
	dst = dst[:0]
	for _, token := range tokens {
		dst = append(dst, readWord(token))
	}
	return dst
}
