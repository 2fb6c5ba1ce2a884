package orchestrator_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/net/html"

	"github.com/nuzantara/ciclo/internal/postgres"
	"github.com/nuzantara/ciclo/internal/testdatabase"
	"github.com/nuzantara/ciclo/orchestrator"
)

// visitor is somebody with a browser: cookies, forms and nothing else.
type visitor struct {
	t      testing.TB
	base   string
	client *http.Client
}

// page is what a visitor got.
type page struct {
	status   int
	location string
	header   http.Header
	text     string
	doc      *html.Node
}

// visit is a visitor of the API's dashboard; the server ends with the test.
func (a *api) visit() *visitor {
	a.t.Helper()
	server := httptest.NewServer(a.handler)
	a.t.Cleanup(server.Close)
	return (&visitor{t: a.t, base: server.URL}).another()
}

// another is a visitor of the same dashboard with a browser of their own.
func (v *visitor) another() *visitor {
	v.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return &visitor{v.t, v.base, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as signs in with a token.
func (v *visitor) as(token string) *visitor {
	v.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; { // a new token is known after a moment
		got := v.post("/sign-in", url.Values{"token": {token}})
		if got.status == http.StatusSeeOther {
			return v
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("sign in: %d\n%s", got.status, got.text)
		}
	}
}

func (v *visitor) do(r *http.Request) page {
	v.t.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(string(text)))
	if err != nil {
		v.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(text), doc}
}

func (v *visitor) get(path string) page {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(r)
}

// post sends a form as it is given.
func (v *visitor) post(path string, form url.Values, header ...string) page {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return v.do(r)
}

// send sends a form as the page at from has it, with its token.
func (v *visitor) send(from, path string, form url.Values) page {
	v.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set("form_token", v.get(from).value(v.t, "form_token"))
	return v.post(path, form)
}

// value is what a field of the page holds.
func (p page) value(tb testing.TB, name string) string {
	tb.Helper()
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "input" && attribute(n, "name") == name {
			return attribute(n, "value")
		}
	}
	tb.Fatalf("the page has no field %s:\n%s", name, p.text)
	return ""
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// shows is the page's text between its tags, with single spaces.
func (p page) shows() string {
	var words []string
	for n := range p.doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// paths are pages that everybody may see who has signed in.
var paths = []string{"/", "/audit", "/clients", "/segment-changes", "/messages", "/messages/opt-outs", "/patterns", "/patterns/history?feature=a", "/prompts"}

func TestNobodySeesAPageUnlessSignedIn(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	stranger := a.visit()
	for _, path := range append(paths, "/audit/x", "/?x=1") {
		got := stranger.get(path)
		want := "/sign-in"
		if path != "/" {
			want += "?next=" + url.QueryEscape(path)
		}
		if got.status != http.StatusSeeOther || got.location != want {
			t.Errorf("%s: %d to %q, want %q", path, got.status, got.location, want)
		}
	}
	if got := stranger.post("/sign-in", url.Values{"token": {"nobody-made-this-one"}}); got.status != http.StatusUnauthorized || !strings.Contains(got.shows(), "not known") || len(got.header["Set-Cookie"]) > 0 {
		t.Errorf("a wrong token: %d %s", got.status, got.shows())
	}
	// An asset needs no session, and no other file is served.
	if got := stranger.get("/assets/nothing.css"); got.status != http.StatusNotFound {
		t.Errorf("an asset that there isn't: %d", got.status)
	}
	for n := range stranger.get("/sign-in").doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "link" && attribute(n, "rel") == "stylesheet" {
			if got := stranger.get(attribute(n, "href")); got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "text/css") || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
				t.Errorf("the style: %d %v", got.status, got.header)
			}
		}
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit()
	signed := v.post("/sign-in", url.Values{"token": {a.newToken("analyst", "read")}, "next": {"/audit"}})
	if signed.status != http.StatusSeeOther || signed.location != "/audit" {
		t.Fatalf("sign in: %d to %q", signed.status, signed.location)
	}
	cookie := signed.header.Get("Set-Cookie")
	for _, want := range []string{"ciclo_session=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %s", cookie, want)
		}
	}
	secret, _, _ := strings.Cut(strings.TrimPrefix(cookie, "ciclo_session="), ";")
	var kept int
	if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.sessions WHERE secret_hash = $1 AND expires_at > now() + interval '11 hours'`, postgres.HashToken(secret)).Scan(&kept); err != nil || kept != 1 {
		t.Errorf("%d sessions are kept by their hash, %v", kept, err)
	}
	got := v.get("/")
	if got.status != http.StatusOK || !strings.Contains(got.shows(), "analyst Sign out") {
		t.Fatalf("the overview: %d %s", got.status, got.shows())
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q", name, got.header.Get(name))
		}
	}
	if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is %q", policy)
	}

	// Over https the cookie is one that nobody else can have set, and no other counts.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	if planted := v.do(r); planted.status != http.StatusSeeOther {
		t.Errorf("a plain cookie over https: %d", planted.status)
	}
	over := v.another().post("/sign-in", url.Values{"token": {token}}, "X-Forwarded-Proto", "HTTPS, http")
	if cookie := over.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-ciclo_session=") || !strings.Contains(cookie, "Secure") {
		t.Errorf("the cookie over https is %q", cookie)
	}

	// Another site's form is refused, and so is one without the session's token.
	for name, c := range map[string]struct {
		form   url.Values
		header []string
	}{
		"no token":                  {url.Values{}, nil},
		"a wrong one":               {url.Values{"form_token": {"x"}}, nil},
		"another site by its fetch": {url.Values{"form_token": {got.value(t, "form_token")}}, []string{"Sec-Fetch-Site", "cross-site"}},
		"another site by its name":  {url.Values{"form_token": {got.value(t, "form_token")}}, []string{"Origin", "https://elsewhere.example"}},
	} {
		if refused := v.post("/sign-out", c.form, c.header...); refused.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, refused.status)
		}
	}
	if refused := v.another().post("/sign-in", url.Values{"token": {token}}, "Sec-Fetch-Site", "cross-site"); refused.status != http.StatusForbidden || len(refused.header["Set-Cookie"]) > 0 {
		t.Errorf("another site signs people in: %d", refused.status)
	}
	if still := v.get("/"); still.status != http.StatusOK {
		t.Fatalf("the session is over: %d", still.status)
	}

	// Downloads and documents take the session; the API itself takes no cookie.
	if doc := v.get("/openapi.json"); doc.status != http.StatusOK {
		t.Errorf("the document: %d", doc.status)
	}
	if api := v.get(prefix + "/status"); api.status != http.StatusUnauthorized {
		t.Errorf("the API takes a cookie: %d", api.status)
	}

	// Signing out ends it everywhere.
	thief := v.another()
	at, err := url.Parse(v.base)
	if err != nil {
		t.Fatal(err)
	}
	thief.client.Jar.SetCookies(at, v.client.Jar.Cookies(at))
	if stolen := thief.get("/"); stolen.status != http.StatusOK {
		t.Fatalf("a copied cookie: %d", stolen.status)
	}
	if out := v.send("/", "/sign-out", nil); out.status != http.StatusSeeOther || out.location != "/sign-in" {
		t.Errorf("sign out: %d to %q", out.status, out.location)
	}
	for name, who := range map[string]*visitor{"who signed out": v, "a copied cookie": thief} {
		if over := who.get("/"); over.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, over.status)
		}
	}
}

// A session ends with its token, and at its time; what is no session is none.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit().as(a.newToken("leaver", "read"))
	late := v.another().as(a.newToken("late", "read"))
	if err := a.store().RevokeToken(t.Context(), "leaver"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.pool.Exec(t.Context(), `UPDATE ciclo.sessions SET created_at = now() - interval '12 hours', expires_at = now() WHERE token_hash = (SELECT hash FROM ciclo.tokens WHERE name = 'late')`); err != nil {
		t.Fatal(err)
	}
	if got := late.get("/"); got.status != http.StatusSeeOther {
		t.Errorf("a session that is over: %d", got.status)
	}
	for deadline := time.Now().Add(20 * time.Second); v.get("/").status != http.StatusSeeOther; { // tokens are believed for two seconds
		if time.Now().After(deadline) {
			t.Fatal("a session outlives its token")
		}
	}
	late.as(token) // which clears what is over
	var kept int
	if err := a.pool.QueryRow(t.Context(), `SELECT count(*) FROM ciclo.sessions WHERE expires_at <= now()`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d sessions that are over are kept, %v", kept, err)
	}
	for _, cookie := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("é", 43), strings.Repeat("A", 4000)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", "ciclo_session="+cookie)
		if got := v.another().do(r); got.status != http.StatusSeeOther {
			t.Errorf("the cookie %.20q: %d", cookie, got.status)
		}
	}
}

// Where it leads after signing in is a page of ours, whatever a link says.
func TestWhereSigningInLeads(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit()
	for next, want := range map[string]string{
		"": "/", "/executions?status=failed": "/executions?status=failed", "https://elsewhere.example/": "/", "//elsewhere.example": "/", `/\elsewhere.example`: "/",
		"javascript:alert(1)": "/", "executions": "/", "/%0d%0aSet-Cookie:x=y": "/%0d%0aSet-Cookie:x=y", "/a\r\nSet-Cookie: x=y": "/", "%zz": "/",
	} {
		if got := v.post("/sign-in", url.Values{"token": {token}, "next": {next}}); got.location != want {
			t.Errorf("%q leads to %q, want %q", next, got.location, want)
		}
	}
	if got := v.another().get("/sign-in?next=" + url.QueryEscape(`"><script>alert(1)</script>`)); strings.Contains(got.text, "<script>alert") || got.value(t, "next") != "/" {
		t.Errorf("the form holds %s", got.text)
	}
}

