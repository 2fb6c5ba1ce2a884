package resolution

import (
	"math"
	"slices"
	"strings"
)

// The fields of people, in the order of their comparisons.
const (
	personName = iota
	personEmail
	personPhone
	personEmployer
	personFields
)

// What one knows of people before seeing data. Those of contacts and employers are our
// own judgement, as are nameLevels: they count for priorPairs pairs, against the
// firm's own. What tells two people of one name apart is no constant but how many bear
// it (crowd).
const (
	// priorPairs is how many pairs of one person the levels' own m count for.
	priorPairs = 50
	// unseen is how many people there are whom no record names: with tens of records
	// a name is no rare one because it is there once.
	unseen = 100
	// entered is the part of a firm's clients that it has twice.
	entered = .02
	// discourse is how likely two names in one conversation, of which one is within the
	// other ("Anna", "Anna Ruiz"), are one person: words keep one sense within a
	// discourse in 98 of 100 cases (Gale, Church & Yarowsky 1992), names rather more.
	discourse = .99
	// leastShared is how often two people share an e-mail address or a phone at least.
	leastShared = 1e-6
)

// person is what all records of a cluster know together.
type person struct {
	// names are without those that are within another: "Anna" says nothing beside "Anna
	// Ruiz". In order of keys, as is all below.
	names     []*name
	emails    []string
	phones    []string
	employers []string
	// domains are labels of those of firms that e-mail addresses are of ("kusuma" of
	// kusuma.co.id), to be compared with names too.
	domains []string
	clients []string
	said    []said
}

// said is a name in a conversation.
type said struct {
	conversation string
	name         *name
}

func newPerson(r Record, n *name) *person {
	p := &person{}
	if len(n.tokens) > 0 {
		p.names = []*name{n}
		if r.Conversation != "" {
			p.said = []said{{r.Conversation, n}}
		}
	}
	p.emails, p.phones = ordered(r.Emails), ordered(r.Phones)
	for _, e := range r.Employers {
		p.employers = insert(p.employers, newCompanyName(e).key)
	}
	for _, e := range p.emails {
		_, label := mailDomain(e)
		p.domains = insert(p.domains, strings.ReplaceAll(label, "-", ""))
	}
	if r.ClientID != "" {
		p.clients = []string{r.ClientID}
	}
	return p
}

func (p *person) unite(o *person) {
	p.emails, p.phones = insert(p.emails, o.emails...), insert(p.phones, o.phones...)
	p.employers, p.domains = insert(p.employers, o.employers...), insert(p.domains, o.domains...)
	p.clients = insert(p.clients, o.clients...)
	for _, s := range o.said {
		if at, there := slices.BinarySearchFunc(p.said, s, compareSaid); !there {
			p.said = slices.Insert(p.said, at, s)
		}
	}
	for _, n := range o.names {
		p.names = fuller(p.names, n)
	}
}

// silent is a copy without conversations, to be united with others.
func (p *person) silent() *person {
	return &person{slices.Clip(p.names), slices.Clip(p.emails), slices.Clip(p.phones), slices.Clip(p.employers), slices.Clip(p.domains), slices.Clip(p.clients), nil}
}

// people is the evidence about persons.
type people struct {
	clusters []*person
	crowd    *crowd
	// m and u are those of the fit, by field and level; offset is what it adds to the
	// odds of any two that aren't both clients, in bits.
	m, u   [][]float64
	offset float64
}

// view is a comparison of two people: a level and its bits by field, and what stands
// before any of them.
type view struct {
	levels [personFields]int
	bits   [personFields]float64
	// near is whether a conversation has both, one name within the other.
	near  bool
	prior float64
}

func (v *view) sum() float64 {
	bits := v.prior
	for _, b := range v.bits {
		bits += b
	}
	return bits
}

// mostNames bounds what is compared of people with very many names.
const mostNames = 8

