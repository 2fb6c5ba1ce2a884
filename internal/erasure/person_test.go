package erasure

import (
	"slices"
	"testing"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// What is found of a person in texts, and what isn't.
func TestPatterns(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, c := range map[string]struct {
		person     person
		text, want string
	}{
		"a name in any case":                    {person{names: []string{"Anna Ruiz"}}, "ANNA ruiz, Anna  Ruiz and anna\nRuiz", "[erased], [erased] and [erased]"},
		"no part of a longer word":              {person{names: []string{"Anna Ruiz"}}, "Joanna Ruiz, Anna Ruizzi, Anna-Ruiz", "Joanna Ruiz, Anna Ruizzi, Anna-Ruiz"},
		"one word as it is written":             {person{names: []string{"Made"}}, "Made paid; attempts made: 3; MADE", "[erased] paid; attempts made: 3; MADE"},
		"too short a name":                      {person{names: []string{"Li", " ", ""}}, "Li came", "Li came"},
		"what means something in an expression": {person{names: []string{`A. (Bo) O'Neil \d+ [x] {2}`}}, `by A. (Bo) O'Neil \d+ [x] {2}!`, "by [erased]!"},
		"letters beyond ASCII":                  {person{names: []string{"Zoë Müller", "王 小明"}}, "ZOË MÜLLER 王 小明 Zoë Müllers", "[erased] [erased] Zoë Müllers"},
		"mail":                                  {person{mails: []string{"Anna.R+x@mail.example"}}, "<anna.r+x@mail.example> AnnaXR+x@mail.example", "<[erased]> AnnaXR+x@mail.example"},
		"a number however grouped":              {person{phones: []string{"0812-3456-7890"}}, "+62 812 3456 7890, 08123456789 0, (0812) 3456.7890; 081234567890", "[erased], [erased], ([erased]; [erased]"},
		"another number":                        {person{phones: []string{"0812-3456-7890"}}, "0812345678901 62812345678", "0812345678901 62812345678"},
		"half a number":                         {person{phones: []string{"12345"}}, "12345", "12345"},
		"nobody":                                {person{}, "Anna", "Anna"},
	} {
		var got string
		if err := pool.QueryRow(t.Context(), `SELECT ciclo.erase_text($1, $2)`, c.text, list(c.person.patterns("ID"))).Scan(&got); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestErasedJSON(t *testing.T) {
	t.Parallel()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: testdatabase.New(t), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for name, c := range map[string]struct{ json, want string }{
		"about the client":            {`{"client_id": "c", "clv": 3}`, `{}`},
		"about the client, in a list": {`[1, {"client_id": "c"}, {"client_id": "d", "name": "x"}]`, `[1, {"name": "x", "client_id": "d"}]`},
		"about the client, within":    {`{"best": {"client_id": "c"}, "n": 2.50}`, `{"n": 2.50, "best": null}`},
		"a name in a text":            {`{"a": ["by Anna Ruiz", null, true]}`, `{"a": ["by [erased]", null, true]}`},
		"a name as a key":             {`{"Anna Ruiz": 1}`, `{"[erased]": 1}`},
		"conversations as examples":   {`{"examples": ["t1", "t2", 7], "other": ["t1"]}`, `{"other": ["t1"], "examples": ["t2", 7]}`},
		"nothing":                     {`{"a": [], "b": {}, "c": ""}`, `{"a": [], "b": {}, "c": ""}`},
	} {
		var got string
		err := pool.QueryRow(t.Context(), `SELECT ciclo.erase_document($1::jsonb, 'c', '{t1}', $2)::text`, c.json, list(person{names: []string{"Anna Ruiz"}}.patterns(""))).Scan(&got)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
}

func TestAddressesAreNormal(t *testing.T) {
	t.Parallel()
	p := person{mails: []string{" Anna@Mail.example ", "anna@mail.example", ""}, phones: []string{"0812-3456-7890", "+62 812 3456 7890", "none", ""}}
	if got, want := p.addresses("ID"), []string{"+6281234567890", "anna@mail.example"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
