package eval

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/demo"
)

// perfect is the graph that has what the truth has and nothing else.
func perfect(truth demo.Knowledge) Built {
	var b Built
	for _, e := range truth.Entities {
		b.Entities = append(b.Entities, BuiltEntity{"e/" + e.ID, e.Type, e.Names, e.ClientIDs})
	}
	for _, p := range truth.Places {
		b.Mentions = append(b.Mentions, BuiltMention{p.Message, p.Start, p.End, "e/" + p.Entity})
	}
	for _, c := range truth.Contacts {
		b.Contacts = append(b.Contacts, BuiltContact{c.Message, "e/" + c.Entity, c.Kind, c.Value})
	}
	for _, e := range truth.Edges {
		b.Edges = append(b.Edges, BuiltEdge{"e/" + e.Subject, e.Relation, "e/" + e.Object, e.ValidAt, e.InvalidAt})
	}
	return b
}

// small is a truth of everything that figures are of.
func small() demo.Knowledge {
	at := func(d int) time.Time { return time.Date(2026, 1, d, 10, 0, 0, 0, time.UTC) }
	return demo.Knowledge{
		Entities: []demo.Entity{
			{ID: "anna", Type: "person", Names: []string{"Anna Ruiz", "Anna"}, ClientIDs: []string{"C1", "C2"}},
			{ID: "other-anna", Type: "person", Names: []string{"Anna Ruiz", "Anna"}, ClientIDs: []string{"C3"}},
			{ID: "sven", Type: "person", Names: []string{"Sven Moe"}, Unknown: true},
			{ID: "acme", Type: "company", Names: []string{"Acme"}}, {ID: "laut", Type: "company", Names: []string{"PT Sinar Laut", "Sinar Laut"}},
			{ID: "zoning", Type: "topic", Names: []string{"zoning"}}, {ID: "law", Type: "law", Names: []string{"UU 5/1960"}},
		},
		Namesakes: [][2]string{{"anna", "other-anna"}},
		Messages:  []string{"m1", "m2", "m3", "m4", "m5"},
		Places: []demo.Place{
			{Message: "m1", Start: 4, End: 13, Surface: "Anna Ruiz", Entity: "anna"}, {Message: "m1", Start: 26, End: 30, Surface: "Acme", Entity: "acme"},
			{Message: "m2", Start: 4, End: 13, Surface: "Anna Ruiz", Entity: "anna"}, {Message: "m2", Start: 26, End: 36, Surface: "Sinar Laut", Entity: "laut"},
			{Message: "m3", Start: 0, End: 8, Surface: "Sven Moe", Entity: "sven"}, {Message: "m3", Start: 19, End: 30, Surface: "Acme S.r.l.", Entity: "acme"},
			{Message: "m4", Start: 0, End: 6, Surface: "Zoning", Entity: "zoning"}, {Message: "m4", Start: 21, End: 30, Surface: "UU 5/1960", Entity: "law"},
			{Message: "m5", Start: 0, End: 9, Surface: "Anna Ruiz", Entity: "other-anna"}, {Message: "m5", Start: 20, End: 30, Surface: "Sinar Laut", Entity: "laut"},
		},
		Contacts: []demo.Contact{{Message: "m3", Entity: "sven", Kind: "email", Value: "sven@example.org"}},
		Edges: []demo.Edge{
			{Subject: "anna", Relation: "works_for", Object: "acme", ValidAt: at(1), InvalidAt: at(2)},
			{Subject: "anna", Relation: "works_for", Object: "laut", ValidAt: at(2)},
			{Subject: "other-anna", Relation: "works_for", Object: "laut", ValidAt: at(5)},
			{Subject: "zoning", Relation: "conflicts_with", Object: "law", ValidAt: at(4)},
		},
		Never: []demo.Edge{{Subject: "sven", Relation: "works_for", Object: "acme"}},
	}
}

// failing are the names of the figures that don't pass, with what was measured.
func failing(figures []Figure) []string {
	var all []string
	for _, f := range figures {
		if !f.Pass {
			all = append(all, strings.TrimPrefix(f.Name, "demo: ")+": "+f.Measured)
		}
	}
	return all
}

