package extraction

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Pipeline reads messages by extractors, one after another.
//
// Places don't overlap, mentions and contacts alike. Of two that would, the one
// stays whose extractor comes earlier; of one extractor's, the longer; of equally
// long ones, the one that begins first. A relation whose mention went goes with it,
// unless the mention that stayed has the same place and type; a contact whose owner
// went belongs to nobody.
type Pipeline struct {
	extractors []Extractor
	versions   map[string]string
	// rank is the extractors' order.
	rank map[string]int
}

// NewPipeline is of extractors in order. Refused are two of one name, and those
// without name or version.
func NewPipeline(extractors ...Extractor) (*Pipeline, error) {
	p := &Pipeline{extractors: slices.Clone(extractors), versions: map[string]string{}, rank: map[string]int{}}
	for i, e := range extractors {
		name, version := e.Name(), e.Version()
		if name == "" || version == "" {
			return nil, fmt.Errorf("extractor %d has the name %q and the version %q: both are needed", i, name, version)
		}
		if _, twice := p.rank[name]; twice {
			return nil, fmt.Errorf("two extractors are called %q", name)
		}
		p.versions[name], p.rank[name] = version, i
	}
	return p, nil
}

// Versions are the extractors' by their names.
func (p *Pipeline) Versions() map[string]string { return maps.Clone(p.versions) }

// Read finds what the extractors find in a message, in order of places. What an
// extractor gives is checked: an error names it and the message, and nothing of the
// message is to be stored.
func (p *Pipeline) Read(ctx context.Context, m Message) (Found, error) {
	var found Found
	if !utf8.ValidString(m.Body) {
		return found, fmt.Errorf("read message %s: its body is not UTF-8", m.ID)
	}
	for _, e := range p.extractors {
		if err := ctx.Err(); err != nil {
			return Found{}, fmt.Errorf("read message %s: %w", m.ID, err)
		}
		next, err := e.Extract(ctx, m, found)
		if err != nil {
			return Found{}, fmt.Errorf("extractor %s on message %s: %w", e.Name(), m.ID, err)
		}
		if err := p.check(e.Name(), m, found, next); err != nil {
			return Found{}, fmt.Errorf("extractor %s on message %s: %w", e.Name(), m.ID, err)
		}
		found = p.settle(next)
	}
	return found, nil
}

// check refuses what an extractor must not give: places that are none, what is
// without its normal form, indexes to nothing, and what it has neither found itself
// nor been given.
func (p *Pipeline) check(name string, m Message, given, found Found) error {
	body := m.Body
	own := func(extractor, version string) bool { return extractor == name && version == p.versions[name] }
	givenMentions := map[Mention]bool{}
	for _, m := range given.Mentions {
		givenMentions[m] = true
	}
	for i, m := range found.Mentions {
		var wrong error
		switch {
		case !slices.Contains(types, m.Type):
			wrong = fmt.Errorf("its type %q is none", m.Type)
		case m.Key == "" || m.Name == "":
			wrong = errors.New("it has no key or no name")
		case !utf8.ValidString(m.Key) || !utf8.ValidString(m.Name):
			wrong = errors.New("its key or name is not UTF-8")
		case m.IsClient && m.FirmID == "":
			wrong = errors.New("it is a client without an id")
		case !likely(m.Confidence):
			wrong = fmt.Errorf("its confidence %v is not in (0, 1]", m.Confidence)
		case !own(m.Extractor, m.Version) && !givenMentions[m]:
			wrong = fmt.Errorf("it says that it is of %s %s, who did not find it", m.Extractor, m.Version)
		default:
			wrong = m.within(body)
		}
		if wrong != nil {
			return fmt.Errorf("mention %d: %w", i, wrong)
		}
	}
	givenContacts := map[Contact]bool{}
	for _, c := range given.Contacts {
		c.Of = -1
		givenContacts[c] = true
	}
	for i, c := range found.Contacts {
		unowned := c
		unowned.Of = -1
		var wrong error
		switch {
		case c.Kind != Email && c.Kind != Phone && c.Kind != URL:
			wrong = fmt.Errorf("its kind %q is none", c.Kind)
		case c.Value == "" || !utf8.ValidString(c.Value):
			wrong = errors.New("it has no value")
		case c.Of < -1 || c.Of >= len(found.Mentions):
			wrong = fmt.Errorf("its owner %d is none of %d mentions", c.Of, len(found.Mentions))
		case !own(c.Extractor, c.Version) && !givenContacts[unowned]:
			wrong = fmt.Errorf("it says that it is of %s %s, who did not find it", c.Extractor, c.Version)
		default:
			wrong = c.within(body)
		}
		if wrong != nil {
			return fmt.Errorf("contact %d: %w", i, wrong)
		}
	}
	givenRelations := map[relationOf]bool{}
	for _, r := range given.Relations {
		givenRelations[r.of(given)] = true
	}
	for i, r := range found.Relations {
		var wrong error
		outside := func(of int) bool { return of < 0 || of >= len(found.Mentions) }
		byWriter := r.Subject == Writer && m.Role == "client" && m.ClientID != ""
		switch {
		case !slices.Contains(predicates, r.Predicate):
			wrong = fmt.Errorf("its predicate %q is none", r.Predicate)
		case outside(r.Subject) && !byWriter || outside(r.Object):
			wrong = fmt.Errorf("it is of %d and %d, of %d mentions", r.Subject, r.Object, len(found.Mentions))
		case r.Subject == r.Object:
			wrong = errors.New("it is of one mention")
		case !likely(r.Confidence):
			wrong = fmt.Errorf("its confidence %v is not in (0, 1]", r.Confidence)
		case !own(r.Extractor, r.Version) && !givenRelations[r.of(found)]:
			wrong = fmt.Errorf("it says that it is of %s %s, who did not find it", r.Extractor, r.Version)
		default:
			wrong = r.within(body)
		}
		if wrong != nil {
			return fmt.Errorf("relation %d: %w", i, wrong)
		}
	}
	return nil
}

