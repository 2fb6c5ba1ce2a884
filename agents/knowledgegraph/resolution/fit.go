package resolution

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// meet is the evidence about people, who are in order of their ids, and the pairs that
// may be one.
func meet(ctx context.Context, records []Record) (*people, []Candidate, error) {
	all := make([]*person, len(records))
	rows := make([]Row, len(records))
	at := make(map[string]int, len(records))
	interned := map[string]*name{}
	for i, r := range records {
		n := interned[r.Name]
		if n == nil {
			n = newName(r.Name)
			interned[r.Name] = n
		}
		all[i] = newPerson(r, n)
		at[r.ID] = i
		// In blocks that are too large, rows meet their neighbours in this order.
		rows[i] = Row{r.ID, [][]string{ordered([]string{n.key}), all[i].emails, all[i].phones, all[i].employers}}
	}
	t, err := NewTable(rows)
	if err != nil {
		return nil, nil, err
	}
	e := &people{clusters: all, crowd: newCrowd(all)}
	found, err := Block(t, func(r *Row) []string {
		if ctx.Err() != nil {
			return nil
		}
		return all[at[r.ID]].keys(e.crowd)
	}, DefaultLimits())
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find pairs: %w", err)
	}
	if err := e.fit(t, at, found.Candidates); err != nil {
		return nil, nil, err
	}
	return e, found.Candidates, ctx.Err()
}

// keys are those of a person's blocks: contacts, the name as it is and as it sounds, rare
// words of it, words with an employer, and initials within a conversation.
func (p *person) keys(c *crowd) (keys []string) {
	for _, v := range p.emails {
		keys = append(keys, "e "+v)
	}
	for _, v := range p.phones {
		keys = append(keys, "p "+v)
	}
	for _, n := range p.names {
		if n.full() {
			keys = append(keys, "n "+n.key)
			var sounds []string
			for _, w := range n.tokens[:min(len(n.tokens), mostWords)] {
				sounds = append(sounds, Phonetic(w))
				if c.words[w] <= rareWord {
					keys = append(keys, "w "+w)
				}
			}
			keys = append(keys, "s "+strings.Join(ordered(sounds), " "))
		}
		for _, w := range n.tokens[:min(len(n.tokens), mostWords)] {
			for _, f := range p.employers {
				keys = append(keys, "f "+f+" "+w)
			}
			for _, s := range p.said {
				keys = append(keys, "c "+s.conversation+" "+string([]rune(w)[:1]))
			}
		}
	}
	return keys
}

// rareWord is in the names of so many people at most.
const rareWord = 30

// mostFitted bounds the pairs that m is fitted to, and mostDrawn those that u is, of
// which nearly all are different in everything.
const mostFitted, mostDrawn = 50_000, 20_000

// fit learns from the firm's own people how often records of one agree. Pairs without a
// contact on both sides are left out: of their names alone nobody could learn which
// are one, and EM would take all namesakes for it.
func (e *people) fit(t *Table, at map[string]int, candidates []Candidate) error {
	var clear []Candidate
	for _, c := range candidates {
		p, o := e.clusters[c.A], e.clusters[c.B]
		if sharing(p.emails, o.emails) != Missing || sharing(p.phones, o.phones) != Missing {
			clear = append(clear, c)
		}
	}
	step := len(clear)/mostFitted + 1
	kept := clear[:0]
	for i := 0; i < len(clear); i += step {
		kept = append(kept, clear[i])
	}
	of := func(r *Row) *person { return e.clusters[at[r.ID]] }
	comparisons := []Comparison{
		{Name: "name", Levels: nameLevels, At: func(a, b *Row) int { n, _ := of(a).alike(of(b)); return n.level }},
		Equal("email", personEmail, .65, 1e-4),
		Equal("phone", personPhone, .75, 1e-4),
		{Name: "employer", Column: personEmployer, Levels: []Level{{Name: "equal", M: .7, U: .01, Shared: true}, {Name: "different", M: .3, U: .99}},
			At: func(a, b *Row) int { l, _ := of(a).employer(of(b)); return l }},
	}
	m, err := Fit(t, comparisons, kept, FitOptions{Weight: priorPairs, Sample: mostDrawn})
	if err != nil {
		return fmt.Errorf("fit weights: %w", err)
	}
	e.m, e.u = m.M, m.U
	e.shift(kept)
	return nil
}

// doubt is the standard deviation, in bits, of what one knows before data of how far
// crowd's odds of two people of one name are off.
const doubt = 2

// shift learns, from pairs of one name that have contacts to tell which are one, by how
// much the odds from names alone are off: EM for the one intercept of a logistic
// regression with a normal prior.
func (e *people) shift(pairs []Candidate) {
	records := map[string]int{}
	for _, p := range e.clusters {
		for _, n := range p.names {
			records[n.key]++
		}
	}
	type odds struct{ before, after float64 }
	var of []odds
	for _, c := range pairs {
		p, o := e.clusters[c.A], e.clusters[c.B]
		// Of a block that is too large not all pairs are here, and more of those that are one.
		if len(p.names) > 0 && records[p.names[0].key] > DefaultLimits().Rows || len(p.clients) > 0 && len(o.clients) > 0 {
			continue
		}
		if v := e.view(c.A, c.B); v.levels[personName] == nameEqual && !v.near {
			before := v.prior + v.bits[personName]
			of = append(of, odds{before, v.sum() - before})
		}
	}
	for range 100 {
		// One step of Newton for the intercept, in nats, on the expected classes.
		b := e.offset * math.Ln2
		gradient, curvature := -b/square(doubt*math.Ln2), 1/square(doubt*math.Ln2)
		for _, o := range of {
			q := probability(o.before + e.offset)
			gradient += probability(o.before+o.after+e.offset) - q
			curvature += q * (1 - q)
		}
		step := gradient / curvature / math.Ln2
		e.offset += step
		if math.Abs(step) < 1e-6 {
			return
		}
	}
}

func square(x float64) float64 { return x * x }
