package extraction

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// played is an extractor that adds what it is told to.
type played struct {
	name, version string
	extract       func(found Found) Found
	err           error
}

func (p played) Name() string    { return p.name }
func (p played) Version() string { return p.version }
func (p played) Extract(_ context.Context, _ Message, found Found) (Found, error) {
	return p.extract(found), p.err
}

// adds is one that adds mentions, as its own.
func adds(name string, mentions ...Mention) played {
	return played{name: name, version: "1", extract: func(found Found) Found {
		for _, m := range mentions {
			m.Extractor, m.Version = name, "1"
			found.Mentions = append(found.Mentions[:len(found.Mentions):len(found.Mentions)], m)
		}
		return found
	}}
}

func person(start, end int) Mention {
	return Mention{Span: Span{start, end}, Type: Person, Key: "k", Name: "K", Confidence: .5}
}

func read(t *testing.T, body string, extractors ...Extractor) (Found, error) {
	t.Helper()
	p, err := NewPipeline(extractors...)
	if err != nil {
		t.Fatal(err)
	}
	return p.Read(context.Background(), Message{ID: "m1", Body: body})
}

func spans(f Found) []Span {
	var all []Span
	for _, m := range f.Mentions {
		all = append(all, m.Span)
	}
	return all
}

func TestOfTwoPlacesTheEarlierAndTheLongerStay(t *testing.T) {
	t.Parallel()
	found, err := read(t, strings.Repeat("x", 40),
		adds("first", person(30, 35), person(0, 5), person(3, 9), person(10, 14), person(12, 16)),
		adds("second", person(8, 10), person(9, 30), person(16, 20), person(18, 29), person(35, 36), person(29, 40)))
	want := []Span{{3, 9}, {10, 14}, {18, 29}, {30, 35}, {35, 36}}
	if err != nil || !reflect.DeepEqual(spans(found), want) {
		t.Errorf("places %v, %v; want %v", spans(found), err, want)
	}
}

func TestWhatIsSaidOfPlacesFollowsThem(t *testing.T) {
	t.Parallel()
	first := adds("first", person(10, 14), person(0, 4))
	second := played{name: "second", version: "2", extract: func(f Found) Found {
		own := func(m Mention) Mention { m.Extractor, m.Version = "second", "2"; return m }
		n := len(f.Mentions)
		f.Mentions = append(f.Mentions[:n:n], own(person(10, 14)), own(person(11, 15)), own(person(20, 24)))
		relation := func(subject, object int) Relation {
			return Relation{Span: Span{subject, 24}, Subject: subject, Object: object, Predicate: WorksFor, Extractor: "second", Version: "2", Confidence: 1}
		}
		f.Relations = []Relation{
			relation(0, n+2),   // the mention at 0, and that at 20
			relation(n, n+2),   // the mention at 10, which another has found too
			relation(n+1, n+2), // of a mention that goes
			relation(1, n),     // of one place
		}
		contact := func(start, of int) Contact {
			return Contact{Span: Span{start, start + 2}, Kind: Email, Value: "a@b.it", Of: of, Extractor: "second", Version: "2"}
		}
		f.Contacts = []Contact{contact(30, n+2), contact(26, n+1), contact(22, 0)}
		return f
	}}
	found, err := read(t, strings.Repeat("x", 40), first, second)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Span{{0, 4}, {10, 14}, {20, 24}}; !reflect.DeepEqual(spans(found), want) || found.Mentions[1].Extractor != "first" {
		t.Errorf("mentions %+v, want places %v, the second of the first", found.Mentions, want)
	}
	var relations, contacts [][2]int
	for _, r := range found.Relations {
		relations = append(relations, [2]int{r.Subject, r.Object})
	}
	for _, c := range found.Contacts {
		contacts = append(contacts, [2]int{c.Start, c.Of})
	}
	if want := [][2]int{{0, 2}, {1, 2}}; !reflect.DeepEqual(relations, want) {
		t.Errorf("relations %v, want %v", relations, want)
	}
	if want := [][2]int{{26, -1}, {30, 2}}; !reflect.DeepEqual(contacts, want) { // the one at 22 lies in a mention
		t.Errorf("contacts %v, want %v", contacts, want)
	}
}

func TestAnExtractorMayTakeAway(t *testing.T) {
	t.Parallel()
	found, err := read(t, "0123456789", adds("first", person(0, 2), person(3, 5)), played{name: "second", version: "1", extract: func(f Found) Found {
		f.Mentions = f.Mentions[1:]
		return f
	}})
	if want := []Span{{3, 5}}; err != nil || !reflect.DeepEqual(spans(found), want) {
		t.Errorf("left are %v, %v; want %v", spans(found), err, want)
	}
}

