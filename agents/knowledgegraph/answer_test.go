package knowledgegraph

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/agents/knowledgegraph/extraction"
)

func TestWhereNamesAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body, text string
		kind       extraction.Type
		places     []place
		why        string
	}{
		"wherever it is":            {"Clara, Clara's and Clarabella: Clara", "Clara", extraction.Person, []place{{0, 5}, {7, 12}, {31, 36}}, ""},
		"with accents":              {"Das ist Zoë Müller.", "Zoë Müller", extraction.Person, []place{{8, 20}}, ""},
		"with a mark that combines": {"Zoe\u0308 is here", "Zoe", extraction.Person, nil, dropWords},
		"between signs":             {"(PT Zenith)", "PT Zenith", extraction.Company, []place{{1, 10}}, ""},
		"with a dot at its end":     {"by Acme S.r.l. today", "Acme S.r.l.", extraction.Company, []place{{3, 14}}, ""},
		"without blanks":            {"我是王小明的朋友", "王小明", extraction.Person, []place{{6, 15}}, ""},
		"in another case":           {"clara voss", "Clara Voss", extraction.Person, nil, dropWords},
		"in another form":           {"Mu\u0308ller", "M\u00fcller", extraction.Person, nil, dropWords},
		"a part of a word":          {"Zenithal", "Zenith", extraction.Company, nil, dropWords},
		"over a line's end":         {"Clara\nVoss", "Clara\nVoss", extraction.Person, nil, dropName},
		"a common word as a name":   {"Thank you", "Thank", extraction.Company, nil, dropName},
		"a common word as a topic":  {"of tax", "tax", extraction.Topic, []place{{3, 6}}, ""},
		"no letter":                 {"a !! b", "!!", extraction.Topic, nil, dropName},
		"nothing":                   {"a", "", extraction.Topic, nil, dropName},
		"without end":               {strings.Repeat("Zenith ", 100), strings.TrimSpace(strings.Repeat("Zenith ", 100)), extraction.Company, nil, dropName},
		"a date":                    {"12 May 2026", "12 May 2026", extraction.Date, nil, dropKind},
		"of no kind":                {"Clara", "Clara", "", nil, dropKind},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			places, why := namePlaces(c.body, c.kind, c.text)
			if diff := cmp.Diff(c.places, places); diff != "" || why != c.why {
				t.Errorf("%q %s", why, diff)
			}
		})
	}
}

// A quote is a part of what is said: what takes it back stands around it.
func TestACroppedQuoteSaysNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, subject, quote string }{
		"a question":          {"Do I work for Zenith Trading?", "", "I work for Zenith Trading"},
		"a question, no mark": {"do I work for Zenith Trading", "", "I work for Zenith Trading"},
		"denied before":       {"I never did work for Zenith Trading.", "", "work for Zenith Trading"},
		"denied after":        {"I work for Zenith Trading not.", "", "I work for Zenith Trading"},
		"supposed":            {"If Clara Voss works for Zenith Trading, fine.", "Clara Voss", "Clara Voss works for Zenith Trading"},
		"doubted":             {"I think Clara Voss works for Zenith Trading.", "Clara Voss", "Clara Voss works for Zenith Trading"},
		"two sentences":       {"I saw Clara Voss. Zenith Trading is closed.", "Clara Voss", "Clara Voss. Zenith Trading"},
		"denied within":       {"Clara Voss does not work for Zenith Trading.", "Clara Voss", "Clara Voss does not work for Zenith Trading"},
	} {
		m := message{Message: extraction.Message{Role: "client", ClientID: "C1", Body: c.body}}
		if r, why := relationPlaces(m, extraction.WorksFor, c.subject, "Zenith Trading", c.quote); why != dropDoubt {
			t.Errorf("%s: %q, %+v", name, why, r)
		}
	}
	said := message{Message: extraction.Message{Role: "client", ClientID: "C1", Body: "Hello? No idea. I work for Zenith Trading, do you know it?"}}
	if _, why := relationPlaces(said, extraction.WorksFor, "", "Zenith Trading", "I work for Zenith Trading"); why != "" {
		t.Errorf("what is said beside a question: %q", why)
	}
}

// However much a model says of a message, what is kept of it is bounded.
func TestAFloodOfAnswers(t *testing.T) {
	t.Parallel()
	m := message{Message: extraction.Message{ID: "m1", Role: "client", ClientID: "C1", Body: strings.Repeat("Clara Voss works for Zenith Trading. ", 400)}}
	var a answer
	for range 10_000 {
		a.Names = append(a.Names, answeredName{1, extraction.Person, "Clara Voss"})
		a.Relations = append(a.Relations, answeredRelation{1, extraction.WorksFor, "Clara Voss", "Zenith Trading", "Clara Voss works for Zenith Trading"})
	}
	said, dropped := a.check("firm/m", []message{m})
	if got := said["m1"]; len(got.Names) != maxSaid || len(got.Relations) != 1 || dropped[dropMany] == 0 {
		t.Errorf("%d names, %d relations, %v", len(got.Names), len(got.Relations), dropped)
	}
}

