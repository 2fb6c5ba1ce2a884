package demo

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// How many there are of what inquiries are about.
const (
	demoInquiries = 400
	// Of those who have paid before: who work somewhere, the first of them who change
	// firm, and who are asked about a firm or deny it.
	employees = 100
	changers  = 12
	deniers   = 40
	// Of new clients.
	prospects      = 40
	clientTwins    = 6
	couples        = 3
	twicePaying    = 12
	twiceProspects = 13
	// Of strangers: who write themselves, who are spoken of once, twice, and in two
	// firms one after the other, and whom nobody says to work anywhere.
	visitors         = 40
	mentioned        = 40
	mentionedTwice   = 10
	mentionedChanged = 3
	strangerTwins    = 4
	unemployed       = 20
	// Of the rest.
	timesRule    = 3
	timesPlace   = 2
	clientsOf    = 15
	notLocated   = 20
	notClientsOf = 6
	remarks      = 40
	handovers    = 30
	// smallLetters is the part of clients' messages without capitals.
	smallLetters = .04
)

// statement is what a sentence says, or withholds, or merely names.
type statement struct {
	subject, relation, object string
	never                     bool
	how                       phrases
	// given calls the subject by the given name alone.
	given bool
	// byAgent is of what clients don't say.
	byAgent bool
	// by is how somebody is reached: an e-mail address or a phone number.
	by string
}

// inquiry is a conversation in the making: who writes, when, what for first, and what
// else the two say.
type inquiry struct {
	who           individual
	at            time.Time
	opening       []statement
	client, agent [][]statement
}

// bundle is what one message says together; early and late ones are of the first and
// the last third of inquiries.
type bundle struct {
	says        []statement
	early, late bool
}

// inquiries are the conversations that are about people, firms and rules. They are
// open, so that they say nothing of winning.
type inquiries struct {
	*acquaintances
	end       time.Time
	things    map[string]thing
	people    map[string]individual
	dealt     []bundle
	plan      []inquiry
	heard     []heard
	withheld  []heard
	talks     []conversation
	knowledge Knowledge
}

// inquire draws them. Their randomness is their own, so that they change nothing of
// payments and conversations.
func (f firm) inquire(seed uint64, today time.Time) inquiries {
	end := today.UTC().Truncate(24 * time.Hour)
	q := inquiries{
		acquaintances: &acquaintances{
			rng: rand.New(rand.NewPCG(seed, 0x6772617068)), created: end.AddDate(-1, -1, 0), paying: f.clients, used: map[string]bool{},
		},
		end: end, things: map[string]thing{}, people: map[string]individual{},
	}
	for _, t := range catalogue() {
		q.things[t.entity()] = t
	}
	q.drawPeople()
	q.drawTalk()
	for i, planned := range q.plan {
		q.write(i, planned)
	}
	q.conclude()
	return q
}

// filling is what an entity is called in an inquiry.
func (q *inquiries) filling(entity string, who individual, given bool) filling {
	p, isPerson := q.people[entity]
	if entity == who.entity {
		p = who
	}
	switch {
	case entity == "":
		return filling{}
	case isPerson && given:
		return filling{called{text: p.given}, entity}
	case isPerson:
		return filling{called{text: p.name}, entity}
	}
	t := q.things[entity]
	var names []called
	for _, c := range slices.Concat(t.names, t.unlisted) {
		if c.language == "" || c.language == who.language {
			names = append(names, c)
		}
	}
	return filling{names[q.rng.IntN(len(names))], entity}
}

// add makes a sentence of a statement.
func (q *inquiries) add(l *line, who individual, says ...statement) {
	for _, s := range says {
		l.add(q.pick(s.how[who.language]), q.filling(s.subject, who, s.given), q.filling(s.object, who, false), written(s.by))
		l.says = append(l.says, s)
	}
}

// written is an address as it is, a number in groups.
func written(by string) string {
	if len(by) != len("+442079460000") || by[0] != '+' {
		return by
	}
	return by[:3] + " " + by[3:5] + " " + by[5:9] + " " + by[9:]
}

