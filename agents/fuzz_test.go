package agents_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/nuzantara/ciclo/agents"
)

// FuzzReadParameters reads what it wrote as the same.
func FuzzReadParameters(f *testing.F) {
	for _, seed := range []string{``, `{}`, `null`, `{"n": 1.0, "x": -0.0, "list": [1e300, {"a": 1e-7}]}`, `{"a": 1e999}`, `{"a": "\u0000"}`, `{"a": "\\u0000"}`, `{"a": 9223372036854775808}`, `{"a": 9007199254740993.0}`, `{"a":1,"a":2}`, `{"a": "\ud800"}`} {
		f.Add([]byte(seed))
	}
	m, err := agents.ParseManifest([]byte(manifest))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var refused *agents.ParametersError
		values, err := agents.ReadParameters(text)
		if err != nil && json.Valid(text) && !errors.As(err, &refused) {
			t.Errorf("%q is refused by %v", text, err)
		}
		if err == nil {
			written, again := writeTwice(t, values)
			if written != again {
				t.Errorf("%q is %s, and that is %s", text, written, again)
			}
			if strings.Contains(strings.ReplaceAll(written, `\\`, ""), `\u0000`) {
				t.Errorf("%q is taken with a NUL", text)
			}
		}
		checked, err := m.CheckParameters(text)
		if err != nil {
			return
		}
		again, err := m.CheckParameters(checked)
		if err != nil || string(again) != string(checked) {
			t.Errorf("%q is checked as %s, and that as %s, %v", text, checked, again, err)
		}
	})
}

// writeTwice writes parameters, and once more after it has read them.
func writeTwice(t *testing.T, values map[string]any) (written, again string) {
	t.Helper()
	first, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	read, err := agents.ReadParameters(first)
	if err != nil {
		t.Fatalf("%s can't be read again: %v", first, err)
	}
	second, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	return string(first), string(second)
}

// FuzzQueryParameters gives JSON with the query's names, or says what is wrong.
func FuzzQueryParameters(f *testing.F) {
	for _, seed := range []string{"", "n=1", "n=1.0&x=2.5e1", "n=01", "n=NaN", "x=Infinity", "n=1&n=2", "list=a", "%00=%ff", "n=0x10", "n=+1", "n= 1"} {
		f.Add(seed)
	}
	m, err := agents.ParseManifest([]byte(manifest))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			t.Skip()
		}
		var refused *agents.ParametersError
		parameters, err := m.QueryParameters(query)
		if err != nil {
			if !errors.As(err, &refused) || len(refused.Fields) == 0 {
				t.Errorf("%q is refused by %v", text, err)
			}
			return
		}
		var object map[string]any
		if err := json.Unmarshal(parameters, &object); err != nil || len(object) > len(query) {
			t.Errorf("%q is %s: %v", text, parameters, err)
		}
		if _, err := m.CheckParameters(parameters); err != nil && !errors.As(err, &refused) {
			t.Errorf("%q, as %s, is refused by %v", text, parameters, err)
		}
	})
}

// FuzzManifest takes only manifests within their bounds, and those again.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(manifest))
	f.Add([]byte(strings.Replace(manifest, `"tries": 3`, `"tries": 0`, 1)))
	f.Add([]byte(strings.Replace(manifest, `"type": "number"`, `"$ref": "#/nowhere"`, 1)))
	f.Add([]byte(strings.Replace(manifest, `"type": "number"`, `"$ref": "http://127.0.0.1:9/"`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := agents.ParseManifest(text)
		if err != nil {
			return
		}
		if m.Tries < 1 || m.TimeoutSeconds < 1 || m.Timeout() > agents.MaxTimeout || m.Concurrency < 1 || m.Priority < 1 || m.Priority > 4 || m.Name == "" || !strings.HasSuffix(m.IDPrefix, "_") {
			t.Errorf("%q is taken as %+v", text, m)
		}
		if _, err := m.CheckParameters([]byte("not JSON")); err == nil {
			t.Errorf("%q takes what is no JSON", text)
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := agents.ParseManifest(written)
		if err != nil {
			t.Fatalf("%s can't be read again: %v", written, err)
		}
		if same, err := json.Marshal(again); err != nil || string(same) != string(written) {
			t.Errorf("%s is read as %s", written, same)
		}
	})
}
