package played

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDrivenOverHTTP drives a host as another process does.
func TestDrivenOverHTTP(t *testing.T) {
	t.Parallel()
	h, err := New(t.TempDir(), "token")
	if err != nil {
		t.Skipf("git isn't installed with its http-backend: %v", err)
	}
	h.pulls = []Pull{{Owner: "o", Name: "n", Number: 1, Head: "x", Base: "main", State: "open"}}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return 0, err.Error()
		}
		return resp.StatusCode, string(text)
	}
	const list = "/api/repos/o/n/pulls"
	for _, step := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", list, "", 401, "Bad credentials"},
		{"POST", "/played", `{"on":"list","skip":1,"times":2,"status":503,"header":{"Retry-After":"5"},"body":"later"}`, 204, ""},
		{"GET", list, "", 401, "Bad credentials"},
		{"GET", list, "", 503, "later"},
		{"GET", "/o/n.git/info/refs", "", 401, "Bad credentials"},
		{"GET", list, "", 503, "later"},
		{"GET", list, "", 401, "Bad credentials"},
		{"POST", "/played", `{"cut":true,"times":-1}`, 204, ""},
		{"GET", list, "", 0, "EOF"},
		{"DELETE", "/played", "", 200, ""},
		{"GET", list, "", 401, "Bad credentials"},
		{"POST", "/played", `{"no":1}`, 400, "unknown field"},
		{"POST", "/played/pulls/1", `{"state":"closed","merged":true}`, 204, ""},
	} {
		if status, text := ask(step.method, step.path, step.body); status != step.status || !strings.Contains(text, step.text) {
			t.Errorf("%s %s %s: %d %q, want %d %q", step.method, step.path, step.body, status, text, step.status, step.text)
		}
	}
	_, text := ask("GET", "/played", "")
	var got State
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	statuses := []int{}
	for _, r := range got.Requests {
		statuses = append(statuses, r.Status)
	}
	if diff := cmp.Diff([]int{401, 401, 503, 401, 503, 401, 0, 401}, statuses); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Pull{{Owner: "o", Name: "n", Number: 1, Head: "x", Base: "main", State: "closed", Merged: true}}, got.Pulls); diff != "" {
		t.Error(diff)
	}
}
