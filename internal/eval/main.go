// Command eval measures what the agents compute against their targets on real
// data and prints one table. It exits with 1 when a figure is missed, and where
// the data isn't there.
package main

import (
	"flag"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/nuzantara/ciclo/agents/clientvalue/eval"
	conversation "github.com/nuzantara/ciclo/agents/conversation/eval"
	graph "github.com/nuzantara/ciclo/agents/knowledgegraph/eval"
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
	var figures []eval.Figure
	var deciles []eval.Decile
	for _, measure := range []func() ([]eval.Figure, error){
		func() ([]eval.Figure, error) { return eval.CDNOW(data) },
		func() (figures []eval.Figure, err error) {
			figures, deciles, err = eval.Ranking(data)
			return figures, err
		},
		eval.Recovery,
		eval.Coverages,
		eval.FitTimes,
	} {
		some, err := measure()
		if err != nil {
			return 0, err
		}
		figures = append(figures, some...)
	}
	for _, measure := range []func() ([]conversation.Figure, error){
		func() ([]conversation.Figure, error) { return conversation.Ranking(data) },
		func() ([]conversation.Figure, error) { return conversation.Planted(25) },
		func() ([]conversation.Figure, error) { return conversation.Shuffled(data, 200) },
		func() ([]conversation.Figure, error) { return conversation.Nothing(200) },
		func() ([]conversation.Figure, error) { return conversation.Confounded(20) },
		func() ([]conversation.Figure, error) { return conversation.Leakage(data) },
	} {
		some, err := measure()
		if err != nil {
			return 0, err
		}
		for _, f := range some {
			figures = append(figures, eval.Figure(f))
		}
	}
	for _, measure := range []func() ([]graph.Figure, error){
		func() ([]graph.Figure, error) { return graph.CoNLL04Entities(data) },
		func() ([]graph.Figure, error) { return graph.CoNLL04Relations(data) },
		func() ([]graph.Figure, error) { return graph.Febrl(data) },
		func() ([]graph.Figure, error) { return graph.DBLPACM(data) },
		graph.People,
	} {
		some, err := measure()
		if err != nil {
			return 0, err
		}
		for _, f := range some {
			figures = append(figures, eval.Figure(f))
		}
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
	fmt.Fprintln(w, "\nCDNOW CUSTOMERS BY PREDICTED PURCHASES\tPREDICTED\tBOUGHT\t")
	for i, d := range deciles {
		fmt.Fprintf(w, "decile %d, %d customers\t%.0f\t%d\t\n", i+1, d.Customers, d.Predicted, d.Bought)
	}
	fmt.Fprintln(w, "\nCHOICE OF THE MODEL, PLANTED POPULATIONS OF BOTH KINDS\tPLANTED KIND CHOSEN, %\tLATER ERROR OF TOTAL, %\tLATER LOG SCORE")
	for _, clients := range []int{300, 2000} {
		choices, err := eval.Choices(clients, 60)
		if err != nil {
			return missed, err
		}
		for _, c := range choices {
			fmt.Fprintf(w, "%d clients, %s\t%.0f\t%.2f\t%.5f\n", clients, c.Rule, 100*c.Right, 100*c.TotalError, c.LogScore)
		}
	}
	return missed, w.Flush()
}
