package orchestrator_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/browser"
	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testagents"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

// ask sends a request with the visitor's cookies.
func (v *visitor) ask(method, path, body string, header ...string) page {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return v.do(r)
}

func TestWhoMaySeeRiver(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	stranger := a.visit()
	person := []string{"Accept", "text/html,application/xhtml+xml"}
	if got := stranger.ask("GET", "/river/jobs", "", person...); got.status != http.StatusSeeOther || got.location != "/sign-in?next=/river" {
		t.Errorf("a stranger: %d to %q", got.status, got.location)
	}
	for _, method := range []string{"GET", "PUT"} {
		if got := stranger.ask(method, "/river/api/queues/x/resume", ""); got.status != http.StatusUnauthorized {
			t.Errorf("a stranger's %s: %d", method, got.status)
		}
	}
	for _, scope := range orchestrator.Scopes {
		may := scope == orchestrator.Admin
		v := stranger.another().as(a.newToken("of-"+string(scope), string(scope)))
		for path, want := range map[string]string{"/river/": `id="root"`, "/river/api/jobs?limit=20": `"data"`, "/river/assets/main.js": ""} {
			got := v.ask("GET", path, "", person...)
			if ok := got.status == http.StatusOK; ok != may || !may && got.status != http.StatusForbidden || may && !strings.Contains(got.text, want) {
				t.Errorf("%s of scope %s: %d %s", path, scope, got.status, got.text)
			}
			if !may && !strings.Contains(got.shows(), "You may not see River's tables") {
				t.Errorf("%s of scope %s: no page says why: %s", path, scope, got.shows())
			}
		}
	}
	// A session ends with its token.
	v := stranger.another().as(a.newToken("gone", "admin"))
	if err := a.store().RevokeToken(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); v.ask("GET", "/river/", "", person...).status != http.StatusSeeOther; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a revoked token's session still sees River")
		}
	}
	limited := newAPIOn(t, testdatabase.New(t), io.Discard, func(c *orchestrator.Config) { c.RateLimit = 0.01 })
	limited.sendPlain("GET", "/river/api/states", "")
	if got := limited.sendPlain("GET", "/river/api/states", ""); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("who asks too often: %d", got.status)
	}
}

func TestRiverIsOnlyShown(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	id := a.run("test-noop", "")
	a.exec(`INSERT INTO ciclo.river_queue (name, updated_at, paused_at) VALUES ('test-noop', now(), now())`)
	var job int64
	if err := a.pool.QueryRow(t.Context(), `SELECT id FROM ciclo.river_job WHERE args->>'execution_id' = $1`, id).Scan(&job); err != nil {
		t.Fatal(err)
	}
	v := a.visit().as(a.newToken("operator", "admin"))
	if got := v.ask("GET", "/river/api/jobs?limit=20&state=available", ""); !strings.Contains(got.text, id) {
		t.Errorf("the jobs are %d %s", got.status, got.text)
	}
	here := []string{"Sec-Fetch-Site", "same-origin"}
	for _, c := range [][2]string{
		{"POST", "/river/api/jobs/cancel"}, {"POST", "/river/api/jobs/delete"}, {"POST", "/river/api/jobs/retry"}, {"PUT", "/river/api/queues/test-noop/pause"},
		{"PATCH", "/river/api/queues/test-noop"}, {"DELETE", "/river/api/jobs"}, {"POST", "/river"}, {"POST", "/river/api/queues/test-noop/resume"}, {"PUT", "/river/api/queues/a/../b/resume/x"},
	} {
		if got := v.ask(c[0], c[1], fmt.Sprintf(`{"ids": ["%d"]}`, job), here...); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: %d %s", c[0], c[1], got.status, got.text)
		}
	}
	// Another site can't make a browser resume a queue, and nor can what says not where it is from.
	resume := "/river/api/queues/test-noop/resume"
	for name, header := range map[string][]string{"nothing": nil, "another site": {"Sec-Fetch-Site", "cross-site"}, "a sibling": {"Sec-Fetch-Site", "same-site"}, "another origin": {"Origin", "https://elsewhere.example"}} {
		if got := v.ask("PUT", resume, "", header...); got.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	paused := func() (is bool) {
		t.Helper()
		if err := a.pool.QueryRow(t.Context(), `SELECT paused_at IS NOT NULL FROM ciclo.river_queue`).Scan(&is); err != nil {
			t.Fatal(err)
		}
		return is
	}
	var state string
	if err := a.pool.QueryRow(t.Context(), `SELECT state FROM ciclo.river_job WHERE id = $1`, job).Scan(&state); err != nil || state != "available" || !paused() {
		t.Errorf("what was refused was done: %s, %v", state, err)
	}
	if got := v.ask("PUT", resume, "", here...); got.status != http.StatusOK || paused() {
		t.Errorf("resumed: %d %s", got.status, got.text)
	}
	a.exec(`UPDATE ciclo.river_queue SET paused_at = now()`)
	if got := a.sendPlain("PUT", resume, ""); got.status != http.StatusOK || paused() { // no browser: a bearer token is enough
		t.Errorf("resumed by its token: %d %s", got.status, got.body)
	}
	a.sendPlain("PUT", "/river/api/queues/nothing/resume", "")
	var log string
	err := a.pool.QueryRow(t.Context(), `SELECT string_agg(token || ' ' || method || ' ' || path || ' ' || status, E'\n' ORDER BY id) FROM ciclo.audit_log`).Scan(&log)
	want := "operator PUT " + resume + " 200\nCICLO_TOKEN PUT " + resume + " 200\nCICLO_TOKEN PUT /river/api/queues/nothing/resume 404"
	if err != nil || log != want {
		t.Errorf("the log is\n%s\nwant\n%s\n%v", log, want, err)
	}

	got := v.ask("GET", "/river/", "")
	_, nonce, _ := strings.Cut(got.text, `<style id="_goober" nonce="`)
	nonce, _, _ = strings.Cut(nonce, `"`)
	policy := got.header.Get("Content-Security-Policy")
	if nonce == "" || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"' 'sha256-") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is %q for the nonce %q", policy, nonce)
	}
	if again := v.ask("GET", "/river/", "", "If-Modified-Since", "Mon, 02 Jan 2090 15:04:05 GMT", "Range", "bytes=0-9"); again.status != http.StatusOK || again.text == got.text {
		t.Errorf("a nonce is used twice: %d", again.status)
	}
}

