package relations

import (
	"fmt"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

const (
	// enough is how many pairs must have a relation by patterns before it is learned.
	enough = 50
	// sure is the probability from which a relation that no pattern says is kept.
	sure = .9
	// reach is how many items two mentions may be apart, and maxMentions how many of a
	// sentence are looked at, the first ones.
	reach       = 30
	maxMentions = 16
)

// Read is a message and what was found in it.
type Read struct {
	Message extraction.Message
	Found   extraction.Found
}

// Learn trains a model on what patterns find in messages, and on the pairs of
// mentions, of types that a relation could be of, where they find nothing or where
// the sentence denies or asks it. It sees mentions by their types alone, so that no
// model holds a name. ErrNothingToLearn is of too few of every relation.
//
// Nobody needs it so far: on CoNLL04 it finds none of the 118 pairs of a pattern that
// was held out of training, and of all that no pattern says nothing surely enough to
// keep. What no pattern says is a lesson of none to it, right or wrong.
func Learn(messages []Read) (*Model, error) {
	var examples []Example
	count := map[string]int{}
	for _, read := range messages {
		items, err := itemise(read.Message.Body, read.Found.Mentions)
		if err != nil {
			return nil, fmt.Errorf("learn relations of message %s: %w", read.Message.ID, err)
		}
		t := &text{body: read.Message.Body, items: items, mentions: read.Found.Mentions}
		for _, s := range sentences(items) {
			said := map[triple]extraction.Relation{}
			t.byPatterns(s, said)
			sentence, at := t.sentence(s)
			for subject := range at {
				for object := range at {
					a, b := t.items[at[subject]].mention, t.items[at[object]].mention
					e := Example{Sentence: sentence, Subject: subject, Object: object}
					for _, p := range t.possible(at[subject], at[object]) {
						if _, there := said[triple{a, b, p}]; there {
							e.Relation = string(p)
							count[e.Relation]++
							break
						}
					}
					examples = append(examples, e)
				}
			}
		}
	}
	kept := examples[:0]
	for _, e := range examples {
		if e.Relation == "" || count[e.Relation] >= enough {
			kept = append(kept, e)
		}
	}
	return Train(kept)
}

// possible are relations that mentions at two items may have.
func (t *text) possible(subject, object int) []extraction.Predicate {
	if subject == object || subject-object > reach || object-subject > reach {
		return nil
	}
	return predicates(t.mentions[t.items[subject].mention].Type, t.mentions[t.items[object].mention].Type)
}

// sentence is what the model sees, with a mention as one word, and where the
// mentions are among the items.
func (t *text) sentence(s sentence) (Sentence, []int) {
	var seen Sentence
	var at []int
	for i := s.from; i < s.to; i++ {
		it := t.items[i]
		if it.mention < 0 {
			seen.Words = append(seen.Words, it.word)
			continue
		}
		kind := string(t.mentions[it.mention].Type)
		if len(at) < maxMentions {
			seen.Mentions = append(seen.Mentions, Argument{Start: len(seen.Words), End: len(seen.Words) + 1, Type: kind})
			at = append(at, i)
		}
		seen.Words = append(seen.Words, kind)
	}
	return seen, at
}

// byModel adds what the model is sure of and no pattern says.
func (t *text) byModel(s sentence, m *Model, said map[triple]extraction.Relation) {
	seen, at := t.sentence(s)
	if len(at) < 2 {
		return
	}
	v := look(seen)
	for subject := range at {
		for object := range at {
			possible := t.possible(at[subject], at[object])
			if len(possible) == 0 {
				continue
			}
			likely := m.likely(v, subject, object)
			if len(likely) == 0 || likely[0].Probability < sure {
				continue
			}
			p := extraction.Predicate(likely[0].Relation)
			from, to := min(at[subject], at[object]), max(at[subject], at[object])+1
			quote, short := t.quote(s, from, to)
			if !short || t.deniedWithin(from, to) || t.doubted(s, p, from, to) {
				continue
			}
			r := extraction.Relation{Span: quote, Subject: t.items[at[subject]].mention, Object: t.items[at[object]].mention, Predicate: p, Confidence: likely[0].Probability}
			if _, there := said[triple{r.Subject, r.Object, p}]; !there {
				t.say(said, r)
			}
		}
	}
}

func (t *text) deniedWithin(from, to int) bool {
	for i := from; i < to; i++ {
		if word := t.word(i); denied(word) || hypotheses[word] || doubts[word] || overs[word] {
			return true
		}
	}
	return false
}
