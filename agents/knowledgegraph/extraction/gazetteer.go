package extraction

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// FirmName is a name that the firm has for something, of source.names, or of
// source.clients (IsClient). Names of one type and id are of one thing.
type FirmName struct {
	Type     Type
	ID, Name string
	IsClient bool
}

// LeftOut is a name that the gazetteer doesn't look for, and why.
type LeftOut struct {
	FirmName
	Reason string
}

// Gazetteer finds the firm's names in messages, as whole words, whatever their case,
// accents, apostrophes and white space; the longest name wins, from the left.
//
// People are also found as "Family, Given" and without their middle names, companies
// without their legal form. One name of a person alone is found in conversations of
// that very client only (Message.ClientID), where it looks like a name or is greeted.
// A name of several things is a mention without FirmID, unless one of them is the
// conversation's client. What is found inside of a contact is left out.
type Gazetteer struct {
	version string
	auto    *automaton
	// forms are how things are written, in order of their words, as the automaton has them.
	forms   []form
	things  []thing
	clients map[string][]given
}

// thing is what has names: a type and id.
type thing struct {
	FirmName
	key string
}

// form is one way to write the name of a thing, by its index.
type form struct {
	thing int32
	kind  formKind
	// capitals: each word must begin with one, since all are common words, or the name
	// is not whole.
	capitals bool
	// dotted: the name ends in a legal form with a dot behind it alone (Acme Inc.).
	dotted bool
}

type formKind uint8

const (
	asWritten formKind = iota
	withoutMiddle
	// Family first, with a comma.
	turnedRound
	turnedWithoutMiddle
	withoutForm
)

// given is the one word by which a client is called.
type given struct {
	word  int32
	thing int32
	// common: a word that must be greeted to be a name ("Will").
	common bool
}

// Confidences are priors by the way a name was found; what they are worth is
// measured by the evaluation's calibration.
var formConfidence = [...]float64{asWritten: .97, withoutMiddle: .9, turnedRound: .95, turnedWithoutMiddle: .85, withoutForm: .8}

const (
	givenConfidence     = .85
	ambiguousConfidence = .6
)

// NewGazetteer is of the firm's names in whatever order. It gives back in their
// order what it leaves out: names of fewer than two letters, of one common word of
// the demo's languages, of a person with one word (unless it is a client's, found in
// its own conversations), too long ones, and those of no type that names have.
func NewGazetteer(names []FirmName) (*Gazetteer, []LeftOut) {
	names = slices.Clone(names)
	slices.SortFunc(names, compareNames)
	names = slices.Compact(names)
	g := &Gazetteer{version: gazetteerVersion(names), clients: map[string][]given{}}
	b := formBuilder{vocabulary: map[string]int32{}}
	var left []LeftOut
	at := map[FirmName]int32{} // without its name
	for _, n := range names {
		written := n
		n.Type = TypeOf(n.Type, n.Name)
		if reason := unfit(n); reason != "" {
			left = append(left, LeftOut{written, reason})
			continue
		}
		id := n
		id.Name = ""
		t, known := at[id]
		if !known {
			t = int32(len(g.things))
			at[id] = t
			g.things = append(g.things, thing{FirmName: n, key: Normal(n.Type, n.Name)})
		} else if g.things[t].Type == Law {
			// Of a law's names the one with its number is the key, as Exact has it.
			if _, _, numbered := lawOf(g.things[t].Name); !numbered {
				if _, _, ok := lawOf(n.Name); ok {
					g.things[t] = thing{FirmName: n, key: Normal(Law, n.Name)}
				}
			}
		}
		if reason := b.add(n, t); reason != "" {
			left = append(left, LeftOut{written, reason})
		}
		if word, ok := b.given(n); ok {
			g.clients[n.ID] = append(g.clients[n.ID], given{word: word, thing: t, common: b.common(word)})
		}
	}
	slices.SortFunc(b.forms, func(x, y sequence) int {
		if order := slices.Compare(x.words, y.words); order != 0 {
			return order
		}
		return cmp.Or(cmp.Compare(x.thing, y.thing), cmp.Compare(x.kind, y.kind))
	})
	g.forms = make([]form, len(b.forms))
	sequences := make([][]int32, len(b.forms))
	for i, s := range b.forms {
		g.forms[i], sequences[i] = s.form, s.words
	}
	g.auto = newAutomaton(sequences, b.vocabulary)
	return g, left
}

