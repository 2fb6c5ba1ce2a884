package knowledgegraph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/eval"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/internal/agenttest"
	"github.com/nuzantara/ciclo/internal/demo"
	"github.com/nuzantara/ciclo/internal/modelserver"
)

// perfect says of the demo's messages what the truth has, by their texts.
func perfect(f *firm, truth demo.Knowledge) func(modelserver.Asked) string {
	f.t.Helper()
	bodies := map[string]string{}
	rows, err := f.pool.Query(f.t.Context(), `SELECT id, body FROM crm.messages`)
	if err != nil {
		f.t.Fatal(err)
	}
	var id, body string
	if _, err := pgx.ForEachRow(rows, []any{&id, &body}, func() error { bodies[id] = body; return nil }); err != nil {
		f.t.Fatal(err)
	}
	types := map[string]string{}
	for _, e := range truth.Entities {
		types[e.ID] = e.Type
	}
	of, named := map[string]says{}, map[string]map[string]demo.Place{} // by text; by message and entity
	for _, p := range truth.Places {
		body := bodies[p.Message]
		s := of[body]
		if slices.Contains(saidTypes, extraction.Type(types[p.Entity])) {
			s.names = append(s.names, [2]string{types[p.Entity], p.Surface})
		}
		of[body] = s
		if named[p.Message] == nil {
			named[p.Message] = map[string]demo.Place{}
		}
		named[p.Message][p.Entity] = p
	}
	for _, e := range truth.Edges {
		for _, id := range e.Messages {
			subject, both := named[id][e.Subject]
			object, there := named[id][e.Object]
			if !there {
				continue
			}
			text := []rune(bodies[id])
			from, to := max(0, object.Start-100), object.End
			if both {
				from, to = min(subject.Start, object.Start), max(subject.End, object.End)
			}
			s := of[bodies[id]]
			s.relations = append(s.relations, [4]string{e.Relation, subject.Surface, object.Surface, string(text[from:to])})
			of[bodies[id]] = s
		}
	}
	return func(a modelserver.Asked) string {
		var all []says
		for _, m := range shown(a) {
			s := of[m.Text]
			s.words = m.Text
			all = append(all, s)
		}
		return by(all...)(a)
	}
}

// figures are those of the demo's truth, by their names.
func (f *firm) figures(truth demo.Knowledge) map[string]float64 {
	f.t.Helper()
	all := map[string]float64{}
	for _, figure := range eval.Compare(truth, f.built()) {
		var measured float64
		if _, err := fmt.Sscan(figure.Measured, &measured); err != nil {
			f.t.Fatalf("%s: %q: %v", figure.Name, figure.Measured, err)
		}
		all[figure.Name] = measured
	}
	return all
}

// A model that is always right makes no figure worse, and finds the companies and places
// that the firm's lists lack.
func TestAPerfectModel(t *testing.T) {
	t.Parallel()
	truth := demo.Graph(demo.DefaultTruth, 1, today)
	for name, lists := range map[string]bool{"with the firm's lists": true, "without companies and places": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := demoFirm(t)
			f.exec(`DELETE FROM crm.messages m WHERE conversation_id NOT IN (SELECT conversation_id FROM crm.messages WHERE id = ANY ($1))`, truth.Messages)
			if !lists {
				f.exec(`DELETE FROM crm.names WHERE type IN ('company', 'location')`)
			}
			f.run(year)
			before := f.figures(truth)
			a := agenttest.On(t, f.pool, Name, perfect(f, truth))
			model := a.Model("anthropic", "", "")
			f.begin()
			said := newLedger(f).attempt(model, 500, nil).LanguageModel
			if said.Calls < 400 || len(said.Fallbacks) != 0 || said.Waiting != 0 {
				t.Fatalf("%+v", said)
			}
			t.Logf("%+v", said)
			after := f.figures(truth)
			for figure, was := range before {
				t.Logf("%s: %.3f, with the model %.3f", figure, was, after[figure])
				worse := after[figure] < was
				if figure == "demo: namesakes taken for one" || figure == "demo: edges of what is asked or denied" {
					worse = after[figure] > was
				}
				if worse {
					t.Errorf("%s: %.3f, with the model %.3f", figure, was, after[figure])
				}
			}
			for _, figure := range []string{"demo: names, recall", "demo: works_for, recall", "demo: located_in, recall"} {
				if after[figure] < .99 {
					t.Errorf("%s: %.3f", figure, after[figure])
				}
			}
		})
	}
}
