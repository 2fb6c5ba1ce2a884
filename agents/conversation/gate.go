package conversation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The gate that a candidate of a model's has to pass: at most so large a p, of the whole
// and of a segment's being worse; segments of fewer judged pairs are not looked at.
const (
	gateP        = .05
	leastSegment = 20
	// leastPairs is how many pairs are needed to pass at all, by winning all of them.
	leastPairs = 5
)

// ending is how a conversation's pair of replies was judged.
type ending uint8

const (
	endedUnjudged ending = iota // an answer of the model is not to be had
	endedBetter                 // the candidate's reply is better, in both orders
	endedWorse                  // the base prompt's is
	endedAlike                  // all else
)

// Tally counts pairs: those in which the candidate's reply was better, the base prompt's,
// and neither, or the one that came first; and those that could not be judged.
type Tally struct {
	Wins     int `json:"wins"`
	Losses   int `json:"losses"`
	Ties     int `json:"ties"`
	Unjudged int `json:"unjudged"`
}

func (t *Tally) add(e ending) {
	switch e {
	case endedBetter:
		t.Wins++
	case endedWorse:
		t.Losses++
	case endedAlike:
		t.Ties++
	default:
		t.Unjudged++
	}
}

// SegmentTally is one segment's part of the held-out pairs.
type SegmentTally struct {
	Segment string `json:"segment"`
	Tally
	// P is the sign test's of so many losses, had the candidate been no worse there.
	P     float64 `json:"p_worse"`
	Worse bool    `json:"worse"`
}

// Gate is what the held-out pairs say of a candidate.
type Gate struct {
	Tally
	// P is the sign test's of so many wins, had the candidate been no better.
	P        float64        `json:"p"`
	Segments []SegmentTally `json:"segments"`
	Passed   bool           `json:"passed"`
}

// gate judges a candidate by the endings of its pairs, which are of these segments.
func gate(endings []ending, segments []string) *Gate {
	g := &Gate{Segments: []SegmentTally{}}
	bySegment := map[string]*Tally{}
	for i, e := range endings {
		of := bySegment[segments[i]]
		if of == nil {
			of = &Tally{}
			bySegment[segments[i]] = of
		}
		g.add(e)
		of.add(e)
	}
	g.P = signTest(g.Wins, g.Losses)
	g.Passed = g.P <= gateP
	for segment, t := range bySegment {
		s := SegmentTally{Segment: segment, Tally: *t, P: signTest(t.Losses, t.Wins)}
		s.Worse = t.Wins+t.Losses+t.Ties >= leastSegment && s.P <= gateP
		g.Passed = g.Passed && !s.Worse
		g.Segments = append(g.Segments, s)
	}
	slices.SortFunc(g.Segments, func(a, b SegmentTally) int { return cmp.Compare(a.Segment, b.Segment) })
	return g
}

// signTest is the one-sided exact sign test: how probable so many or more of wins and
// losses together are wins, were both equally probable. Ties say nothing. At most some
// hundred of both.
func signTest(wins, losses int) float64 {
	n := wins + losses
	term, sum := math.Pow(.5, float64(n)), 0. // of n wins
	for k := n; k >= wins; k-- {
		sum += term
		term *= float64(k) / float64(n-k+1)
	}
	return math.Min(1, sum)
}

// why says why a gate wasn't passed; empty where it was.
func (g *Gate) why() string {
	if g.Passed {
		return ""
	}
	var worse []string
	for _, s := range g.Segments {
		if s.Worse {
			worse = append(worse, fmt.Sprintf("%s (%s, p %s)", s.Segment, s.Tally, figure(s.P)))
		}
	}
	if len(worse) > 0 {
		return fmt.Sprintf("its candidate is worse in a segment: %s", strings.Join(worse, "; "))
	}
	return fmt.Sprintf("its candidate did not do better than the prompt as it is: %s, p %s where at most %.2f is taken", g.Tally, figure(g.P), gateP)
}

func (t Tally) String() string {
	return fmt.Sprintf("better in %d, worse in %d, alike in %d, not judged %d", t.Wins, t.Losses, t.Ties, t.Unjudged)
}
