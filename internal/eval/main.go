// Command eval measures what the agents compute against their targets on real
// data and prints one table. It exits with 1 when a figure is missed, and where
// the data isn't there.
package main

import (
	"flag"
	"fmt"
	"os"
	"text/tabwriter"

	clientvalue "github.com/nuzantara/ciclo/agents/clientvalue/eval"
	conversation "github.com/nuzantara/ciclo/agents/conversation/eval"
)

func main() {
	data := flag.String("data", "../shared/data", "folder of the data sets")
	flag.Parse()
	missed, err := run(*data)
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
	if missed > 0 {
		fmt.Fprintf(os.Stderr, "eval: %d figures are missed\n", missed)
		os.Exit(1)
	}
}

func run(data string) (missed int, err error) {
	var figures []conversation.Figure
	for _, measure := range []func() ([]clientvalue.Figure, error){
		func() ([]clientvalue.Figure, error) { return clientvalue.CDNOW(data) },
		clientvalue.FitTimes,
	} {
		some, err := measure()
		if err != nil {
			return 0, err
		}
		for _, f := range some {
			figures = append(figures, conversation.Figure(f))
		}
	}
	for _, measure := range []func() ([]conversation.Figure, error){
		func() ([]conversation.Figure, error) { return conversation.Ranking(data) },
		func() ([]conversation.Figure, error) { return conversation.Planted(25) },
		func() ([]conversation.Figure, error) { return conversation.Shuffled(data, 200) },
		func() ([]conversation.Figure, error) { return conversation.Confounded(20) },
		func() ([]conversation.Figure, error) { return conversation.Leakage(data) },
	} {
		some, err := measure()
		if err != nil {
			return 0, err
		}
		figures = append(figures, some...)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tTARGET\tMEASURED\t")
	for _, f := range figures {
		verdict := "met"
		if !f.Pass {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, f.Target, f.Measured, verdict)
	}
	return missed, w.Flush()
}
