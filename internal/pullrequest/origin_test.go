package pullrequest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nuzantara/ciclo/internal/pullrequest/played"
)

const token = "ghp_Secret+Token/1"

func TestMain(m *testing.M) {
	// The tests' git is nobody's: no configuration of this machine.
	for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@localhost", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@localhost"} {
		os.Setenv(name, value)
	}
	goleak.VerifyTestMain(m)
}

// origin is a bare repository and a folder to commit from.
type origin struct {
	t                  *testing.T
	folder, dir, clone string
}

const prompt = "# Prompt\r\nBe kind.\r\n"

// newOrigin makes a repository acme/prompts with a first commit on main.
func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := emptyOrigin(t)
	o.write("prompts/base.md", prompt)
	o.write("bin/run.sh", "#!/bin/sh\n")
	o.write("other.txt", "1\n")
	if err := errors.Join(os.Chmod(filepath.Join(o.clone, "bin/run.sh"), 0o755), os.Symlink("prompts", filepath.Join(o.clone, "link")),
		os.Symlink("prompts/base.md", filepath.Join(o.clone, "link.md"))); err != nil {
		t.Fatal(err)
	}
	o.commit("first")
	return o
}

func emptyOrigin(t *testing.T) *origin {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git isn't installed: the remotes of these tests are real")
	}
	o := &origin{t: t, folder: t.TempDir(), clone: t.TempDir()}
	o.dir = filepath.Join(o.folder, "acme", "prompts.git")
	o.run(o.folder, "init", "-q", "--bare", "-b", "main", o.dir)
	o.run(o.clone, "init", "-q", "-b", "main", ".")
	o.run(o.clone, "remote", "add", "origin", o.dir)
	return o
}

func (o *origin) run(dir string, args ...string) string {
	o.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

func (o *origin) git(args ...string) string { o.t.Helper(); return o.run(o.dir, args...) }

func (o *origin) write(path, text string) {
	o.t.Helper()
	at := filepath.Join(o.clone, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
		o.t.Fatal(err)
	}
}

// commit brings what is in the clone to main and returns the commit.
func (o *origin) commit(message string) string {
	o.t.Helper()
	o.run(o.clone, "add", "-A")
	o.run(o.clone, "commit", "-q", "--allow-empty", "-m", message)
	o.run(o.clone, "push", "-q", "origin", "HEAD:main")
	return o.run(o.clone, "rev-parse", "HEAD")
}

func (o *origin) head() string { o.t.Helper(); return o.git("rev-parse", "main") }

// branches are the names of all but main, with their commits.
func (o *origin) branches() map[string]string {
	o.t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(o.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")) {
		name, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "main" {
			all[name] = hash
		}
	}
	return all
}

// hook has the remote run a script before it takes a push.
func (o *origin) hook(script string) {
	o.t.Helper()
	at := filepath.Join(o.dir, "hooks", "pre-receive")
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte("#!/bin/sh\n"+script+"\n"), 0o755)); err != nil {
		o.t.Fatal(err)
	}
}

// proposal changes the prompt.
func (o *origin) proposal() Proposal {
	o.t.Helper()
	return Proposal{
		Key: "conversation-trainer-0a1b", Title: "prompts: ask earlier", Body: "Association, not cause.\n\n| n | RD |\n",
		Files:      map[string][]byte{"prompts/base.md": []byte(prompt + "Ask early.\r\n"), "reports/new/2026.svg": []byte("<svg/>")},
		BaseCommit: o.head(), At: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	}
}

func config(remote string) Config {
	return Config{Remote: remote, Base: "main", User: "x-access-token", Token: token, Author: "Ciclo", Mail: "ciclo@localhost", Timeout: 20 * time.Second}
}

func open(t *testing.T, c Config) *Repository {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if own, is := r.http.(*http.Transport); is {
		t.Cleanup(own.CloseIdleConnections)
	}
	return r
}

func (o *origin) local() *Repository { o.t.Helper(); return open(o.t, config("file://"+o.dir)) }

// serve plays a host with the repository: git over HTTP and GitHub.
func (o *origin) serve() (*played.Host, string) {
	o.t.Helper()
	h, err := played.New(o.folder, token)
	if err != nil {
		o.t.Skipf("no git over HTTP here: %v", err)
	}
	s := httptest.NewServer(h)
	o.t.Cleanup(s.Close)
	return h, s.URL
}

// github is the repository on a played GitHub.
func (o *origin) github(change ...func(*Config)) (*Repository, *played.Host) {
	o.t.Helper()
	h, url := o.serve()
	c := config(url + "/acme/prompts.git")
	c.API = url + "/api"
	for _, f := range change {
		f(&c)
	}
	return open(o.t, c), h
}

// exactlyOne checks that the remote has one branch, with the proposal's content and
// nothing else changed, and GitHub one pull request.
func (o *origin) exactlyOne(p Proposal, out Outcome, h *played.Host) {
	o.t.Helper()
	if all := o.branches(); len(all) != 1 || all[out.Branch] != out.Commit || out.Branch != "ciclo/"+p.Key {
		o.t.Errorf("branches %v, want %s at %s alone", all, out.Branch, out.Commit)
	}
	o.git("fsck", "--strict")
	if got := o.git("rev-list", "--count", "main..."+out.Branch); got != "1" {
		o.t.Errorf("%s commits apart from main, want 1", got)
	}
	for path, text := range p.Files {
		cmd := exec.Command("git", "show", out.Branch+":"+path)
		cmd.Dir = o.dir
		if got, err := cmd.Output(); err != nil || string(got) != string(text) {
			o.t.Errorf("%s is %q (%v), want %q", path, got, err, text)
		}
	}
	if got := len(strings.Fields(o.git("diff", "--name-only", "main", out.Branch))); got != len(p.Files) {
		o.t.Errorf("%d files changed, want %d", got, len(p.Files))
	}
	if h == nil {
		return
	}
	if pulls := h.State().Pulls; len(pulls) != 1 || pulls[0].Head != out.Branch || pulls[0].Base != "main" || pulls[0].Number != out.Number || pulls[0].Title != p.Title || pulls[0].Body != p.Body {
		o.t.Errorf("pull requests %+v, want one, of %+v", pulls, out)
	}
}

// wantError checks an error's text, kind and that it holds no secret.
func wantError(t *testing.T, err error, permanent bool, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q doesn't say %q", err, text)
		}
	}
	if Permanent(err) != permanent {
		t.Errorf("permanent is %t for %q", Permanent(err), err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(fmt.Sprintf("%+v", e), "Secret") {
			t.Errorf("the error shows the token: %v", e)
		}
	}
}

// cutter ends the nth request, before it is sent or when its answer is there.
type cutter struct {
	http.RoundTripper
	n     int
	after bool
	kill  context.CancelFunc // nil: the connection breaks
}

func (c *cutter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.n--
	if c.n != 0 {
		return c.RoundTripper.RoundTrip(req)
	}
	if c.after {
		resp, err := c.RoundTripper.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		resp.Body.Close()
	}
	if c.kill != nil {
		c.kill()
		return nil, req.Context().Err()
	}
	return nil, errors.New("connection reset by peer, Authorization: Bearer " + token)
}
