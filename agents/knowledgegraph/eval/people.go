package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

// The populations of People. The names of the first are the demo's: few, so that
// each is borne by two or three. The second's are as a firm in a town has them.
var (
	namesakes = Plan{Clients: 1000, Others: 500, Given: 26, Family: 24, Even: true}
	town      = Plan{Clients: 300, Others: 150, Given: 150, Family: 600}
	handful   = Plan{Clients: 12, Others: 8, Given: 150, Family: 600}
)

// peopleSeeds is how many populations of each kind are drawn.
const peopleSeeds = 3

// People measures how well planted people are found: what is joined without a person,
// what a person is asked, what probabilities are worth, and that neither order nor
// strangers change anything.
func People() ([]Figure, error) {
	var figures []Figure
	for _, of := range []struct {
		name string
		Plan
		// What is measured, and some room.
		recall, duplicates, asked, calibration float64
	}{
		{"people, 1,500 with common names", namesakes, .3, .7, .1, .05},
		{"people, 450 of a town", town, .6, .7, .5, .05},
		{"people, a handful", handful, .3, 0, .5, .1},
	} {
		var m measured
		for seed := range uint64(peopleSeeds) {
			of.Seed = seed + 1
			population := of.Draw()
			found, err := resolution.Resolve(context.Background(), population.Records, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", of.name, err)
			}
			m.add(population, found)
		}
		figures = append(figures,
			atLeast(of.name+": precision of automatic merges, by pairs", .98, m.pairs.precision()),
			atLeast(of.name+": precision of automatic merges, by merges", .98, m.merges.precision()),
			atLeast(of.name+": recall of automatic merges, by pairs", of.recall, m.pairs.recall()),
			atLeast(of.name+": missing merges that reviews hold", of.asked, ratio(m.asked, m.missing)),
			atMost(of.name+": calibration error of merges and reviews", of.calibration, calibrationError(m.probabilities, m.truth)),
		)
		if of.duplicates > 0 {
			figures = append(figures, atLeast(of.name+": duplicate clients merged or in review", of.duplicates, ratio(m.told, m.duplicates)))
		}
	}
	for _, measure := range []func() (Figure, error){orders, strangers} {
		f, err := measure()
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// measured is how right outcomes are.
type measured struct {
	// pairs are those in one cluster, merges the pairs by which clusters came about;
	// what the firm's own id makes one counts in neither.
	pairs, merges tally
	// missing is how many merges more would make each person one, asked how many of
	// them right reviews give.
	missing, asked int
	// duplicates are pairs of one person's clients, told those merged or in review.
	duplicates, told int
	// probabilities are those of merges and reviews, truth whether they are right.
	probabilities []float64
	truth         []bool
}

func (m *measured) add(p Population, r resolution.Resolved) {
	same := func(a, b string) bool { return p.Person[a] == p.Person[b] }
	known := func(a, b resolution.Record) bool { return a.ClientID != "" && a.ClientID == b.ClientID }
	record, of := map[string]resolution.Record{}, map[int][]resolution.Record{}
	for _, r := range p.Records {
		record[r.ID] = r
		of[p.Person[r.ID]] = append(of[p.Person[r.ID]], r)
	}
	cluster, clusters := map[string]int{}, map[int]int{}
	for i, ids := range r.Clusters {
		clusters[p.Person[ids[0]]]++
		for j, a := range ids {
			cluster[a] = i
			for _, b := range ids[:j] {
				if !known(record[a], record[b]) {
					m.pairs.add(same(a, b))
				}
			}
		}
	}
	for _, n := range clusters {
		m.missing += n - 1
	}
	for _, j := range r.Joined {
		if j.Probability < 1 {
			m.merges.add(same(j.A, j.B))
			m.probabilities, m.truth = append(m.probabilities, j.Probability), append(m.truth, same(j.A, j.B))
		}
	}
	root := map[int]int{}
	find := func(i int) int {
		for up, ok := root[i]; ok; up, ok = root[i] {
			i = up
		}
		return i
	}
	reviewed := map[[2]int]bool{}
	for _, j := range r.Reviews {
		m.probabilities, m.truth = append(m.probabilities, j.Probability), append(m.truth, same(j.A, j.B))
		x, y := cluster[j.A], cluster[j.B]
		reviewed[[2]int{min(x, y), max(x, y)}] = true
		if x, y := find(x), find(y); same(j.A, j.B) && x != y {
			root[x] = y
			m.asked++
		}
	}
	for _, records := range of { // whole numbers are summed
		for i, a := range records {
			for _, b := range records[:i] {
				if !known(a, b) {
					m.pairs.matches++
				}
				if a.Conversation != "" || b.Conversation != "" {
					continue
				}
				m.duplicates++
				if x, y := cluster[a.ID], cluster[b.ID]; x == y || reviewed[[2]int{min(x, y), max(x, y)}] {
					m.told++
				}
			}
		}
	}
}

// orders is in how many of 20 orders of records and decisions the outcome is the same
// to the byte. One decision in ten is wrong, so that some contradict each other.
func orders() (Figure, error) {
	const shuffles = 20
	plan := town
	plan.Seed, plan.Clients, plan.Others = 8, 80, 40
	population := plan.Draw()
	rng := rand.New(rand.NewPCG(9, 9))
	var decisions []resolution.Decision
	for range 150 {
		a, b := population.Records[rng.IntN(len(population.Records))].ID, population.Records[rng.IntN(len(population.Records))].ID
		decisions = append(decisions, resolution.Decision{A: a, B: b, Same: (population.Person[a] == population.Person[b]) != (rng.IntN(10) == 0)})
	}
	var first []byte
	equal := 0
	for i := range shuffles + 1 {
		found, err := resolution.Resolve(context.Background(), population.Records, decisions)
		if err != nil {
			return Figure{}, fmt.Errorf("orders of records: %w", err)
		}
		out, err := json.Marshal(found)
		if err != nil {
			return Figure{}, fmt.Errorf("write what was found: %w", err)
		}
		if i == 0 {
			first = out
		} else if bytes.Equal(first, out) {
			equal++
		}
		rng.Shuffle(len(population.Records), func(i, j int) {
			population.Records[i], population.Records[j] = population.Records[j], population.Records[i]
		})
		rng.Shuffle(len(decisions), func(i, j int) { decisions[i], decisions[j] = decisions[j], decisions[i] })
	}
	return Figure{"people: orders of records with the same bytes", fmt.Sprint(shuffles), fmt.Sprint(equal), equal == shuffles}, nil
}

// strangers is the part of clusters that are the same after people came in whom nobody
// knows. The more people there are, the less likely any two are one, and the rarer is a
// name that none of the new ones bears, so that a few at the threshold change.
func strangers() (Figure, error) {
	others := town
	others.Seed, others.Mark, others.Clients, others.Others = 12, "x", 20, 10
	records := town.Draw().Records
	before, err := resolution.Resolve(context.Background(), records, nil)
	if err != nil {
		return Figure{}, fmt.Errorf("before strangers: %w", err)
	}
	after, err := resolution.Resolve(context.Background(), slices.Concat(records, others.Draw().Records), nil)
	if err != nil {
		return Figure{}, fmt.Errorf("after strangers: %w", err)
	}
	first := map[string][]string{}
	for _, ids := range after.Clusters {
		first[ids[0]] = ids
	}
	kept := 0
	for _, ids := range before.Clusters {
		if slices.Equal(ids, first[ids[0]]) {
			kept++
		}
	}
	return atLeast("people: clusters that 30 strangers leave as they are", .95, ratio(kept, len(before.Clusters))), nil
}
