package demo

import (
	"cmp"
	"slices"
	"time"
)

// Knowledge is what the demo's inquiries say, as the truth that a graph built from
// them is held against.
type Knowledge struct {
	// Entities by id: what is named, and every client.
	Entities []Entity
	// Namesakes are pairs of entities of one name that are two people.
	Namesakes [][2]string
	// Messages, by id, are those all of whose names are in Places. Others of the demo
	// name things too.
	Messages []string
	// Places by message and start.
	Places []Place
	// Contacts are addresses and numbers that messages say of people.
	Contacts []Contact
	// Edges are said, Never are only asked, denied or wished, by subject, relation,
	// object and time.
	Edges, Never []Edge
}

// Entity is a thing or a person, whatever it is called.
type Entity struct {
	ID, Type string
	// Names are what it may be called, the first one above all.
	Names []string
	// ClientIDs are the rows that it has in crm.clients: more than one is a duplicate.
	ClientIDs []string
	// Unknown is of people who are in none of the firm's tables.
	Unknown bool
}

// Place is where a message names an entity: characters from 0, the end excluded.
type Place struct {
	Message    string
	Start, End int
	Surface    string
	Entity     string
}

// Contact is how a message says that somebody is reached. Kind is email or phone,
// Value its normal form.
type Contact struct{ Message, Entity, Kind, Value string }

// Edge is a relation of two entities, by ids. ValidAt is when the first message said
// so; InvalidAt, of people who work for a firm, when one said otherwise, or zero.
type Edge struct {
	Subject, Relation, Object string
	ValidAt, InvalidAt        time.Time
	// Messages say so, by id.
	Messages []string
}

// Graph is the truth about the messages that Seed of the same arguments writes.
func Graph(truth Truth, seed uint64, today time.Time) Knowledge {
	return draw(truth, seed, today).inquire(seed, today).knowledge
}

// heard is a statement with the message that makes it.
type heard struct {
	statement
	message string
	at      time.Time
}

// edgesOf puts statements together. A person works for one firm at a time: the one
// that the latest message says.
func edgesOf(all []heard) []Edge {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b heard) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.relation, b.relation), a.at.Compare(b.at), cmp.Compare(a.message, b.message))
	})
	type key struct{ subject, relation, object string }
	var edges []Edge
	open := map[key]int{}
	last := map[key]int{} // of a subject and relation
	for _, h := range all {
		k, of := key{h.subject, h.relation, h.object}, key{h.subject, h.relation, ""}
		before, said := last[of]
		i, there := open[k]
		if there && (h.relation != worksFor || i == before) {
			edges[i].Messages = append(edges[i].Messages, h.message)
			continue
		}
		if said && h.relation == worksFor {
			edges[before].InvalidAt = h.at
		}
		edges = append(edges, Edge{Subject: h.subject, Relation: h.relation, Object: h.object, ValidAt: h.at, Messages: []string{h.message}})
		open[k], last[of] = len(edges)-1, len(edges)-1
	}
	for i := range edges {
		slices.Sort(edges[i].Messages)
	}
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.Object, b.Object), a.ValidAt.Compare(b.ValidAt))
	})
	return edges
}
