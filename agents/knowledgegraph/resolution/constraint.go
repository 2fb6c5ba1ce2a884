package resolution

import (
	"cmp"
	"slices"
	"strings"
)

// rule holds for people whatever the evidence.
//
//   - Two full names in one conversation are two people, unless one is within the other.
//   - Two clients are joined by a contact that both have and names that agree.
//   - Whoever has different names is never joined.
//   - Two employers, or firms' e-mail domains, are two people unless they have a contact
//     in common: who changes firm keeps one.
//   - A single name is joined by a contact, or within its conversation.
//
// The first is never doubted, the others a person is asked where they are likely.
func (p *person) rule(o *person) may {
	if p.contradicts(o) {
		return never
	}
	names, _ := p.alike(o)
	clients := len(p.clients) > 0 && len(o.clients) > 0
	if names.level == nameDifferent || clients && names.level == Missing {
		return differs
	}
	if both(p.emails, o.emails) != "" || both(p.phones, o.phones) != "" {
		return joins
	}
	if firm, _ := p.employer(o); clients || firm == 1 {
		return differs
	}
	if (names.level == nameSingle || names.level == Missing) && !p.near(o) {
		return asks
	}
	return joins
}

func (e *people) rule(x, y int) may { return e.clusters[x].rule(e.clusters[y]) }

func (e *people) excludes(x, y, z int) bool {
	switch e.rule(y, z) {
	case never:
		return true
	case differs:
		// Of conversations x knows nothing against z, or nobody would ask.
		both, silent := e.clusters[x].silent(), e.clusters[y].silent()
		both.unite(silent)
		return both.rule(e.clusters[z]) >= differs
	}
	return false
}

// contradicts is whether a conversation has both by names that are not one's.
func (p *person) contradicts(o *person) bool {
	return p.meets(o, func(n, q *name) bool { return n.full() && q.full() && !n.within(q) && !q.within(n) })
}

// near is whether a conversation has both, by names of which one is within the other.
func (p *person) near(o *person) bool {
	return p.meets(o, func(n, q *name) bool { return (n.within(q) || q.within(n)) && n.alike(q).level != nameDifferent })
}

// meets is whether any two of their names in one conversation are as asked.
func (p *person) meets(o *person, are func(n, q *name) bool) bool {
	if len(p.said) > len(o.said) {
		p, o = o, p
	}
	for _, s := range p.said {
		at, _ := slices.BinarySearchFunc(o.said, s.conversation, func(t said, c string) int { return strings.Compare(t.conversation, c) })
		for ; at < len(o.said) && o.said[at].conversation == s.conversation; at++ {
			if are(s.name, o.said[at].name) {
				return true
			}
		}
	}
	return false
}

func compareSaid(a, b said) int {
	return cmp.Or(strings.Compare(a.conversation, b.conversation), strings.Compare(a.name.key, b.name.key))
}

// fuller adds a name to names in order, of which none is within another.
func fuller(names []*name, n *name) []*name {
	for _, known := range names {
		if n.key == known.key || n.within(known) {
			return names
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(known *name) bool { return known.within(n) })
	at, _ := slices.BinarySearchFunc(names, n, func(a, b *name) int { return strings.Compare(a.key, b.key) })
	return slices.Insert(names, at, n)
}

// rule holds for companies whatever the evidence: different names, two clients, other
// domains and other legal forms ("PT Kusuma" and "Kusuma Ltd") are for a person to
// judge, the last three unless the two have a domain or contact in common.
func (c *company) rule(o *company) may {
	if level := c.alike(o).level; level == nameDifferent || level == Missing {
		return differs
	}
	if both(c.domains, o.domains) != "" || both(c.contacts, o.contacts) != "" {
		return joins
	}
	clients := len(c.clients) > 0 && len(o.clients) > 0
	if clients || sharing(c.domains, o.domains) == 1 || sharing(c.forms, o.forms) == 1 {
		return differs
	}
	return joins
}

func (e *companies) rule(x, y int) may { return e.clusters[x].rule(e.clusters[y]) }

func (e *companies) excludes(x, y, z int) bool {
	if e.rule(y, z) < differs {
		return false
	}
	both := e.clusters[x].clone()
	both.unite(e.clusters[y])
	return both.rule(e.clusters[z]) >= differs
}

func compareDecisions(a, b Decision) int {
	same := 0
	if a.Same != b.Same {
		same = 1
		if b.Same {
			same = -1
		}
	}
	return cmp.Or(strings.Compare(a.A, b.A), strings.Compare(a.B, b.B), same)
}

// settle puts decisions in order by type, each once, the lower id first, and takes out
// those that can't be about anything.
func settle(decisions []Decision, types map[string]string) (decided map[string][]Decision, ignored []Decision) {
	all := slices.Clone(decisions)
	for i, d := range all {
		all[i].A, all[i].B = min(d.A, d.B), max(d.A, d.B)
	}
	slices.SortFunc(all, compareDecisions)
	decided = map[string][]Decision{}
	for _, d := range slices.Compact(all) {
		a, here := types[d.A]
		b, there := types[d.B]
		if !here || !there || a != b || d.A == d.B {
			ignored = append(ignored, d)
			continue
		}
		decided[a] = append(decided[a], d)
	}
	return decided, ignored
}

// decide keeps what people decided, and returns what of it can't be kept.
func (c *clusters) decide(records []Record, decisions []Decision) (ignored []Decision) {
	at := func(id string) int {
		i, _ := slices.BinarySearchFunc(records, id, func(r Record, id string) int { return strings.Compare(r.ID, id) })
		return i
	}
	var same []link
	for _, d := range decisions {
		a, b := at(d.A), at(d.B)
		if d.Same {
			same = append(same, link{a, b, c.evidence.weigh(a, b)})
		} else {
			c.apart(a, b)
		}
	}
	slices.SortFunc(same, func(l, o link) int {
		return cmp.Or(cmp.Compare(o.bits, l.bits), cmp.Compare(l.a, o.a), cmp.Compare(l.b, o.b))
	})
	for _, l := range same {
		if !c.together(l.a, l.b, Field{Name: "decision", Level: "same"}) {
			ignored = append(ignored, Decision{records[l.a].ID, records[l.b].ID, true})
		}
	}
	return ignored
}
