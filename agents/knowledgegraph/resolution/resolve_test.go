package resolution

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// person is a record in few words: id, name, conversation.
func spoken(id, name, conversation string) Record {
	return Record{ID: id, Type: "person", Name: name, Conversation: conversation}
}

func (r Record) client(id string) Record             { r.ClientID = id; return r }
func (r Record) mail(addresses ...string) Record     { r.Emails = addresses; return r }
func (r Record) phone(numbers ...string) Record      { r.Phones = numbers; return r }
func (r Record) employed(employers ...string) Record { r.Employers = employers; return r }
func (r Record) page(urls ...string) Record          { r.URLs = urls; return r }

func firm(id, name string) Record { return Record{ID: id, Type: "company", Name: name} }

// written is clusters and reviews in short: "a b | c", and "a?b" for a review.
func written(r Resolved) string {
	var all []string
	for _, c := range r.Clusters {
		all = append(all, strings.Join(c, " "))
	}
	text := strings.Join(all, " | ")
	for _, p := range r.Reviews {
		text += fmt.Sprintf(" %s?%s", p.A, p.B)
	}
	return text
}

func TestPeople(t *testing.T) {
	t.Parallel()
	var namesakes []Record
	for i := range 8 {
		namesakes = append(namesakes, spoken(fmt.Sprintf("z%d", i), "Anna Ruiz", "").client(fmt.Sprintf("Z-%d", i)).mail(fmt.Sprintf("ruiz%d@gmail.com", i)))
	}
	for name, c := range map[string]struct {
		records   []Record
		decisions []Decision
		want      string
		// ignored is the number of decisions that are not kept.
		ignored int
	}{
		"none": {},
		"one":  {records: []Record{spoken("a", "Anna Ruiz", "1")}, want: "a"},
		"one client under two names": {
			records: []Record{spoken("a", "Anna Ruiz", "").client("C-1"), spoken("b", "Putri Wijaya", "5").client("C-1")},
			want:    "a b",
		},
		"two clients of one name": {
			records: []Record{spoken("a", "Anna Ruiz", "").client("C-1").mail("a@gmail.com"), spoken("b", "Anna Ruiz", "").client("C-2").mail("r@yahoo.com")},
			want:    "a | b",
		},
		"two clients of a rare name, of which nothing else is known, are for a person": {
			records: []Record{spoken("a", "Anastasia Rzepecka", "").client("C-1"), spoken("b", "Anastasia Rzepecka", "").client("C-2")},
			want:    "a | b a?b",
		},
		"two clients with one address": {
			records: []Record{spoken("a", "Anna Ruiz", "").client("C-1").mail("anna@gmail.com"), spoken("b", "Ruiz, Anna", "").client("C-2").mail("anna@gmail.com")},
			want:    "a b",
		},
		"two clients with one phone, one misspelt": {
			records: []Record{spoken("a", "Annalisa Ruiz", "").client("C-1").phone("+62811").mail("a@gmail.com"), spoken("b", "Anmalisa Ruiz", "").client("C-2").phone("+62811").mail("b@yahoo.com")},
			want:    "a b",
		},
		"husband and wife with one phone and address": {
			records: []Record{spoken("a", "Anna Ruiz", "").client("C-1").phone("+62811").mail("ruiz@gmail.com"), spoken("b", "Pedro Ruiz", "").client("C-2").phone("+62811").mail("ruiz@gmail.com")},
			want:    "a | b",
		},
		"two of one name in two firms": {
			records: []Record{spoken("a", "Anastasia Rzepecka", "1").employed("PT Kusuma"), spoken("b", "Anastasia Rzepecka", "2").employed("Bali Legal")},
			want:    "a | b a?b",
		},
		"two of one name with addresses of two firms": {
			records: []Record{spoken("a", "Anastasia Rzepecka", "1").mail("ar@kusuma.co.id"), spoken("b", "Anastasia Rzepecka", "2").mail("ar@balilegal.com")},
			want:    "a | b a?b",
		},
		"one firm, by its name and by its domain": {
			records: []Record{spoken("a", "Anastasia Rzepecka", "1").employed("PT Bali Legal"), spoken("b", "Anastasia Rzepecka", "2").mail("ar@bali-legal.com")},
			want:    "a b",
		},
		"who changes firm keeps a phone": {
			records: []Record{
				spoken("a", "Anna Ruiz", "1").employed("PT Kusuma").phone("+62811"), spoken("b", "Anna Ruiz", "2").employed("PT Kusuma"),
				spoken("c", "Anna Ruiz", "3").employed("Bali Legal").phone("+62811"), spoken("d", "Anna Ruiz", "4").employed("Bali Legal"),
			},
			want: "a b c d",
		},
		"who changes firm is one client": {
			records: []Record{spoken("a", "Anna Ruiz", "1").employed("PT Kusuma").client("C-1"), spoken("b", "Anna Ruiz", "2").employed("Bali Legal").client("C-1")},
			want:    "a b",
		},
		"a name that clients have in common": {
			records: append(slices.Clone(namesakes), spoken("a", "Anna Ruiz", "1"), spoken("b", "Anna Ruiz", "2")),
			want:    "a | b | z0 | z1 | z2 | z3 | z4 | z5 | z6 | z7",
		},
		"a single name in two conversations": {
			records: []Record{spoken("a", "Anna", "1"), spoken("b", "Anna", "2"), spoken("c", "Anna Ruiz", "3")},
			want:    "a | b | c",
		},
		"a single name with an address": {
			records: []Record{spoken("a", "Anna", "1").mail("anna@gmail.com"), spoken("b", "Anna Ruiz", "2").mail("anna@gmail.com")},
			want:    "a b",
		},
		"a single name within a conversation": {
			records: []Record{spoken("a", "Anna", "1"), spoken("b", "Anna Ruiz", "1"), spoken("c", "Ruiz", "1"), spoken("d", "A. Ruiz", "1")},
			want:    "a b c d",
		},
		"a single name of two in a conversation": {
			records: []Record{spoken("a", "Anna", "1"), spoken("b", "Anna Ruiz", "1"), spoken("c", "Anna Costa", "1")},
			want:    "a | b | c a?b a?c",
		},
		"two names in a conversation with one address": {
			records: []Record{spoken("a", "Anna Ruiz", "1").mail("office@gmail.com"), spoken("b", "Anna Rius", "1").mail("office@gmail.com")},
			want:    "a | b",
		},
		"a chain of namesakes in two firms to its stronger side": {
			records: []Record{
				spoken("a", "Anastasia Rzepecka", "1").employed("PT Kusuma"),
				spoken("b", "Anastasia Rzepecka", "2").mail("ar@gmail.com"),
				spoken("c", "Anastasia Rzepecka", "3").employed("Bali Legal").mail("ar@gmail.com"),
			},
			want: "a | b c a?b",
		},
		"decisions against rules": {
			records:   []Record{spoken("a", "Anastasia Rzepecka", "1").employed("PT Kusuma"), spoken("b", "Anastasia Rzepecka", "2").employed("Bali Legal"), spoken("c", "Anna Ruiz", "3").client("C-1"), spoken("d", "Anna Ruiz", "4").client("C-1")},
			decisions: []Decision{{"b", "a", true}, {"c", "d", false}},
			want:      "a b | c | d",
		},
		"decisions that contradict each other": {
			records: []Record{
				spoken("a", "Anna Ruiz", "1").phone("+62811"), spoken("b", "Anna Ruiz", "2").phone("+62811"), spoken("c", "Anna Ruiz", "3"),
			},
			decisions: []Decision{{"a", "b", true}, {"b", "c", true}, {"a", "c", false}},
			want:      "a b | c", ignored: 1,
		},
		"a decision and its contrary": {
			records:   []Record{spoken("a", "Anna Ruiz", "1"), spoken("b", "Anna Ruiz", "2")},
			decisions: []Decision{{"a", "b", true}, {"b", "a", false}},
			want:      "a | b", ignored: 1,
		},
		"a decision that is there twice": {
			records:   []Record{spoken("a", "Anna Ruiz", "1"), spoken("b", "Pedro Costa", "2")},
			decisions: []Decision{{"a", "b", true}, {"b", "a", true}},
			want:      "a b",
		},
		"decisions about what isn't there": {
			records:   []Record{spoken("a", "Anna Ruiz", "1"), firm("b", "Anna Ruiz")},
			decisions: []Decision{{"a", "gone", true}, {"gone", "a", false}, {"a", "b", true}, {"a", "a", true}},
			want:      "a | b", ignored: 4,
		},
		"other types are what their records are": {
			records:   []Record{{ID: "a", Type: "location", Name: "Bali"}, {ID: "b", Type: "location", Name: "Bali"}, {ID: "c", Type: "location", Name: "Pulau Bali"}, {ID: "d", Type: "law", Name: "Bali"}},
			decisions: []Decision{{"a", "c", true}},
			want:      "a c | b | d",
		},
		"names of nothing": {
			records: []Record{spoken("a", "", "1"), spoken("b", "!!! …", "1"), spoken("c", "\u200b\u202e", "2"), spoken("d", "", "2")},
			want:    "a | b | c | d",
		},
		"names of nothing with one address": {
			records: []Record{spoken("a", "—", "1").mail("anna@gmail.com"), spoken("b", "", "2").mail("anna@gmail.com")},
			want:    "a b",
		},
		"names without end": {
			records: []Record{spoken("a", strings.Repeat("ä", 10_000), "1"), spoken("b", strings.Repeat("ä ", 5_000), "1"), spoken("c", strings.Repeat("ä", 9_999), "2"), spoken("d", strings.Repeat("ä ", 5_000), "2")},
			want:    "a | b | c | d",
		},
		"names from right to left and in two scripts": {
			records: []Record{
				spoken("a", "דוד לוי", "1").phone("+62811"), spoken("b", "לוי דוד", "2").phone("+62811"),
				spoken("c", "Иван Петров", "3").phone("+62812"), spoken("d", "Ivan Petrov", "4").phone("+62812"),
				spoken("e", "Аnna Ruiz", "5"), spoken("f", "Anna Ruiz", "5"),
			},
			want: "a b | c | d | e | f",
		},
		"values that are empty or there twice": {
			records: []Record{spoken("a", "Anna Ruiz", "1").mail("", "anna@gmail.com", "anna@gmail.com", "@", "@@x."), spoken("b", "Anna Ruiz", "2").mail("anna@gmail.com").phone("").employed("", "...")},
			want:    "a b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Resolve(t.Context(), c.records, c.decisions)
			if err != nil {
				t.Fatal(err)
			}
			if w := written(got); w != c.want || len(got.Ignored) != c.ignored {
				t.Errorf("%s, want %s; ignored %v, want %d\njoined %+v\nreviews %+v", w, c.want, got.Ignored, c.ignored, got.Joined, got.Reviews)
			}
			wholes(t, c.records, got)
		})
	}
}

