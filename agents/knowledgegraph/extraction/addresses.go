package extraction

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"
)

// Addresses finds the people whose names e-mail addresses of the same message spell:
// Rafael Moreau where there is rafael.moreau.90@ or moreau.r@, wherever the message
// names him so. Words of a name begin with capitals and stand side by side, with
// particles between (van den), given or family name first; of an address that is one
// word, both names are whole. Accents may be left out in addresses, and letters that
// have them. Addresses of offices, and those of firms by their domain, spell nobody, nor do
// ordinary words alone (kind.regards@).
type Addresses struct{}

// Name is addresses.
func (Addresses) Name() string { return "addresses" }

// Version is of the rules.
func (Addresses) Version() string { return "1" }

// The chances that an address spells a person: of two words apart, of an initial, of
// one word, as firms have too.
const (
	spelledConfidence  = .97
	initialConfidence  = .93
	togetherConfidence = .85
	shortestTogether   = 7 // bytes
)

// spelled is what the addresses of a message spell, by the letters before the @.
type spelled struct {
	whole, initial map[string]float64
	// pieces are all their pieces of two and of three letters: few words begin with one,
	// so that few are looked at closely. shorts are parts of one letter.
	pieces, shorts map[string]bool
}

func spelledBy(contacts []Contact) spelled {
	s := spelled{whole: map[string]float64{}, initial: map[string]float64{}, pieces: map[string]bool{}, shorts: map[string]bool{}}
	for _, c := range contacts {
		parts := localParts(c.Value)
		if c.Kind != Email || len(parts) == 0 || len(parts) > mostNameWords {
			continue
		}
		together := strings.Join(parts, "")
		_, domain, _ := strings.Cut(c.Value, "@")
		if slices.ContainsFunc(parts, func(p string) bool { return offices[p] || organisations[p] }) || strings.Contains(siteName(domain), together) {
			continue
		}
		switch short := func(i int) bool { return utf8.RuneCountInString(parts[i]) == 1 }; {
		case len(parts) > 1 && short(0) != short(len(parts)-1):
			s.initial[together] = initialConfidence
		case len(parts) > 1:
			s.whole[together] = spelledConfidence
		case len(together) >= shortestTogether:
			s.whole[together] = max(s.whole[together], togetherConfidence)
		default:
			continue
		}
		for _, p := range parts {
			if initial(p) == p {
				s.shorts[p] = true
			}
		}
		for at := range len(together) - 1 {
			s.pieces[together[at:at+2]] = true
			s.pieces[together[at:min(at+3, len(together))]] = true
		}
	}
	return s
}

// confidence is that of a name, or 0 where no address spells it. An initial is not
// enough for a name of ordinary words: a.ruiz@ doesn't spell Ask Ruiz.
func (s spelled) confidence(name string, ordinary bool) float64 {
	var best float64
	for _, words := range spellings(name) {
		for _, form := range wholeForms(words) {
			best = max(best, s.whole[form])
		}
		if len(s.initial) > 0 && !ordinary {
			for _, form := range initialForms(words) {
				best = max(best, s.initial[form])
			}
		}
	}
	return best
}

// Extract adds mentions of people.
func (a Addresses) Extract(_ context.Context, m Message, found Found) (Found, error) {
	s := spelledBy(found.Contacts)
	if len(s.pieces) == 0 {
		return found, nil
	}
	all := tokens(m.Body, found)
	mentions := slices.Clone(found.Mentions)
	for i := 0; i < len(all); i++ {
		last, confidence := s.longest(m.Body, all, i)
		if last < 0 {
			continue
		}
		span := Span{all[i].Start, all[last].End}
		name := visible(m.Body[span.Start:span.End])
		mentions = append(mentions, Mention{Span: span, Type: Person, Key: Normal(Person, name), Name: name, Extractor: a.Name(), Version: a.Version(), Confidence: confidence})
		i = last
	}
	found.Mentions = mentions
	return found, nil
}

// longest is the last token of the longest name that begins with a token and that is
// spelled, or -1.
func (s spelled) longest(body string, all []token, from int) (last int, confidence float64) {
	last = -1
	if !s.fits(body, all[from]) || !all[from].capital {
		return -1, 0
	}
	for at := from + 1; at < len(all) && at < from+mostNameWords; at++ {
		t := all[at]
		if !t.near || t.taken || !t.capital && !particles[t.text] || organisations[t.text] || t.End-all[from].Start > longestForm {
			break
		}
		if !t.capital || t.shouted && degrees[t.text] || all[from].ordinary() && t.ordinary() || !s.fits(body, t) || !whole(all, from, at) {
			continue
		}
		if c := s.confidence(body[all[from].Start:t.End], all[from].ordinary() || t.ordinary()); c > 0 {
			last, confidence = at, c
		}
	}
	return last, confidence
}

// fits reports whether a token may begin or end a name that is spelled.
func (s spelled) fits(body string, t token) bool {
	switch {
	case t.taken || titles[t.text] || organisations[t.text] || t.text == "":
		return false
	case s.shorts[initial(t.text)], strings.ContainsFunc(body[t.Start:t.End], func(r rune) bool { return r >= utf8.RuneSelf }):
		return true
	}
	return s.pieces[t.text[:min(3, len(t.text))]]
}
