package imports

import (
	"strings"
	"testing"
)

func TestConversationsAndMessages(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	check := func(got, want [3]int64) {
		t.Helper()
		if got != want {
			t.Errorf("new, changed, there already: %v, want %v", got, want)
		}
	}
	f.taken(Clients, "c.csv", "id\na\n", Options{})
	open := "id,client_id,agent_version,channel,segment,started_at,rating\nc1,a,v1,chat,new,2026-01-01T10:00:00Z,\nc2,,,,,2026-01-02,4\n"
	check(f.taken(Conversations, "c.csv", open, Options{}), [3]int64{2, 0, 0})
	check(f.taken(Conversations, "c.csv", open, Options{}), [3]int64{0, 0, 2})
	later := `{"id":"c1","started_at":"2026-01-01T10:00:00Z","outcome":"won","outcome_at":"2026-01-01T11:00:00Z","rating":5}
{"id":"c2","started_at":"2026-01-02","rating":null}
{"id":3,"started_at":"2026-01-03","outcome":"lost"}
`
	check(f.taken(Conversations, "c.jsonl", later, Options{}), [3]int64{1, 1, 1})
	check(f.taken(Conversations, "c.jsonl", later, Options{}), [3]int64{0, 0, 3})
	check(f.taken(Conversations, "c.csv", "id,started_at,rating\nc2,2026-01-02,1\n", Options{}), [3]int64{0, 1, 0})
	want := "(3,,,,,lost,,) (c1,a,v1,chat,new,won,t,5) (c2,,,,,open,,1)"
	if got := f.text(`SELECT id, client_id, agent_version, channel, segment, outcome, outcome_at = '2026-01-01T11:00:00Z' AS at, rating FROM source.conversations`); got != want {
		t.Errorf("%s, want %s", got, want)
	}

	said := "id,conversation_id,role,body,sent_at\nm1,c1,client,\"Hello,\nthere 👋\",2026-01-01T10:00:00Z\nm2,c1,agent,,2026-01-01T10:01:00Z\nm3,c1,system,שלום,2026-01-01T10:01:00Z\n"
	check(f.taken(Messages, "m.csv", said, Options{}), [3]int64{3, 0, 0})
	check(f.taken(Messages, "m.csv", said, Options{}), [3]int64{0, 0, 3})
	check(f.taken(Messages, "m.jsonl", `{"id":"m4","conversation_id":"c2","role":"agent","body":"a\\b\tc","sent_at":"2026-01-02"}`+"\n", Options{}), [3]int64{1, 0, 0})
	if got := f.text(`SELECT id, body FROM source.messages`); got != "(m1,\"Hello,\nthere 👋\") (m2,\"\") (m3,שלום) (m4,\"a\\\\b\tc\")" {
		t.Errorf("%q", got)
	}
}

func TestConversationsAndMessagesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	f.taken(Conversations, "c.csv", "id,started_at,outcome,outcome_at\nc1,2026-01-02,won,2026-01-03\n", Options{})
	f.taken(Messages, "m.csv", "id,conversation_id,role,body,sent_at\nm1,c1,agent,hello,2026-01-02\n", Options{})
	for name, c := range map[string]struct {
		kind      *Kind
		row, want string
	}{
		"no id":                    {Conversations, `{"started_at":"2026-01-01"}`, "id"},
		"no start":                 {Conversations, `{"id":"x"}`, "started_at"},
		"an unknown client":        {Conversations, `{"id":"x","started_at":"2026-01-01","client_id":"nobody"}`, "client_id nobody is not known"},
		"an unknown outcome":       {Conversations, `{"id":"x","started_at":"2026-01-01","outcome":"maybe"}`, "outcome"},
		"open with a time":         {Conversations, `{"id":"x","started_at":"2026-01-01","outcome_at":"2026-01-01"}`, "outcome_at is of a conversation that is open"},
		"opened again with a time": {Conversations, `{"id":"c1","started_at":"2026-01-01","outcome":null}`, "outcome_at is of a conversation that is open"},
		"won before it began":      {Conversations, `{"id":"x","started_at":"2026-01-02","outcome":"won","outcome_at":"2026-01-01"}`, "outcome_at is before started_at"},
		"begun after it was won":   {Conversations, `{"id":"c1","started_at":"2026-01-05"}`, "outcome_at is before started_at"},
		"ended before it began":    {Conversations, `{"id":"x","started_at":"2026-01-02","ended_at":"2026-01-01"}`, "ended_at is before started_at"},
		"a rating of 6":            {Conversations, `{"id":"x","started_at":"2026-01-02","rating":6}`, "rating"},
		"a rating and a half":      {Conversations, `{"id":"x","started_at":"2026-01-02","rating":1.5}`, "rating"},
		"a column of no kind":      {Conversations, `{"id":"x","started_at":"2026-01-02","mood":"good"}`, "mood"},
		"of no conversation":       {Messages, `{"id":"x","conversation_id":"nobody","role":"agent","body":"x","sent_at":"2026-01-02"}`, "conversation_id nobody is not known"},
		"an unknown role":          {Messages, `{"id":"x","conversation_id":"c1","role":"boss","body":"x","sent_at":"2026-01-02"}`, "role"},
		"at no time":               {Messages, `{"id":"x","conversation_id":"c1","role":"agent","body":"x"}`, "sent_at"},
		"other words":              {Messages, `{"id":"m1","conversation_id":"c1","role":"agent","body":"bye","sent_at":"2026-01-02"}`, "id m1 is there already with other content: another body"},
		"U+0000":                   {Messages, `{"id":"x","conversation_id":"c1","role":"agent","body":"\u0000","sent_at":"2026-01-02"}`, "U+0000"},
		"too long":                 {Messages, `{"id":"x","conversation_id":"c1","role":"agent","body":"` + strings.Repeat("x", maxRow) + `","sent_at":"2026-01-02"}`, "longer than"},
		"a body that is a list":    {Messages, `{"id":"x","conversation_id":"c1","role":"agent","body":["x"],"sent_at":"2026-01-02"}`, "body"},
	} {
		r, err := f.take(c.kind, "x.jsonl", c.row+"\n", Options{})
		if err == nil || len(r.BadRows) != 1 || !strings.Contains(r.BadRows[0].Reason, c.want) {
			t.Errorf("%s: %v, %+v", name, err, r.BadRows)
		}
	}
	if got := f.text(`SELECT (SELECT count(*) FROM source.conversations), (SELECT count(*) FROM source.messages)`); got != "(1,1)" {
		t.Errorf("after refusals: %s", got)
	}
}
