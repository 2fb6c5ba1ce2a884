package imports

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	check := func(got, want [3]int64) {
		t.Helper()
		if got != want {
			t.Errorf("new, changed, there already: %v, want %v", got, want)
		}
	}
	const list = "type,id,name\ncompany,sinar,PT Sinar Laut\ncompany,sinar,Sinar Laut\nlocation,sinar,Sinar\n\" company \",sinar,\"\u00a0PT Sinar Laut \"\n"
	check(f.taken(Names, "n.csv", list, Options{DryRun: true}), [3]int64{3, 0, 1})
	check(f.taken(Names, "n.csv", list, Options{}), [3]int64{3, 0, 1})
	check(f.taken(Names, "n.csv", list, Options{}), [3]int64{0, 0, 4})
	check(f.taken(Names, "n.jsonl", `{"type":"law","id":6,"name":"UU No. 6 Tahun 2011"}`+"\n"+
		`{"type":"topic","id":"tax","name":"a \\ b"}`+"\n"+`{"type":"person","id":"z","name":"陳"}`+"\n"+
		`{"type":"company","id":"sinar","name":"Sinar Laut"}`, Options{}), [3]int64{3, 0, 1})
	want := `(company,sinar,"PT Sinar Laut") (company,sinar,"Sinar Laut") (law,6,"UU No. 6 Tahun 2011") (location,sinar,Sinar) (person,z,陳) (topic,tax,"a \\ b")`
	if got := f.text(`SELECT type, id, name FROM source.names`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFirm(t)
	row := func(name string) string { return `{"type":"company","id":"x","name":"` + name + `"}` }
	for name, c := range map[string]struct{ row, want string }{
		"no type":               {`{"id":"x","name":"x"}`, "type is missing or empty"},
		"no id":                 {`{"type":"law","id":"","name":"x"}`, "id is missing or empty"},
		"no name":               {`{"type":"law","id":"x"}`, "name is missing or empty"},
		"a name of blanks":      {row(" \\t\u00a0\u2003"), "name is missing or empty"},
		"a name of nothing":     {row("\u200b\u200d"), "has no letter and no digit"},
		"a name of dots":        {row("..."), "has no letter and no digit"},
		"a name in two lines":   {row("PT Sinar\\nLaut"), "has the control character U+000A"},
		"a tab":                 {row("PT\\tSinar"), "has the control character U+0009"},
		"an escape":             {row("PT \\u001b[2J"), "has the control character U+001B"},
		"a control of 8 bits":   {row("PT \u0085Sinar"), "has the control character U+0085"},
		"a line separator":      {row("PT \u2028Sinar"), "has the control character U+2028"},
		"U+0000":                {row("a\\u0000"), "U+0000"},
		"201 characters":        {row(strings.Repeat("é", 201)), "has 201 characters, at most 200"},
		"a type that is none":   {`{"type":"money","id":"x","name":"x"}`, `type "money" is not one of person, company, location, law, topic, practice_type, document`},
		"a type in capitals":    {`{"type":"Company","id":"x","name":"x"}`, "is not one of"},
		"a long id":             {`{"type":"law","id":"` + strings.Repeat("x", 201) + `","name":"x"}`, "at most 200"},
		"a name that is a list": {`{"type":"law","id":"x","name":["x"]}`, "name is a list of strings, not a string"},
		"a name that is 1":      {`{"type":"law","id":"x","name":1}`, "name is a number, not a string"},
		"a column of no kind":   {`{"type":"law","id":"x","name":"x","alias":"y"}`, "alias"},
	} {
		var bad bytes.Buffer
		text := row("good") + "\n" + c.row + "\n"
		r, err := f.take(Names, "n.jsonl", text, Options{BadRows: &bad})
		if !errors.Is(err, ErrBadRows) || len(r.BadRows) != 1 || r.BadRows[0].Line != 2 || !strings.Contains(r.BadRows[0].Reason, c.want) || !strings.Contains(bad.String(), `{"line":2,`) {
			t.Errorf("%s: %v, %+v, want %q", name, err, r.BadRows, c.want)
		}
		if r, err := f.take(Names, "n.jsonl", text, Options{SkipBad: true, DryRun: true}); err != nil || r.Rows != 1 || r.Bad != 1 {
			t.Errorf("%s: with --skip-bad %+v, %v", name, r, err)
		}
	}
	if got := f.taken(Names, "n.jsonl", row(strings.Repeat("é", 200)), Options{}); got != [3]int64{1, 0, 0} {
		t.Errorf("200 characters: %v", got)
	}
	if _, err := f.take(Names, "n.csv", "type,name\ncompany,x\n", Options{}); err == nil || !strings.Contains(err.Error(), `column "id" is missing`) {
		t.Errorf("without the column id: %v", err)
	}
	if got := f.text(`SELECT count(*) FROM crm.names`); got != "(1)" {
		t.Errorf("after refusals there are %s names", got)
	}
}
