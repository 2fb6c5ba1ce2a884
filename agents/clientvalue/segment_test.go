package clientvalue

import (
	"errors"
	"fmt"
	"testing"
)

func TestAssignSegments(t *testing.T) {
	t.Parallel()
	scores := func(clvs ...float64) []Score {
		s := make([]Score, len(clvs))
		for i, v := range clvs {
			s[i] = Score{ClientID: fmt.Sprintf("%02d", i), CLV: v}
		}
		return s
	}
	descending := make([]float64, 20)
	for i := range descending {
		descending[i] = float64(-i)
	}
	tests := map[string]struct {
		scores []Score
		shares Shares
		want   string // initials
	}{
		"twenty":             {scores(descending...), DefaultShares(), "VHHHMMMMMMLLLLLLLLLL"},
		"one is VIP":         {scores(1), DefaultShares(), "V"},
		"order is kept":      {scores(1, 3, 2), Shares{VIP: .3, High: .3, Medium: .3}, "MVH"},
		"ties go by id":      {scores(5, 5, 5, 5), Shares{VIP: .25, High: .25, Medium: .25}, "VHML"},
		"all may be LOW":     {scores(5, 6), Shares{}, "LL"},
		"none need be LOW":   {scores(5, 6), Shares{Medium: 1}, "MM"},
		"nobody":             {nil, DefaultShares(), ""},
		"shares of thirds":   {scores(3, 2, 1), Shares{VIP: 1. / 3, High: 1. / 3, Medium: 1. / 3}, "VHM"},
		"a share is rounded": {scores(3, 2, 1), Shares{VIP: .34}, "VVL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := AssignSegments(test.scores, test.shares); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, s := range test.scores {
				got += string(s.Segment[0])
			}
			if got != test.want {
				t.Errorf("segments %s, want %s", got, test.want)
			}
		})
	}
	if err := AssignSegments(nil, Shares{VIP: -.1}); !errors.Is(err, ErrBadInput) {
		t.Errorf("negative share: %v", err)
	}
}
