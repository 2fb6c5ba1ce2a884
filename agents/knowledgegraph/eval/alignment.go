package eval

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/internal/demo"
)

// alignment says which of the truth's entities a built one is: the one that most of
// its mentions are of; without any, the one of its clients, or the only one of its
// type that has one of its names.
type alignment struct {
	truth map[string]demo.Entity
	of    map[string]string
	// matched are the places of the truth that were found, with the built entity.
	matched []matchedPlace
	// mentions counts those that could have matched.
	mentions int
}

type matchedPlace struct {
	demo.Place
	built string
}

// spot is a place without its entity.
type spot struct {
	message    string
	start, end int
}

func align(truth demo.Knowledge, built Built) *alignment {
	a := &alignment{truth: map[string]demo.Entity{}, of: map[string]string{}}
	byClient, byName, types := map[string]string{}, map[[2]string][]string{}, map[string]bool{}
	for _, e := range truth.Entities {
		a.truth[e.ID] = e
		for _, id := range e.ClientIDs {
			byClient[id] = e.ID
		}
		for _, name := range e.Names {
			key := [2]string{e.Type, strings.ToLower(name)}
			if !slices.Contains(byName[key], e.ID) {
				byName[key] = append(byName[key], e.ID)
			}
		}
	}
	places := map[spot]demo.Place{}
	for _, p := range truth.Places {
		places[spot{p.Message, p.Start, p.End}] = p
		if strings.HasSuffix(p.Surface, ".") {
			places[spot{p.Message, p.Start, p.End - 1}] = p // Bianchi S.r.l: whose dot it is, is a matter of taste
		}
		types[a.truth[p.Entity].Type] = true
	}
	covered := map[string]bool{}
	for _, id := range truth.Messages {
		covered[id] = true
	}
	typeOf, votes := map[string]string{}, map[string]map[string]int{}
	for _, e := range built.Entities {
		typeOf[e.ID], votes[e.ID] = e.Type, map[string]int{}
	}
	mentions := slices.Clone(built.Mentions)
	slices.SortFunc(mentions, func(x, y BuiltMention) int {
		return cmp.Or(cmp.Compare(x.Message, y.Message), cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End), cmp.Compare(x.Entity, y.Entity))
	})
	seen := map[spot]string{}
	for _, m := range mentions {
		is := typeOf[m.Entity]
		if !covered[m.Message] || !types[is] || seen[spot{m.Message, m.Start, m.End}] == is {
			continue // two extractors may have found the same
		}
		seen[spot{m.Message, m.Start, m.End}] = is
		a.mentions++
		if p, there := places[spot{m.Message, m.Start, m.End}]; there && a.truth[p.Entity].Type == is {
			a.matched = append(a.matched, matchedPlace{p, m.Entity})
			votes[m.Entity][p.Entity]++
		}
	}
	for _, e := range built.Entities {
		if most := mostVoted(votes[e.ID]); most != "" {
			a.of[e.ID] = most
			continue
		}
		clients := map[string]int{}
		for _, id := range e.ClientIDs {
			if of, there := byClient[id]; there {
				clients[of]++
			}
		}
		if most := mostVoted(clients); most != "" {
			a.of[e.ID] = most
			continue
		}
		var named []string
		for _, name := range e.Names {
			named = append(named, byName[[2]string{e.Type, strings.ToLower(name)}]...)
		}
		slices.Sort(named)
		if named = slices.Compact(named); len(named) == 1 {
			a.of[e.ID] = named[0]
		}
	}
	return a
}

// mostVoted is the one with the most votes, of several the first by id.
func mostVoted(votes map[string]int) string {
	best := ""
	for _, id := range slices.Sorted(maps.Keys(votes)) {
		if best == "" || votes[id] > votes[best] {
			best = id
		}
	}
	return best
}

// cubed is B-cubed precision and recall (Bagga & Baldwin 1998) of the matched places
// of people, or of what isn't: over places, the part of those that are one here which
// are one in truth, and the other way round.
func (a *alignment) cubed(people bool) (precision, recall float64) {
	type pair struct{ built, truth string }
	both, built, truth := map[pair]int{}, map[string]int{}, map[string]int{}
	places := 0
	for _, m := range a.matched {
		if (a.truth[m.Entity].Type == personType) == people {
			both[pair{m.built, m.Entity}]++
			built[m.built]++
			truth[m.Entity]++
			places++
		}
	}
	if places == 0 {
		return 0, 0
	}
	// In order, since sums of fractions depend on it.
	pairs := slices.SortedFunc(maps.Keys(both), func(x, y pair) int {
		return strings.Compare(x.built+"\x00"+x.truth, y.built+"\x00"+y.truth)
	})
	for _, p := range pairs {
		n := float64(both[p])
		precision += n * n / float64(built[p.built])
		recall += n * n / float64(truth[p.truth])
	}
	return precision / float64(places), recall / float64(places)
}
