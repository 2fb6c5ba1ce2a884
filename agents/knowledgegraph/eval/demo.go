package eval

import (
	"fmt"
	"slices"
	"time"

	"github.com/nuzantara/ciclo/internal/demo"
)

const (
	personType  = "person"
	workingType = "works_for"
)

// Built is a graph as it is read back, to be held against the demo's truth: all
// entities that are, and edges that hold or held in the world.
type Built struct {
	Entities []BuiltEntity
	Mentions []BuiltMention
	Contacts []BuiltContact
	Edges    []BuiltEdge
}

// BuiltEntity has its name and aliases, and the clients that it is.
type BuiltEntity struct {
	ID, Type         string
	Names, ClientIDs []string
}

// BuiltMention is where a message names an entity, by id: characters from 0, the end
// excluded.
type BuiltMention struct {
	Message    string
	Start, End int
	Entity     string
}

// BuiltContact is an attribute of an entity, by id, that a message says; Kind is
// email or phone, Value the normal form.
type BuiltContact struct{ Message, Entity, Kind, Value string }

// BuiltEdge is a relation of two entities, by ids. InvalidAt is zero where it holds.
type BuiltEdge struct {
	Subject, Relation, Object string
	ValidAt, InvalidAt        time.Time
}

// Floors of the figures. What is put together of itself is right in .98, as the
// design has it; the others are where a graph begins to be of use.
const (
	floorMentions   = .9
	floorStrangers  = .7
	floorTogether   = .9
	floorMerged     = .98
	floorSaid       = .95
	floorHeard      = .8
	floorIntervals  = .9
	floorContacts   = .9
	floorDuplicates = .9
)

// Compare holds a built graph against the truth: names found, in the messages of
// which the truth has all; people and things kept together and apart; edges, by
// relation, and since and until when they hold; clients who are one person; and
// what is only asked or denied. An edge of the built graph that the truth hasn't is
// wrong, whatever message says it; types that the truth has no places of, such as
// money, are left out. A figure over nothing doesn't pass.
func Compare(truth demo.Knowledge, built Built) []Figure {
	a := align(truth, built)
	figures := a.names(truth)
	figures = append(figures, a.edges(truth, built)...)
	figures = append(figures, a.intervals(truth, built)...)
	figures = append(figures, a.contacts(truth, built)...)
	return append(figures, a.clients(truth, built)...)
}

// share is a figure of a part.
func share(name string, floor float64, part, whole int) Figure {
	f := atLeast(name, floor, ratio(part, whole))
	f.Measured += fmt.Sprintf(" (%d of %d)", part, whole)
	return f
}

// none is a figure of what must not be.
func none(name string, wrong, whole int) Figure {
	return Figure{name, "0", fmt.Sprintf("%d of %d", wrong, whole), wrong == 0 && whole > 0}
}

func (a *alignment) names(truth demo.Knowledge) []Figure {
	strangers, found := 0, 0
	for _, p := range truth.Places {
		if a.truth[p.Entity].Unknown {
			strangers++
		}
	}
	for _, m := range a.matched {
		if a.truth[m.Entity].Unknown {
			found++
		}
	}
	apart, together := a.cubed(true)
	thingsApart, thingsTogether := a.cubed(false)
	return []Figure{
		share("demo: names, precision", floorMentions, len(a.matched), a.mentions),
		share("demo: names, recall", floorMentions, len(a.matched), len(truth.Places)),
		share("demo: names of strangers, recall", floorStrangers, found, strangers),
		atLeast("demo: people kept apart, B³ precision", floorMerged, apart),
		atLeast("demo: people put together, B³ recall", floorTogether, together),
		atLeast("demo: things kept apart, B³ precision", floorMerged, thingsApart),
		atLeast("demo: things put together, B³ recall", floorMerged, thingsTogether),
	}
}

// triple is an edge without its time, by ids of the truth.
type triple struct{ subject, relation, object string }

// tripleOf turns relations that go both ways.
func tripleOf(subject, relation, object string) triple {
	if (relation == "relates_to" || relation == "conflicts_with") && subject > object {
		subject, object = object, subject
	}
	return triple{subject, relation, object}
}

// triple is the edge with the truth's entities. An end that is none of them keeps an id
// that the truth hasn't.
func (a *alignment) triple(e BuiltEdge) triple {
	end := func(id string) string {
		if of, there := a.of[id]; there {
			return of
		}
		return "built:" + id
	}
	return tripleOf(end(e.Subject), e.Relation, end(e.Object))
}

