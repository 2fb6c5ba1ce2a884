package pullrequest

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nuzantara/ciclo/internal/pullrequest/played"
)

// TestRefusals has the host misbehave once; the next try must end in one branch and
// one pull request, unless somebody has to mend something first.
func TestRefusals(t *testing.T) {
	t.Parallel()
	message := `{"message":"said of ` + token + `"}`
	exists := `{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for acme:x."}]}`
	for name, c := range map[string]struct {
		fault     played.Fault
		permanent bool
		texts     []string
		wait      time.Duration // about
		fine      bool          // no error at all
	}{
		"git 401":             {played.Fault{On: played.Refs, Status: 401}, true, []string{"401", "CICLO_GIT_TOKEN"}, 0, false},
		"git 403":             {played.Fault{On: played.Push, Status: 403, Body: message}, true, []string{"403", "said of (secret)", "lacks a right"}, 0, false},
		"git 404":             {played.Fault{On: played.Refs, Status: 404}, true, []string{"CICLO_GIT_REMOTE names no repository"}, 0, false},
		"git 429":             {played.Fault{On: played.Fetch, Status: 429, Header: map[string]string{"Retry-After": "30"}}, false, nil, 30 * time.Second, false},
		"git 500":             {played.Fault{On: played.Fetch, Status: 500}, false, []string{"500"}, 0, false},
		"git 502 of push":     {played.Fault{On: played.Push, Status: 502}, false, []string{"502"}, 0, false},
		"git 502 after push":  {played.Fault{On: played.Push, Status: 502, After: true}, false, []string{"502"}, 0, false},
		"git cut refs":        {played.Fault{On: played.Refs, Cut: true}, false, []string{"speak to"}, 0, false},
		"git cut pack":        {played.Fault{On: played.Fetch, Cut: true}, false, []string{"speak to"}, 0, false},
		"git cut after push":  {played.Fault{On: played.Push, Cut: true}, false, []string{"speak to"}, 0, false},
		"git answers a page":  {played.Fault{On: played.Refs, Status: 200, Body: "<html>"}, false, []string{"speak to"}, 0, false},
		"list 401":            {played.Fault{On: played.List, Status: 401, Body: message}, true, []string{"401", "CICLO_GIT_TOKEN", "(secret)"}, 0, false},
		"list 404":            {played.Fault{On: played.List, Status: 404, Body: message}, true, []string{"CICLO_GIT_REMOTE"}, 0, false},
		"list 403":            {played.Fault{On: played.List, Status: 403, Body: message}, true, []string{"lacks a right"}, 0, false},
		"list cut":            {played.Fault{On: played.List, Cut: true}, false, nil, 0, false},
		"list half JSON":      {played.Fault{On: played.List, Status: 200, Body: `[{"number":1,`}, false, nil, 0, false},
		"list no list":        {played.Fault{On: played.List, Status: 200, Body: `{}`}, false, nil, 0, false},
		"list other branches": {fault: played.Fault{On: played.List, Status: 200, Body: `[{"number":9,"state":"open","html_url":"http://h/9","head":{"ref":"x"}},{"number":8,"state":"open","html_url":"http://h/8","head":{"ref":"ciclo/conversation-trainer-0a1b","repo":{"full_name":"acme/fork"}}}]`}, fine: true},
		"403 Retry-After":     {played.Fault{On: played.Create, Status: 403, Header: map[string]string{"Retry-After": "60"}, Body: message}, false, []string{"(secret)"}, time.Minute, false},
		"403 reset":           {played.Fault{On: played.Create, Status: 403, Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)}}, false, nil, time.Hour, false},
		"429 by a date":       {played.Fault{On: played.List, Status: 429, Header: map[string]string{"Retry-After": time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}, false, nil, time.Hour, false},
		"429 for years":       {played.Fault{On: played.List, Status: 429, Header: map[string]string{"Retry-After": "999999999"}}, false, nil, 24 * time.Hour, false},
		"429 of no time":      {played.Fault{On: played.List, Status: 429}, false, nil, time.Second, false},
		"create 401":          {played.Fault{On: played.Create, Status: 401}, true, []string{"CICLO_GIT_TOKEN"}, 0, false},
		"create 500":          {played.Fault{On: played.Create, Status: 500}, false, []string{"500"}, 0, false},
		"create, then 502":    {played.Fault{On: played.Create, Status: 502, After: true}, false, []string{"502"}, 0, false},
		"create, then cut":    {played.Fault{On: played.Create, Cut: true}, false, nil, 0, false},
		"create, then half":   {played.Fault{On: played.Create, After: true, Status: 201, Body: `{"number":`}, false, nil, 0, false},
		"create, then empty":  {played.Fault{On: played.Create, After: true, Status: 201, Body: `{}`}, false, []string{"no number or address"}, 0, false},
		"create, then null":   {played.Fault{On: played.Create, After: true, Status: 201, Body: `null`}, false, []string{"no number or address"}, 0, false},
		"create, 422 exists":  {played.Fault{On: played.Create, After: true, Status: 422, Body: exists}, false, nil, 0, true},
		"422, not listed yet": {played.Fault{On: played.Create, Status: 422, Body: exists}, false, []string{"already exists"}, 0, false},
		"422 head not seen":   {played.Fault{On: played.Create, Status: 422, Body: `{"message":"Validation Failed","errors":[{"field":"head","code":"invalid"}]}`}, false, []string{"head invalid"}, 0, false},
		"422 of another kind": {played.Fault{On: played.Create, Status: 422, Body: `{"message":"Validation Failed","errors":[{"field":"base","code":"invalid","message":"` + token + `"}]}`}, true, []string{"base invalid", "(secret)"}, 0, false},
		"slow":                {fault: played.Fault{DelayMS: 300}, fine: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			r, h := o.github()
			h.Misbehave(c.fault)
			p := o.proposal()
			out, err := r.Propose(t.Context(), p)
			if c.fine {
				if err != nil {
					t.Fatal(err)
				}
				o.exactlyOne(p, out, h)
				return
			}
			wantError(t, err, c.permanent, c.texts...)
			var limited *LimitedError
			if got := errors.As(err, &limited); got != (c.wait > 0) {
				t.Errorf("%v is limited: %t", err, got)
			} else if got && (limited.Wait > c.wait || limited.Wait < c.wait/2 || limited.Wait < time.Second) {
				t.Errorf("wait %s, want about %s", limited.Wait, c.wait)
			}
			if out, err = r.Propose(t.Context(), p); err != nil {
				t.Fatalf("when all is well again: %v", err)
			}
			o.exactlyOne(p, out, h)
		})
	}
}

func TestAskedWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for name, c := range map[string]struct {
		after, remaining, reset string
		want                    time.Duration
	}{
		"nothing":               {"", "", "", 0},
		"seconds":               {"90", "", "", 90 * time.Second},
		"no seconds":            {"0", "", "", time.Second},
		"seconds below zero":    {"-5", "", "", 0},
		"date":                  {"Wed, 04 Mar 2026 05:08:07 GMT", "", "", 2 * time.Minute},
		"date that has passed":  {"Wed, 04 Mar 2026 05:00:00 GMT", "", "", time.Second},
		"no date":               {"soon", "", "", 0},
		"reset":                 {"", "0", strconv.FormatInt(now.Unix()+3600, 10), time.Hour},
		"reset that has passed": {"", "0", strconv.FormatInt(now.Unix()-3600, 10), time.Second},
		"reset at no time":      {"", "0", "", time.Minute},
		"requests remain":       {"", "7", strconv.FormatInt(now.Unix()+3600, 10), 0},
		"seconds before reset":  {"5", "0", strconv.FormatInt(now.Unix()+3600, 10), 5 * time.Second},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.after)
		h.Set("X-RateLimit-Remaining", c.remaining)
		h.Set("X-RateLimit-Reset", c.reset)
		if got := askedWait(h, now); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	for _, on := range []string{played.List, played.Refs, played.Fetch, played.Push, played.Create} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			r, h := o.github()
			h.Misbehave(played.Fault{On: on, DelayMS: 60_000})
			r.timeout = 500 * time.Millisecond
			p := o.proposal()
			_, err := r.Propose(t.Context(), p)
			wantError(t, err, false, "gave no whole answer within 500ms")
			r.timeout = 20 * time.Second
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			o.exactlyOne(p, out, h)
		})
	}
	t.Run("a local hook", func(t *testing.T) {
		t.Parallel()
		o := newOrigin(t)
		o.hook("exec sleep 2")
		r := o.local()
		p := o.proposal()
		r.timeout = 500 * time.Millisecond
		_, err := r.Propose(t.Context(), p)
		wantError(t, err, false, "gave no whole answer within 500ms")
		o.hook("exit 0")
		r.timeout = 20 * time.Second
		out, err := r.Propose(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		o.exactlyOne(p, out, nil)
	})
}

