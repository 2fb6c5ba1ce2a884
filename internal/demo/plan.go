package demo

import (
	"slices"
	"time"
)

const month = 30 * 24 * time.Hour

// ago is a moment between so many months ago.
func (q *inquiries) ago(least, most float64) time.Time {
	return q.end.Add(-time.Duration((least + (most-least)*q.rng.Float64()) * float64(month))).Truncate(time.Second)
}

// firm is a company, but none of those.
func (q *inquiries) firm(but ...string) string {
	for {
		if c := companies[q.rng.IntN(len(companies))].entity(); !slices.Contains(but, c) {
			return c
		}
	}
}

// know takes note of somebody.
func (q *inquiries) know(p individual) individual {
	if _, there := q.people[p.entity]; !there {
		q.people[p.entity] = p
	}
	return p
}

// writes plans that somebody writes and says something first.
func (q *inquiries) writes(p individual, at time.Time, says ...statement) {
	q.know(p)
	q.plan = append(q.plan, inquiry{who: p, at: at, opening: says})
}

func employed(p individual, firm string, how phrases) statement {
	return statement{subject: p.entity, relation: worksFor, object: firm, how: how}
}

func reachedBy(p individual, by string) statement {
	return statement{subject: p.entity, how: reached, by: by}
}

// say lays something by for one of the inquiries.
func (q *inquiries) say(says ...statement) { q.dealt = append(q.dealt, bundle{says: says}) }

// drawPeople plans who writes, and what about people is said.
func (q *inquiries) drawPeople() {
	paying := make([]individual, len(q.paying))
	for i, at := range q.rng.Perm(len(q.paying)) {
		paying[i] = known(q.paying[at])
	}
	take := func(n int) (some []individual) {
		some, paying = paying[:min(n, len(paying))], paying[min(n, len(paying)):]
		return some
	}
	for i, p := range take(employees) {
		first := q.firm()
		if i >= changers {
			q.works(p, first)
			if q.rng.Float64() < .3 {
				q.works(p, first)
			}
			continue
		}
		second := q.firm(first)
		q.writes(p, q.ago(9, 12), employed(p, first, introduced))
		q.writes(p, q.ago(4, 8), employed(p, second, moved))
		if i == 0 { // and back
			q.writes(p, q.ago(.2, 3), employed(p, first, moved))
		}
	}
	for i, p := range take(deniers) {
		no := statement{subject: p.entity, relation: worksFor, object: q.firm(), never: true, how: denied}
		if i%2 == 0 {
			q.writes(p, q.ago(.1, 12), no)
			continue
		}
		no.how, no.given = asked, true
		q.writes(p, q.ago(.1, 12))
		q.plan[len(q.plan)-1].agent = [][]statement{{no}}
	}
	for _, p := range take(twicePaying) {
		firm := q.firm()
		q.works(p, firm)
		q.works(q.again(p, false), firm)
	}
	q.drawProspects()
	q.drawStrangers()
	for len(q.plan) < demoInquiries {
		q.writes(known(q.paying[q.rng.IntN(len(q.paying))]), q.ago(.1, 12))
	}
	// In order of time, whoever was planned first.
	slices.SortStableFunc(q.plan, func(a, b inquiry) int { return a.at.Compare(b.at) })
}

func (q *inquiries) works(p individual, firm string) {
	q.writes(p, q.ago(.1, 12), employed(p, firm, introduced))
}

// drawProspects makes the new clients.
func (q *inquiries) drawProspects() {
	for i := range prospects {
		p, firm := q.prospect(q.fresh(newGiven, newFamily)), q.firm()
		q.works(p, firm)
		if i >= twiceProspects {
			continue
		}
		again := q.again(p, i%3 > 0)
		if i%2 == 0 {
			q.works(again, firm)
		}
		if i == 1 { // by the number the second, by the address the third
			q.again(p, false)
		}
	}
	for range clientTwins {
		first := q.firm()
		two := q.twins(q.prospect, q.fresh(newGiven, newFamily))
		q.works(two[0], first)
		q.works(two[1], q.firm(first))
	}
	for range couples {
		firm := q.firm()
		for _, p := range q.couple() {
			q.works(p, firm)
		}
	}
}

