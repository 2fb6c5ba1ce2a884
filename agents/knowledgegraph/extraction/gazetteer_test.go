package extraction

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// newGazetteer is of names all of which are taken.
func newGazetteer(tb testing.TB, names ...FirmName) *Gazetteer {
	tb.Helper()
	g, left := NewGazetteer(names)
	if len(left) > 0 {
		tb.Fatalf("left out: %v", left)
	}
	return g
}

// named is what a gazetteer finds: type, surface, key and id of each.
func named(t *testing.T, m Message, g *Gazetteer) string {
	t.Helper()
	found, err := g.Extract(context.Background(), m, Found{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, one := range found.Mentions {
		id := one.FirmID
		if one.IsClient {
			id = "client " + id
		}
		lines = append(lines, fmt.Sprintf("%s %q = %s (%s)", one.Type, m.Body[one.Start:one.End], one.Key, id))
	}
	return strings.Join(lines, "; ")
}

func TestNamesInMessages(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t,
		FirmName{Person, "c1", "Anna María Ruiz", true},
		FirmName{Person, "c2", "Budi Santoso", true}, FirmName{Person, "c3", "Budi Santoso", true},
		FirmName{Person, "c4", "Ludwig van Beethoven", true},
		FirmName{Person, "c5", "王小明", true},
		FirmName{Person, "p1", "Rossi, Mario", false},
		FirmName{Person, "c6", "Bagus Trading Ltd.", true},
		FirmName{Company, "n1", "PT Bali Jaya Tbk", false},
		FirmName{Company, "n2", "Acme S.r.l.", false},
		FirmName{Company, "n3", "PT Maju", false},
		FirmName{Company, "n4", "D'Angelo", false}, FirmName{Company, "n5", "Angelo", false}, FirmName{Company, "n6", "Nest", false},
		FirmName{Location, "l1", "Bali", false}, FirmName{Location, "l2", "Nusa Dua, Bali", false},
		FirmName{Location, "l3", "東京", false}, FirmName{Location, "l4", "เชียงใหม่", false},
		FirmName{Company, "n7", "Sanur", false}, FirmName{Location, "l5", "Sanur", false},
		FirmName{PracticeType, "v1", "PT PMA setup", false}, FirmName{Topic, "t1", "work permit", false}, FirmName{Topic, "t1", "KITAS", false},
		FirmName{Law, "w1", "Immigration Act", false}, FirmName{Law, "w1", "UU No. 6 Tahun 2011", false},
		FirmName{Company, "n8", "AT&T", false},
		FirmName{Company, "n9", "Kind Regards Consulting", false},
	)
	for body, want := range map[string]string{
		"Anna María Ruiz, ANNA MARIA RUIZ":           `person "Anna María Ruiz" = anna maria ruiz (client c1); person "ANNA MARIA RUIZ" = anna maria ruiz (client c1)`,
		"Anna\u00a0 Mari\u0301a\nRui\u200bz":         "person \"Anna\\u00a0 Mari\u0301a\\nRui\\u200bz\" = anna maria ruiz (client c1)",
		"Joanna Ruiz, Anna Bianchi":                  "", // a list of two others
		"Ruiz, Anna María; Ruiz, Anna; Anna Ruiz":    `person "Ruiz, Anna María" = anna maria ruiz (client c1); person "Ruiz, Anna" = anna maria ruiz (client c1); person "Anna Ruiz" = anna maria ruiz (client c1)`,
		"Hello Anna, Maria or Ruiz":                  "", // of another conversation
		"Anna Ruiz-Lopez, Joanna Ruiz, Anna Ruizs":   "",
		"Anna Ruiz's visa, «Anna Ruiz», anna_ruiz":   `person "Anna Ruiz" = anna maria ruiz (client c1); person "Anna Ruiz" = anna maria ruiz (client c1)`,
		"Budi Santoso called":                        `person "Budi Santoso" = budi santoso ()`, // two have the name
		"van Beethoven, Ludwig":                      `person "van Beethoven, Ludwig" = ludwig van beethoven (client c4)`,
		"我是王小明。":                                     `person "王小明" = 王小明 (client c5)`,
		"Mario Rossi e Rossi, Mario":                 `person "Mario Rossi" = mario rossi (p1); person "Rossi, Mario" = mario rossi (p1)`,
		"BAGUS TRADING LTD signs":                    `company "BAGUS TRADING LTD" = bagus trading (client c6)`,
		"P.T. Bali Jaya Tbk, Bali Jaya, bali jaya":   `company "P.T. Bali Jaya Tbk" = bali jaya (n1); company "Bali Jaya" = bali jaya (n1); location "bali" = bali (l1)`,
		"dell'Acme S.R.L. e acme srl, una acme":      `company "Acme S.R.L." = acme (n2); company "acme srl" = acme (n2)`,
		"pt maju, maju terus, Maju":                  `company "pt maju" = maju (n3)`, // a common word alone
		"D’Angelo, Angelo, O'Angelo":                 `company "D’Angelo" = dangelo (n4); company "Angelo" = angelo (n5)`,
		"Nest'Orto, Nest's":                          `company "Nest" = nest (n6)`,
		"in Nusa Dua, Bali and Bali-based, Balinese": `location "Nusa Dua, Bali" = nusa dua bali (l2); location "Bali" = bali (l1)`, // the longest
		"私は東京に住む ไปเชียงใหม่":                        `location "東京" = 東京 (l3); location "เชียงใหม่" = เชียงใหม่ (l4)`,
		"Sanur": `company "Sanur" = sanur ()`, // a place or a company
		"pt pma setup with a kitas or Work  Permit": `practice_type "pt pma setup" = pt pma setup (v1); topic "kitas" = kitas (t1); topic "Work  Permit" = kitas (t1)`,
		"the immigration act":                       `law "immigration act" = law 6/2011 (w1)`, // one of its names has its number
		"at&t AT & T":                               `company "AT & T" = at t (n8)`,            // small letters are words
		"👩‍⚖️Bali👍🏽 Bali️":                          `location "Bali" = bali (l1); location "Bali" = bali (l1)`,
		"":                                          "",
	} {
		if got := named(t, Message{Body: body, ClientID: "other"}, g); got != want {
			t.Errorf("%q:\n got %s\nwant %s", body, got, want)
		}
	}
}

// Whose a dot behind a company is, its legal form or the sentence.
func TestDotsOfLegalForms(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t,
		FirmName{Company, "1", "Vetreria Solmaris S.r.l.", false}, FirmName{Company, "2", "Oost Koffie B.V.", false},
		FirmName{Company, "3", "Larkspur Inc.", false}, FirmName{Company, "4", "Brackwater Ltd", false},
		FirmName{Company, "5", "Wombat & Quill Pty Ltd", false}, FirmName{Company, "6", "O'Brien, Ltd.", false},
		FirmName{Company, "7", "Bagus Co. Ltd.", false},
	)
	for body, want := range map[string]string{
		"è Vetreria Solmaris S.r.l. How long?":   "Vetreria Solmaris S.r.l.",
		"vetreria solmaris s.r.l.":               "vetreria solmaris s.r.l.",
		"Vetreria Solmaris S.R.L, e":             "Vetreria Solmaris S.R.L",
		"Vetreria Solmaris Srl. E poi":           "Vetreria Solmaris Srl",
		"Vetreria Solmaris. E poi":               "Vetreria Solmaris",
		"Vetreria Solmaris S.r.l... boh":         "Vetreria Solmaris S.r.l.",
		"🏝️ é Oost Koffie B.V., Oost Koffie BV":  "Oost Koffie B.V.|Oost Koffie BV",
		"Larkspur Inc. is, Larkspur inc":         "Larkspur Inc.|Larkspur inc",
		"of Brackwater Ltd. How long?":           "Brackwater Ltd",
		"Wombat & Quill. Wombat & Quill Pty Ltd": "Wombat & Quill|Wombat & Quill Pty Ltd",
		"Wombat Quill and wombat & quill":        "",
		"Bagus Co. Ltd. is":                      "Bagus Co. Ltd.",
		"O'Brien and O'Brien, Ltd.":              "O'Brien|O'Brien, Ltd.",
	} {
		found, err := g.Extract(context.Background(), Message{Body: body}, Found{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range found.Mentions {
			got = append(got, body[m.Start:m.End])
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: found %q, wanted %q", body, got, want)
		}
	}
}

func TestTheConversationsOwnClientIsCalledByOneName(t *testing.T) {
	t.Parallel()
	g := newGazetteer(t, FirmName{Person, "c1", "Anna Ruiz", true}, FirmName{Person, "c2", "Will Smith", true}, FirmName{Person, "c3", "I Made Sukarta", true},
		FirmName{Person, "c4", "Budi Santoso", true}, FirmName{Person, "c5", "Budi Santoso", true})
	for _, c := range []struct{ client, body, want string }{
		{"c1", "Hello Anna, hello anna! anna", `person "Anna" = anna ruiz (client c1); person "anna" = anna ruiz (client c1)`},
		{"c1", "Thanks, Anna's visa is here.", `person "Anna" = anna ruiz (client c1)`},
		{"c1", "Anna Bianchi, Maria Anna, Anna-Maria, Ruiz", ""}, // somebody else
		{"c1", "Anna Ruiz", `person "Anna Ruiz" = anna ruiz (client c1)`},
		{"c2", "Will you come? You will.", ""},
		{"c2", "Hi Will, thanks", `person "Will" = will smith (client c2)`},
		{"c3", "Made in Bali, Pak Made?", `person "Made" = made sukarta (client c3)`},
		{"c4", "Budi Santoso", `person "Budi Santoso" = budi santoso (client c4)`}, // the other is of another conversation
		{"", "Hello Anna", ""},
	} {
		want := strings.ReplaceAll(c.want, "= made sukarta", "= i made sukarta")
		if got := named(t, Message{Body: c.body, ClientID: c.client}, g); got != want {
			t.Errorf("%q to %s:\n got %s\nwant %s", c.body, c.client, got, want)
		}
	}
	mononym, left := NewGazetteer([]FirmName{{Person, "c6", "Sukarno", true}})
	if len(left) != 1 || left[0].Reason != "one name of a person" {
		t.Errorf("left out: %v", left)
	}
	if got := named(t, Message{Body: "Dear Sukarno", ClientID: "c6"}, mononym); got != `person "Sukarno" = sukarno (client c6)` {
		t.Errorf("own client of one name: %s", got)
	}
	if got := named(t, Message{Body: "Dear Sukarno", ClientID: "c7"}, mononym); got != "" {
		t.Errorf("another's client of one name: %s", got)
	}
}

func TestNamesThatAreLeftOut(t *testing.T) {
	t.Parallel()
	g, left := NewGazetteer([]FirmName{
		{Topic, "1", "a", false}, {Topic, "2", " É ", false}, {Location, "3", "中", false}, {Topic, "4", "123", false}, {Topic, "5", "", false}, {Topic, "6", "!?", false},
		{Company, "7", "The", false}, {Location, "8", "dan", false}, {Topic, "9", "perché", false},
		{Person, "10", "Anna", false}, {Money, "11", "Rp", false}, {"planet", "12", "Mars", false}, {Location, "", "Bali", false},
		{Topic, "13", strings.Repeat("long ", 33), false}, {Location, "14", "Ubud", false},
	})
	var got []string
	for _, l := range left {
		got = append(got, l.ID+" "+l.Reason)
	}
	slices.Sort(got)
	want := []string{
		" it has no id", "1 fewer than two letters", "10 one name of a person", `11 its type "money" is none that names have`, `12 its type "planet" is none that names have`,
		"13 too long", "2 fewer than two letters", "3 fewer than two letters", "4 fewer than two letters", "5 fewer than two letters", "6 fewer than two letters",
		"7 a common word", "8 a common word", "9 a common word",
	}
	if !slices.Equal(got, want) {
		t.Errorf("left out:\n got %q\nwant %q", got, want)
	}
	if got := named(t, Message{Body: "a É 中 the dan perché Anna in Ubud"}, g); got != `location "Ubud" = ubud (14)` {
		t.Errorf("found: %s", got)
	}
	empty, _ := NewGazetteer(nil)
	if got := named(t, Message{Body: "Bali"}, empty); got != "" {
		t.Errorf("without names: %s", got)
	}
}

func TestTheOrderOfNamesIsNoMatter(t *testing.T) {
	t.Parallel()
	names := manyNames(300)
	body := manyWords(names, 3000)
	g := must(NewGazetteer(names))
	want := named(t, Message{Body: body}, g)
	if strings.Count(want, ";") < 100 {
		t.Fatalf("found too little to tell: %s", want)
	}
	for seed := range uint64(5) {
		shuffled := append(slices.Clone(names), names[0])
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		other := must(NewGazetteer(shuffled))
		if other.Version() != g.Version() {
			t.Errorf("version %s, in another order %s", g.Version(), other.Version())
		}
		if got := named(t, Message{Body: body}, other); got != want {
			t.Errorf("in another order other names are found")
		}
	}
	if other := must(NewGazetteer(names[1:])); other.Version() == g.Version() {
		t.Error("one name less and the same version")
	}
	if !strings.HasPrefix(g.Version(), "2-") {
		t.Errorf("version %s is not of the rules", g.Version())
	}
}

func TestStepsGrowWithTheText(t *testing.T) {
	t.Parallel()
	names := []FirmName{{Topic, "1", "ba ba", false}, {Topic, "2", "ba ba ba ba ba ba ba mu", false}, {Topic, "3", strings.Repeat("ba ", longestName-1) + "mu", false}}
	g := newGazetteer(t, names...)
	steps := func(n int) int {
		r := reader{gazetteer: g, message: Message{Body: strings.Repeat("ba ", n)}}
		r.read()
		if len(r.longest()) != n/2 {
			t.Fatalf("%d words hold %d names", n, len(r.longest()))
		}
		return r.steps
	}
	if a, b := steps(10_000), steps(100_000); b > 10*a+100 {
		t.Errorf("%d steps for 10,000 words, %d for 100,000", a, b)
	}
}

func must(g *Gazetteer, _ []LeftOut) *Gazetteer { return g }

// manyNames are n made-up people, companies and places.
func manyNames(n int) []FirmName {
	rng := rand.New(rand.NewPCG(7, 7))
	syllables := strings.Fields("ka ri to ma na sul ber tan wi go ra di pe lu so ha ni ja vo ce mi ro dar ven")
	word := func() string {
		var b strings.Builder
		for range 2 + rng.IntN(2) {
			b.WriteString(syllables[rng.IntN(len(syllables))])
		}
		return strings.ToUpper(b.String()[:1]) + b.String()[1:]
	}
	names := make([]FirmName, n)
	for i := range names {
		switch id := fmt.Sprint(i); i % 4 {
		case 0, 1:
			names[i] = FirmName{Person, id, word() + " " + word() + " " + word(), true}
		case 2:
			names[i] = FirmName{Company, id, "PT " + word() + " " + word(), false}
		default:
			names[i] = FirmName{Location, id, word() + word(), false}
		}
	}
	return names
}

// manyWords is a text of n words, a tenth of them names.
func manyWords(names []FirmName, n int) string {
	rng := rand.New(rand.NewPCG(8, 8))
	words := strings.Fields("please tell me when the visa of our office could be ready since we want to move there by next month and thanks again")
	var b strings.Builder
	for range n {
		if rng.IntN(10) == 0 {
			b.WriteString(names[rng.IntN(len(names))].Name)
		} else {
			b.WriteString(words[rng.IntN(len(words))])
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func BenchmarkNewGazetteer200000(b *testing.B) {
	names := manyNames(200_000)
	b.ReportAllocs()
	for b.Loop() {
		must(NewGazetteer(names))
	}
}

func BenchmarkGazetteer200000(b *testing.B) {
	names := manyNames(200_000)
	g := must(NewGazetteer(names))
	m := Message{Body: manyWords(names, 200_000)}
	b.SetBytes(int64(len(m.Body)))
	for b.Loop() {
		if _, err := g.Extract(b.Context(), m, Found{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPipeline(b *testing.B) {
	names := manyNames(10_000)
	p, err := NewPipeline(newExact(b, "ID"), must(NewGazetteer(names)), Contacts{})
	if err != nil {
		b.Fatal(err)
	}
	m := Message{Body: manyWords(names, 60) + "call +62 812 3456 7890 by 12 March 2026, Rp 15.000.000", SentAt: wednesday}
	b.SetBytes(int64(len(m.Body)))
	for b.Loop() {
		if _, err := p.Read(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}

func TestOrdinary(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"Terima": true, "Terima kasih": true, "Anda": true, "": false, "Terima Nakamura": false, "Nakamura": false} {
		if got := Ordinary(text); got != want {
			t.Errorf("%q is ordinary: %v", text, got)
		}
	}
}