// compareNames orders the names of one thing from the shortest on: that is how it
// is shown.
func compareNames(a, b FirmName) int {
	client := func(n FirmName) int {
		if n.IsClient {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID), cmp.Compare(client(a), client(b)), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
}

// gazetteerVersion is of names in order.
func gazetteerVersion(names []FirmName) string {
	hash := sha256.New()
	for _, n := range names {
		fmt.Fprintf(hash, "%q %q %q %t\n", n.Type, n.ID, n.Name, n.IsClient)
	}
	return "2-" + hex.EncodeToString(hash.Sum(nil))[:12]
}

// unfit is why a name is not looked for at all.
func unfit(n FirmName) string {
	letters := 0
	folded := Fold(n.Name)
	for _, r := range folded {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	switch {
	case !slices.Contains(types, n.Type) || n.Type == Money || n.Type == Date:
		return fmt.Sprintf("its type %q is none that names have", n.Type)
	case n.ID == "":
		return "it has no id"
	case letters < 2:
		return "fewer than two letters"
	case Normal(n.Type, n.Name) == "":
		return "no word"
	}
	return ""
}

// formBuilder gathers the ways to write names.
type formBuilder struct {
	vocabulary map[string]int32
	// commons are the words of the vocabulary that are common.
	commons []bool
	forms   []sequence
}

// sequence is a form with its words.
type sequence struct {
	form
	words []int32
}

// split are the words of a name, which thereby come into the vocabulary.
func (b *formBuilder) split(name string) []int32 {
	var ids []int32
	splitWords(name, func(_ word, folded []byte) {
		id, known := b.vocabulary[string(folded)]
		if !known {
			id = int32(len(b.vocabulary))
			b.vocabulary[string(folded)] = id
			r := []rune(string(folded))
			b.commons = append(b.commons, common[string(folded)] || len(r) == 1 && !alone(r[0]))
		}
		ids = append(ids, id)
	})
	return ids
}

func (b *formBuilder) common(word int32) bool { return b.commons[word] }

// add adds a name's forms; it gives a reason where there is none.
func (b *formBuilder) add(n FirmName, t int32) string {
	if len(n.Name) > longestName*64 {
		return "too long"
	}
	written := b.split(n.Name)
	switch {
	case len(written) > longestName:
		return "too long"
	case len(written) == 1 && b.common(written[0]):
		return "a common word"
	case n.Type == Person:
		return b.addPerson(n.Name, written, t)
	}
	b.put(written, t, asWritten)
	if n.Type == Company {
		fields := strings.Fields(n.Name)
		last := fields[len(fields)-1]
		b.forms[len(b.forms)-1].dotted = strings.Index(last, ".") == len(last)-1
		b.addWithoutForm(n.Name, t)
	}
	return ""
}

func (b *formBuilder) put(words []int32, t int32, kind formKind) {
	if len(words) > longestName {
		return
	}
	all := true
	for _, w := range words {
		all = all && b.common(w)
	}
	b.forms = append(b.forms, sequence{form{thing: t, kind: kind, capitals: all}, words})
}

func (b *formBuilder) addPerson(name string, written []int32, t int32) string {
	words := strings.Fields(Normal(Person, name))
	if len(words) < 2 && len(b.split(words[0])) < 2 {
		return "one name of a person"
	}
	kind := asWritten
	if strings.Contains(name, ",") {
		kind = turnedRound
	}
	b.put(written, t, kind)
	if len(words) < 2 { // one word to its readers, such as 王小明
		return ""
	}
	family := len(words) - 1
	for family > 1 && particles[words[family-1]] {
		family--
	}
	first, last := words[:1], words[family:]
	// "Family, Given" was perhaps how it was written; then this is the other way round.
	whole := strings.Join(words, " ")
	behind := strings.Join(last, " ") + ", "
	b.put(b.split(whole), t, asWritten)
	b.put(b.split(behind+strings.Join(words[:family], " ")), t, turnedRound)
	if family > 1 && len([]rune(first[0])) > 1 {
		b.put(b.split(first[0]+" "+strings.Join(last, " ")), t, withoutMiddle)
		b.put(b.split(behind+first[0]), t, turnedWithoutMiddle)
	}
	return ""
}

// addWithoutForm keeps what is between the words: Wombat & Quill Pty Ltd is also
// Wombat & Quill.
func (b *formBuilder) addWithoutForm(name string, t int32) {
	var words []string
	var at []int // of the words, among all
	n := 0
	splitWords(name, func(w word, folded []byte) {
		if !w.sign {
			words, at = append(words, string(folded)), append(at, n)
		}
		n++
	})
	from, to := betweenForms(words)
	if to-from == len(words) {
		return
	}
	kept := b.split(name)[at[from] : at[to-1]+1]
	if len(kept) == 1 && (b.common(kept[0]) || len([]rune(words[from])) < 4) {
		return
	}
	b.forms = append(b.forms, sequence{form{thing: t, kind: withoutForm, capitals: true}, kept})
}

// given is the word by which a client who is a person is called.
func (b *formBuilder) given(n FirmName) (int32, bool) {
	if !n.IsClient || n.Type != Person {
		return 0, false
	}
	words := strings.Fields(Normal(Person, n.Name))
	for len(words) > 1 && len([]rune(words[0])) < 2 { // I Made Sukarta, J. Smith
		words = words[1:]
	}
	ids := b.split(words[0])
	return ids[0], len(ids) == 1 && len([]rune(words[0])) > 1
}

// particles begin family names.
var particles = set("de da di del della dei dos das do van von der den ten ter la le bin binti al el")

// Name is gazetteer.
func (g *Gazetteer) Name() string { return "gazetteer" }

// Version is of the names, whatever their order.
func (g *Gazetteer) Version() string { return g.version }

// Extract adds mentions of the firm's names.
func (g *Gazetteer) Extract(_ context.Context, m Message, found Found) (Found, error) {
	r := reader{gazetteer: g, message: m}
	r.read()
	mentions := slices.Clone(found.Mentions)
	contacts := slices.Clone(found.Contacts)
	slices.SortFunc(contacts, func(a, b Contact) int { return cmp.Compare(a.End, b.End) })
	for _, c := range r.longest() {
		mention := r.mention(c)
		// Contacts don't overlap, so that they are in order of their beginnings too.
		at, _ := slices.BinarySearchFunc(contacts, mention.Start+1, func(c Contact, start int) int { return cmp.Compare(c.End, start) })
		if at < len(contacts) && contacts[at].Start < mention.End {
			continue
		}
		mentions = append(mentions, mention)
	}
	found.Mentions = mentions
	return found, nil
}
