package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// individual is somebody who speaks or is spoken of.
type individual struct {
	entity, name, given, language string
	// client is the row of crm.clients, or empty.
	client       string
	email, phone string
}

// acquaintances are the people of inquiries: clients that have paid before, clients
// that are new, and people that are in none of the firm's tables.
type acquaintances struct {
	rng *rand.Rand
	// created is when the new clients came in.
	created time.Time
	// paying were there before; rows are the new ones.
	paying, rows []client
	// rowEntities are the people of rows.
	rowEntities []string
	entities    []Entity
	namesakes   [][2]string
	// used are names of strangers and new clients: each is one person's, but namesakes'.
	used    map[string]bool
	numbers int
	unknown int
}

var (
	newGiven      = strings.Fields("Clara Mateo Sofia Ines Pablo Marta Diego Emil Greta Hugo Tess Laila Omar Petra Viktor Alma Joris Nerea Bastian Mireille")
	newFamily     = strings.Fields("Ruiz Novak Keller Duarte Meijer Sato Haddad Lindgren Fontana Marchetti Suryadi Wijaya Halim Siregar Nasution Tanaka Castellano Brandt Vermeer Okoro")
	unknownGiven  = strings.Fields("Ingrid Sven Akiko Pieter Willem Astrid Haruto Rafael Beatriz Thabo Fiona Declan Maeve Søren Lotte Nils Yara Bram Saskia Zsófia Anneliese José Márcia Siobhan")
	unknownFamily = strings.Split("Halvorsen|Lindqvist|de Vries|O'Connor|van den Berg|Nakamura|Okafor|Ferreira|Dlamini|Kowalska|Björklund|Müller|Gallagher|Iversen|Szabó|Moreau|Achterberg|Oyelaran|Quispe|Fitzgerald", "|")
)

func (a *acquaintances) pick(from []string) string { return from[a.rng.IntN(len(from))] }

func (a *acquaintances) fresh(given, family []string) string {
	for {
		if name := a.pick(given) + " " + a.pick(family); !a.used[name] {
			a.used[name] = true
			return name
		}
	}
}

// number is the next of London's that are kept for fiction; mobile numbers that are
// pass for none where numbers are checked against those that their country gives out.
func (a *acquaintances) number() string {
	a.numbers++
	return fmt.Sprintf("+44207946%04d", a.numbers)
}

func address(name, domain string, n int) string {
	var local strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z':
			local.WriteRune(r)
		case r == ' ':
			local.WriteByte('.')
		}
	}
	return fmt.Sprintf("%s.%d@%s", local.String(), n, domain)
}

// known is a client of the firm's own.
func known(c client) individual {
	given, _, _ := strings.Cut(c.name, " ")
	return individual{entity: "person:" + c.id, name: c.name, given: given, language: c.language, client: c.id, email: c.email, phone: c.phone}
}

// enter makes a row of crm.clients, of the entity or, where that is empty, its own.
func (a *acquaintances) enter(c client, entity string) individual {
	c.id = fmt.Sprintf("C-%05d", len(a.paying)+len(a.rows)+1)
	c.status, c.created = "prospect", a.created
	p := known(c)
	if entity != "" {
		p.entity = entity
	}
	a.rows, a.rowEntities = append(a.rows, c), append(a.rowEntities, p.entity)
	return p
}

// prospect is a new client of a name.
func (a *acquaintances) prospect(name string) individual {
	n := len(a.rows) + 1
	return a.enter(client{name: name, email: address(name, "example.com", n), phone: a.number(), language: a.pick(languages)}, "")
}

// couple are two with one number.
func (a *acquaintances) couple() [2]individual {
	one := a.prospect(a.fresh(newGiven, newFamily))
	_, family, _ := strings.Cut(one.name, " ")
	name := a.fresh(newGiven, []string{family})
	return [2]individual{one, a.enter(client{name: name, email: address(name, "example.com", len(a.rows)+1), phone: one.phone, language: one.language}, "")}
}

// again is a second row of somebody, with the name spelled otherwise, who is known by
// the address or, if the number tells, by that.
func (a *acquaintances) again(p individual, byNumber bool) individual {
	c := client{name: a.misspelled(p.name), email: p.email, language: p.language}
	if byNumber {
		c.email, c.phone = "", p.phone[:3]+" "+p.phone[3:5]+" "+p.phone[5:9]+" "+p.phone[9:]
	}
	second := a.enter(c, p.entity)
	second.given = p.given
	return second
}

// misspelled is a name as a second person would enter it; never as it was.
func (a *acquaintances) misspelled(name string) string {
	given, family, _ := strings.Cut(name, " ")
	at := 1 + a.rng.IntN(len(family)-1) // names of clients are ASCII
	switch a.rng.IntN(6) {
	case 0:
		return given + " " + family[:at] + family[at+1:]
	case 1:
		return family + " " + given
	case 2:
		return given[:1] + ". " + family
	case 3:
		return given + " M. " + family
	case 4:
		return strings.ToUpper(name)
	}
	return given + " " + family[:at+1] + family[at:]
}

// stranger is in none of the firm's tables. Whoever is given a name is a namesake.
func (a *acquaintances) stranger(name string) individual {
	if name == "" {
		name = a.fresh(unknownGiven, unknownFamily)
	}
	a.unknown++
	given, _, _ := strings.Cut(name, " ")
	p := individual{
		entity: fmt.Sprintf("person:unknown-%03d", a.unknown), name: name, given: given, language: a.pick(languages),
		email: address(name, "example.org", a.unknown), phone: a.number(),
	}
	a.entities = append(a.entities, Entity{ID: p.entity, Type: person, Names: []string{p.name, p.given}, Unknown: true})
	return p
}

// twins are two people of one name.
func (a *acquaintances) twins(meet func(name string) individual, name string) [2]individual {
	two := [2]individual{meet(name), meet(name)}
	a.namesakes = append(a.namesakes, [2]string{two[0].entity, two[1].entity})
	return two
}
