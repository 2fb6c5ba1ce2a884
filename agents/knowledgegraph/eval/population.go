package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// Population is records of planted people, and who each is of.
type Population struct {
	Records []resolution.Record
	// Person is by record id.
	Person map[string]int
}

// Plan is what a population is drawn from.
type Plan struct {
	Seed uint64
	// Clients are in the firm's table; Others are only spoken of.
	Clients, Others int
	// Given and Family are how many names there are of each. Common names are more
	// frequent (the r-th in proportion to 1/(r+10)) unless Even.
	Given, Family int
	Even          bool
	// Mark makes ids, contacts and conversations others than those of plans with another.
	Mark string
}

var (
	syllables = strings.Fields("ba ca da fa ga ha ja ka la ma na pa ra sa ta va wa ya bi ci di fi gi hi ji ki li mi ni pi ri si ti vi wi yu bo co do fo go ho jo ko lo mo no po ro so to vo wo ku lu mu nu ru su tu be de fe ge he je ke le me ne pe re se te ve we")
	endings   = strings.Fields("n r s to wan ti ni no sen lli tti ez man di na")
)

// invented is n names, none twice, of two or three syllables and an ending.
func invented(rng *rand.Rand, n int) []string {
	var names []string
	for len(names) < n {
		name := ""
		for range 2 + rng.IntN(2) {
			name += syllables[rng.IntN(len(syllables))]
		}
		name += endings[rng.IntN(len(endings))]
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// planted is one person as the world has them; jobs are one, or two of who changed firm.
type planted struct {
	given, family string
	private       string
	phone         string
	jobs          []job
}

type job struct{ firm, email string }

// draw makes people and what is recorded of them.
type draw struct {
	*rand.Rand
	plan          Plan
	given, family []string
	firms         []string
	p             Population
	talks         int
}

// Draw is the same for the same plan.
func (plan Plan) Draw() Population {
	rng := rand.New(rand.NewPCG(plan.Seed, 1))
	d := &draw{Rand: rng, plan: plan, given: invented(rng, plan.Given), family: invented(rng, plan.Family), p: Population{Person: map[string]int{}}}
	for _, f := range invented(rng, 10+(plan.Clients+plan.Others)/12) {
		d.firms = append(d.firms, f+[4]string{" consulting", " legal", " trading", ""}[rng.IntN(4)])
	}
	var people []planted
	for i := range plan.Clients + plan.Others {
		people = append(people, d.person(i))
	}
	for i, p := range people[:plan.Clients] {
		d.client(i, p)
	}
	for range 2 * len(people) {
		d.conversation(people)
	}
	return d.p
}

func (d *draw) chance(p float64) bool { return d.Float64() < p }

func (d *draw) one(names []string) string {
	if d.plan.Even {
		return names[d.IntN(len(names))]
	}
	total := 0.
	for r := range names {
		total += 1 / float64(r+10)
	}
	at := d.Float64() * total
	for r, n := range names {
		if at -= 1 / float64(r+10); at < 0 {
			return n
		}
	}
	return names[0]
}

func (d *draw) person(i int) planted {
	p := planted{given: d.one(d.given), family: d.one(d.family)}
	p.private = fmt.Sprintf("%s.%s%d%s@gmail.com", p.given, p.family, i, d.plan.Mark)
	p.phone = fmt.Sprintf("+6281%s%07d", d.plan.Mark, i*37)
	jobs := 0
	switch {
	case d.chance(.08):
		jobs = 2
	case d.chance(.6):
		jobs = 1
	}
	for len(p.jobs) < jobs {
		firm := d.firms[d.IntN(len(d.firms))]
		p.jobs = append(p.jobs, job{firm, fmt.Sprintf("%s.%s%d%s@%s.co.id", p.given, p.family, i, d.plan.Mark, strings.ReplaceAll(firm, " ", ""))})
	}
	return p
}

func (d *draw) add(person int, r resolution.Record) {
	// An id says nothing of who it is, nor of when it was drawn.
	r.ID, r.Type = fmt.Sprintf("record_%016x%s", d.Uint64(), d.plan.Mark), "person"
	d.p.Records = append(d.p.Records, r)
	d.p.Person[r.ID] = person
}

// client is a row of the firm's table, and in 4 of 100 another of the same person,
// written by somebody who didn't know of the first.
func (d *draw) client(i int, p planted) {
	first := resolution.Record{Name: p.given + " " + p.family, ClientID: fmt.Sprintf("C-%d%s", i, d.plan.Mark), Emails: []string{p.private}, Phones: []string{p.phone}}
	if len(p.jobs) > 0 && d.chance(.5) {
		first.Emails = []string{p.jobs[0].email}
	}
	d.add(i, first)
	if !d.chance(.04) {
		return
	}
	second := resolution.Record{Name: p.given + " " + p.family, ClientID: fmt.Sprintf("C-%d-2%s", i, d.plan.Mark), Phones: []string{p.phone}}
	if d.chance(.4) {
		second.Name = d.misspelt(second.Name)
	}
	switch {
	case d.chance(.3):
		second.Emails = first.Emails
	case d.chance(.7):
		second.Emails = []string{fmt.Sprintf("%s%d%s@yahoo.com", p.family, i, d.plan.Mark)}
	}
	if d.chance(.2) {
		second.Phones = []string{fmt.Sprintf("+6282%s%07d", d.plan.Mark, i*41)}
	}
	d.add(i, second)
}

// conversation speaks of one to three people.
func (d *draw) conversation(people []planted) {
	d.talks++
	id := fmt.Sprintf("conversation-%d%s", d.talks, d.plan.Mark)
	var told []string
	for range 1 + d.IntN(3) {
		i := d.IntN(len(people))
		p := people[i]
		r := resolution.Record{Conversation: id}
		full := p.given + " " + p.family
		switch way := d.Float64(); {
		case way < .78:
			r.Name = full
		case way < .85:
			r.Name = d.misspelt(full)
		case way < .9:
			r.Name = p.given[:1] + ". " + p.family
		case way < .94:
			r.Name = p.family + " " + p.given
		default:
			r.Name = p.given
		}
		if slices.Contains(told, r.Name) {
			continue // it would be the same record
		}
		told = append(told, r.Name)
		if i < d.plan.Clients && d.chance(.3) {
			r.ClientID = fmt.Sprintf("C-%d%s", i, d.plan.Mark)
		}
		contact := p.private
		if len(p.jobs) > 0 {
			j := p.jobs[d.IntN(len(p.jobs))]
			if d.chance(.5) {
				contact = j.email
			}
			if d.chance(.4) {
				r.Employers = []string{j.firm}
			}
		}
		if d.chance(.3) {
			r.Emails = []string{contact}
		}
		if d.chance(.2) {
			r.Phones = []string{p.phone}
		}
		d.add(i, r)
		// Called by the given name too, as people do.
		if d.chance(.25) && !slices.Contains(told, p.given) && r.Name != p.given {
			told = append(told, p.given)
			d.add(i, resolution.Record{Conversation: id, Name: p.given})
		}
	}
}

// misspelt has a letter replaced, left out, doubled or swapped with the next.
func (d *draw) misspelt(name string) string {
	at := 1 + d.IntN(len(name)-2)
	for name[at] == ' ' || name[at+1] == ' ' {
		at = 1 + d.IntN(len(name)-2)
	}
	switch d.IntN(4) {
	case 0:
		return name[:at] + string("aeioursnt"[d.IntN(9)]) + name[at+1:]
	case 1:
		return name[:at] + name[at+1:]
	case 2:
		return name[:at+1] + name[at:]
	}
	return name[:at] + name[at+1:at+2] + name[at:at+1] + name[at+2:]
}
