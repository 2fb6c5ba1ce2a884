package eval

import (
	"fmt"
	"testing"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/resolution"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	figures, err := People()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		t.Logf("%s: %s, %s", f.Name, f.Measured, f.Target)
		if !f.Pass {
			t.Errorf("%s: %s, want %s", f.Name, f.Measured, f.Target)
		}
	}
}

// BenchmarkResolve is of n and 4n records, which should take not much more than four
// times as long.
func BenchmarkResolve(b *testing.B) {
	for _, clients := range []int{6_250, 25_000} {
		p := Plan{Seed: 1, Clients: clients, Others: clients / 2, Given: 400, Family: 5000}.Draw()
		b.Run(fmt.Sprintf("%d records", len(p.Records)), func(b *testing.B) {
			for b.Loop() {
				if _, err := resolution.Resolve(b.Context(), p.Records, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNamesakes is of people who all have one name, each with an address and two
// mentions without one.
func BenchmarkNamesakes(b *testing.B) {
	for _, n := range []int{2_500, 10_000} {
		var records []resolution.Record
		for i := range n {
			r := resolution.Record{ID: fmt.Sprintf("r%06d", i), Type: "person", Name: "Anna Ruiz"}
			switch i % 3 {
			case 0:
				r.ClientID, r.Emails = fmt.Sprintf("C-%d", i), []string{fmt.Sprintf("anna%d@gmail.com", i)}
			default:
				r.Conversation = fmt.Sprintf("conversation-%d", i/2)
			}
			records = append(records, r)
		}
		b.Run(fmt.Sprintf("%d records", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := resolution.Resolve(b.Context(), records, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
