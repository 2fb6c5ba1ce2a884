package outside

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/demo"
)

var links = regexp.MustCompile(`href="(/[^"#]*)"`)

// Every agent that runs by itself, a person's decisions, an erasure, and every page of
// the dashboard by the roles of least privilege: that nothing was denied is looked at
// where the processes end.
func TestAllOfItByItsRoles(t *testing.T) {
	t.Parallel()
	s := newShipped(t)
	if err := demo.Seed(t.Context(), s.pool(), demo.DefaultTruth, 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	base := value(s.env, "CICLO_URL")
	api := &client.Client{URL: base, Token: token}
	for agent, parameters := range map[string]any{
		"client-value-predictor": nil, "conversation-trainer": map[string]any{"days_back": 365}, "knowledge-graph-builder": map[string]any{"days_back": 365},
	} {
		e, err := api.Run(t.Context(), agent, parameters)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = api.Wait(t.Context(), e.ID, nil); err != nil || e.Status != "completed" {
			t.Errorf("%s: %+v, %v", agent, e, err)
		}
	}
	for _, args := range [][]string{
		{"kg", "reviews"}, {"audit"}, {"messages", "policy", "--channels", "email"}, {"erase", "client", "C-00001", "--yes"},
	} {
		if out, said, code := s.ciclo(args...); code != 0 {
			t.Errorf("ciclo %v: exit code %d, %s%s", args, code, out, said)
		}
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	signed, err := browser.PostForm(base+"/sign-in", url.Values{"token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	signed.Body.Close()
	if signed.StatusCode != http.StatusOK {
		t.Fatalf("signing in ends with %s", signed.Status)
	}
	// A few pages of each kind, by their links.
	seen, kinds, wait := map[string]bool{"/": true}, map[string]int{}, []string{"/", "/river/"}
	for len(wait) > 0 {
		path := wait[0]
		wait = wait[1:]
		resp, err := browser.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode >= 400 {
			t.Errorf("%s: %s, %v", path, resp.Status, err)
		}
		for _, link := range links.FindAllStringSubmatch(string(body), -1) {
			next := html.UnescapeString(link[1])
			first, _, _ := strings.Cut(strings.TrimPrefix(next, "/"), "/")
			first, query, _ := strings.Cut(first, "?")
			kind := first
			if strings.Count(next, "/") > 1 {
				kind += "/"
			}
			if query != "" {
				kind += "?"
			}
			if first == "assets" || first == "river" || seen[next] || kinds[kind] >= 2 {
				continue
			}
			seen[next] = true
			kinds[kind]++
			wait = append(wait, next)
		}
	}
	if len(kinds) < 12 {
		t.Errorf("the pages were of %v", kinds)
	}
}

// value is an environment's variable.
func value(env []string, name string) string {
	for _, v := range env {
		if text, is := strings.CutPrefix(v, name+"="); is {
			return text
		}
	}
	return ""
}