func TestWhereRelationsAreSaid(t *testing.T) {
	t.Parallel()
	body := "Zenith! Clara Voss, of Zenith. I am at Zenith. Clara Voss is nowhere."
	mine := message{Message: extraction.Message{Role: "client", ClientID: "C1", Body: body}}
	agents := message{Message: extraction.Message{Role: "agent", ClientID: "C1", Body: body}}
	nobodys := message{Message: extraction.Message{Role: "client", Body: body}}
	for name, c := range map[string]struct {
		m                      message
		subject, object, quote string
		want, why              string
	}{
		"within the quote":             {mine, "Clara Voss", "Zenith", "Clara Voss, of Zenith", "Clara Voss > Zenith: Clara Voss, of Zenith at 23", ""},
		"of the writer":                {mine, "", "Zenith", "I am at Zenith", "> Zenith: I am at Zenith at 39", ""},
		"of an agent":                  {agents, "", "Zenith", "I am at Zenith", "", dropEnds},
		"of nobody's client":           {nobodys, "", "Zenith", "I am at Zenith", "", dropEnds},
		"its subject is elsewhere":     {mine, "Clara Voss", "Zenith", "I am at Zenith", "", dropEnds},
		"its object is elsewhere":      {mine, "Clara Voss", "Zenith", "Clara Voss is nowhere", "", dropEnds},
		"its object is cut off":        {mine, "Clara Voss", "Zen", "Clara Voss, of Zen", "", dropEnds},
		"its subject is the object":    {mine, "Voss", "Clara Voss", "Clara Voss, of Zenith", "", dropEnds},
		"its object is empty":          {mine, "Clara Voss", "", "Clara Voss, of Zenith", "", dropEnds},
		"its object is a blank":        {mine, "Clara Voss", " ", "Clara Voss, of Zenith", "", dropEnds},
		"its quote is mended":          {mine, "Clara Voss", "Zenith", "Clara Voss of Zenith", "", dropWords},
		"its quote is the body's rest": {mine, "Clara Voss", "Zenith", body[8:] + " And", "", dropWords},
		"its quote is empty":           {mine, "Clara Voss", "Zenith", " ", "", dropWords},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, why := relationPlaces(c.m, extraction.WorksFor, c.subject, c.object, c.quote)
			got := ""
			if why == "" {
				words := func(p place) string { return body[p.Start:p.End] }
				subject := ""
				if r.Subject != nil {
					subject = words(*r.Subject) + " "
				}
				got = fmt.Sprintf("%s> %s: %s at %d", subject, words(r.Object), words(r.Words), r.Object.Start)
			}
			if got != c.want || why != c.why {
				t.Errorf("%q, %q", got, why)
			}
		})
	}
}

// What others have found keeps its place and its kind.
func TestWhatIsSaidAmongWhatIsFound(t *testing.T) {
	t.Parallel()
	body := "Clara Voss of PT Sinar Laut in Ubud, clara@voss.example"
	at := func(text string) place {
		i := strings.Index(body, text)
		return place{i, i + len(text)}
	}
	mention := func(text string, kind extraction.Type) extraction.Mention {
		return extraction.Mention{Span: extraction.Span(at(text)), Type: kind, Key: strings.ToLower(text), Name: text, Extractor: "lists", Version: "1", Confidence: 1}
	}
	given := extraction.Found{
		Mentions: []extraction.Mention{mention("PT Sinar Laut", extraction.Company), mention("Ubud", extraction.Location)},
		Contacts: []extraction.Contact{{Span: extraction.Span(at("clara@voss.example")), Kind: extraction.Email, Value: "clara@voss.example", Of: -1}},
	}
	subject := at("Clara Voss")
	said := saying{Engine: "an/engine", Version: sayingVersion, Names: []saidName{
		{at("Clara Voss"), extraction.Person}, {at("Sinar Laut"), extraction.Person}, {at("voss.example"), extraction.Company},
	}, Relations: []saidRelation{
		{&subject, at("Sinar Laut"), extraction.WorksFor, at("Clara Voss of PT Sinar Laut")},
		{&subject, at("Sinar Laut in Ubud"), extraction.WorksFor, at("Clara Voss of PT Sinar Laut in Ubud")}, // two things
		{&subject, at("Laut in"), extraction.WorksFor, at("Clara Voss of PT Sinar Laut in")},
		{&subject, at("Ubud"), extraction.WorksFor, at("Clara Voss of PT Sinar Laut in Ubud")}, // no company
		{nil, at("Sinar Laut"), extraction.WorksFor, at("of PT Sinar Laut")},                   // nobody's message
	}}
	e := sayings{"an/engine", &heard{map[string]saying{"m": said}}}
	m := extraction.Message{ID: "m", Body: body, Role: "client"}
	found, err := e.Extract(context.Background(), m, given)
	if err != nil {
		t.Fatal(err)
	}
	want := given
	want.Mentions = append(want.Mentions, extraction.Mention{
		Span: extraction.Span(subject), Type: extraction.Person, Key: "clara voss", Name: "Clara Voss", Extractor: "model an/engine", Version: sayingVersion, Confidence: saidNameConfidence,
	})
	want.Relations = []extraction.Relation{{
		Span: extraction.Span(at("Clara Voss of PT Sinar Laut")), Subject: 2, Object: 0, Predicate: extraction.WorksFor, Extractor: "model an/engine", Version: sayingVersion, Confidence: saidRelationConfidence,
	}}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(2, len(given.Mentions)); diff != "" {
		t.Error("what was given is changed")
	}
	other := sayings{"other/engine", e.heard}
	if found, err := other.Extract(context.Background(), m, given); err != nil || len(found.Mentions) != 2 || len(found.Relations) != 0 {
		t.Errorf("another engine says %+v: %v", found, err)
	}
}
