package conversation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nuzantara/ciclo/agents"
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

// What is judged on is of the later conversations, before the outcome, and of nobody who
// was erased.
func TestScenesOfTheLaterConversations(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	j.exec(t, `INSERT INTO crm.clients (id, name) VALUES ('k', 'Maria Rossi'), ('gone', 'Ada')`)
	j.exec(t, `UPDATE crm.conversations SET client_id = 'k', segment = 'family' WHERE id IN ('c290', 'c300')`)
	j.exec(t, `UPDATE crm.conversations SET client_id = 'gone' WHERE id = 'c293'`)
	add := func(id, conversation, role, body, at string) {
		j.exec(t, fmt.Sprintf(`INSERT INTO crm.messages (id, conversation_id, role, body, sent_at) SELECT '%s', id, '%s', '%s', %s FROM crm.conversations WHERE id = '%s'`, id, role, body, at, conversation))
	}
	const before, after = `started_at - interval '1 second'`, `started_at + interval '1 second'`
	add("x1", "c290", "client", "Hello", before)
	add("x2", "c290", "client", "Are you there?", after)
	add("x3", "c290", "agent", "Yes, I am", `started_at + interval '2 seconds'`)
	add("x4", "c290", "agent", "Thank you for the payment", `outcome_at`)
	add("x5", "c291", "client", "only afterwards", after)
	add("x6", "c292", "client", " ", before)
	add("x7", "c293", "client", "erased", before)
	add("x8", "c294", "client", "in time", before)
	add("x9", "c210", "client", "too early a conversation", before)
	add("y1", "c295", "client", "answered when it was over", `outcome_at - interval '1 second'`)
	add("y2", "c295", "agent", "too late", `outcome_at`)
	add("z1", "c296", "client", "is it won?", before)
	add("z2", "c296", "client", "it is", `outcome_at`)
	add("z3", "c296", "agent", "thank you", `outcome_at + interval '1 second'`)
	add("z4", "c296", "client", "bye", `outcome_at + interval '2 seconds'`)
	add("z5", "c296", "agent", "good bye", `outcome_at + interval '3 seconds'`)
	j.exec(t, `INSERT INTO ciclo.erasures (client_id, erased_by) VALUES ('gone', 'a person')`)
	var r Result
	if err := json.Unmarshal([]byte(j.attempt(t, "")), &r); err != nil {
		t.Fatal(err)
	}
	m := &mining{task: agents.NewTask(agents.Task{}, j)}
	dev, heldOut, err := m.scenes(t.Context(), Evidence{Later: r.Later})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range slices.Concat(dev, heldOut) {
		got[s.id] = fmt.Sprint(s.client, s.names, s.segment, s.turns)
	}
	want := map[string]string{"c290": "k[Maria Rossi]family[{client Hello}]", "c294": "[][{client in time}]", "c296": "[][{client is it won?}]"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if dev, heldOut, err = m.scenes(t.Context(), Evidence{}); err != nil || len(dev)+len(heldOut) != 0 {
		t.Errorf("of no part there are %d and %d, %v", len(dev), len(heldOut), err)
	}
}

// After an error nothing more is begun; what can't be mended is what is said.
func TestEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int32
		err := each(t.Context(), 1000, func(i int) error {
			begun.Add(1)
			switch i {
			case 0:
				return errDied
			case 1:
				return agents.Permanent(errors.New("for good"))
			}
			time.Sleep(time.Second) // of the bubble: no error takes so long
			return nil
		})
		if err == nil || begun.Load() > abreast {
			t.Errorf("%d are begun, %v", begun.Load(), err)
		}
	})
	var both sync.WaitGroup
	both.Add(2)
	if err := each(t.Context(), 2, func(i int) error {
		both.Done()
		both.Wait()
		return []error{errDied, agents.Permanent(errors.New("for good"))}[i]
	}); !agents.IsPermanent(err) {
		t.Errorf("of both it says %v", err)
	}
	seen := make([]bool, 50)
	if err := each(t.Context(), len(seen), func(i int) error {
		seen[i] = true
		return nil
	}); err != nil || slices.Contains(seen, false) {
		t.Errorf("%v, %v", seen, err)
	}
	over, cancel := context.WithCancelCause(t.Context())
	cancel(errDied)
	if err := each(over, 3, func(int) error { return errors.New("it is begun") }); !errors.Is(err, errDied) {
		t.Errorf("of an attempt that is over: %v", err)
	}
}
