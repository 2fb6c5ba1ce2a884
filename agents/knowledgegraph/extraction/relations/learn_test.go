package relations

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told are messages in which people work for firms or only meet them.
func told(t *testing.T, n int, person, firm string) []Read {
	t.Helper()
	var all []Read
	for i := range n {
		for _, text := range []string{"So [%s%d:P] works for [%s%d:C] now.", "[%s%d:P] met [%s%d:C] yesterday.", "[%s%d:P] does not work for [%s%d:C] yet."} {
			all = append(all, mark(t, fmt.Sprintf(text, person, i, firm, i)))
		}
	}
	return all
}

func TestLearnFromPatterns(t *testing.T) {
	t.Parallel()
	m, err := Learn(told(t, enough, "Anna", "Acme"))
	if err != nil {
		t.Fatal(err)
	}
	for text, likely := range map[string]bool{"So [Budi:P] works for [Globex:C] now": true, "[Budi:P] met [Globex:C] yesterday": false, "[Budi:P] does not work for [Globex:C] yet": false} {
		s, at := sentenceOf(t, text)
		if len(at) != 2 {
			t.Fatal(at)
		}
		if got := m.Relations(s, 0, 1); len(got) != 1 || got[0].Relation != "works_for" || (got[0].Probability > .5) != likely {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func sentenceOf(t *testing.T, marked string) (Sentence, []int) {
	t.Helper()
	read := mark(t, marked)
	items, err := itemise(read.Message.Body, read.Found.Mentions)
	if err != nil {
		t.Fatal(err)
	}
	x := &text{body: read.Message.Body, items: items, mentions: read.Found.Mentions}
	return x.sentence(sentences(items)[0])
}

func TestModelHoldsNoNames(t *testing.T) {
	t.Parallel()
	one, err := Learn(told(t, enough, "Anna", "Acme"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Learn(told(t, enough, "Budi", "Globex"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Encode(), other.Encode()) {
		t.Error("other names make another model")
	}
}

func TestLearnInAnyOrder(t *testing.T) {
	t.Parallel()
	messages := told(t, enough, "Anna", "Acme")
	one, err := Learn(messages)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(messages)
	other, err := Learn(messages)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Encode(), other.Encode()) {
		t.Error("another order makes another model")
	}
}

func TestTooFewToLearn(t *testing.T) {
	t.Parallel()
	if _, err := Learn(told(t, enough-1, "Anna", "Acme")); !errors.Is(err, ErrNothingToLearn) {
		t.Errorf("learned from too few: %v", err)
	}
}

// A model that knows a way to say it that no pattern has finds it, but not where
// the sentence takes it back.
func TestModelBeyondPatterns(t *testing.T) {
	t.Parallel()
	var examples []Example
	for i := range 40 {
		for text, relation := range map[string]string{"[Anna:P] toils at [Acme:C]": "works_for", "[Anna:P] met [Acme:C]": ""} {
			s, _ := sentenceOf(t, strings.Repeat("so ", i%4)+text)
			examples = append(examples, Example{s, 0, 1, relation})
		}
	}
	m, err := Train(examples)
	if err != nil {
		t.Fatal(err)
	}
	e := New(m)
	if e.Version() != "3+"+m.Version() {
		t.Errorf("version %s", e.Version())
	}
	for text, want := range map[string][]string{
		"[Budi:P] toils at [Globex:C]":                                     {"Budi works_for Globex"},
		"[Budi:P] met [Globex:C]":                                          nil,
		"I doubt that [Budi:P] toils at [Globex:C]":                        nil,
		"[Budi:P] toils at [Globex:C]?":                                    nil,
		"[Budi:P] never toils at [Globex:C]":                               nil,
		"[Budi:P] toils at [Bali:L]":                                       nil,
		"[Budi:P]. Toils at [Globex:C]":                                    nil,
		"[Budi:P]" + strings.Repeat(" so", reach) + " toils at [Globex:C]": nil,
	} {
		if diff := cmp.Diff(want, triples(t, e, text)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if got := triples(t, New(nil), "[Budi:P] toils at [Globex:C]"); got != nil {
		t.Errorf("a pattern says it: %v", got)
	}
}