func TestCompanies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records []Record
		want    string
	}{
		"legal forms":                        {[]Record{firm("a", "PT Kusuma Legal"), firm("b", "Kusuma Legal, Tbk."), firm("c", "KUSUMA LEGAL")}, "a b c"},
		"forms with dots":                    {[]Record{firm("a", "Rossi S.r.l."), firm("b", "Rossi Srl"), firm("c", "Rossi")}, "a b c"},
		"nothing but a form":                 {[]Record{firm("a", "PT"), firm("b", "Ltd"), firm("c", "")}, "a | b | c"},
		"two forms of one name are asked of": {[]Record{firm("a", "PT Kusuma"), firm("b", "Kusuma GmbH")}, "a | b a?b"},
		"two domains of one name":            {[]Record{firm("a", "Kusuma").page("https://kusuma.co.id"), firm("b", "Kusuma").page("https://kusuma-group.com/x")}, "a | b a?b"},
		"a longer name with one domain":      {[]Record{firm("a", "Kusuma").page("www.kusuma.co.id"), firm("b", "Kusuma Legal Services").mail("info@kusuma.co.id")}, "a b"},
		"a longer name alone":                {[]Record{firm("a", "Kusuma"), firm("b", "Kusuma Legal Services")}, "a | b"},
		"one page of anybody's":              {[]Record{firm("a", "Kusuma").page("https://facebook.com/kusuma"), firm("b", "Bali Legal").page("https://facebook.com/bali")}, "a | b"},
		"two names with one domain":          {[]Record{firm("a", "Kusuma").page("https://kusuma.co.id"), firm("b", "Bali Legal").page("https://kusuma.co.id")}, "a | b a?b"},
		"two clients":                        {[]Record{firm("a", "Kusuma").client("C-1"), firm("b", "PT Kusuma").client("C-2")}, "a | b a?b"},
		"two clients with one domain":        {[]Record{firm("a", "Kusuma").client("C-1").mail("x@kusuma.co.id"), firm("b", "PT Kusuma").client("C-2").mail("y@kusuma.co.id")}, "a b"},
		"a page that can't be read":          {[]Record{firm("a", "Kusuma").page("http://[::1", "%zz", "://"), firm("b", "Kusuma").page("https://kusuma.co.id")}, "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Resolve(t.Context(), c.records, nil)
			if err != nil {
				t.Fatal(err)
			}
			if w := written(got); w != c.want {
				t.Errorf("%s, want %s\njoined %+v\nreviews %+v", w, c.want, got.Joined, got.Reviews)
			}
			wholes(t, c.records, got)
		})
	}
}

