package tagger

import (
	"context"
	"sync"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

// Name is the tagger's among the extractors.
const Name = "tagger"

// codeVersion changes with what this code makes of a model and a message.
const codeVersion = "2"

// Threshold is the least confidence of a mention: a wrong name costs the graph more
// than one that is missed.
const Threshold = .8

// maxNameBytes is the longest name that is taken for one.
const maxNameBytes = 200

// Tagger finds names by a model where extractors before it have found nothing. It
// may be used by many at once.
type Tagger struct {
	version string
	readers sync.Pool
}

// New returns a tagger by the model.
func New(m *Model) *Tagger {
	return &Tagger{version: codeVersion + "-" + m.Version(), readers: sync.Pool{New: func() any { return m.NewReader() }}}
}

// Name is the extractor's.
func (t *Tagger) Name() string { return Name }

// Version is another for another model, and where the code finds something else.
func (t *Tagger) Version() string { return t.version }

// Extract adds the names of which the model is confident enough.
func (t *Tagger) Extract(ctx context.Context, m extraction.Message, found extraction.Found) (extraction.Found, error) {
	reader := t.readers.Get().(*Reader)
	defer t.readers.Put(reader)
	added := found
	added.Mentions = append([]extraction.Mention(nil), found.Mentions...)
	taken := newPlaces(found)
	var words []string
	var err error
	sentences(m.Body, func(tokens []extraction.Span) {
		if err != nil {
			return
		}
		if err = ctx.Err(); err != nil {
			return
		}
		words = words[:0]
		for _, token := range tokens {
			words = append(words, m.Body[token.Start:token.End])
		}
		known, given := taken.among(tokens)
		for _, guess := range reader.Read(words, known) {
			span := extraction.Span{Start: tokens[guess.Start].Start, End: tokens[guess.End-1].End}
			if guess.Confidence < Threshold || span.End-span.Start > maxNameBytes || given(guess.Span) {
				continue
			}
			name, kind := m.Body[span.Start:span.End], extraction.Type(guess.Type)
			key := extraction.Normal(kind, name)
			if key == "" || extraction.Ordinary(name) {
				continue
			}
			added.Mentions = append(added.Mentions, extraction.Mention{
				Span: span, Type: kind, Key: key, Name: name,
				Extractor: Name, Version: t.version, Confidence: guess.Confidence,
			})
		}
	})
	if err != nil {
		return extraction.Found{}, err
	}
	return added, nil
}