func TestCompareAPerfectGraph(t *testing.T) {
	t.Parallel()
	planted := demo.Graph(demo.DefaultTruth, 1, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	for name, truth := range map[string]demo.Knowledge{"small": small(), "the demo": planted} {
		figures := Compare(truth, perfect(truth))
		if got := failing(figures); len(got) > 0 || len(figures) < 15 {
			t.Errorf("%s: of %d figures these fail: %q", name, len(figures), got)
		}
		for _, f := range figures {
			if !strings.HasPrefix(f.Measured, "1.0000") && !strings.HasPrefix(f.Measured, "0 of ") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// Of a graph of nothing, and of a truth of nothing, nothing is shown, but that what
// must not be isn't.
func TestCompareNothing(t *testing.T) {
	t.Parallel()
	truth := small()
	for _, f := range Compare(truth, Built{}) {
		if not := f.Target == "0"; f.Pass != not {
			t.Errorf("an empty graph: %+v", f)
		}
	}
	for _, f := range Compare(demo.Knowledge{}, Built{}) {
		if f.Pass {
			t.Errorf("an empty truth: %+v", f)
		}
	}
}

func TestCompareShowsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Built)
		want   []string
	}{
		"another edge": {
			func(b *Built) {
				b.Edges = append(b.Edges, BuiltEdge{"e/laut", "works_for", "e/acme", time.Now(), time.Time{}})
			},
			[]string{"works_for, precision: 0.7500 (3 of 4)"},
		},
		"an edge of a relation that nothing is said of": {
			func(b *Built) {
				b.Edges = append(b.Edges, BuiltEdge{"e/laut", "requires", "e/acme", time.Now(), time.Time{}})
			},
			[]string{"requires, precision: 0.0000 (0 of 1)", "requires, recall: 0.0000 (0 of 0)"},
		},
		"an edge of something that the truth hasn't": {
			func(b *Built) {
				b.Entities = append(b.Entities, BuiltEntity{ID: "x", Type: "company", Names: []string{"X"}})
				b.Edges = append(b.Edges, BuiltEdge{"e/anna", "works_for", "x", time.Now(), time.Time{}})
			},
			[]string{"works_for, precision: 0.7500 (3 of 4)"},
		},
		"an edge the other way round": {
			func(b *Built) { b.Edges[2].Subject, b.Edges[2].Object = b.Edges[2].Object, b.Edges[2].Subject },
			[]string{"works_for, precision: 0.6667 (2 of 3)", "works_for, recall: 0.6667 (2 of 3)", "works_for, since and until when: 0.6667 (2 of 3)"},
		},
		"an edge both ways that goes either way": {
			func(b *Built) { b.Edges[3].Subject, b.Edges[3].Object = b.Edges[3].Object, b.Edges[3].Subject },
			nil,
		},
		"what is only asked": {
			func(b *Built) {
				b.Edges = append(b.Edges, BuiltEdge{"e/sven", "works_for", "e/acme", time.Now(), time.Time{}})
			},
			[]string{"works_for, precision: 0.7500 (3 of 4)", "edges of what is asked or denied: 1 of 1"},
		},
		"a firm that was never left": {
			func(b *Built) { b.Edges[0].InvalidAt = time.Time{} },
			[]string{"works_for, since and until when: 0.6667 (2 of 3)", "works_for, of who changed firm: 0.5000 (1 of 2)"},
		},
		"a late beginning": {
			func(b *Built) { b.Edges[2].ValidAt = b.Edges[2].ValidAt.Add(time.Microsecond) },
			[]string{"works_for, since and until when: 0.6667 (2 of 3)"},
		},
		"a stranger overlooked": {
			func(b *Built) { b.Mentions = slices.Delete(b.Mentions, 4, 5) },
			[]string{"names of strangers, recall: 0.0000 (0 of 1)"},
		},
		"a name that is none, and one too long": {
			func(b *Built) {
				b.Mentions[0].End++
				b.Mentions = append(b.Mentions, BuiltMention{"m1", 0, 3, "e/acme"})
			},
			[]string{"names, precision: 0.8182 (9 of 11)"},
		},
		"a name without the dot at its end": {
			func(b *Built) { b.Mentions[5].End-- },
			nil,
		},
		"names without their last letters": {
			func(b *Built) { b.Mentions[1].End--; b.Mentions[3].End-- },
			[]string{"names, precision: 0.8000 (8 of 10)", "names, recall: 0.8000 (8 of 10)"},
		},
		"money, other messages, and a name found twice": {
			func(b *Built) {
				b.Entities = append(b.Entities, BuiltEntity{ID: "sum", Type: "money", Names: []string{"EUR 1"}})
				b.Mentions = append(b.Mentions, BuiltMention{"m1", 0, 3, "sum"}, BuiltMention{"m9", 0, 3, "e/acme"}, b.Mentions[0])
			},
			nil,
		},
		"of another type": {
			func(b *Built) { b.Entities[3].Type = "law" },
			[]string{
				"names, precision: 0.8000 (8 of 10)", "names, recall: 0.8000 (8 of 10)",
				"works_for, precision: 0.6667 (2 of 3)", "works_for, recall: 0.6667 (2 of 3)",
				"works_for, since and until when: 0.6667 (2 of 3)", "works_for, of who changed firm: 0.5000 (1 of 2)",
			},
		},
		"namesakes in one": {
			func(b *Built) {
				b.Entities[0].ClientIDs = []string{"C1", "C2", "C3"}
				b.Entities = slices.Delete(b.Entities, 1, 2)
				b.Mentions[8].Entity, b.Edges[2].Subject = "e/anna", "e/anna"
			},
			[]string{
				"people kept apart, B³ precision: 0.6667", "works_for, recall: 0.6667 (2 of 3)", "works_for, since and until when: 0.6667 (2 of 3)",
				"clients who are one, precision: 0.3333 (1 of 3)", "namesakes taken for one: 1 of 1",
			},
		},
		"one in two": {
			func(b *Built) {
				b.Entities[0].ClientIDs = []string{"C1"}
				b.Entities = append(b.Entities, BuiltEntity{"second", "person", []string{"Anna Ruiz"}, []string{"C2"}})
				b.Mentions[2].Entity, b.Edges[1].Subject, b.Edges[0].InvalidAt = "second", "second", time.Time{}
			},
			[]string{
				"people put together, B³ recall: 0.7500", "works_for, since and until when: 0.6667 (2 of 3)",
				"works_for, of who changed firm: 0.5000 (1 of 2)", "clients who are one, precision: 0.0000 (0 of 0)", "clients who are one, recall: 0.0000 (0 of 1)",
			},
		},
		"an address of somebody else": {
			func(b *Built) { b.Contacts[0].Entity = "e/anna" },
			[]string{"contacts, precision: 0.0000 (0 of 1)", "contacts, recall: 0.0000 (0 of 1)"},
		},
	} {
		truth := small()
		built := perfect(truth)
		c.change(&built)
		if diff := cmp.Diff(c.want, failing(Compare(truth, built))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Entities without names in the truth's messages are known by their clients, or by
// a name that only one has.
func TestCompareKnowsEntitiesWithoutMentions(t *testing.T) {
	t.Parallel()
	truth := small()
	built := perfect(truth)
	built.Mentions = nil
	for _, f := range Compare(truth, built) {
		if strings.Contains(f.Name, "works_for") && !f.Pass {
			t.Errorf("%+v", f)
		}
	}
	for i := range built.Entities {
		built.Entities[i].ClientIDs = nil
	}
	for _, f := range Compare(truth, built) {
		if strings.Contains(f.Name, "works_for, recall") && f.Measured != "0.0000 (0 of 3)" || strings.Contains(f.Name, "conflicts_with, recall") && !f.Pass {
			t.Errorf("of two of one name either is taken: %+v", f)
		}
	}
}

// The figures don't depend on the order in which the graph is read back.
func TestCompareInAnyOrder(t *testing.T) {
	t.Parallel()
	truth := demo.Graph(demo.DefaultTruth, 1, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	built := perfect(truth)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range built.Mentions {
		if rng.IntN(10) == 0 {
			built.Mentions[i].Entity = built.Entities[rng.IntN(len(built.Entities))].ID
		}
	}
	want := Compare(truth, built)
	if len(failing(want)) == 0 {
		t.Fatal("nothing is wrong")
	}
	for range 5 {
		rng.Shuffle(len(built.Entities), func(i, j int) { built.Entities[i], built.Entities[j] = built.Entities[j], built.Entities[i] })
		rng.Shuffle(len(built.Mentions), func(i, j int) { built.Mentions[i], built.Mentions[j] = built.Mentions[j], built.Mentions[i] })
		rng.Shuffle(len(built.Edges), func(i, j int) { built.Edges[i], built.Edges[j] = built.Edges[j], built.Edges[i] })
		if diff := cmp.Diff(want, Compare(truth, built)); diff != "" {
			t.Fatal(diff)
		}
	}
}
