package conversation

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// endingsOf are so many wins, losses, ties and pairs that were not judged.
func endingsOf(wins, losses, ties, none int) []ending {
	return slices.Concat(slices.Repeat([]ending{endedBetter}, wins), slices.Repeat([]ending{endedWorse}, losses),
		slices.Repeat([]ending{endedAlike}, ties), slices.Repeat([]ending{endedUnjudged}, none))
}

func TestGate(t *testing.T) {
	t.Parallel()
	type part struct {
		segment                    string
		wins, losses, ties, absent int
	}
	for name, c := range map[string]struct {
		parts  []part
		passed bool
		worse  []string
		says   string
	}{
		"113 of 200":                        {parts: []part{{"", 113, 87, 0, 0}}, passed: true},
		"112 of 200":                        {parts: []part{{"", 112, 88, 0, 0}}, says: "better in 112, worse in 88"},
		"ties say nothing":                  {parts: []part{{"", 5, 0, 195, 0}}, passed: true},
		"nor what was not judged":           {parts: []part{{"", 5, 0, 0, 195}}, passed: true},
		"five of five":                      {parts: []part{{"", 5, 0, 0, 0}}, passed: true},
		"four of four":                      {parts: []part{{"", 4, 0, 0, 0}}, says: "p 0.062"},
		"seven of eight":                    {parts: []part{{"", 7, 1, 0, 0}}, passed: true},
		"six of seven":                      {parts: []part{{"", 6, 1, 0, 0}}, says: "p 0.062"},
		"nobody":                            {says: "p 1"},
		"ties alone":                        {parts: []part{{"", 0, 0, 200, 0}}, says: "p 1"},
		"all lost":                          {parts: []part{{"", 0, 200, 0, 0}}, worse: []string{""}, says: "worse in a segment"},
		"a segment worse":                   {parts: []part{{"a", 120, 20, 0, 0}, {"b", 5, 15, 0, 0}}, worse: []string{"b"}, says: "b (better in 5, worse in 15"},
		"a segment a little worse":          {parts: []part{{"a", 120, 20, 0, 0}, {"b", 6, 14, 0, 0}}, passed: true},
		"a segment of 19 pairs":             {parts: []part{{"a", 120, 20, 0, 0}, {"b", 0, 19, 0, 0}}, passed: true},
		"a segment of 20 pairs, most alike": {parts: []part{{"a", 120, 20, 0, 0}, {"b", 0, 5, 15, 0}}, worse: []string{"b"}, says: "worse in a segment"},
		"20 of which one was not judged":    {parts: []part{{"a", 120, 20, 0, 0}, {"b", 0, 5, 14, 1}}, passed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var endings []ending
			var segments []string
			for _, p := range c.parts {
				of := endingsOf(p.wins, p.losses, p.ties, p.absent)
				endings, segments = append(endings, of...), append(segments, slices.Repeat([]string{p.segment}, len(of))...)
			}
			g := gate(endings, segments)
			var worse []string
			for _, s := range g.Segments {
				if s.Worse {
					worse = append(worse, s.Segment)
				}
			}
			if g.Passed != c.passed || !slices.Equal(worse, c.worse) || !strings.Contains(g.why(), c.says) || (g.why() == "") != c.passed {
				t.Errorf("%+v, worse %v, says %q", g, worse, g.why())
			}
			if total := g.Wins + g.Losses + g.Ties + g.Unjudged; total != len(endings) {
				t.Errorf("%d of %d are counted", total, len(endings))
			}
		})
	}
}

// The sign test is the sum of binomial coefficients, as whole numbers say it.
func TestSignTest(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7, 50, 199, 200} {
		for wins := range n + 1 {
			sum := new(big.Int)
			for k := wins; k <= n; k++ {
				sum.Add(sum, new(big.Int).Binomial(int64(n), int64(k)))
			}
			want, _ := new(big.Rat).SetFrac(sum, new(big.Int).Lsh(big.NewInt(1), uint(n))).Float64()
			if got := signTest(wins, n-wins); math.Abs(got-want) > 1e-12*want+1e-300 {
				t.Errorf("%d of %d is %v, want %v", wins, n, got, want)
			}
		}
	}
	if p := signTest(0, 0); p != 1 {
		t.Errorf("of nothing it is %v", p)
	}
}

// Conversations are parted the same way whatever their order; nobody is in both parts.
func TestParted(t *testing.T) {
	t.Parallel()
	var all []scene
	for i := range 2000 {
		all = append(all, scene{id: fmt.Sprintf("c%d", i), client: fmt.Sprintf("k%d", i/2)})
	}
	all = append(all, scene{id: "twice", segment: "a"}, scene{id: "twice", segment: "b"})
	dev, heldOut := parted(slices.Clone(all))
	if len(dev) != maxDev || len(heldOut) != maxHeldOut {
		t.Fatalf("%d and %d", len(dev), len(heldOut))
	}
	seen := map[string]bool{}
	for _, s := range slices.Concat(dev, heldOut) {
		if seen[s.client] || s.id == "twice" {
			t.Errorf("%s of %s is there", s.id, s.client)
		}
		seen[s.client] = true
	}
	slices.Reverse(all)
	again, others := parted(all)
	same := func(a, b scene) bool { return a.id == b.id }
	if !slices.EqualFunc(again, dev, same) || !slices.EqualFunc(others, heldOut, same) {
		t.Error("in another order they are others")
	}
	if dev, heldOut = parted([]scene{{id: "a"}, {id: "b"}, {id: "c"}}); len(dev)+len(heldOut) != 3 {
		t.Errorf("without clients there are %d and %d", len(dev), len(heldOut))
	}
}

// A scene ends with the client, before an answer in the middle.
func TestScene(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"ca":                     "c",
		"aca":                    "ac",
		"acaca":                  "ac",
		"cacacacac":              "cac",
		"ccaaca":                 "cc",
		"aac":                    "",
		"a":                      "",
		"":                       "",
		"cacacacacacaca":         "cacacac",
		strings.Repeat("ca", 30): strings.Repeat("ac", 10)[:20],
	} {
		s := scene{}
		for _, r := range said {
			s.turns = append(s.turns, shownTurn{From: map[rune]string{'a': "agent", 'c': "client"}[r]})
		}
		s.cut()
		got := ""
		for _, turn := range s.turns {
			got += turn.From[:1]
		}
		if got != want {
			t.Errorf("%s is cut to %q, want %q", said, got, want)
		}
	}
	if got := shown("a\u2028 Maria\n\tRossi\x08b" + strings.Repeat("x", maxTurn)); !strings.HasPrefix(got, "a Maria Rossi bxx") || len([]rune(got)) != maxTurn+2 {
		t.Errorf("it is shown as %q", got)
	}
	if text, err := asJSON(map[string]string{"a": "<Maria> & Rossi"}); err != nil || text != `{"a":"<Maria> & Rossi"}` {
		t.Errorf("JSON is %s, %v", text, err)
	}
}
