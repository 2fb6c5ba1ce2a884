package eval

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestReadCoNLL(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "conll.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	got, err := ReadCoNLL(write(`[{"tokens": ["Ann", "Lee", "of", "Oslo"], "tags": ["B-Peop", "L-Peop", "O", "U-Loc"], "relations": [{"head": 0, "tail": 1, "type": "Live_In"}], "orig_id": 1}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []CoNLLSentence{{[]string{"Ann", "Lee", "of", "Oslo"}, []CoNLLSpan{{0, 2, "Peop"}, {3, 4, "Loc"}}, []CoNLLRelation{{0, 1, "Live_In"}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, text := range map[string]string{
		"no JSON":                  `[`,
		"tags that are too few":    `[{"tokens": ["a"], "tags": []}]`,
		"an end without beginning": `[{"tokens": ["a"], "tags": ["L-Loc"]}]`,
		"a beginning without end":  `[{"tokens": ["a"], "tags": ["B-Loc"]}]`,
		"outside within a name":    `[{"tokens": ["a", "b"], "tags": ["B-Loc", "O"]}]`,
		"another type within":      `[{"tokens": ["a", "b"], "tags": ["B-Loc", "L-Org"]}]`,
		"an unknown tag":           `[{"tokens": ["a"], "tags": ["X"]}]`,
		"a span that isn't there":  `[{"tokens": ["a"], "tags": ["U-Loc"], "relations": [{"head": 0, "tail": 1}]}]`,
	} {
		if _, err := ReadCoNLL(write(text)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := ReadCoNLL(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that isn't there is read")
	}
}
