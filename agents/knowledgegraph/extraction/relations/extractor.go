package relations

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

const (
	name = "relations"
	// version is another where patterns or what surrounds them are.
	version = "3"

	// maxQuote bounds the words that say a relation, in bytes.
	maxQuote = 400
	// alternativeOf is what a requirement's confidence is multiplied by where one of
	// several is enough.
	alternativeOf = .6
)

var patterns = newShelf(english, indonesian, italian)

// Extractor finds relations of mentions that others found.
type Extractor struct {
	model *Model
}

var _ extraction.Extractor = (*Extractor)(nil)

// New is an extractor by patterns and, where there is one, by a model that Learn
// made.
func New(model *Model) *Extractor { return &Extractor{model} }

// Name is "relations".
func (e *Extractor) Name() string { return name }

// Version is that of the patterns and the model.
func (e *Extractor) Version() string {
	if e.model == nil {
		return version
	}
	return version + "+" + e.model.Version()
}

// Extract adds relations: for two mentions and a predicate one at most, in order of
// places. It fails where a mention's place isn't one in the message, or is another
// mention's too.
func (e *Extractor) Extract(ctx context.Context, m extraction.Message, found extraction.Found) (extraction.Found, error) {
	if err := ctx.Err(); err != nil {
		return found, err
	}
	if len(found.Mentions) == 0 {
		return found, nil
	}
	items, err := itemise(m.Body, found.Mentions)
	if err != nil {
		return found, fmt.Errorf("find relations in message %s: %w", m.ID, err)
	}
	t := &text{body: m.Body, items: items, mentions: found.Mentions}
	all := sentences(items)
	t.selves, t.client = t.writer(m, all)
	said := map[triple]extraction.Relation{}
	for _, s := range all {
		t.byPatterns(s, said)
		t.byWriter(s, said)
		if e.model != nil {
			t.byModel(s, e.model, said)
		}
	}
	relations := make([]extraction.Relation, 0, len(said))
	for _, r := range said {
		r.Extractor, r.Version = name, e.Version()
		relations = append(relations, r)
	}
	slices.SortFunc(relations, func(a, b extraction.Relation) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Predicate, b.Predicate))
	})
	found.Relations = slices.Concat(found.Relations, relations)
	return found, nil
}

// triple is two mentions, by their indexes, and a relation.
type triple struct {
	subject, object int
	predicate       extraction.Predicate
}

func (t *text) byPatterns(s sentence, said map[triple]extraction.Relation) {
	for i := s.from; i < s.to; i++ {
		for _, m := range t.matches(patterns.relations, i) {
			if t.partOfAnother(m) || t.doubted(s, m.Predicate, m.from, m.to) {
				continue
			}
			quote, ok := t.quote(s, m.from, m.to)
			if !ok {
				continue
			}
			confidence := m.Confidence
			if m.Predicate == extraction.Requires && m.or {
				confidence *= alternativeOf
			}
			for _, subject := range m.subjects {
				for _, object := range m.objects {
					t.say(said, extraction.Relation{
						Span: quote, Subject: t.items[subject].mention, Object: t.items[object].mention,
						Predicate: m.Predicate, Confidence: confidence,
					})
				}
			}
		}
	}
}

// say keeps the surer of two that say the same, the first where they are as sure.
func (t *text) say(said map[triple]extraction.Relation, r extraction.Relation) {
	if r.Subject != extraction.Writer {
		a, b := t.mentions[r.Subject], t.mentions[r.Object]
		if a.Type == b.Type && a.Key == b.Key {
			return
		}
	}
	key := triple{r.Subject, r.Object, r.Predicate}
	if before, there := said[key]; !there || before.Confidence < r.Confidence {
		said[key] = r
	}
}

// parts are words that make the mention behind them part of something else.
var parts = wordSet("of 's with to by from like than about dari dengan milik oleh untuk tentang di del della dell' dello dei con da dal dalla")

func (t *text) partOfAnother(m match) bool {
	if !m.whole {
		return false
	}
	i := m.from
	for i > 0 && fillers[t.word(i-1)] {
		i--
	}
	return parts[t.word(i-1)]
}

// quote is the clause around what items from to to say, or they alone where the
// clause is long; ok is false where even that is.
func (t *text) quote(s sentence, from, to int) (extraction.Span, bool) {
	start, end := t.clauseStart(s, from), t.clauseEnd(to)
	clause := extraction.Span{Start: t.items[start].Start, End: t.items[end-1].End}
	if clause.End-clause.Start <= maxQuote {
		return clause, true
	}
	bare := extraction.Span{Start: t.items[from].Start, End: t.items[to-1].End}
	return bare, bare.End-bare.Start <= maxQuote
}
