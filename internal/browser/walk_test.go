package browser_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/browser"
	"github.com/nuzantara/ciclo/internal/demotest"
	"github.com/nuzantara/ciclo/orchestrator/dashboard"
)

// heaviest is what a page with all that it loads may weigh, in bytes.
const heaviest = 150_000

// start starts a browser; where there is none, the test is skipped on a developer's
// machine alone.
func start(t *testing.T) *browser.Browser {
	t.Helper()
	b, err := browser.Start(context.Background())
	if errors.Is(err, browser.ErrNone) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func open(t *testing.T, b *browser.Browser, s browser.Screen) *browser.Tab {
	t.Helper()
	tab, err := b.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tab.Close)
	return tab
}

// judge says what is wrong with the page that the tab shows.
func judge(t *testing.T, tab *browser.Tab, base, where string) {
	t.Helper()
	seen, err := tab.Look(base)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	if seen.Status != http.StatusOK {
		t.Errorf("%s: status %d, “%s”", where, seen.Status, seen.Title)
	}
	if seen.Bytes > heaviest {
		t.Errorf("%s weighs %d bytes", where, seen.Bytes)
	}
	for kind, all := range map[string][]string{"console": seen.Console, "request to elsewhere": seen.Outside, "barrier": seen.Barriers} {
		for _, one := range all {
			t.Errorf("%s: %s: %s", where, kind, one)
		}
	}
}

// A person walks every page, wide and narrow, light and dark, without a script too,
// and does what there is to do.
func TestTheDashboard(t *testing.T) {
	b := start(t)
	api := demotest.Start(t, t.TempDir())
	cycle, err := api.OpenCycle(t.Context(), []string{"client-value-predictor"})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); cycle.EndedAt == nil && time.Now().Before(deadline); {
		if cycle, err = api.Cycle(t.Context(), cycle.ID); err != nil {
			t.Fatal(err)
		}
	}
	first := open(t, b, browser.Screen{Width: 1280})
	if err := first.SignIn(api.URL, api.Token); err != nil {
		t.Fatal(err)
	}
	pages := walk(t, first, api.URL)
	for _, screen := range []browser.Screen{{Width: 360}, {Width: 1280, Dark: true}, {Width: 360, Dark: true}} {
		tab := open(t, b, screen)
		for _, path := range pages {
			if err := tab.Go(api.URL + path); err != nil {
				t.Fatalf("%s at %s: %v", path, screen, err)
			}
			keep(t, tab, path, screen)
			judge(t, tab, api.URL, fmt.Sprintf("%s at %s", path, screen))
		}
	}
	plain := open(t, b, browser.Screen{Width: 1280, NoScript: true})
	for _, path := range pages {
		if err := plain.Go(api.URL + path); err != nil {
			t.Fatalf("%s without a script: %v", path, err)
		}
		if words, err := browser.Eval[int](plain, `document.querySelector("main").innerText.split(/\s+/).length`); err != nil || words < 5 {
			t.Errorf("%s shows %d words without a script, %v", path, words, err)
		}
	}
	act(t, first, api)
}

// walk follows the links from the overview and judges two pages of each kind; it
// returns one of each. Every page that there is must be found, and every link lead
// somewhere.
func walk(t *testing.T, tab *browser.Tab, base string) (examples []string) {
	t.Helper()
	kinds := http.NewServeMux()
	for _, path := range dashboard.Paths() {
		kinds.HandleFunc("GET "+path, func(http.ResponseWriter, *http.Request) {})
	}
	visits, asked, waiting := map[string]int{}, map[string]bool{}, []string{"/"}
	for len(waiting) > 0 {
		path := waiting[0]
		waiting = waiting[1:]
		at, err := url.Parse(path)
		if err != nil || asked[path] {
			continue
		}
		asked[path] = true
		_, kind := kinds.Handler(&http.Request{Method: http.MethodGet, URL: at, Host: "x"})
		if kind == "" {
			if visits[at.Path]++; visits[at.Path] > 1 {
				continue
			}
			// A document or a download, which takes the session.
			if status, err := browser.Eval[int](tab, fmt.Sprintf(`(() => { const r = new XMLHttpRequest(); r.open("GET", %q, false); r.send(); return r.status; })()`, path)); err != nil || status != http.StatusOK {
				t.Errorf("the link to %s: status %d, %v", path, status, err)
			}
			continue
		}
		if visits[kind]++; visits[kind] > 2 {
			continue
		}
		if err := tab.Go(base + path); err != nil {
			t.Fatalf("go to %s: %v", path, err)
		}
		if visits[kind] == 1 {
			examples = append(examples, path)
			keep(t, tab, path, browser.Screen{Width: 1280})
		}
		links, err := browser.Eval[[]string](tab, `[...document.querySelectorAll("a[href^='/']")].map((a) => a.getAttribute("href"))`)
		if err != nil {
			t.Fatalf("the links of %s: %v", path, err)
		}
		waiting = append(waiting, links...)
		judge(t, tab, base, path)
	}
	for _, path := range dashboard.Paths() {
		if visits["GET "+path] == 0 {
			t.Errorf("no link leads to %s", path)
		}
	}
	slices.Sort(examples)
	return examples
}