// What the pages don't know is a page that says so; a database that is away is, too.
func TestRefusedPages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit().as(token)
	for path, want := range map[string]int{"/audit/x": http.StatusNotFound, "/audit?cursor=x": http.StatusUnprocessableEntity, "/audit?cursor=0": http.StatusUnprocessableEntity} {
		if got := v.get(path); got.status != want || !strings.Contains(got.shows(), "Nothing was changed") {
			t.Errorf("%s: %d, want %d\n%s", path, got.status, want, got.shows())
		}
	}
	if got := v.send("/", "/audit", nil); got.status != http.StatusNotFound && got.status != http.StatusMethodNotAllowed {
		t.Errorf("a form for a page that has none: %d", got.status)
	}
	// A person at an address that there isn't gets a page, a program a problem, a
	// stranger the way in.
	for _, c := range []struct {
		who    *visitor
		path   string
		accept string
		status int
	}{
		{v, "/nowhere/at/all", "text/html,*/*", http.StatusNotFound}, {v, "/nowhere/at/all", "*/*", http.StatusUnauthorized},
		{v.another(), "/nowhere/at/all", "text/html", http.StatusSeeOther},
		{v, "/./nowhere/%7B", "text/html", http.StatusNotFound}, {v, "*", "text/html", http.StatusNotFound},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = c.path // as it stands
		r.Header.Set("Accept", c.accept)
		if got := c.who.do(r); got.status != c.status || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s, which there isn't, as %s: %d, want %d", c.path, c.accept, got.status, c.status)
		}
	}
	a.pool.Close()
	if got := v.get("/"); got.status != http.StatusServiceUnavailable {
		t.Errorf("without a database: %d", got.status)
	}
}

func TestAuditPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	v := a.visit().as(a.newToken("analyst", "read"))
	if got := v.get("/audit"); !strings.Contains(got.shows(), "Nothing was changed yet.") {
		t.Errorf("an empty log: %s", got.shows())
	}
	for range 51 {
		a.send("POST", prefix+"/executions/noop_nobody/cancel", "")
	}
	got := v.get("/audit")
	if n := strings.Count(got.text, "noop_nobody"); n != 50 || !strings.Contains(got.shows(), "404 refused") || !strings.Contains(got.shows(), "CICLO_TOKEN POST "+prefix) {
		t.Errorf("%d changes: %s", n, got.shows())
	}
	var next string
	for n := range got.doc.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "rel") == "next" {
			next = attribute(n, "href")
		}
	}
	if older := v.get(next); strings.Count(older.text, "noop_nobody") != 1 || !strings.Contains(older.shows(), "First page") {
		t.Errorf("the next page %s: %s", next, older.shows())
	}
	if checked := v.get("/audit?check=1"); !strings.Contains(checked.shows(), "Every invariant that can be judged now holds.") {
		t.Errorf("checked: %s", checked.shows())
	}
	id := a.run("test-noop", "")
	err := pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { // past the triggers, which refuse it
		if _, err := tx.Exec(t.Context(), `SET LOCAL session_replication_role = replica`); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `DELETE FROM ciclo.transitions WHERE execution_id = $1`, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked := v.get("/audit?check=1"); !strings.Contains(checked.shows(), "1 violations.") || !strings.Contains(checked.shows(), id) {
		t.Errorf("a violation: %s", checked.shows())
	}
}

// A visitor asks as often as the token may, pages and API together.
func TestPagesAreLimited(t *testing.T) {
	t.Parallel()
	a := newAPIOn(t, testdatabase.New(t), io.Discard, func(c *orchestrator.Config) { c.RateLimit = 0.01 })
	v := a.visit().as(token)
	v.get("/") // what there is at once
	if got := v.get("/"); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("nothing bounds how often a visitor asks: %d, %v", got.status, got.header)
	}
}