// write writes the i-th inquiry: twice the client, twice the agent.
func (q *inquiries) write(i int, planned inquiry) {
	who := planned.who
	talk := conversation{
		id: fmt.Sprintf("T-%05d", demoConversations+i+1), client: who.client, open: true,
		channel: q.pick([]string{"whatsapp", "whatsapp", "email", "web"}), segment: q.pick([]string{"visa", "company", "property"}), started: planned.at,
	}
	fill := func(l *line, from phrases, chance float64) {
		if q.rng.Float64() < chance {
			l.add(q.pick(from[who.language]), filling{}, filling{}, "")
		}
	}
	at := planned.at
	for turn := range 2 {
		var client, agent line
		if turn == 0 {
			fill(&client, clientFill, .5)
			q.add(&client, who, planned.opening...)
			q.add(&agent, who, statement{subject: who.entity, how: greeted, given: true})
		}
		half := len(planned.agent) / 2
		for n, says := range planned.agent {
			if (n < half) == (turn == 0) {
				q.add(&agent, who, says...)
			}
		}
		if turn == 1 {
			for _, says := range planned.client {
				q.add(&client, who, says...)
			}
		}
		fill(&client, clientFill, 1)
		fill(&agent, agentFill, 1)
		if turn == 1 && q.rng.Float64() < .25 {
			q.add(&client, who, statement{subject: who.entity, how: signed})
		}
		q.finish(&talk, "client", at, &client)
		at = at.Add(time.Duration(1+q.rng.IntN(90)) * time.Minute)
		q.finish(&talk, "agent", at, &agent)
		talk.ended = at
		at = at.Add(time.Duration(1+q.rng.IntN(240)) * time.Minute)
	}
	q.talks = append(q.talks, talk)
}

// finish is the end of a message: what it says and names is known.
func (q *inquiries) finish(talk *conversation, role string, at time.Time, l *line) {
	small := role == "client" && q.rng.Float64() < smallLetters && !slices.ContainsFunc(l.places, func(p Place) bool { return strings.HasPrefix(p.Entity, "person:unknown") })
	talk.messages = append(talk.messages, said{role, l.body(small), at})
	id := messageID(talk.id, len(talk.messages))
	q.knowledge.Messages = append(q.knowledge.Messages, id)
	for _, p := range l.places {
		p.Message = id
		q.knowledge.Places = append(q.knowledge.Places, p)
	}
	for _, s := range l.says {
		h := heard{s, id, at}
		switch {
		case s.by != "":
			kind := "phone"
			if strings.Contains(s.by, "@") {
				kind = "email"
			}
			q.knowledge.Contacts = append(q.knowledge.Contacts, Contact{id, s.subject, kind, s.by})
		case s.relation == "":
		case s.never:
			q.withheld = append(q.withheld, h)
		default:
			q.heard = append(q.heard, h)
		}
	}
}

// conclude puts the truth together.
func (q *inquiries) conclude() {
	k := &q.knowledge
	k.Namesakes = q.namesakes
	k.Edges, k.Never = edgesOf(q.heard), edgesOf(q.withheld)
	for i := range k.Never {
		k.Never[i].InvalidAt = time.Time{}
	}
	index := map[string]int{}
	for i, c := range slices.Concat(q.paying, q.rows) {
		entity := known(c).entity
		if i >= len(q.paying) {
			entity = q.rowEntities[i-len(q.paying)]
		}
		at, there := index[entity]
		if !there {
			at = len(q.entities)
			index[entity] = at
			q.entities = append(q.entities, Entity{ID: entity, Type: person, Names: []string{c.name, known(c).given}})
		}
		e := &q.entities[at]
		if there {
			e.Names = append(e.Names, c.name)
		}
		e.ClientIDs = append(e.ClientIDs, c.id)
	}
	for _, t := range catalogue() {
		e := Entity{ID: t.entity(), Type: t.kind}
		for _, c := range slices.Concat(t.names, t.unlisted) {
			e.Names = append(e.Names, c.text)
		}
		q.entities = append(q.entities, e)
	}
	slices.SortFunc(q.entities, func(a, b Entity) int { return cmp.Compare(a.ID, b.ID) })
	k.Entities = q.entities
}
