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
		by   int           // which server
	}
	const s = time.Second
	for name, history := range map[string][]answer{
		"a lease without a gap":       {{0, 0, false, 0}, {3 * s, 0, false, 0}, {6 * s, 0, false, 0}, {9 * s, 0, false, 0}, {10 * s, 0, true, 0}, {11 * s, 0, true, 0}},
		"a gap begins anew":           {{0, 0, false, 0}, {3 * s, 0, false, 0}, {6 * s, 0, false, 0}, {9 * s, 0, false, 0}, {20 * s, 0, false, 0}, {23 * s, 0, false, 0}, {26 * s, 0, false, 0}, {29 * s, 0, false, 0}, {30 * s, 0, true, 0}},
		"a jump of the clock as well": {{0, 0, false, 0}, {3 * s, 0, false, 0}, {6 * s, 0, false, 0}, {9 * s, 0, false, 0}, {10 * s, 60 * s, false, 0}, {13 * s, 60 * s, false, 0}},
		"another server":              {{0, 0, false, 0}, {3 * s, 0, false, 0}, {6 * s, 0, false, 0}, {9 * s, 0, false, 0}, {10 * s, 0, false, 1}, {13 * s, 0, false, 1}, {16 * s, 0, false, 1}, {19 * s, 0, false, 1}, {20 * s, 0, true, 1}},
		"and a jump back":             {{0, 0, false, 0}, {3 * s, 0, false, 0}, {6 * s, 0, false, 0}, {9 * s, 0, false, 0}, {10 * s, -60 * s, false, 0}},
	} {
		g := guard{lease: 10 * s, maxGap: 10 * s / 3}
		start := time.Now()
		if g.mayJudge(start) {
			t.Errorf("%s: judged before any answer", name)
		}
		for _, a := range history {
			now := start.Add(a.at)
			g.answered(now, time.Unix(1_800_000_000, 0).Add(a.at+a.jump), time.Unix(int64(a.by), 0))
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
		g.answered(start.Add(time.Duration(i)*time.Second), start.Add(time.Duration(i)*time.Second), start)
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
