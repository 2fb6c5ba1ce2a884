package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// report is the table and what it was measured on.
type report struct {
	Machine machine  `json:"machine"`
	Repeats int      `json:"repeats"`
	Seconds float64  `json:"seconds"`
	Figures []figure `json:"figures"`
}

func (r report) missed() bool {
	return slices.ContainsFunc(r.Figures, func(f figure) bool { return f.Verdict == miss })
}

func (r report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	rows := [][]string{{"figure", "floor", "ours", "ratio", "aim", "verdict"}}
	for _, f := range r.Figures {
		ratio := ""
		if len(f.Ratio) > 0 {
			ratio = show(f.Ratio)
		}
		rows = append(rows, []string{f.Name + ", " + f.Unit, show(f.Floor), show(f.Ours), ratio, f.Aim, f.Verdict})
	}
	text := fmt.Sprintf("%s\n%s\n\n", r.Machine, r.Machine.Postgres) + table(rows)
	text += fmt.Sprintf("\nMedian (lowest–highest) of %s, floor and ours in alternation, in %.0f s. The ratio is the median\n"+
		"of the turns' own ratios. Load generator, services and Postgres share the machine. docs/benchmarks.md\n"+
		"says what each figure means. SLOW: above its aim, below three times it.\n"+
		"A figure of kills is of all of them.\n", turns(r.Repeats), r.Seconds)
	_, err := io.WriteString(w, text)
	return err
}

// table aligns rows in columns; the first is the head.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for n, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + "  "
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
		if n == 0 {
			for _, width := range widths {
				out.WriteString(strings.Repeat("─", width) + "  ")
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

func turns(n int) string {
	if n == 1 {
		return "one short turn each, which judges nothing"
	}
	return fmt.Sprintf("%d turns each", n)
}
