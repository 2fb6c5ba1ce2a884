package knowledgegraph

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/relations"
)

// answer is what a model says of the messages of a question.
type answer struct {
	Names     []answeredName     `json:"names"`
	Relations []answeredRelation `json:"relations"`
}

type answeredName struct {
	Message int             `json:"message"`
	Type    extraction.Type `json:"type"`
	Text    string          `json:"text"`
}

type answeredRelation struct {
	Message   int                  `json:"message"`
	Predicate extraction.Predicate `json:"relation"`
	Subject   string               `json:"subject"`
	Object    string               `json:"object"`
	Quote     string               `json:"quote"`
}

// Why something that a model says is dropped.
const (
	dropMessage = "of a message that it was not shown"
	dropKind    = "of a kind that there isn't"
	dropWords   = "its words are not in the message"
	dropName    = "no name"
	dropEnds    = "of what its words don't name"
	dropDoubt   = "asked, denied or doubted by the sentence, or of more than one"
	dropMany    = "more than a message can bear"
	dropUnfit   = "of what was found to be something else, or can't be so related"
)

// saidTypes are what a model may name. Money and dates are read by their forms alone.
var saidTypes = []extraction.Type{
	extraction.Person, extraction.Company, extraction.Location, extraction.Law, extraction.Topic, extraction.PracticeType, extraction.Document,
}

// saidPredicates are what it may say, and whether a client of themselves.
var saidPredicates = map[extraction.Predicate]bool{
	extraction.WorksFor: true, extraction.ClientOf: true, extraction.LocatedIn: true, extraction.Requires: false, extraction.GovernedBy: false,
	extraction.RelatesTo: false, extraction.ConflictsWith: false, extraction.ExampleOf: false,
}

const (
	// maxSaidName and maxSaidQuote bound names and the words of relations, in bytes.
	maxSaidName  = 200
	maxSaidQuote = 400
	// maxSaid bounds the places of names, and the relations, of one message.
	maxSaid = 200
)

// check is what an answer says of each message, as far as the message's own words bear
// it out. The rest is dropped, by why: nothing is mended.
func (a answer) check(engine string, messages []message) (said map[string]saying, dropped map[string]int) {
	all := make([]saying, len(messages))
	for i, m := range messages {
		all[i] = saying{Engine: engine, Version: sayingVersion, Hash: hex.EncodeToString(m.hash), Names: []saidName{}, Relations: []saidRelation{}}
	}
	dropped = map[string]int{}
	for _, n := range a.Names {
		if n.Message < 1 || n.Message > len(messages) {
			dropped[dropMessage]++
			continue
		}
		places, why := namePlaces(messages[n.Message-1].Body, n.Type, n.Text)
		if why != "" {
			dropped[why]++
		}
		for _, at := range places {
			if of := &all[n.Message-1]; len(of.Names) < maxSaid {
				of.Names = append(of.Names, saidName{at, n.Type})
			} else {
				dropped[dropMany]++
			}
		}
	}
	for _, r := range a.Relations {
		if r.Message < 1 || r.Message > len(messages) {
			dropped[dropMessage]++
			continue
		}
		relation, why := relationPlaces(messages[r.Message-1], r.Predicate, r.Subject, r.Object, r.Quote)
		if why != "" {
			dropped[why]++
			continue
		}
		of := &all[r.Message-1]
		switch {
		case slices.ContainsFunc(of.Relations, relation.same): // said already
		case len(of.Relations) == maxSaid:
			dropped[dropMany]++
		default:
			of.Relations = append(of.Relations, relation)
		}
	}
	said = make(map[string]saying, len(messages))
	for i, m := range messages {
		all[i].Names = apart(all[i].Names)
		said[m.ID] = all[i]
	}
	return said, dropped
}

// namePlaces are where a message has a name, or why it is none.
func namePlaces(body string, kind extraction.Type, text string) (places []place, why string) {
	switch {
	case !slices.Contains(saidTypes, kind):
		return nil, dropKind
	case utf8.RuneCountInString(text) < 2 || len(text) > maxSaidName || text != strings.TrimSpace(text) || strings.ContainsAny(text, "\r\n") || extraction.Normal(kind, text) == "":
		return nil, dropName
	case (kind == extraction.Person || kind == extraction.Company || kind == extraction.Location) && extraction.Ordinary(text):
		return nil, dropName
	}
	for from := 0; ; {
		at, there := wholeWords(body, text, from)
		if !there {
			break
		}
		places, from = append(places, at), at.End
	}
	if places == nil {
		return nil, dropWords
	}
	return places, ""
}

// relationPlaces are where a message says a relation, or why it doesn't.
func relationPlaces(m message, predicate extraction.Predicate, subject, object, quote string) (r saidRelation, why string) {
	ofWriter, known := saidPredicates[predicate]
	start := strings.Index(m.Body, quote)
	switch {
	case !known:
		return r, dropKind
	case strings.TrimSpace(quote) == "" || len(quote) > maxSaidQuote || start < 0:
		return r, dropWords
	case strings.ContainsAny(quote, "?？") || relations.Doubted(m.Body, extraction.Span{Start: start, End: start + len(quote)}, predicate):
		return r, dropDoubt
	}
	r = saidRelation{Predicate: predicate, Words: place{start, start + len(quote)}}
	within := func(name string) (place, bool) {
		if strings.TrimSpace(name) == "" {
			return place{}, false
		}
		at, there := wholeWords(m.Body, name, start)
		return at, there && at.End <= r.Words.End
	}
	var there bool
	if r.Object, there = within(object); !there {
		return r, dropEnds
	}
	if subject == "" {
		if !ofWriter || m.Role != "client" || m.ClientID == "" {
			return r, dropEnds
		}
		return r, ""
	}
	at, there := within(subject)
	if !there || touch(extraction.Span(at), extraction.Span(r.Object)) {
		return r, dropEnds
	}
	r.Subject = &at
	return r, ""
}

// wholeWords is where a text next stands in a body, not as a part of a word.
func wholeWords(body, text string, from int) (place, bool) {
	for from <= len(body)-len(text) {
		i := strings.Index(body[from:], text)
		if i < 0 {
			break
		}
		at := place{from + i, from + i + len(text)}
		before, _ := utf8.DecodeLastRuneInString(body[:at.Start])
		after, _ := utf8.DecodeRuneInString(body[at.End:])
		first, size := utf8.DecodeRuneInString(text)
		last, _ := utf8.DecodeLastRuneInString(text)
		part := inWord(before) && inWord(first) || inWord(last) && inWord(after) || unicode.Is(unicode.M, after)
		if !part {
			return at, true
		}
		from = at.Start + size
	}
	return place{}, false
}

// inWord reports whether words go on with a character. Scripts without blanks between
// words don't tell.
func inWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.M) && !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// apart leaves names that don't overlap, in order: of two that do the longer stays, of
// equally long ones the one said first.
func apart(names []saidName) []saidName {
	slices.SortStableFunc(names, func(a, b saidName) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	kept := []saidName{}
	for _, n := range names {
		if !slices.ContainsFunc(kept, func(k saidName) bool { return touch(extraction.Span(k.place), extraction.Span(n.place)) }) {
			kept = append(kept, n)
		}
	}
	slices.SortFunc(kept, func(a, b saidName) int { return cmp.Compare(a.Start, b.Start) })
	return kept
}