// alike is how the closest two names are, unless two are different: people who are one
// have no names that differ. key is the name where it is equal.
func (p *person) alike(o *person) (closest alike, key string) {
	closest.level = Missing
	for _, n := range p.names[:min(len(p.names), mostNames)] {
		for _, q := range o.names[:min(len(o.names), mostNames)] {
			switch a := n.alike(q); {
			case a.level == nameDifferent:
				return a, ""
			case closest.level == Missing || a.level < closest.level:
				closest, key = a, n.key
			}
		}
	}
	return closest, key
}

// employer compares firms: by their names, else by the domains of e-mail addresses,
// unless an address is shared, which has said it already.
func (p *person) employer(o *person) (level int, firm string) {
	if e := both(p.employers, o.employers); e != "" {
		return 0, e
	}
	if len(p.employers) > 0 && len(o.employers) > 0 {
		return 1, "" // whatever their mail says
	}
	if both(p.emails, o.emails) == "" {
		for _, pair := range [][2][]string{{p.domains, o.domains}, {p.domains, o.employers}, {p.employers, o.domains}} {
			if e := both(pair[0], pair[1]); e != "" {
				return 0, e
			}
		}
		if len(p.domains) > 0 && len(o.domains) > 0 {
			return 1, ""
		}
	}
	return Missing, ""
}

func (e *people) view(x, y int) view {
	p, o := e.clusters[x], e.clusters[y]
	v := view{near: p.near(o), prior: -math.Log2(e.crowd.people)}
	names, key := p.alike(o)
	employer, firm := p.employer(o)
	v.levels = [personFields]int{names.level, sharing(p.emails, o.emails), sharing(p.phones, o.phones), employer}
	if len(p.clients) > 0 && len(o.clients) > 0 {
		v.prior += math.Log2(2 * entered)
	} else {
		v.prior += e.offset
	}
	for f, l := range v.levels {
		if l == Missing {
			continue
		}
		u := e.u[f][l]
		switch {
		case f == personName && l != nameDifferent:
			u = e.crowd.bearers(names, key, max(len(p.clients)+len(o.clients), 1))
		case f == personEmail && l == 0:
			u = e.crowd.holders(p.emails, o.emails, u)
		case f == personPhone && l == 0:
			u = e.crowd.holders(p.phones, o.phones, u)
		case f == personEmployer && l == 0:
			u = e.crowd.colleagues(firm)
		}
		v.bits[f] = math.Log2(e.m[f][l]) - math.Log2(u)
		// Whatever EM makes of few pairs: what differs speaks for nobody's being one, and
		// what is equal not against it.
		switch {
		case f != personName && l == 0:
			v.bits[f] = max(v.bits[f], 0)
		case f != personName && l == 1:
			v.bits[f] = min(v.bits[f], 0)
		}
	}
	if v.near && v.levels[personName] != nameDifferent {
		// What the names themselves say is in it.
		v.prior, v.bits[personName] = math.Log2(discourse/(1-discourse)), 0
	} else {
		v.near = false
	}
	return v
}

func (e *people) weigh(x, y int) float64 {
	v := e.view(x, y)
	return v.sum()
}

func (e *people) explain(x, y int) []Field {
	v := e.view(x, y)
	names := [personFields]string{"name", "email", "phone", "employer"}
	var fields []Field
	for f, l := range v.levels {
		level := "missing"
		switch {
		case l != Missing && f == personName:
			level = nameLevels[l].Name
		case l == 0:
			level = "equal"
		case l == 1:
			level = "different"
		}
		fields = append(fields, Field{names[f], level, v.bits[f]})
	}
	level := "any two"
	switch {
	case v.near:
		level = "one conversation"
	case len(e.clusters[x].clients) > 0 && len(e.clusters[y].clients) > 0:
		level = "two clients"
	}
	return append(fields, Field{"prior", level, v.prior})
}

func (e *people) unite(into, from int) {
	e.clusters[into].unite(e.clusters[from])
	e.clusters[from] = nil
}
