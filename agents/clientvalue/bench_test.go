package clientvalue_test

import (
	"context"
	"testing"

	"github.com/nuzantara/ciclo/agents/clientvalue"
	"github.com/nuzantara/ciclo/agents/clientvalue/eval"
)

// BenchmarkFit fits one model from one start, grouping included. Aims on two
// cores: 50 ms, .5 s, 2 s.
func BenchmarkFit(b *testing.B) {
	for _, size := range []struct {
		name    string
		clients int
	}{{"2357", 2357}, {"100k", 100_000}, {"1M", 1_000_000}} {
		b.Run(size.name, func(b *testing.B) {
			histories := simulated(b, size.clients)
			for b.Loop() {
				if _, err := clientvalue.Fit(context.Background(), histories, clientvalue.BGNBD, clientvalue.FitOptions{Starts: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFitSpend(b *testing.B) {
	histories := simulated(b, 100_000)
	for b.Loop() {
		if _, err := clientvalue.FitSpend(context.Background(), histories); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScore scores 100,000 clients over a year.
func BenchmarkScore(b *testing.B) {
	b.Run("100k", func(b *testing.B) {
		histories := simulated(b, 100_000)
		spend := clientvalue.SpendFit{Method: clientvalue.SpendGammaGamma, GammaGamma: eval.ReferenceSpend}
		fitted := clientvalue.Fitted{Model: clientvalue.BGNBD, Params: eval.ReferenceParams}
		options := clientvalue.DefaultOptions(eval.CDNOWLike(0).Cut())
		for b.Loop() {
			scores, err := clientvalue.ScoreAll(context.Background(), histories, fitted, spend, options)
			if err != nil {
				b.Fatal(err)
			}
			if err := clientvalue.AssignSegments(scores, options.Shares); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPredict goes from the payments of 100,000 clients to their scores.
func BenchmarkPredict(b *testing.B) {
	population := eval.CDNOWLike(100_000)
	purchases := population.Purchases()
	for b.Loop() {
		if _, err := clientvalue.Predict(context.Background(), purchases, clientvalue.DefaultOptions(population.Cut())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExpectedPurchases shows the series and the quadrature.
func BenchmarkExpectedPurchases(b *testing.B) {
	history := clientvalue.History{ClientID: "1", X: 4, Recency: 20, Age: 30}
	for name, params := range map[string]clientvalue.Params{
		"series": eval.ReferenceParams, "quadrature": {R: 5000, Alpha: 20000, A: .5, B: 1},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := clientvalue.BGNBD.ExpectedPurchases(params, history, 52); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func simulated(b *testing.B, clients int) []clientvalue.History {
	b.Helper()
	population := eval.CDNOWLike(clients)
	histories, err := clientvalue.Summarise(population.Purchases(), population.Cut())
	if err != nil {
		b.Fatal(err)
	}
	return histories
}
