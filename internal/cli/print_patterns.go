package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"github.com/nuzantara/ciclo/client"
)

// trainerResult is what the Conversation Trainer's result says to people.
type trainerResult struct {
	From          string `json:"from"`
	AsOf          string `json:"as_of"`
	Conversations int    `json:"conversations"`
	Won           int    `json:"won"`
	Features      *int   `json:"features_tested"`
	Found         int    `json:"patterns_found"`
	Confirmed     int    `json:"patterns_confirmed"`
	Top           []struct {
		Feature    string   `json:"feature"`
		Confirmed  bool     `json:"confirmed"`
		Difference estimate `json:"risk_difference"`
		Later      estimate `json:"later_risk_difference"`
	} `json:"top_patterns"`
	Notes    []string `json:"notes"`
	Proposal *struct {
		Status, Reason, ID, URL string
		Lines                   int
	} `json:"proposal"`
}

type estimate struct{ Low, High, Estimate float64 }

// String is in points of the part that is won.
func (e estimate) String() string {
	return fmt.Sprintf("%+.0f (%+.0f to %+.0f)", 100*e.Estimate, 100*e.Low, 100*e.High)
}

// printTrainer writes a trainer's result; false where it is none.
func printTrainer(w io.Writer, e client.Execution) bool {
	var r trainerResult
	if json.Unmarshal(e.Result, &r) != nil || r.Features == nil {
		return false
	}
	fmt.Fprintf(w, "%d conversations from %s to %s, %d of them won: of %d features tested, %d patterns were found, %d confirmed on later conversations\n",
		r.Conversations, r.From, r.AsOf, r.Won, *r.Features, r.Found, r.Confirmed)
	for _, n := range r.Notes {
		fmt.Fprintln(w, "Note:", n)
	}
	if p := r.Proposal; p != nil && p.ID != "" {
		fmt.Fprintf(w, "Proposal: %d lines for the prompt, %s: ciclo prompts show %s\n", p.Lines, cmp.Or(p.URL, p.Status), p.ID)
	} else if p != nil {
		fmt.Fprintf(w, "Proposal: %s: %s\n", p.Status, p.Reason)
	}
	if len(r.Top) == 0 {
		return true
	}
	fmt.Fprintln(w, "Patterns, in points of the part that is won:")
	table(w, func(row func(...any)) {
		row("WHAT THE AGENT SAYS OR DOES", "DIFFERENCE", "LATER", "CONFIRMED")
		for _, p := range r.Top {
			confirmed := "no"
			if p.Confirmed {
				confirmed = "yes"
			}
			row(p.Feature, p.Difference, p.Later, confirmed)
		}
	})
	return true
}
