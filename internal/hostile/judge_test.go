package main

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const small = `{
	"openapi": "3.1.1",
	"paths": {"/things/{id}": {"get": {
		"operationId": "getThing", "security": [{"token": []}],
		"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}, {"name": "n", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 3}}],
		"responses": {
			"200": {"content": {"application/json": {"schema": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}}},
			"default": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}}}},
	"components": {"schemas": {"Problem": {"type": "object", "required": ["type"]}, "Transition": {}, "Step": {}, "Progress": {}}}}`

func TestTheJudgeFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d, err := readDocument([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	j, err := newJudge([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	const good, problem = `{"n": 1}`, `{"type": "x"}`
	for name, c := range map[string]struct {
		want   want
		status int
		body   string
		finds  string
	}{
		"a right answer":                {taken, 200, good, ""},
		"what is gone":                  {taken, 404, problem, ""},
		"a refusal of what is right":    {taken, 422, problem, "the document allows it"},
		"a refusal of what is wrong":    {refused, 422, problem, ""},
		"an answer to what is wrong":    {refused, 200, good, "was to be refused"},
		"not now":                       {taken, 429, `{"type": "later"}`, ""},
		"not now, nobody knows when":    {taken, 429, problem, "the document allows it"},
		"a broken server":               {anything, 500, problem, "answered 500"},
		"a server that is away":         {anything, 503, problem, "answered 503"},
		"an answer of another form":     {anything, 200, `{"n": "x"}`, "not as the document says"},
		"an answer that is no JSON":     {anything, 200, `{`, "not as the document says"},
		"a status that is not there":    {anything, 201, good, "not as the document says"},
		"a refusal that is no document": {anything, 422, `{}`, "not as the document says"},
	} {
		media := "application/json"
		if c.status >= http.StatusBadRequest {
			media = "application/problem+json"
		}
		r := &request{op: d.operations[0], class: "valid", method: http.MethodGet, target: "/things/1?n=2", want: c.want}
		header := http.Header{"Content-Type": {media}}
		if strings.Contains(c.body, "later") {
			header.Set("Retry-After", "30")
		}
		err := j.check(r, answer{status: c.status, header: header, body: []byte(c.body)})
		if (err == nil) != (c.finds == "") || err != nil && !strings.Contains(err.Error(), c.finds) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestsFromADocument(t *testing.T) {
	t.Parallel()
	d, err := readDocument([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{document: d, known: &known{kinds: map[string]*ring{}}, token: "secret", random: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // repeatable on purpose
	g.known.add("thing_id", "known")
	right := regexp.MustCompile(`^/things/known(\?n=[123])?$`)
	for range 2000 {
		if r := g.valid(d.operations[0]).request(g); !right.MatchString(r.target) || r.want != taken || !r.has("Authorization") {
			t.Fatalf("%+v", r)
		}
		r := g.spoiled(d.operations[0])
		if r.class == "near-valid" && r.method == http.MethodGet && r.has("Authorization") && right.MatchString(r.target) && r.about != "no token, or another" {
			t.Fatalf("nothing is wrong with %+v", r)
		}
		if raw := g.raw(d.operations[0]); len(raw.wire) == 0 {
			t.Fatalf("nothing to send: %+v", raw)
		}
	}
}

func TestPatternsAreMatched(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable on purpose
	for _, pattern := range []string{`^[ -~]+$`, `^[a-z0-9]+(-[a-z0-9]+)*$`, `^(a|bc){2,3}x?\.$`, `^W/"[0-9]*"$`} {
		for range 200 {
			text, err := matching(random, pattern)
			if err != nil || !regexp.MustCompile(pattern).MatchString(text) {
				t.Fatalf("%q of %s: %v", text, pattern, err)
			}
		}
	}
}

func TestACommandQuotesAnything(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"plain": "'plain'", "it's": `$'it\'s'`, "a\x00\"b": `$'a\x00"b'`, "é": `$'\u00e9'`} {
		if got := quote(text); got != want {
			t.Errorf("%q is quoted as %s, want %s", text, got, want)
		}
	}
}