// served runs an orchestrator as a service does, until the test ends or end is called.
func served(t *testing.T, poolURL string) (address string, end func()) {
	t.Helper()
	pool, err := postgres.Connect(t.Context(), postgres.PoolConfig{URL: poolURL, Name: t.Name(), MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	catalogue, err := testagents.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	o, err := orchestrator.New(orchestrator.Config{Pool: pool, ReaperPool: pool, Catalogue: catalogue, Token: token, NoScheduling: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx, listener) }()
	over := false
	end = func() {
		if over {
			return
		}
		over = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return "http://" + listener.Addr().String(), end
}

// Real Chromium loads River UI under our policy without a word of complaint, and
// what it counts in the background ends with the service.
func TestRiverInABrowser(t *testing.T) {
	t.Parallel()
	address, end := served(t, testdatabase.New(t))
	run, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+prefix+"/test-noop/run", nil)
	if err != nil {
		t.Fatal(err)
	}
	run.Header.Set("Authorization", "Bearer "+token)
	accepted, err := http.DefaultClient.Do(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := accepted.Body.Close(); err != nil || accepted.StatusCode != http.StatusAccepted {
		t.Fatalf("run: %s, %v", accepted.Status, err)
	}
	chromium, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer chromium.Close()
	tab, err := chromium.Open(browser.Screen{Width: 1280})
	if err != nil {
		t.Fatal(err)
	}
	defer tab.Close()
	if err := tab.SignIn(address, token); err != nil {
		t.Fatal(err)
	}
	if err := tab.Go(address + "/river/jobs?" + url.Values{"state": {"available"}}.Encode()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		text, err := browser.Eval[string](tab, `document.body.innerText`)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "execution_id") || strings.Contains(text, "noop_") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job is not listed: %s", text)
		}
	}
	seen, err := tab.Look(address)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Console) > 0 || len(seen.Outside) > 0 {
		t.Errorf("the console says %q, it asks %q", seen.Console, seen.Outside)
	}
	stacks := func() string {
		all := make([]byte, 4<<20)
		return string(all[:runtime.Stack(all, true)])
	}
	if !strings.Contains(stacks(), "querycacher") {
		t.Error("nothing is counted in the background")
	}
	end()
	for deadline := time.Now().Add(10 * time.Second); strings.Contains(stacks(), "querycacher"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("River UI's counting outlasts the service")
		}
	}
}
