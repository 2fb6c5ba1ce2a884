package imports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzFiles reads any file of any kind to its end, and gives COPY only lines that
// the table incoming takes.
func FuzzFiles(f *testing.F) {
	const header = "client_id,paid_at,amount,currency,refunded\n"
	for _, seed := range []string{
		"", header, header + "c1,2026-01-31,1200.50,EUR,false\n", "\ufeff" + header + "c1,2026-01-31T10:00:00Z,-1,EUR,\n", header + "\"c1,2026\n", header + "c1,2026-01-31\n",
		header + "c\x00,2026-01-31,1,EUR,1\n", header + "\xff,2026-01-31,1,EUR,1\n", "client_id,client_id\n", header + "a,0000-00-00,1,EUR,t\r\nb,9999-12-31,1,eur,t\r\n", strings.Repeat(",", 1000),
		"id;tags\r\n\"a\"\"b\";\"x;y\"\n", `{"client_id":"a","paid_at":"2026-01-01","amount":1.50}`, `{"id":"\ud800","tags":["x",{}]}`, "[]\n{\n", `{"currency":"EUR","into":"USD","day":"2026-01-01","rate":1e400}`,
	} {
		for kind := range Kinds {
			f.Add([]byte(seed), uint8(kind), false)
			f.Add([]byte(seed), uint8(kind), true)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, which uint8, lines bool) {
		kind := Kinds[int(which)%len(Kinds)]
		in := &intake{kind: kind, now: time.Now(), options: Options{Currency: "EUR", Format: CSV}}
		if lines {
			in.options.Format = JSONLines
		}
		if err := in.open(bytes.NewReader(file)); err != nil {
			return
		}
		out, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(out) || bytes.IndexByte(out, 0) >= 0 || in.read > int64(bytes.Count(file, []byte("\n"))+1) {
			t.Errorf("%q gives %q", file, out)
		}
		for line := range strings.Lines(string(out)) {
			cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if good := cells[1] == `\N`; len(cells) != len(kind.columns)+3 || good == (cells[2] == `\N`) || (!good && cells[1] == "") {
				t.Errorf("%q gives %q", file, line)
			}
		}
	})
}

// FuzzCSV holds the decoder against encoding/csv: what that reads whole, this reads
// to the same.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{"a,b\nc,d\n", "\"a\"\"\n\",b\r\n\n\"\",\"\"", "a\r\r\n", "\"a\"b\n", "\"", "a,\"b\r\nc\"", "\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		theirs := csv.NewReader(strings.NewReader(text))
		theirs.FieldsPerRecord = -1
		want, err := theirs.ReadAll()
		if err != nil || strings.Contains(text, "\r") { // encoding/csv makes LF of CR LF in a field
			return
		}
		ours := &csvReader{window: newWindow(strings.NewReader(text)), separator: ','}
		for _, record := range want {
			var fields []string
			for len(fields) == 0 || (len(fields) == 1 && fields[0] == "" && (len(record) != 1 || record[0] != "")) {
				bad, err := ours.record()
				if err != nil || bad != "" {
					t.Fatalf("%q: %v %s, want %q", text, err, bad, record)
				}
				fields = fields[:0]
				for _, field := range ours.fields {
					fields = append(fields, string(field))
				}
			}
			if len(record) == 1 && record[0] == "" {
				return // an empty line, and a quoted nothing, are told apart only there
			}
			if !slices.Equal(fields, record) {
				t.Fatalf("%q: %q, want %q", text, fields, record)
			}
		}
	})
}

// FuzzJSON holds the decoder against encoding/json: values are the same.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"id":"a"}`, `{"id":"\u00e9","tags":["a" , "b\\"]}`, `{"id":-1.5e-7}`, `{"tags":[],"id":null}`, `{"name":{"a":[1]},"id":"x"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := newJSONReader(nil, Clients)
		text = strings.TrimSpace(text)
		if text == "" || r.object([]byte(text)) != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q is taken, and %v", text, err)
		}
		there := 0
		for i, c := range r.cells {
			if c.shape == 0 {
				continue
			}
			there++
			raw := want[Clients.columns[i].name]
			var word string
			var words []string
			var err error
			switch c.shape {
			case 1: // a string
				err = json.Unmarshal(raw, &word)
				if strings.TrimSpace(word) != string(c.text) {
					err = errors.Join(err, errors.New(word))
				}
			case list:
				err = json.Unmarshal(raw, &words)
				for j, w := range words {
					if len(c.list) != len(words) || string(c.list[j]) != w {
						err = errors.Join(err, errors.New(w))
					}
				}
			case number, truth:
				if string(raw) != string(c.text) {
					err = errors.New(string(raw))
				}
			}
			if err != nil {
				t.Errorf("%q gives %v, want %s: %v", text, c, raw, err)
			}
		}
		if there != len(want) {
			t.Errorf("%q gives %d members, want %d", text, there, len(want))
		}
	})
}