// singular are what pages of one thing are called in docs/img.
var singular = map[string]string{
	"executions": "execution", "cycles": "cycle", "schedules": "schedule", "clients": "client", "messages": "message", "prompts": "prompt",
	"graph-entities": "entity", "graph-edges": "edge",
}

// small are the pages of which docs/img has a picture of a phone at night, too.
var small = []string{"overview", "execution", "clients", "entity"}

// keep writes the picture of a page into the folder that make screenshots names.
func keep(t *testing.T, tab *browser.Tab, path string, screen browser.Screen) {
	t.Helper()
	folder := os.Getenv("CICLO_SCREENSHOTS")
	if folder == "" {
		return
	}
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := strings.Join(parts, "-")
	if one := singular[strings.Join(parts[:len(parts)-1], "-")]; one != "" {
		name = one
	}
	if path == "/" {
		name = "overview"
	}
	scheme := "light"
	if screen.Dark {
		scheme = "dark"
	}
	if (screen != browser.Screen{Width: 1280}) && (!slices.Contains(small, name) || screen != (browser.Screen{Width: 360, Dark: true})) {
		return
	}
	picture, err := tab.Picture()
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, screen.Width, scheme)), picture, 0o644) //nolint:gosec // for everybody
	}
	if err != nil {
		t.Errorf("keep the picture of %s: %v", path, err)
	}
}

// press unfolds what a form lies in and presses its button, as a person does.
func press(t *testing.T, tab *browser.Tab, form string) {
	t.Helper()
	folded := fmt.Sprintf(`(() => { const f = document.querySelector(%q); if (!f) return "none"; const d = f.closest("details:not([open])"); if (!d) return ""; d.id = d.id || "to-unfold"; return "#" + d.id + " > summary"; })()`, form)
	state, err := browser.Eval[string](tab, folded)
	if err != nil || state == "none" {
		t.Fatalf("there is no form %s: %v", form, err)
	}
	if state != "" {
		if err := tab.Unfold(state); err != nil {
			t.Fatalf("unfold %s: %v", form, err)
		}
	}
	if asks, err := browser.Eval[bool](tab, fmt.Sprintf(`!!document.querySelector(%q)`, form+" input[type=text][required]")); err != nil {
		t.Fatal(err)
	} else if asks {
		if err := tab.Type(form+" input[type=text][required]", "because of the walk"); err != nil {
			t.Fatalf("say why in %s: %v", form, err)
		}
	}
	if err := tab.Click(form + " button"); err != nil {
		t.Fatalf("press %s: %v", form, err)
	}
	if status := tab.Status(); status != http.StatusOK {
		t.Fatalf("after %s: status %d", form, status)
	}
}

