package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/relations"
)

// graphRelations are the graph's of CoNLL04's; Kill has none.
var graphRelations = map[string]extraction.Predicate{
	"Work_For": extraction.WorksFor, "Live_In": extraction.LocatedIn, "Located_In": extraction.LocatedIn, "OrgBased_In": extraction.LocatedIn,
}

// readPatterns is what the product's patterns find where entities are told.
func readPatterns(sentences []CoNLLSentence) (relationsFound, error) {
	var m relationsFound
	patterns := relations.New(nil)
	for i, s := range sentences {
		message, given, spans := s.message(fmt.Sprint(i))
		found, err := patterns.Extract(context.Background(), message, given)
		if err != nil {
			return m, err
		}
		for _, r := range s.Relations {
			if graphRelations[r.Type] != "" {
				m.there++
			}
		}
		for _, r := range found.Relations {
			p := pair{head: s.Spans[spans[r.Subject]], tail: s.Spans[spans[r.Object]], relation: string(r.Predicate), probability: r.Confidence}
			p.right = graphRelations[s.has(p.head, p.tail)] == r.Predicate
			m.pairs = append(m.pairs, p)
		}
	}
	return m, nil
}

// message is a sentence as text, its entities that the graph has a type for as
// mentions, and which of its spans they are.
func (s CoNLLSentence) message(id string) (extraction.Message, extraction.Found, []int) {
	var body strings.Builder
	var found extraction.Found
	var spans []int
	for i := 0; i < len(s.Tokens); i++ {
		if i > 0 && !slices.Contains([]string{",", ".", "'s"}, s.Tokens[i]) {
			body.WriteByte(' ')
		}
		start := body.Len()
		body.WriteString(s.Tokens[i])
		at := slices.IndexFunc(s.Spans, func(span CoNLLSpan) bool { return span.Start == i })
		if at < 0 || conllTypes[s.Spans[at].Type] == "" {
			continue
		}
		name := strings.Join(s.Tokens[i:s.Spans[at].End], " ")
		body.WriteString(name[len(s.Tokens[i]):])
		i = s.Spans[at].End - 1
		spans = append(spans, at)
		found.Mentions = append(found.Mentions, extraction.Mention{
			Span: extraction.Span{Start: start, End: body.Len()}, Type: conllTypes[s.Spans[at].Type], Key: strings.ToLower(name), Name: name, Confidence: 1,
		})
	}
	return extraction.Message{ID: id, Body: body.String()}, found, spans
}
