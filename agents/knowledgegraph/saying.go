package knowledgegraph

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/relations"
	"github.com/nuzantara/ciclo/internal/graph"
)

// saying is what a language model said of one message, as far as the message bears it
// out: places in it, no word of it. It is kept, since messages are read again whenever
// the firm's lists change.
type saying struct {
	Engine  string `json:"engine"`
	Version string `json:"version"`
	// Hash is the text's, in hexadecimal: of another text it says nothing.
	Hash string `json:"hash"`
	// Why it said nothing, where this engine had better not be asked again.
	Why       string         `json:"why,omitempty"`
	Names     []saidName     `json:"names"`
	Relations []saidRelation `json:"relations"`
}

// place is bytes of the message's text from 0, the end excluded.
type place struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

type saidName struct {
	place
	Type extraction.Type `json:"type"`
}

type saidRelation struct {
	// Subject is nil where it is who writes.
	Subject   *place               `json:"subject"`
	Object    place                `json:"object"`
	Predicate extraction.Predicate `json:"relation"`
	Words     place                `json:"words"`
}

// same says that both are the same, but for the words.
func (r saidRelation) same(o saidRelation) bool {
	return r.Predicate == o.Predicate && r.Object == o.Object && (r.Subject == nil) == (o.Subject == nil) && (r.Subject == nil || *r.Subject == *o.Subject)
}

// sayingVersion is another where something else is asked, or made of what was said.
const sayingVersion = "1"

// What a model says is right so often: a judgement, which nothing has measured. What
// patterns and the firm's own lists say is surer.
const (
	saidNameConfidence     = .85
	saidRelationConfidence = .75
	// saidOfWriter is how sure it is that a client's messages are the client's own.
	saidOfWriter = .9
)

// heard is what was said of the messages that are being read, by their ids.
type heard struct{ of map[string]saying }

// hear reads what was said of messages, as they are now, and takes what was said just
// now in its place.
func (h *heard) hear(ctx context.Context, read func(context.Context, func(pgx.Tx) error) error, messages []message, fresh map[string]saying) error {
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	var kept map[string]json.RawMessage
	if err := read(ctx, func(tx pgx.Tx) (err error) { kept, err = graph.SaidOf(ctx, tx, ids); return err }); err != nil {
		return err
	}
	h.of = map[string]saying{}
	for _, m := range messages {
		said, is := fresh[m.ID]
		if text, was := kept[m.ID]; !is && was {
			if err := json.Unmarshal(text, &said); err != nil {
				return fmt.Errorf("read what was said of message %s: %w", m.ID, err)
			}
		}
		if said.Version == sayingVersion && said.Hash == hex.EncodeToString(m.hash) {
			h.of[m.ID] = said
		}
	}
	return nil
}

// sayings is the extractor that finds what an engine said. It is asked nothing here.
type sayings struct {
	engine string
	heard  *heard
}

// Name tells engines apart, so that the graph says which one found what.
func (s sayings) Name() string { return extractorOf(s.engine) }

func extractorOf(engine string) string { return "model " + engine }

// Version is that of what is made of what was said.
func (s sayings) Version() string { return sayingVersion }

// Extract adds names where nothing else was found, and relations of what then is there.
// What was found before keeps its place, its kind and who it is.
func (s sayings) Extract(_ context.Context, m extraction.Message, found extraction.Found) (extraction.Found, error) {
	said, is := s.heard.of[m.ID]
	if !is || said.Engine != s.engine {
		return found, nil
	}
	mentions := slices.Clone(found.Mentions)
	for _, n := range said.Names {
		span := extraction.Span(n.place)
		if overlaps(found, span) {
			continue
		}
		name := m.Body[span.Start:span.End]
		mentions = append(mentions, extraction.Mention{
			Span: span, Type: n.Type, Key: extraction.Normal(n.Type, name), Name: name,
			Extractor: s.Name(), Version: s.Version(), Confidence: saidNameConfidence,
		})
	}
	all := slices.Clone(found.Relations)
	for _, r := range said.Relations {
		if relation, fits := r.between(m, mentions); fits {
			relation.Extractor, relation.Version = s.Name(), s.Version()
			all = append(all, relation)
		}
	}
	found.Mentions, found.Relations = mentions, all
	return found, nil
}

func overlaps(found extraction.Found, span extraction.Span) bool {
	return slices.ContainsFunc(found.Mentions, func(m extraction.Mention) bool { return touch(m.Span, span) }) ||
		slices.ContainsFunc(found.Contacts, func(c extraction.Contact) bool { return touch(c.Span, span) })
}

func touch(a, b extraction.Span) bool { return a.Start < b.End && b.Start < a.End }

// between is the relation of the mentions that are where its ends were said to be, and
// whether there are such, of kinds that can be so related.
func (r saidRelation) between(m extraction.Message, mentions []extraction.Mention) (extraction.Relation, bool) {
	relation := extraction.Relation{Span: extraction.Span(r.Words), Subject: extraction.Writer, Predicate: r.Predicate, Confidence: saidRelationConfidence}
	object, there := mentionAt(mentions, extraction.Span(r.Object))
	if !there {
		return relation, false
	}
	relation.Object = object
	if r.Subject == nil {
		relation.Confidence *= saidOfWriter
		return relation, m.Role == "client" && m.ClientID != "" && relations.Relates(r.Predicate, extraction.Person, mentions[object].Type)
	}
	if relation.Subject, there = mentionAt(mentions, extraction.Span(*r.Subject)); !there || relation.Subject == object {
		return relation, false
	}
	of, to := mentions[relation.Subject], mentions[object]
	return relation, relations.Relates(r.Predicate, of.Type, to.Type) && (of.Type != to.Type || of.Key != to.Key)
}

// mentionAt is the mention that is at a place, or of which the place is a part, or the
// other way round: a legal form more or less. None where there are several.
func mentionAt(mentions []extraction.Mention, at extraction.Span) (int, bool) {
	found := -1
	for i, m := range mentions {
		if !touch(m.Span, at) {
			continue
		}
		within := m.Start <= at.Start && at.End <= m.End || at.Start <= m.Start && m.End <= at.End
		if found >= 0 || !within {
			return 0, false
		}
		found = i
	}
	return found, found >= 0
}
