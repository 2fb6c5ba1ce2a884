package conversation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Evidence is what a proposal is made from, and all of it: the same evidence and
// the same base prompt are the same proposal, byte for byte.
type Evidence struct {
	Prompt string `json:"prompt"`
	// From and AsOf are the first and the last day of the window.
	From          string      `json:"from"`
	AsOf          string      `json:"as_of"`
	Conversations int         `json:"conversations"`
	Won           int         `json:"won"`
	Earlier       Part        `json:"earlier"`
	Later         Part        `json:"later"`
	Omitted       []Omission  `json:"omitted"`
	Features      int         `json:"features"`
	Found         int         `json:"found"`
	MinSupport    int         `json:"min_support"`
	Q             float64     `json:"q"`
	Detectable    *Detectable `json:"detectable"`
	// Patterns are those that were confirmed, the strongest first. Their examples
	// are ids that may be shown.
	Patterns []Pattern `json:"patterns"`
}

// evidence is what a run found that was confirmed.
func (r *Result) evidence(prompt string, found tested) Evidence {
	e := Evidence{
		Prompt: prompt, From: r.From, AsOf: r.AsOf, Conversations: r.Conversations, Won: r.Won, Earlier: r.Earlier, Later: r.Later,
		Omitted: r.Omitted, Features: r.Features, Found: r.Found, MinSupport: r.MinSupport, Q: r.Q, Detectable: r.Detectable, Patterns: []Pattern{},
	}
	for _, p := range found.Patterns {
		if p.Confirmed {
			e.Patterns = append(e.Patterns, p)
		}
	}
	return e
}

// layout is the version of what proposals look like: another one is another proposal.
const layout = 1

// hash tells one evidence, and the lines made from it, from all others.
func (e Evidence) hash(lines []string) (string, error) {
	text, err := json.Marshal(struct {
		Layout   int
		Evidence Evidence
		Lines    []string
	}{layout, e, lines})
	if err != nil {
		return "", fmt.Errorf("encode the evidence: %w", err)
	}
	return hashOf(string(text)), nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// key is the proposal's: of the window, the base prompt and the patterns.
func (e Evidence) key(baseHash, patternsHash string) string {
	return Name + "-" + hashOf(e.Prompt + "\x00" + e.From + "\x00" + e.AsOf + "\x00" + baseHash + "\x00" + patternsHash)[:20]
}

// smallest says what the sample could not have shown.
func smallest(d *Detectable, conversations int) string {
	switch {
	case d == nil:
		return "the sample could have shown nothing"
	case d.RiskDifference >= 1:
		return fmt.Sprintf("no difference could have been shown reliably by %d conversations", conversations)
	}
	return fmt.Sprintf("the smallest difference that %d conversations could have shown reliably is %.0f points in the part that is won, of a feature that half of them have%s",
		conversations, 100*d.RiskDifference, rare(d))
}

func rare(d *Detectable) string {
	if d.Rare >= 1 {
		return ", and none of a feature that a tenth have"
	}
	return fmt.Sprintf(", and %.0f points of one that a tenth have", 100*d.Rare)
}