// relationOf is a relation by its mentions themselves, whatever their indexes.
type relationOf struct {
	Relation
	subject, object Mention
}

func (r Relation) of(f Found) relationOf {
	of := relationOf{Relation: r, object: f.Mentions[r.Object]}
	if r.Subject != Writer {
		of.subject = f.Mentions[r.Subject]
	}
	of.Subject, of.Object = 0, 0
	return of
}

// likely reports a chance in (0, 1]; NaN is none.
func likely(p float64) bool { return p > 0 && p <= 1 }

// within refuses a span that is empty, outside the body or not between characters.
func (s Span) within(body string) error {
	between := func(at int) bool { return at == len(body) || utf8.RuneStart(body[at]) }
	switch {
	case s.Start < 0 || s.End > len(body) || s.Start >= s.End:
		return fmt.Errorf("bytes %d to %d are no place in a body of %d", s.Start, s.End, len(body))
	case !between(s.Start) || !between(s.End):
		return fmt.Errorf("bytes %d to %d are not between characters", s.Start, s.End)
	}
	return nil
}

var (
	types      = []Type{Person, Company, Location, Law, Topic, PracticeType, Document, Money, Date}
	predicates = []Predicate{Requires, GovernedBy, RelatesTo, ConflictsWith, ExampleOf, WorksFor, LocatedIn, ClientOf}
)

// place is a mention or a contact that wants its span.
type place struct {
	Span
	rank, index int
	contact     bool
}

// settle keeps the places that win, in order, and what is said of them.
func (p *Pipeline) settle(found Found) Found {
	places := make([]place, 0, len(found.Mentions)+len(found.Contacts))
	for i, m := range found.Mentions {
		places = append(places, place{Span: m.Span, rank: p.rank[m.Extractor], index: i})
	}
	for i, c := range found.Contacts {
		places = append(places, place{Span: c.Span, rank: p.rank[c.Extractor], index: i, contact: true})
	}
	winners := winners(places)
	// kept is where a mention went; -1 is nowhere.
	kept := make([]int, len(found.Mentions))
	for i := range kept {
		kept[i] = -1
	}
	var out Found
	for _, w := range winners {
		if !w.contact {
			kept[w.index] = len(out.Mentions)
			out.Mentions = append(out.Mentions, found.Mentions[w.index])
		}
	}
	for i, m := range found.Mentions {
		if kept[i] >= 0 {
			continue
		}
		at, same := slices.BinarySearchFunc(out.Mentions, m.Start, func(o Mention, start int) int { return cmp.Compare(o.Start, start) })
		if same && out.Mentions[at].Span == m.Span && out.Mentions[at].Type == m.Type {
			kept[i] = at
		}
	}
	for _, w := range winners {
		if w.contact {
			c := found.Contacts[w.index]
			if c.Of >= 0 {
				c.Of = kept[c.Of]
			}
			out.Contacts = append(out.Contacts, c)
		}
	}
	for _, r := range found.Relations {
		byWriter := r.Subject == Writer
		if !byWriter {
			r.Subject = kept[r.Subject]
		}
		r.Object = kept[r.Object]
		if (r.Subject >= 0 || byWriter) && r.Object >= 0 && r.Subject != r.Object {
			out.Relations = append(out.Relations, r)
		}
	}
	slices.SortStableFunc(out.Relations, func(a, b Relation) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Object, b.Object), cmp.Compare(a.Predicate, b.Predicate), cmp.Compare(p.rank[a.Extractor], p.rank[b.Extractor]))
	})
	return out
}

// winners are the places that stay, from left to right: the rule is Pipeline's.
func winners(places []place) []place {
	slices.SortStableFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(a.Start, b.Start))
	})
	last := 0
	for _, one := range places {
		last = max(last, one.End)
	}
	taken := make([]bool, last)
	var won []place // of earlier ranks, from left to right
	for len(places) > 0 {
		n := slices.IndexFunc(places, func(one place) bool { return one.rank != places[0].rank })
		if n < 0 {
			n = len(places)
		}
		earlier := won
		for _, one := range places[:n] {
			// Of its own rank what is taken is at least as long, and covers an end.
			if taken[one.Start] || taken[one.End-1] {
				continue
			}
			at, _ := slices.BinarySearchFunc(earlier, one.Start, func(w place, start int) int { return cmp.Compare(w.Start, start) })
			if at < len(earlier) && earlier[at].Start < one.End {
				continue
			}
			for i := one.Start; i < one.End; i++ {
				taken[i] = true
			}
			won = append(won, one)
		}
		slices.SortFunc(won, func(a, b place) int { return cmp.Compare(a.Start, b.Start) })
		places = places[n:]
	}
	return won
}
