package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/client"
)

// builderResult is what the Knowledge Graph Builder's result says to people.
type builderResult struct {
	Messages *struct {
		Due, Gone, Omitted int
		Graph              int `json:"in_graph"`
	} `json:"messages"`
	Entities, Edges map[string]int
	Resolution      *struct{ Merges, Splits, Reviews int }
	Top             []struct {
		ID            string `json:"entity_id"`
		Type, Name    string
		Conversations int
	}
	Notes []string
}

// printBuilder writes a builder's result; false where it is none.
func printBuilder(w io.Writer, e client.Execution) bool {
	var r builderResult
	if json.Unmarshal(e.Result, &r) != nil || r.Messages == nil || r.Resolution == nil {
		return false
	}
	fmt.Fprintf(w, "%d messages read, %d gone, %d that can't be read; the graph rests on %d\n", r.Messages.Due, r.Messages.Gone, r.Messages.Omitted, r.Messages.Graph)
	fmt.Fprintf(w, "Entities: %s\nEdges: %s\n", most(r.Entities), most(r.Edges))
	fmt.Fprintf(w, "Merged: %d, split: %d, waiting for a person: %d%s\n", r.Resolution.Merges, r.Resolution.Splits, r.Resolution.Reviews, next(r.Resolution.Reviews > 0, "ciclo kg reviews"))
	for _, n := range r.Notes {
		fmt.Fprintln(w, "Note:", n)
	}
	if len(r.Top) == 0 {
		return true
	}
	fmt.Fprintln(w, "What the most conversations are about:")
	table(w, func(row func(...any)) {
		row("NAME", "TYPE", "CONVERSATIONS", "ID")
		for _, t := range r.Top {
			row(t.Name, t.Type, t.Conversations, t.ID)
		}
	})
	return true
}

// most are counts by name, the greatest first.
func most(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// next says which command comes next, where there is one.
func next(is bool, command string) string {
	if is {
		return ": " + command
	}
	return ""
}