// wholes checks what holds of any outcome: each record is in one cluster, joins make
// exactly the clusters, reviews are across them, fields sum up to the odds.
func wholes(t *testing.T, records []Record, r Resolved) {
	t.Helper()
	in := map[string]int{}
	joins := len(records) - len(r.Clusters)
	for i, c := range r.Clusters {
		if !slices.IsSorted(c) || i > 0 && r.Clusters[i-1][0] >= c[0] {
			t.Errorf("cluster %v is out of order", c)
		}
		for _, id := range c {
			if _, twice := in[id]; twice {
				t.Errorf("%s is in two clusters", id)
			}
			in[id] = i
		}
	}
	if len(in) != len(records) || len(r.Joined) != joins {
		t.Errorf("%d of %d records are in clusters, %d joins make %d", len(in), len(records), len(r.Joined), joins)
	}
	seen := map[[2]int]bool{}
	for i, p := range slices.Concat(r.Joined, r.Reviews) {
		x, y := min(in[p.A], in[p.B]), max(in[p.A], in[p.B])
		if review := i >= len(r.Joined); p.A >= p.B || review == (x == y) || review && seen[[2]int{x, y}] {
			t.Errorf("%+v is out of place", p)
		} else if review {
			seen[[2]int{x, y}] = true
		}
		sum := 0.
		for _, f := range p.Fields {
			sum += f.Bits
		}
		known := p.Probability == 1 && (p.Fields[0].Name == "client" || p.Fields[0].Name == "decision")
		if !known && math.Abs(probability(sum)-p.Probability) > 1e-9 {
			t.Errorf("%+v: its fields say %v", p, probability(sum))
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records []Record
		want    string
	}{
		"an id that is there twice":     {[]Record{spoken("a", "Anna Ruiz", "1"), spoken("b", "Pedro Costa", "1"), firm("a", "Kusuma")}, "two records have the id a"},
		"an id that is empty":           {[]Record{spoken("", "Anna Ruiz", "1")}, "a record has no id"},
		"a record that is of no type":   {[]Record{spoken("a", "Anna Ruiz", "1"), {ID: "b", Name: "Anna"}}, "record b has no type"},
		"the same, whatever comes last": {[]Record{{ID: "b", Name: "Anna"}, {ID: "c", Name: "Anna"}}, "record b has no type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Resolve(t.Context(), c.records, nil); err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// impatient is cancelled once it was asked so often.
type impatient struct {
	context.Context //nolint:containedctx // it is one
	left            int
}

func (c *impatient) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestResolveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	var records []Record
	for i := range 400 {
		records = append(records, spoken(fmt.Sprint(i), fmt.Sprintf("Anna Ruiz%d", i%200), fmt.Sprint(i)), firm(fmt.Sprint("f", i), fmt.Sprintf("Kusuma %d", i%200)))
	}
	patience := &impatient{t.Context(), math.MaxInt}
	want, err := Resolve(patience, records, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := math.MaxInt - patience.left
	if asked < len(records) {
		t.Errorf("the context was asked %d times for %d records", asked, len(records))
	}
	for left := 0; left < asked; left += 1 + asked/12 {
		if got, err := Resolve(&impatient{t.Context(), left}, records, nil); !errors.Is(err, context.Canceled) || len(got.Clusters) > 0 {
			t.Errorf("cancelled after %d questions of %d: %d clusters, %v", left, asked, len(got.Clusters), err)
		}
	}
	if got, err := Resolve(&impatient{t.Context(), asked}, records, nil); err != nil || !cmp.Equal(got, want) {
		t.Errorf("not cancelled, and it ended otherwise: %v", err)
	}
}

// crowded is a firm's records with all that may go wrong.
func crowded(rng *rand.Rand, n int) (records []Record, decisions []Decision) {
	given, family := strings.Fields("Anna Hanna Pedro Putu A. José"), strings.Fields("Ruiz Rius Costa Kusuma R. Łuk")
	for i := range n {
		r := spoken(fmt.Sprintf("r%03d", i), given[rng.IntN(len(given))]+" "+family[rng.IntN(len(family))], fmt.Sprint(rng.IntN(n/2+1)))
		if rng.IntN(4) == 0 {
			r.Name = given[rng.IntN(len(given))]
		}
		if rng.IntN(4) == 0 {
			r = r.client(fmt.Sprintf("C-%d", rng.IntN(n/3+1)))
		}
		if rng.IntN(3) == 0 {
			r = r.mail(fmt.Sprintf("m%d@%s", rng.IntN(n/2+1), []string{"gmail.com", "kusuma.co.id", "bali.com"}[rng.IntN(3)]))
		}
		if rng.IntN(4) == 0 {
			r = r.phone(fmt.Sprintf("+6281%d", rng.IntN(n/2+1)))
		}
		if rng.IntN(4) == 0 {
			r = r.employed([]string{"PT Kusuma", "Bali", "Ruiz Ltd"}[rng.IntN(3)])
		}
		if rng.IntN(6) == 0 {
			r.Type, r.URLs = "company", []string{"https://bali.com"}
		}
		records = append(records, r)
		if i > 0 && rng.IntN(6) == 0 {
			decisions = append(decisions, Decision{r.ID, records[rng.IntN(i)].ID, rng.IntN(2) == 0})
		}
	}
	return records, decisions
}

func TestAnyOrderGivesTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 3))
		records, decisions := crowded(rng, 5+rng.IntN(150))
		var want Resolved
		for turn := range 3 {
			got, err := Resolve(t.Context(), records, decisions)
			if err != nil {
				t.Fatal(err)
			}
			wholes(t, records, got)
			if turn == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: another order gives another outcome:\n%s", seed, diff)
			}
			rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			rng.Shuffle(len(decisions), func(i, j int) { decisions[i], decisions[j] = decisions[j], decisions[i] })
			for i, d := range decisions {
				decisions[i].A, decisions[i].B = d.B, d.A
			}
		}
		in := map[string]int{}
		for i, c := range want.Clusters {
			for _, id := range c {
				in[id] = i
			}
		}
		for _, d := range decisions {
			kept := d.Same == (in[d.A] == in[d.B])
			lower, higher := min(d.A, d.B), max(d.A, d.B)
			if ignored := slices.Contains(want.Ignored, Decision{lower, higher, d.Same}); kept == ignored && !ignored {
				t.Errorf("seed %d: %+v is neither kept nor ignored", seed, d)
			}
		}
	}
}