func TestRemoteRefusesTheBranch(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, h := begin(t)
			o.hook("echo only people make branches; exit 1")
			p := o.proposal()
			_, err := r.Propose(t.Context(), p)
			wantError(t, err, true, "refuses the branch", "hook declined", "only people make branches")
			o.hook("exit 0")
			o.git("branch", "ciclo", "main") // where a folder of branches would be
			_, err = r.Propose(t.Context(), p)
			wantError(t, err, false, "makes no branch of the push")
			o.git("branch", "-D", "ciclo")
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			o.exactlyOne(p, out, h)
		})
	}
}

func TestRepositoryIsNotThere(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	p := o.proposal()
	_, url := o.serve()
	missing := config(url + "/acme/none.git")
	base := config("file://" + o.dir)
	base.Base = "trunk"
	wrong := config(url + "/acme/prompts.git")
	wrong.Token = "ghp_Secret-other"
	none := wrong
	none.Token = ""
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct {
		config    Config
		permanent bool
		text      string
	}{
		"missing over HTTP": {missing, true, "names no repository there"},
		"missing folder":    {config("file://" + o.folder + "/none.git"), true, "there is no repository there"},
		"no base branch":    {base, true, "no branch trunk: is CICLO_GIT_BASE right?"},
		"empty":             {config("file://" + emptyOrigin(t).dir), true, "the repository is empty"},
		"another token":     {wrong, true, "doesn't take CICLO_GIT_TOKEN"},
		"no token":          {none, true, "needs CICLO_GIT_TOKEN"},
		"nobody there":      {config("http://" + closed.Addr().String() + "/a/b.git"), false, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, c.config)
			_, err := r.Propose(t.Context(), p)
			wantError(t, err, c.permanent, c.text)
			_, _, err = r.Read(t.Context(), "x")
			wantError(t, err, c.permanent, c.text)
		})
	}
}

func TestEmptyOverHTTP(t *testing.T) {
	t.Parallel()
	o := emptyOrigin(t)
	_, url := o.serve()
	_, _, err := open(t, config(url+"/acme/prompts.git")).Read(t.Context(), "x")
	wantError(t, err, true, "the repository is empty")
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, _ := begin(t)
			p := o.proposal()
			r.maxAnswer = 300
			_, err := r.Propose(t.Context(), p)
			wantError(t, err, true, "too large")
			if !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v is not ErrTooLarge", err)
			}
			r.maxAnswer, r.maxInflated = maxAnswer, 200
			if _, _, err = r.Read(t.Context(), "prompts/base.md"); !errors.Is(err, ErrTooLarge) || !Permanent(err) {
				t.Errorf("unpacked: %v", err)
			}
			if len(o.branches()) != 0 {
				t.Error("a branch")
			}
		})
	}
}

