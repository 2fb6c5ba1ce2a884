package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/nuzantara/ciclo/client"
)

// table writes rows with aligned columns.
func table(w io.Writer, rows func(row func(cells ...any))) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows(func(cells ...any) {
		for _, c := range cells {
			fmt.Fprintf(tw, "  %v\t", c)
		}
		fmt.Fprintln(tw)
	})
	_ = tw.Flush() // a terminal that is gone can't be told so
}

func printExecution(w io.Writer, e client.Execution) {
	dry := ""
	if e.DryRun {
		dry = ", a dry run"
	}
	fmt.Fprintf(w, "%s\n  %s%s, %s\n", e.ID, e.Agent, dry, e.Message)
	if e.PrunedAt != nil {
		fmt.Fprintf(w, "  its history was pruned at %s: results that name it stay\n", clock(*e.PrunedAt))
	}
	if e.Progress != nil && !e.Final() {
		fmt.Fprintf(w, "  %s (%d of %d)\n", e.Progress.Text, e.Progress.Done, e.Progress.Total)
	}
	if e.LLMTokens != nil {
		fmt.Fprintf(w, "  language models: %d tokens, %s dollars\n", *e.LLMTokens, dollars(*e.LLMDollars))
	}
	if e.Error != nil {
		fmt.Fprintf(w, "  last error (%s): %s\n", e.Error.Class, e.Error.Text)
	}
	table(w, func(row func(...any)) {
		for _, t := range e.Transitions {
			from := t.From
			if from == "" {
				from = "(new)"
			}
			row(clock(t.At), from+" → "+t.To, fmt.Sprintf("attempt %d", t.Attempt), t.Reason)
		}
	})
}

// printResult shows an agent's result: its most valuable clients where it names
// them, else the JSON.
func printResult(w io.Writer, e client.Execution) {
	if len(e.Result) == 0 || string(e.Result) == "null" {
		return
	}
	var value struct {
		DryRun struct {
			Effects []string `json:"effects"`
			More    int      `json:"more_effects"`
		} `json:"dry_run"`
		AsOf        string         `json:"as_of"`
		HorizonDays int            `json:"horizon_days"`
		Currency    string         `json:"currency"`
		Clients     int            `json:"clients"`
		Payments    int            `json:"payments"`
		Model       string         `json:"model"`
		TotalCLV    float64        `json:"total_clv"`
		Segments    map[string]int `json:"segments"`
		Notes       []string       `json:"notes"`
		Drafts      struct{ Slipping, Drafted int }
		BackTest    struct {
			Chosen    string `json:"chosen"`
			Forecasts []struct {
				Fit      struct{ Model string }
				Accuracy struct {
					Predicted float64
					Bought    int
				}
			}
		} `json:"back_test"`
		Top []struct {
			ID        string  `json:"client_id"`
			Name      *string `json:"name"`
			Segment   string  `json:"segment"`
			CLV       float64 `json:"clv"`
			Purchases float64 `json:"expected_purchases"`
			Churn     float64 `json:"churn_risk_90"`
		} `json:"top_clients"`
	}
	unknown := json.Unmarshal(e.Result, &value) != nil
	if e.DryRun && !unknown {
		fmt.Fprintf(w, "Dry run: nothing was written or sent; %d effects were left out\n", len(value.DryRun.Effects)+value.DryRun.More)
	}
	if printTrainer(w, e) || printBuilder(w, e) {
		return
	}
	if unknown || len(value.Top) == 0 {
		fmt.Fprintf(w, "%s\n", e.Result)
		return
	}
	fmt.Fprintf(w, "%d clients by %d payments, as of %s, by %s: %s %.0f over the next %d days\n",
		value.Clients, value.Payments, value.AsOf, value.Model, value.Currency, value.TotalCLV, value.HorizonDays)
	for _, f := range value.BackTest.Forecasts {
		if f.Fit.Model == value.BackTest.Chosen && f.Accuracy.Bought > 0 {
			fmt.Fprintf(w, "Back-test on the last third of history: predicted %.0f purchases, bought %d, %+.0f %%\n",
				f.Accuracy.Predicted, f.Accuracy.Bought, 100*(f.Accuracy.Predicted/float64(f.Accuracy.Bought)-1))
		}
	}
	fmt.Fprintf(w, "Segments: VIP %d, HIGH %d, MEDIUM %d, LOW %d\n",
		value.Segments["VIP"], value.Segments["HIGH"], value.Segments["MEDIUM"], value.Segments["LOW"])
	if d := value.Drafts; d.Slipping > 0 {
		drafted := "were drafted a message: ciclo messages"
		if e.DryRun {
			drafted = "would be drafted a message"
		}
		fmt.Fprintf(w, "Messages: %d clients worth keeping are slipping, %d %s\n", d.Slipping, d.Drafted, drafted)
	}
	for _, n := range value.Notes {
		fmt.Fprintln(w, "Note:", n)
	}
	fmt.Fprintln(w, "Top clients by value:")
	table(w, func(row func(...any)) {
		row("CLIENT", "NAME", "SEGMENT", "VALUE", "PURCHASES", "CHURN RISK 90 D")
		for _, t := range value.Top {
			name := "-"
			if t.Name != nil {
				name = *t.Name
			}
			row(t.ID, name, t.Segment, fmt.Sprintf("%.2f", t.CLV), fmt.Sprintf("%.2f", t.Purchases), fmt.Sprintf("%.0f %%", 100*t.Churn))
		}
	})
}

func printList(w io.Writer, executions []client.Execution) {
	table(w, func(row func(...any)) {
		row("STARTED", "STATUS", "ATTEMPT", "DURATION", "EXECUTION")
		for _, e := range executions {
			id := e.ID
			if e.DryRun {
				id += " (dry run)"
			}
			row(clock(e.StartedAt), e.Status, e.Attempt, seconds(e.DurationSeconds), id)
		}
	})
}

func printStatus(w io.Writer, s client.Status) {
	table(w, func(row func(...any)) {
		row("AGENT", "STARTED", "RUNNING", "LAST", "AT", "TYPICALLY", "SUCCESS")
		for _, a := range s.Agents {
			last, at := "never", "-"
			if a.LastStatus != nil {
				last, at = *a.LastStatus, clock(*a.LastRunAt)
			}
			row(a.ID, a.Started, a.Running, last, at, seconds(a.TypicalDurationSeconds), percent(a.SuccessRate))
		}
	})
	for _, p := range s.Paused {
		fmt.Fprintf(w, "\n  paused (%s) since %s: %s: %s\n", p.Kind, clock(p.PausedAt), p.Agent, p.Reason)
	}
	for _, u := range s.UnservedAgents {
		fmt.Fprintf(w, "\n  this version has no agent %s, and %d of its executions are alive, the oldest since %s: `ciclo list --agent %s`\n", u.Agent, u.Started+u.Running, clock(u.OldestAt), u.Agent)
	}
	fmt.Fprintln(w)
	table(w, func(row func(...any)) {
		row("WORKER", "HOST", "PID", "STATE", "RUNNING", "LAST BEAT")
		for _, k := range s.Workers {
			row(k.ID, k.Host, k.PID, workerState(k), k.Running, clock(k.BeatAt))
		}
	})
	fmt.Fprintln(w)
	printList(w, s.RecentExecutions)
}