func TestWhatTheClientSays(t *testing.T) {
	t.Parallel()
	p, err := NewPipeline(adds("first", person(0, 2)), played{name: "second", version: "1", extract: func(f Found) Found {
		f.Relations = []Relation{{Span: Span{0, 4}, Subject: Writer, Object: 0, Predicate: WorksFor, Extractor: "second", Version: "1", Confidence: 1}}
		return f
	}})
	if err != nil {
		t.Fatal(err)
	}
	for role, wrong := range map[string]bool{"client": false, "agent": true} {
		found, err := p.Read(t.Context(), Message{ID: "m", Body: "0123456789", Role: role, ClientID: "C1"})
		if (err != nil) != wrong || !wrong && (len(found.Relations) != 1 || found.Relations[0].Subject != Writer) {
			t.Errorf("%s: %+v, %v", role, found.Relations, err)
		}
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	body := "Già visto" // à is bytes 2 and 3
	with := func(change func(m *Mention)) func(Found) Found {
		return func(f Found) Found {
			m := person(0, 4)
			m.Extractor, m.Version = "model", "7"
			change(&m)
			other := person(5, 7)
			other.Extractor, other.Version = "model", "7"
			f.Mentions = append(f.Mentions[:len(f.Mentions):len(f.Mentions)], m, other)
			return f
		}
	}
	whole := with(func(*Mention) {})
	contact := func(change func(c *Contact)) func(Found) Found {
		return func(f Found) Found {
			f = whole(f)
			c := Contact{Span: Span{8, 10}, Kind: Email, Value: "a@b.it", Of: -1, Extractor: "model", Version: "7"}
			change(&c)
			f.Contacts = []Contact{c}
			return f
		}
	}
	relation := func(change func(r *Relation)) func(Found) Found {
		return func(f Found) Found {
			f = whole(f)
			r := Relation{Span: Span{0, 10}, Subject: 0, Object: 1, Predicate: WorksFor, Extractor: "model", Version: "7", Confidence: 1}
			change(&r)
			f.Relations = []Relation{r}
			return f
		}
	}
	for name, extract := range map[string]func(Found) Found{
		"within a character at its end":     with(func(m *Mention) { m.End = 3 }),
		"within a character at its start":   with(func(m *Mention) { m.Start = 3 }),
		"empty":                             with(func(m *Mention) { m.End = 0 }),
		"turned round":                      with(func(m *Mention) { m.Start, m.End = 4, 0 }),
		"before the body":                   with(func(m *Mention) { m.Start = -1 }),
		"behind the body":                   with(func(m *Mention) { m.End = len(body) + 1 }),
		"no key":                            with(func(m *Mention) { m.Key = "" }),
		"no name":                           with(func(m *Mention) { m.Name = "" }),
		"a key that is no text":             with(func(m *Mention) { m.Key = "\xff" }),
		"a type that is none":               with(func(m *Mention) { m.Type = "planet" }),
		"no confidence":                     with(func(m *Mention) { m.Confidence = 0 }),
		"too much confidence":               with(func(m *Mention) { m.Confidence = 1.01 }),
		"NaN":                               with(func(m *Mention) { m.Confidence = math.NaN() }),
		"a client without id":               with(func(m *Mention) { m.IsClient = true }),
		"another's name":                    with(func(m *Mention) { m.Extractor = "exact" }),
		"another version":                   with(func(m *Mention) { m.Version = "8" }),
		"what nobody's client writes":       relation(func(r *Relation) { r.Subject = Writer }),
		"a contact of nobody that there is": contact(func(c *Contact) { c.Of = 2 }),
		"a contact of -2":                   contact(func(c *Contact) { c.Of = -2 }),
		"a contact of no kind":              contact(func(c *Contact) { c.Kind = "pigeon" }),
		"a contact without value":           contact(func(c *Contact) { c.Value = "" }),
		"a contact behind the body":         contact(func(c *Contact) { c.End = 11 }),
		"another's contact":                 contact(func(c *Contact) { c.Extractor = "exact" }),
		"a relation of one":                 relation(func(r *Relation) { r.Object = 0 }),
		"a relation to nothing":             relation(func(r *Relation) { r.Object = 2 }),
		"a relation of -1":                  relation(func(r *Relation) { r.Subject = -1 }),
		"a predicate that is none":          relation(func(r *Relation) { r.Predicate = "likes" }),
		"a relation nowhere":                relation(func(r *Relation) { r.End = 0 }),
		"an unlikely relation":              relation(func(r *Relation) { r.Confidence = math.Inf(1) }),
		"another's relation":                relation(func(r *Relation) { r.Extractor = "exact" }),
	} {
		found, err := read(t, body, played{name: "model", version: "7", extract: extract})
		if err == nil || !reflect.DeepEqual(found, Found{}) {
			t.Errorf("%s: %+v, %v; want nothing and an error", name, found, err)
		} else if text := err.Error(); !strings.Contains(text, "extractor model") || !strings.Contains(text, "message m1") {
			t.Errorf("%s: %v doesn't name extractor and message", name, err)
		}
	}
	for name, extract := range map[string]func(Found) Found{"mentions": whole, "a contact": contact(func(*Contact) {}), "a relation": relation(func(*Relation) {})} {
		if _, err := read(t, body, played{name: "model", version: "7", extract: extract}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadStopsAtErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("no answer")
	nothing := func(f Found) Found { return f }
	if _, err := read(t, "text", played{name: "model", version: "1", extract: nothing, err: broken}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "extractor model on message m1") {
		t.Errorf("error %v", err)
	}
	if _, err := read(t, "\xff", adds("first")); err == nil || !strings.Contains(err.Error(), "m1") {
		t.Errorf("a body that is not UTF-8: %v", err)
	}
	p, err := NewPipeline(adds("first"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Read(ctx, Message{ID: "m1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPipelinesHaveExtractorsOfDifferentNames(t *testing.T) {
	t.Parallel()
	p, err := NewPipeline(adds("first"), played{name: "second", version: "9"})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"first": "1", "second": "9"}; !reflect.DeepEqual(p.Versions(), want) {
		t.Errorf("versions %v, want %v", p.Versions(), want)
	}
	p.Versions()["first"] = "changed"
	if p.Versions()["first"] != "1" {
		t.Error("versions can be changed from outside")
	}
	for _, extractors := range [][]Extractor{{adds("a"), adds("a")}, {adds("")}, {played{name: "a"}}} {
		if _, err := NewPipeline(extractors...); err == nil {
			t.Errorf("%v were taken", extractors)
		}
	}
}