// act pauses a schedule, cancels an execution, retries it and sees it end, and
// approves a message; the audit shows who did.
func act(t *testing.T, tab *browser.Tab, api *client.Client) {
	t.Helper()
	ctx := t.Context()
	visit := func(path string) {
		t.Helper()
		if err := tab.Go(api.URL + path); err != nil {
			t.Fatalf("go to %s: %v", path, err)
		}
	}
	schedules, err := api.Schedules(ctx)
	if err != nil || len(schedules) == 0 {
		t.Fatalf("%d schedules, %v", len(schedules), err)
	}
	name := schedules[0].Name
	visit("/schedules/" + url.PathEscape(name))
	press(t, tab, fmt.Sprintf(`form[action="/schedules/%s/pause"]`, name))
	if schedules, err = api.Schedules(ctx); err != nil || schedules[0].PausedAt == nil {
		t.Errorf("the schedule isn't paused: %v", err)
	}

	const agent = "client-value-predictor"
	if err := api.Pause(ctx, agent, "so that it waits"); err != nil {
		t.Fatal(err)
	}
	e, err := api.Run(ctx, agent, nil)
	if err != nil {
		t.Fatal(err)
	}
	visit("/executions/" + e.ID)
	press(t, tab, fmt.Sprintf(`form[action="/executions/%s/cancel"]`, e.ID))
	if e, err = api.Get(ctx, e.ID); err != nil || e.Status != "cancelled" {
		t.Fatalf("the execution is %s, %v", e.Status, err)
	}
	press(t, tab, fmt.Sprintf(`form[action="/executions/%s/retry"]`, e.ID))
	again, err := browser.Eval[string](tab, `location.pathname.split("/").pop()`)
	if err != nil || again == e.ID {
		t.Fatalf("the retry leads to %s, %v", again, err)
	}
	if err := api.Resume(ctx, agent); err != nil {
		t.Fatal(err)
	}
	// The page says so by itself.
	said, err := browser.Eval[string](tab, `document.querySelector(".status").textContent`)
	for deadline := time.Now().Add(2 * time.Minute); err == nil && said != "completed" && time.Now().Before(deadline); {
		said, err = browser.Eval[string](tab, `document.querySelector(".status").textContent`)
	}
	if retried, _ := api.Get(ctx, again); err != nil || said != "completed" || retried.RetryOf == nil || *retried.RetryOf != e.ID {
		t.Errorf("the page of the retry says %q of %+v, %v", said, retried.Status, err)
	}

	drafts, err := api.Messages(ctx, url.Values{"status": {"draft"}, "limit": {"1"}})
	if err != nil || len(drafts.Messages) == 0 {
		t.Fatalf("%d drafts, %v", len(drafts.Messages), err)
	}
	draft := drafts.Messages[0].ID
	visit("/messages/" + draft)
	press(t, tab, fmt.Sprintf(`form[action="/messages/%s/approve"]`, draft))
	if approved, err := api.Message(ctx, draft); err != nil || approved.Status == "draft" {
		t.Errorf("the message is %s, %v", approved.Status, err)
	}

	visit("/audit")
	shown, err := browser.Eval[string](tab, `document.querySelector("main").innerText`)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/schedules/" + name + "/pause", "/executions/" + e.ID + "/cancel", "/messages/" + draft + "/approve"} {
		if !strings.Contains(shown, path) {
			t.Errorf("the audit lacks %s", path)
		}
	}
}

// The checker finds what is wrong: each of these pages has one barrier.
func TestBarriersAreFound(t *testing.T) {
	b := start(t)
	tab := open(t, b, browser.Screen{Width: 360})
	const whole = `<!doctype html><html lang="en"><head><title>A page</title><style>body{background:#fff;color:#000}a{color:#00c}nav a{display:block;min-height:24px}</style></head><body>` +
		`<a class="skip" href="#main">Skip</a><header><nav aria-label="Main"><ul><li><a href="/">A link of a page</a></li></ul></nav></header>` +
		`<main id="main"><h1>A heading</h1><p>Some text</p>HERE</main></body></html>`
	for name, c := range map[string]struct{ here, instead, want string }{
		"nothing":                 {"", "", ""},
		"no label":                {`<input type="text">`, "", "a field without a label"},
		"no name":                 {`<p><a href="/x"></a></p>`, "", "a link without a text"},
		"faint text":              {`<p style="color:#999">Faint</p>`, "", "a contrast of"},
		"a level is left out":     {`<h3>Deep</h3>`, "", "a heading skips"},
		"two of one id":           {`<p id="a">x</p><p id="a">y</p>`, "", "the id a is there 2 times"},
		"a table without a name":  {`<table><tr><th scope="col">A</th></tr><tr><td>1</td></tr></table>`, "", "a table without a name"},
		"a heading without scope": {`<table><caption>T</caption><tr><th>A</th></tr></table>`, "", "without a scope"},
		"a drawing without words": {`<svg viewBox="0 0 1 1"><rect width="1" height="1"/></svg>`, "", "a drawing without"},
		"a wide page":             {`<div style="width:900px">wide</div>`, "", "px wide on"},
		"a form without a token":  {`<form method="post"><button style="min-height:30px">Go</button></form>`, "", "a form without a token"},
		"no focus to be seen":     {`<p><a href="/x" style="outline:none">Unseen</a></p>`, "", "the focus can't be seen"},
		"a hasty order":           {`<p><a href="/x" tabindex="3">First?</a></p>`, "", "tabindex above 0"},
		"no language":             {"", ` lang="en"`, "no language"},
		"a label for nothing":     {`<label for="nothing">L</label>`, "", "a label for nothing"},
		"a small button":          {`<button style="height:10px;padding:0">x</button>`, "", "px to press"},
	} {
		text := strings.Replace(strings.Replace(whole, "HERE", c.here, 1), c.instead, "", min(1, len(c.instead)))
		if err := tab.Go("data:text/html," + url.PathEscape(text)); err != nil {
			t.Fatal(err)
		}
		seen, err := tab.Look("http://nowhere")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found := strings.Join(seen.Barriers, "\n"); (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
}