func (a *alignment) edges(truth demo.Knowledge, built Built) []Figure {
	said, relations := map[triple]bool{}, map[string]*tally{}
	for _, e := range truth.Edges {
		t := tripleOf(e.Subject, e.Relation, e.Object)
		if relations[e.Relation] == nil {
			relations[e.Relation] = &tally{}
		}
		if !said[t] {
			said[t] = true
			relations[e.Relation].matches++
		}
	}
	seen := map[triple]bool{}
	for _, e := range built.Edges {
		t := a.triple(e)
		if seen[t] {
			continue
		}
		seen[t] = true
		if relations[e.Relation] == nil {
			relations[e.Relation] = &tally{}
		}
		relations[e.Relation].add(said[t])
	}
	var names []string
	for name := range relations {
		names = append(names, name)
	}
	slices.Sort(names)
	var figures []Figure
	for _, name := range names {
		r := relations[name]
		figures = append(figures,
			share("demo: "+name+", precision", floorSaid, r.right, r.right+r.wrong),
			share("demo: "+name+", recall", floorHeard, r.right, r.matches))
	}
	wrong := 0
	for _, e := range truth.Never {
		if seen[tripleOf(e.Subject, e.Relation, e.Object)] {
			wrong++
		}
	}
	return append(figures, none("demo: edges of what is asked or denied", wrong, len(truth.Never)))
}

// intervals are of the one relation that holds once at a time.
func (a *alignment) intervals(truth demo.Knowledge, built Built) []Figure {
	type interval struct {
		triple
		from, to int64
	}
	until := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	there := map[interval]bool{}
	for _, e := range built.Edges {
		there[interval{a.triple(e), e.ValidAt.UnixMicro(), until(e.InvalidAt)}] = true
	}
	moved := map[string]bool{}
	for _, e := range truth.Edges {
		moved[e.Subject] = moved[e.Subject] || !e.InvalidAt.IsZero()
	}
	var all, right, ofMoved, rightOfMoved int
	for _, e := range truth.Edges {
		if e.Relation != workingType {
			continue
		}
		all++
		is := there[interval{tripleOf(e.Subject, e.Relation, e.Object), e.ValidAt.UnixMicro(), until(e.InvalidAt)}]
		if is {
			right++
		}
		if moved[e.Subject] {
			ofMoved++
			if is {
				rightOfMoved++
			}
		}
	}
	return []Figure{
		share("demo: works_for, since and until when", floorIntervals, right, all),
		share("demo: works_for, of who changed firm", floorIntervals, rightOfMoved, ofMoved),
	}
}

func (a *alignment) contacts(truth demo.Knowledge, built Built) []Figure {
	covered, said := map[string]bool{}, map[demo.Contact]bool{}
	for _, id := range truth.Messages {
		covered[id] = true
	}
	for _, c := range truth.Contacts {
		said[c] = true
	}
	found := tally{matches: len(said)}
	seen := map[demo.Contact]bool{}
	for _, c := range built.Contacts {
		as := demo.Contact{Message: c.Message, Entity: a.of[c.Entity], Kind: c.Kind, Value: c.Value}
		if covered[c.Message] && (c.Kind == "email" || c.Kind == "phone") && !seen[as] {
			seen[as] = true
			found.add(said[as])
		}
	}
	return []Figure{
		share("demo: contacts, precision", floorContacts, found.right, found.right+found.wrong),
		share("demo: contacts, recall", floorContacts, found.right, found.matches),
	}
}

// clients are pairs of rows of the firm's table, and namesakes.
func (a *alignment) clients(truth demo.Knowledge, built Built) []Figure {
	pairs := func(ids []string, each func(pair [2]string)) {
		ids = slices.Compact(slices.Sorted(slices.Values(ids)))
		for i := range ids {
			for _, other := range ids[i+1:] {
				each([2]string{ids[i], other})
			}
		}
	}
	one, owner := map[[2]string]bool{}, map[string]string{}
	for _, e := range truth.Entities {
		pairs(e.ClientIDs, func(pair [2]string) { one[pair] = true })
		for _, id := range e.ClientIDs {
			owner[id] = e.ID
		}
	}
	merged := tally{matches: len(one)}
	// Whom of the truth each built entity is, in part.
	is := map[string]map[string]bool{}
	for _, e := range built.Entities {
		is[e.ID] = map[string]bool{}
		for _, id := range e.ClientIDs {
			is[e.ID][owner[id]] = true
		}
		pairs(e.ClientIDs, func(pair [2]string) { merged.add(one[pair]) })
	}
	for _, m := range a.matched {
		is[m.built][m.Entity] = true
	}
	mixed := 0
	for _, two := range truth.Namesakes {
		if slices.ContainsFunc(built.Entities, func(e BuiltEntity) bool { return is[e.ID][two[0]] && is[e.ID][two[1]] }) {
			mixed++
		}
	}
	return []Figure{
		share("demo: clients who are one, precision", floorMerged, merged.right, merged.right+merged.wrong),
		share("demo: clients who are one, recall", floorDuplicates, merged.right, merged.matches),
		none("demo: namesakes taken for one", mixed, len(truth.Namesakes)),
	}
}
