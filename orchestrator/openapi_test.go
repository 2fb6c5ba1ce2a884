package orchestrator_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nuzantara/ciclo/internal/conformance"
	"github.com/nuzantara/ciclo/internal/testdatabase"
)

// document is the API's, which is the same for all tests: they have the same agents.
var document struct {
	once sync.Once
	read *conformance.Document
	err  error
}

// conforms holds an answer against the document, as send does with each.
func (a *api) conforms(method, path string, r answer) {
	a.t.Helper()
	document.once.Do(func() {
		// Asked of an API of its own, since the first test's may be one that refuses.
		document.read, document.err = conformance.Read(newAPIOn(a.t, testdatabase.New(a.t), io.Discard).sendPlain("GET", "/openapi.json", "").body)
	})
	if document.err != nil {
		a.t.Fatal(document.err)
	}
	path, _, _ = strings.Cut(path, "?")
	if err := document.read.Check(method, path, r.status, r.header, r.body); err != nil {
		a.t.Errorf("%s %s is not as the document says: %v", method, path, err)
	}
}

func TestTheDocumentAndItsPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := a.send("GET", "/openapi.json", "")
	if r.status != http.StatusOK || r.field(t, "openapi") != "3.1.1" || r.field(t, "info", "version") != "test" {
		t.Errorf("%d %.300s", r.status, r.body)
	}
	run, _ := r.field(t, "paths", prefix+"/test-slow/run", "post").(map[string]any)
	if run["operationId"] != "runTestSlow" {
		t.Errorf("a run is described as %v", run)
	}
	page := a.send("GET", "/docs", "")
	text := string(page.body)
	for _, want := range []string{"/test-slow/run", `href="#Execution"`, "queue_position", "429 too often"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "src=", "http://", "@import", "url("} {
		if strings.Contains(text, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if len(text) > 200_000 {
		t.Errorf("the page has %d bytes", len(text))
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("the page's policy is %q", policy)
	}
}

// A browser asks for a password, which opens what only shows documents.
func TestABrowserOpensTheDocs(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if r := a.send("GET", "/docs", "", "Authorization", ""); r.status != http.StatusUnauthorized || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("%d %v", r.status, r.header)
	}
	basic := func(password string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("anybody", password)
		return req.Header.Get("Authorization")
	}
	for path, statuses := range map[string][2]int{
		"/docs":               {http.StatusOK, http.StatusUnauthorized},
		"/openapi.json":       {http.StatusOK, http.StatusUnauthorized},
		prefix + "/status":    {http.StatusUnauthorized, http.StatusUnauthorized},
		prefix + "/workers":   {http.StatusUnauthorized, http.StatusUnauthorized},
		prefix + "/nowhere":   {http.StatusUnauthorized, http.StatusUnauthorized},
		"/docs/and/then/some": {http.StatusUnauthorized, http.StatusUnauthorized},
	} {
		for i, password := range []string{token, "not the token at all"} {
			if r := a.send("GET", path, "", "Authorization", basic(password)); r.status != statuses[i] {
				t.Errorf("%s with %q: %d", path, password, r.status)
			}
		}
	}
}
