package orchestrator

import (
	"testing"
	"time"
)

// The guard is judged by a clock of its own: each case is a history of answers.
func TestTheGuard(t *testing.T) {
	t.Parallel()
	type answer struct {
		at   time.Duration // of this process's clock
		jump time.Duration // of the database's clock against it
		now  bool          // mayJudge right after
	}
	const s = time.Second
	for name, history := range map[string][]answer{
		"a lease without a gap":       {{0, 0, false}, {3 * s, 0, false}, {6 * s, 0, false}, {9 * s, 0, false}, {10 * s, 0, true}, {11 * s, 0, true}},
		"a gap begins anew":           {{0, 0, false}, {3 * s, 0, false}, {6 * s, 0, false}, {9 * s, 0, false}, {20 * s, 0, false}, {23 * s, 0, false}, {26 * s, 0, false}, {29 * s, 0, false}, {30 * s, 0, true}},
		"a jump of the clock as well": {{0, 0, false}, {3 * s, 0, false}, {6 * s, 0, false}, {9 * s, 0, false}, {10 * s, 60 * s, false}, {13 * s, 60 * s, false}},
		"and a jump back":             {{0, 0, false}, {3 * s, 0, false}, {6 * s, 0, false}, {9 * s, 0, false}, {10 * s, -60 * s, false}},
	} {
		g := guard{lease: 10 * s, maxGap: 10 * s / 3}
		start := time.Now()
		if g.mayJudge(start) {
			t.Errorf("%s: judged before any answer", name)
		}
		for _, a := range history {
			now := start.Add(a.at)
			g.answered(now, time.Unix(1_800_000_000, 0).Add(a.at+a.jump))
			if got := g.mayJudge(now); got != a.now {
				t.Errorf("%s: at %s mayJudge is %v", name, a.at, got)
			}
		}
	}
}

func TestTheGuardForgetsAnOldAnswer(t *testing.T) {
	t.Parallel()
	g := guard{lease: 10 * time.Second, maxGap: 3 * time.Second}
	start := time.Now()
	for i := range 12 {
		g.answered(start.Add(time.Duration(i)*time.Second), start.Add(time.Duration(i)*time.Second))
	}
	if !g.mayJudge(start.Add(12 * time.Second)) {
		t.Error("not judged although the database answered for twelve seconds")
	}
	if g.mayJudge(start.Add(15 * time.Second)) {
		t.Error("judged four seconds after the last answer")
	}
	g.heard(start.Add(16 * time.Second))
	if g.mayJudge(start.Add(16 * time.Second)) {
		t.Error("judged right after a gap")
	}
}