// TestContentsAreLeftOut reads from a repository whose contents alone are beyond
// what is taken, on a remote that sends trees without them.
func TestContentsAreLeftOut(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	large := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(large) // never fails
	o.write("video", string(large))
	o.commit("large")
	local := o.local()
	local.maxAnswer = 10 << 10 // while its git has more to say than a pipe holds
	if _, err := local.Propose(t.Context(), o.proposal()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("of a local git: %v", err)
	}
	_, url := o.serve()
	r := open(t, config(url+"/acme/prompts.git"))
	r.maxInflated = 100 << 10
	if _, err := r.Propose(t.Context(), o.proposal()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("with all contents: %v", err)
	}
	o.git("config", "uploadpack.allowFilter", "true")
	o.git("config", "uploadpack.allowReachableSHA1InWant", "true")
	if text, _, err := r.Read(t.Context(), "prompts/base.md"); err != nil || string(text) != prompt {
		t.Errorf("read %q: %v", text, err)
	}
	p := o.proposal()
	out, err := r.Propose(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	o.exactlyOne(p, out, nil)
}

// TestTokenStaysAtItsHost has each host send us to another one.
func TestTokenStaysAtItsHost(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	t.Cleanup(other.Close)
	for _, on := range []string{played.List, played.Create, played.Refs, played.Fetch, played.Push} {
		for _, status := range []int{302, 307} {
			o := newOrigin(t)
			r, h := o.github()
			h.Misbehave(played.Fault{On: on, Status: status, Header: map[string]string{"Location": other.URL + "/x"}})
			_, err := r.Propose(t.Context(), o.proposal())
			// In the middle of its talk go-git itself follows nowhere.
			if middle := on == played.Fetch || on == played.Push; middle {
				wantError(t, err, false, "redirect")
			} else {
				wantError(t, err, true, "sends us elsewhere")
			}
		}
	}
	if len(asked) != 0 {
		t.Errorf("the other host was asked for %s", <-asked)
	}
}

func TestRedirectAtTheSameHost(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	r, h := o.github()
	h.Misbehave(played.Fault{On: played.List, Status: 301, Header: map[string]string{"Location": "/api/repos/acme/prompts/pulls"}})
	p := o.proposal()
	out, err := r.Propose(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	o.exactlyOne(p, out, h)
}

func TestProposalsRefused(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	r := o.local()
	with := func(change func(*Proposal)) Proposal { p := o.proposal(); change(&p); return p }
	file := func(paths ...string) Proposal {
		return with(func(p *Proposal) {
			p.Files = map[string][]byte{}
			for _, path := range paths {
				p.Files[path] = nil
			}
		})
	}
	many := map[string][]byte{}
	for i := range MaxFiles + 1 {
		many[strconv.Itoa(i)] = nil
	}
	for name, c := range map[string]struct {
		p    Proposal
		text string
	}{
		"no key":             {with(func(p *Proposal) { p.Key = "" }), "the key"},
		"key with a slash":   {with(func(p *Proposal) { p.Key = "a/../b" }), "the key"},
		"key like a lock":    {with(func(p *Proposal) { p.Key = "a.lock" }), "the key"},
		"long key":           {with(func(p *Proposal) { p.Key = strings.Repeat("a", 101) }), "the key"},
		"no title":           {with(func(p *Proposal) { p.Title = " " }), "the title"},
		"title of two lines": {with(func(p *Proposal) { p.Title = "a\nb" }), "the title"},
		"long title":         {with(func(p *Proposal) { p.Title = strings.Repeat("ä", 257) }), "the title"},
		"long body":          {with(func(p *Proposal) { p.Body = strings.Repeat("ä", 65537) }), "the body"},
		"body with a NUL":    {with(func(p *Proposal) { p.Body = "\x00" }), "the body"},
		"body no UTF-8":      {with(func(p *Proposal) { p.Body = "\xff" }), "the body"},
		"body with token":    {with(func(p *Proposal) { p.Body = "see " + token }), "holds the token"},
		"file with token":    {with(func(p *Proposal) { p.Files["prompts/base.md"] = []byte("see " + token) }), "holds the token"},
		"no base commit":     {with(func(p *Proposal) { p.BaseCommit = "main" }), "the base commit"},
		"no time":            {with(func(p *Proposal) { p.At = time.Time{} }), "its time"},
		"no files":           {file(), "1 to 100 files"},
		"too many files":     {with(func(p *Proposal) { p.Files = many }), "1 to 100 files"},
		"large file":         {with(func(p *Proposal) { p.Files["x"] = make([]byte, MaxFile+1) }), "too large"},
		"file and folder":    {file("a", "a/b"), "a is to be a file and a folder"},
		"up":                 {file("../x"), "no path"},
		"up below":           {file("a/../../x"), "no path"},
		"here":               {file("a/./x"), "no path"},
		"absolute":           {file("/etc/passwd"), "no path"},
		"empty part":         {file("a//b"), "no path"},
		"folder":             {file("a/"), "no path"},
		"git's":              {file(".git/config"), "no path"},
		"git's, in capitals": {file("a/.GIT/hooks/x"), "no path"},
		"git's, of Windows":  {file("git~1/config"), "no path"},
		"git's, with a dot":  {file(".git./config"), "no path"},
		"git's, of macOS":    {file(".g\u200cit/config"), "no path"},
		"back-slash":         {file(`a\..\b`), "no path"},
		"drive":              {file("c:x"), "no path"},
		"line end":           {file("a\nb"), "no path"},
		"no UTF-8":           {file("\xff"), "no path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Propose(t.Context(), c.p)
			wantError(t, err, true, c.text)
			_, _, err = r.Find(t.Context(), c.p)
			wantError(t, err, true, c.text)
			if len(o.branches()) != 0 {
				t.Error("a branch was made")
			}
		})
	}
}
