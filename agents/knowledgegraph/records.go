package knowledgegraph

import (
	"fmt"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/internal/graph"
)

// recordOf says what a mention is of, before anybody resolves who is who. The
// conversation's own client is that client. Other people are one within their
// conversation; that one of the firm's lists has, and everything else, is one
// wherever it is named.
func recordOf(m message, mention extraction.Mention) graph.Record {
	r := graph.Record{Type: string(mention.Type), Scope: graph.FirmScope, Key: mention.Key, Name: mention.Name}
	switch {
	case mention.IsClient && mention.FirmID != "" && mention.FirmID == m.ClientID:
		r.Scope, r.Key, r.ClientID = graph.ClientScope(m.ClientID), m.ClientID, m.ClientID
	case mention.FirmID != "" && !mention.IsClient:
		r.Key = graph.FirmKey(mention.FirmID)
	case mention.Type == extraction.Person:
		r.Scope = graph.ConversationScope(m.ConversationID)
	}
	return r
}

// clientRecord is a client's own.
func clientRecord(c client) graph.Record {
	t := extraction.TypeOf(extraction.Person, c.Name)
	return graph.Record{Type: string(t), Scope: graph.ClientScope(c.ID), Key: c.ID, Name: c.Name, ClientID: c.ID}
}

// readingOf is what was found in a message as the graph keeps it: places in
// characters, and records in place of mentions. writers are the firm's clients by
// their ids, of whom people alone say something of themselves.
func readingOf(m message, found extraction.Found, writers map[string]graph.Record) (graph.Reading, error) {
	r := graph.Reading{MessageID: m.ID, ConversationID: m.ConversationID, ClientID: m.ClientID, SentAt: m.SentAt, BodyHash: m.hash}
	var spans []extraction.Span
	for _, mention := range found.Mentions {
		spans = append(spans, mention.Span)
	}
	for _, relation := range found.Relations {
		spans = append(spans, relation.Span)
	}
	places, err := extraction.Characters(m.Body, spans)
	if err != nil {
		return r, fmt.Errorf("message %s: %w", m.ID, err)
	}
	for i, mention := range found.Mentions {
		r.Mentions = append(r.Mentions, graph.FoundMention{
			Start: places[i].Start, End: places[i].End, Surface: m.Body[mention.Start:mention.End], Record: recordOf(m, mention),
			Extractor: mention.Extractor, Version: mention.Version, Confidence: mention.Confidence,
		})
	}
	for _, c := range found.Contacts {
		if c.Of >= 0 {
			r.Attributes = append(r.Attributes, graph.FoundAttribute{
				Record: recordOf(m, found.Mentions[c.Of]), Kind: string(c.Kind), Value: c.Value, Extractor: c.Extractor, Version: c.Version,
			})
		}
	}
	for i, relation := range found.Relations {
		place, object := places[len(found.Mentions)+i], found.Mentions[relation.Object]
		// It is right if the relation is, and both are what they are taken for.
		confidence := relation.Confidence * object.Confidence
		subject, known := writers[m.ClientID]
		if relation.Subject != extraction.Writer {
			subject, known = recordOf(m, found.Mentions[relation.Subject]), true
			confidence *= found.Mentions[relation.Subject].Confidence
		}
		if !known || relation.Subject == extraction.Writer && subject.Type != string(extraction.Person) {
			continue
		}
		r.Evidence = append(r.Evidence, graph.FoundEvidence{
			Subject: subject, Relation: string(relation.Predicate), Object: recordOf(m, object),
			Start: place.Start, End: place.End, Quote: m.Body[relation.Start:relation.End],
			Extractor: relation.Extractor, Version: relation.Version, Confidence: confidence,
		})
	}
	return r, nil
}
