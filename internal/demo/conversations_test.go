package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The same seed and day make the same conversations, and winning goes with what
// was planted.
func TestConversationsAreAsPlanted(t *testing.T) {
	t.Parallel()
	today := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	firm := draw(DefaultTruth, 1, today)
	all := firm.talk(1, today)
	if diff := cmp.Diff(all, firm.talk(1, today), cmp.AllowUnexported(conversation{}, said{})); diff != "" {
		t.Errorf("drawn again: %s", diff)
	}
	for _, p := range PlantedSentences {
		var with, withWon, without, withoutWon float64
		for _, c := range all {
			has := false
			for _, m := range c.messages {
				has = has || m.role == "agent" && m.at.Before(c.ended) && strings.Contains(m.body, p.Sentence)
			}
			won := 0.
			if c.won {
				won = 1
			}
			if has {
				with, withWon = with+1, withWon+won
			} else {
				without, withoutWon = without+1, withoutWon+won
			}
		}
		odds := withWon / (with - withWon) / (withoutWon / (without - withoutWon))
		if odds < p.Odds/1.5 || odds > p.Odds*1.5 {
			t.Errorf("%q: odds of %.2f, planted %.2f", p.Sentence, odds, p.Odds)
		}
	}
	for _, c := range all {
		for i, m := range c.messages {
			if i > 0 && m.at.Before(c.messages[i-1].at) || m.at.Before(c.started) {
				t.Errorf("%s: a message out of order", c.id)
			}
		}
		if c.started.After(today) {
			t.Errorf("%s begins in the future", c.id)
		}
	}
}
