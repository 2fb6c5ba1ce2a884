package resolution

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The types whose records are compared.
const (
	personType  = "person"
	companyType = "company"
)

// limits are where things are joined without a person, and where a person is asked.
// A tie is less than 8 : 1.
var limits = thresholds{high: math.Log2(.97 / .03), low: math.Log2(.25 / .75), margin: 3}

// Resolve finds which records are one. People and companies are compared; of other
// types each record is a thing of its own, unless a decision says otherwise. Decisions
// come before anything, those that keep records apart before those that put them
// together: where A is B and B is C, and A is not C, the less alike pair is not kept.
// Then come records of one client, which are one; then what the evidence says.
//
// A Pair's Fields sum up to the log2 of the odds; where a decision or the client's id
// made two one, the first field says so and the probability is 1.
//
// Refused: an id that is empty or there twice. It ends soon after the context.
func Resolve(ctx context.Context, records []Record, decisions []Decision) (Resolved, error) {
	all := slices.Clone(records)
	slices.SortFunc(all, func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	types := map[string]string{}
	var names []string
	of := map[string][]Record{}
	for i, r := range all {
		switch {
		case r.ID == "":
			return Resolved{}, errors.New("a record has no id")
		case i > 0 && all[i-1].ID == r.ID:
			return Resolved{}, fmt.Errorf("two records have the id %s", r.ID)
		}
		types[r.ID] = r.Type
		names = insert(names, r.Type)
		of[r.Type] = append(of[r.Type], r)
	}
	if len(of[""]) > 0 {
		return Resolved{}, fmt.Errorf("record %s has no type", of[""][0].ID)
	}
	decided, ignored := settle(decisions, types)
	out := Resolved{Ignored: ignored}
	for _, t := range names {
		if err := out.add(ctx, t, of[t], decided[t]); err != nil {
			return Resolved{}, fmt.Errorf("resolve records of type %s: %w", t, err)
		}
	}
	slices.SortFunc(out.Clusters, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	slices.SortFunc(out.Joined, comparePairs)
	slices.SortFunc(out.Reviews, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Probability, a.Probability), comparePairs(a, b))
	})
	slices.SortFunc(out.Ignored, compareDecisions)
	return out, nil
}

func comparePairs(a, b Pair) int { return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B)) }

// add resolves one type's records, in order of their ids.
func (out *Resolved) add(ctx context.Context, kind string, records []Record, decided []Decision) error {
	var e evidence = keys{}
	var pairs []Candidate
	var err error
	switch kind {
	case personType:
		e, pairs, err = meet(ctx, records)
	case companyType:
		e, pairs, err = companyPairs(ctx, records)
	}
	if err != nil {
		return err
	}
	c := newClusters(len(records), e, limits)
	out.Ignored = append(out.Ignored, c.decide(records, decided)...)
	if kind == personType || kind == companyType {
		c.identify(records)
	}
	if err := c.agglomerate(ctx, pairs); err != nil {
		return err
	}
	for i := range records {
		if c.find(i) != i {
			continue
		}
		var ids []string
		for _, m := range c.members[i] {
			ids = append(ids, records[m].ID)
		}
		slices.Sort(ids)
		out.Clusters = append(out.Clusters, ids)
	}
	for _, m := range c.made {
		out.Joined = append(out.Joined, Pair{records[m.a].ID, records[m.b].ID, probability(m.bits), m.fields})
	}
	reviews, err := c.reviews(ctx)
	for _, r := range reviews {
		out.Reviews = append(out.Reviews, Pair{records[r.a].ID, records[r.b].ID, probability(r.bits), r.fields})
	}
	return err
}

// identify makes one of each client's records.
func (c *clusters) identify(records []Record) {
	first := map[string]int{}
	for i, r := range records {
		if r.ClientID == "" {
			continue
		}
		if f, known := first[r.ClientID]; known {
			c.together(f, i, Field{Name: "client", Level: "equal"})
		} else {
			first[r.ClientID] = i
		}
	}
}

// keys is the evidence about things whose name is what they are: there is none.
type keys struct{}

func (keys) weigh(_, _ int) float64    { return 0 }
func (keys) rule(_, _ int) may         { return never }
func (keys) excludes(_, _, _ int) bool { return true }
func (keys) explain(_, _ int) []Field  { return nil }
func (keys) unite(_, _ int)            {}

// companyPairs is the evidence about companies, and the pairs that may be one.
func companyPairs(ctx context.Context, records []Record) (*companies, []Candidate, error) {
	all := make([]*company, len(records))
	rows := make([]Row, len(records))
	at := make(map[string]int, len(records))
	for i, r := range records {
		all[i] = newCompany(r)
		at[r.ID] = i
		var key []string
		for _, n := range all[i].names {
			key = []string{n.key}
		}
		rows[i] = Row{r.ID, [][]string{key, all[i].domains}}
	}
	t, err := NewTable(rows)
	if err != nil {
		return nil, nil, err
	}
	e := newCompanies(all)
	found, err := Block(t, func(r *Row) []string {
		if ctx.Err() != nil {
			return nil
		}
		return all[at[r.ID]].keys(e)
	}, DefaultLimits())
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find pairs: %w", err)
	}
	return e, found.Candidates, nil
}

func (c *company) keys(e *companies) (keys []string) {
	for _, v := range c.domains {
		keys = append(keys, "d "+v)
	}
	for _, v := range c.contacts {
		keys = append(keys, "c "+v)
	}
	for _, n := range c.names {
		keys = append(keys, "n "+n.key)
		var sounds []string
		for _, w := range n.name.tokens[:min(len(n.name.tokens), mostWords)] {
			sounds = append(sounds, Phonetic(w))
			if e.words[w] <= rareWord {
				keys = append(keys, "w "+w)
			}
		}
		keys = append(keys, "s "+strings.Join(ordered(sounds), " "))
	}
	return keys
}