// drawStrangers makes the people that are in none of the firm's tables.
func (q *inquiries) drawStrangers() {
	stranger := func() individual { return q.know(q.stranger("")) }
	for range visitors {
		q.works(stranger(), q.firm())
	}
	for i := range mentioned {
		p := stranger()
		says := []statement{employed(p, q.firm(), asserted[worksFor])}
		if i%2 == 0 {
			says = append(says, reachedBy(p, q.either(p.email, p.phone)))
		}
		q.say(says...)
	}
	for range mentionedTwice {
		p, firm := stranger(), q.firm()
		for range 2 {
			q.say(employed(p, firm, asserted[worksFor]), reachedBy(p, p.email))
		}
	}
	for range mentionedChanged {
		p, first := stranger(), q.firm()
		for i, firm := range []string{first, q.firm(first)} {
			q.dealt = append(q.dealt, bundle{[]statement{employed(p, firm, asserted[worksFor]), reachedBy(p, p.email)}, i == 0, i == 1})
		}
	}
	for range strangerTwins {
		first := q.firm()
		two := q.twins(q.stranger, q.fresh(unknownGiven, unknownFamily))
		for i, firm := range []string{first, q.firm(first)} {
			q.know(two[i])
			q.say(employed(two[i], firm, asserted[worksFor]), reachedBy(two[i], two[i].email))
		}
	}
	for range unemployed {
		q.say(statement{subject: stranger().entity, relation: worksFor, object: q.firm(), never: true, how: withheld[worksFor]})
	}
}

func (q *inquiries) either(one, other string) string {
	if q.rng.IntN(2) == 0 {
		return one
	}
	return other
}

// drawTalk lays by what is said of things, and deals it all out.
func (q *inquiries) drawTalk() {
	again := func(n int, r rule) {
		byAgent := r.relation != locatedIn && r.relation != clientOf
		for range n {
			q.say(statement{subject: r.subject, relation: r.relation, object: r.object, how: asserted[r.relation], byAgent: byAgent})
		}
	}
	never := func(r rule) {
		q.say(statement{subject: r.subject, relation: r.relation, object: r.object, never: true, how: withheld[r.relation]})
	}
	for _, r := range rules {
		again(timesRule, r)
	}
	for _, r := range notRules {
		never(r)
		never(r)
	}
	for _, w := range within {
		again(timesPlace, rule{"location:" + w[0], locatedIn, "location:" + w[1]})
	}
	for i, c := range companies {
		town := q.rng.IntN(len(towns))
		again(timesPlace, rule{c.entity(), locatedIn, towns[town].entity()})
		if i < notLocated {
			other := (town + 1 + q.rng.IntN(len(towns)-1)) % len(towns)
			never(rule{c.entity(), locatedIn, towns[other].entity()})
		}
	}
	for i, at := range q.rng.Perm(len(companies))[:clientsOf+notClientsOf] {
		// Whose number is odd serves those whose number is even.
		r := rule{companies[at/2*2].entity(), clientOf, companies[q.rng.IntN(len(companies)/2)*2+1].entity()}
		if i < clientsOf {
			again(timesPlace, r)
			continue
		}
		r.subject, r.object = r.object, r.subject // nobody ever says it this way round
		never(r)
	}
	for range remarks {
		q.say(statement{subject: q.firm(), object: towns[q.rng.IntN(len(towns))].entity(), how: remarked})
	}
	for range handovers {
		q.say(statement{subject: staff[q.rng.IntN(len(staff))].entity(), how: handled, byAgent: true})
	}
	q.deal()
}

// deal gives each inquiry its part, one after the other.
func (q *inquiries) deal() {
	order := q.rng.Perm(len(q.plan))
	for i, b := range q.dealt {
		at := order[i%len(order)]
		switch part := len(q.plan) / 3; { // the plan is in order of time
		case b.early:
			at %= part
		case b.late:
			at = len(q.plan) - 1 - at%part
		}
		to := &q.plan[at].agent
		// The firm knows the rules and who has which file, its clients know people;
		// either asks, and knows where firms are.
		if s := b.says[0]; s.relation == worksFor || !s.byAgent && q.rng.IntN(2) == 0 {
			to = &q.plan[at].client
		}
		*to = append(*to, b.says)
	}
}
