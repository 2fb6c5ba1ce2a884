package eval

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction/tagger"
)

// conllTypes are the graph's types of CoNLL04's; Other has none.
var conllTypes = map[string]extraction.Type{"Peop": extraction.Person, "Org": extraction.Company, "Loc": extraction.Location}

// CoNLL04Firm measures what a firm gets: CoNLL04's train part are its messages, half
// of the names, by a hash, its gazetteer. The tagger learns from what the gazetteer
// finds, and looks for names that it doesn't have in the same messages, and in the dev
// part as messages that came later. Names of type Other are none, so finding one is
// wrong. Recall is against having no tagger, which finds none of these; its floor
// only says that there is a gain.
func CoNLL04Firm(data string) ([]Figure, error) {
	train, err := ReadCoNLL(filepath.Join(data, "conll04", "conll04_train.json"))
	if err != nil {
		return nil, err
	}
	dev, err := ReadCoNLL(filepath.Join(data, "conll04", "conll04_dev.json"))
	if err != nil {
		return nil, err
	}
	messages, gold := asMessages(train)
	listed := map[string]extraction.Type{}
	for i, names := range gold {
		for _, name := range names {
			if text := messages[i].Body[name.Start:name.End]; inList(text) {
				// One name, one type: the first in order, whatever the order of messages.
				if known, there := listed[text]; !there || name.Type < known {
					listed[text] = name.Type
				}
			}
		}
	}
	found := make([]extraction.Found, len(messages))
	for i, m := range messages {
		found[i] = matches(m, listed)
	}
	model, err := tagger.TrainMatches(messages, found)
	if err != nil {
		return nil, err
	}
	reader := tagger.New(model)
	learnt, err := unlisted(reader, messages, gold, listed)
	if err != nil {
		return nil, err
	}
	messages, gold = asMessages(dev)
	later, err := unlisted(reader, messages, gold, listed)
	if err != nil {
		return nil, err
	}
	figure := func(name, target, format string, value func(spanCounts) float64, of func(spanCounts) int, least float64) Figure {
		return Figure{
			"names that no list has, CoNLL04: " + name, target,
			fmt.Sprintf(format, value(learnt), of(learnt), value(later), of(later)), value(learnt) >= least,
		}
	}
	return []Figure{
		figure("precision", "≥ .80", "%.3f of %d; in later messages %.3f of %d", spanCounts.precision, func(c spanCounts) int { return c.guessed }, .8),
		figure("recall", "≥ .15", "%.3f of %d; in later messages %.3f of %d", spanCounts.recall, func(c spanCounts) int { return c.gold }, .15),
	}, nil
}

// unlisted counts what a tagger finds where the list finds nothing.
func unlisted(reader *tagger.Tagger, messages []extraction.Message, gold [][]place, listed map[string]extraction.Type) (spanCounts, error) {
	var c spanCounts
	for i, m := range messages {
		found := matches(m, listed)
		all, err := reader.Extract(context.Background(), m, found)
		if err != nil {
			return c, err
		}
		places := map[place]bool{}
		for _, name := range gold[i] {
			if !slices.ContainsFunc(found.Mentions, func(o extraction.Mention) bool { return o.Start < name.End && name.Start < o.End }) {
				places[name] = true
			}
		}
		c.gold += len(places)
		for _, mention := range all.Mentions[len(found.Mentions):] {
			c.guessed++
			if places[place{mention.Span, mention.Type}] {
				c.right++
			}
		}
	}
	return c, nil
}

// inList says of half of the names that the firm has them.
func inList(name string) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.ToLower(name))) // a hash takes all
	return h.Sum64()%2 == 0
}

type place struct {
	extraction.Span
	Type extraction.Type
}

// asMessages joins tokens by blanks. Names are without the punctuation that CoNLL04
// leaves at their ends ("Boise.").
func asMessages(sentences []CoNLLSentence) (messages []extraction.Message, gold [][]place) {
	for i, s := range sentences {
		var starts []int
		at := 0
		for _, token := range s.Tokens {
			starts = append(starts, at)
			at += len(token) + 1
		}
		m := extraction.Message{ID: fmt.Sprint(i), Body: strings.Join(s.Tokens, " ")}
		var names []place
		for _, span := range s.Spans {
			kind, known := conllTypes[span.Type]
			if !known {
				continue
			}
			start, end := starts[span.Start], starts[span.End-1]+len(s.Tokens[span.End-1])
			text := strings.TrimRightFunc(m.Body[start:end], unicode.IsPunct)
			end = start + len(text)
			if left := strings.TrimLeftFunc(text, unicode.IsPunct); left != "" {
				names = append(names, place{extraction.Span{Start: end - len(left), End: end}, kind})
			}
		}
		messages, gold = append(messages, m), append(gold, names)
	}
	return messages, gold
}

// matches finds listed names as whole words, the longest first, from the left.
func matches(m extraction.Message, listed map[string]extraction.Type) extraction.Found {
	var all []extraction.Mention
	for name, kind := range listed {
		for at := 0; ; {
			i := strings.Index(m.Body[at:], name)
			if i < 0 {
				break
			}
			start := at + i
			end := start + len(name)
			at = end
			if (start == 0 || !isLetter(m.Body[start-1])) && (end == len(m.Body) || !isLetter(m.Body[end])) {
				all = append(all, extraction.Mention{Span: extraction.Span{Start: start, End: end}, Type: kind, Key: strings.ToLower(name), Name: name, Extractor: "list", Version: "1", Confidence: 1})
			}
		}
	}
	slices.SortFunc(all, func(a, b extraction.Mention) int { return cmp.Or(a.Start-b.Start, b.End-a.End) })
	var found extraction.Found
	end := 0
	for _, mention := range all {
		if mention.Start >= end {
			found.Mentions = append(found.Mentions, mention)
			end = mention.End
		}
	}
	return found
}

func isLetter(b byte) bool {
	return b >= 0x80 || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}
