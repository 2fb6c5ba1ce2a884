package eval

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// CoNLLSentence is one of CoNLL04.
type CoNLLSentence struct {
	Tokens []string
	// Spans in the order of their places, none overlapping another.
	Spans     []CoNLLSpan
	Relations []CoNLLRelation
}

// CoNLLSpan is an entity: tokens from 0, the end excluded. Type is Peop, Loc, Org or
// Other.
type CoNLLSpan struct {
	Start, End int
	Type       string
}

// CoNLLRelation is of two of a sentence's spans, by their indexes. Type is Work_For,
// Kill, OrgBased_In, Live_In or Located_In.
type CoNLLRelation struct {
	Head, Tail int
	Type       string
}

// ReadCoNLL reads conll04/conll04_train.json or conll04_dev.json, in the file's
// order. Tags that are no BILOU and relations of spans that aren't there are refused.
func ReadCoNLL(path string) ([]CoNLLSentence, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read CoNLL04: %w", err)
	}
	var rows []struct {
		Tokens, Tags []string
		Relations    []CoNLLRelation
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fmt.Errorf("read CoNLL04 %s: %w", path, err)
	}
	sentences := make([]CoNLLSentence, len(rows))
	for i, row := range rows {
		if len(row.Tokens) != len(row.Tags) {
			return nil, fmt.Errorf("read CoNLL04 %s: sentence %d has %d tokens and %d tags", path, i, len(row.Tokens), len(row.Tags))
		}
		spans, err := bilouSpans(row.Tags)
		if err != nil {
			return nil, fmt.Errorf("read CoNLL04 %s: sentence %d: %w", path, i, err)
		}
		for _, r := range row.Relations {
			if r.Head < 0 || r.Head >= len(spans) || r.Tail < 0 || r.Tail >= len(spans) {
				return nil, fmt.Errorf("read CoNLL04 %s: sentence %d relates spans %d and %d of %d", path, i, r.Head, r.Tail, len(spans))
			}
		}
		sentences[i] = CoNLLSentence{row.Tokens, spans, row.Relations}
	}
	return sentences, nil
}

// bilouSpans are the spans that tags say.
func bilouSpans(tags []string) ([]CoNLLSpan, error) {
	var spans []CoNLLSpan
	start, open := 0, ""
	for i, tag := range tags {
		position, kind, _ := strings.Cut(tag, "-")
		inside := position == "I" || position == "L"
		if (open != "") != inside || inside && kind != open {
			return nil, fmt.Errorf("tag %d, %s, can't stand there", i, tag)
		}
		switch position {
		case "B":
			start, open = i, kind
		case "U":
			spans = append(spans, CoNLLSpan{i, i + 1, kind})
		case "L":
			spans, open = append(spans, CoNLLSpan{start, i + 1, kind}), ""
		case "O", "I":
		default:
			return nil, fmt.Errorf("tag %d, %q, is no BILOU", i, tag)
		}
	}
	if open != "" {
		return nil, fmt.Errorf("the last %s has no end", open)
	}
	return spans, nil
}
