package pullrequest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nuzantara/ciclo/internal/pullrequest/played"
)

// remotes are the ways to a repository: locally, over HTTP and SSH, both also with
// trees sent without their files' contents, and on GitHub.
var remotes = map[string]func(t *testing.T) (*origin, *Repository, *played.Host){
	"file": func(t *testing.T) (*origin, *Repository, *played.Host) {
		t.Helper()
		o := newOrigin(t)
		return o, o.local(), nil
	},
	"HTTP": func(t *testing.T) (*origin, *Repository, *played.Host) {
		t.Helper()
		o := newOrigin(t)
		_, url := o.serve()
		return o, open(t, config(url+"/acme/prompts.git")), nil
	},
	"HTTP without contents": func(t *testing.T) (*origin, *Repository, *played.Host) {
		t.Helper()
		o := newOrigin(t)
		o.git("config", "uploadpack.allowFilter", "true")
		o.git("config", "uploadpack.allowReachableSHA1InWant", "true")
		_, url := o.serve()
		return o, open(t, config(url+"/acme/prompts.git")), nil
	},
	"SSH": func(t *testing.T) (*origin, *Repository, *played.Host) {
		t.Helper()
		o := newOrigin(t)
		return o, open(t, o.ssh().config()), nil
	},
	"SSH without contents": func(t *testing.T) (*origin, *Repository, *played.Host) {
		t.Helper()
		o := newOrigin(t)
		o.git("config", "uploadpack.allowFilter", "true")
		o.git("config", "uploadpack.allowReachableSHA1InWant", "true")
		return o, open(t, o.ssh().config()), nil
	},
	"GitHub": func(t *testing.T) (*origin, *Repository, *played.Host) {
		t.Helper()
		o := newOrigin(t)
		o.git("config", "uploadpack.allowFilter", "true")
		o.git("config", "uploadpack.allowAnySHA1InWant", "true")
		r, h := o.github()
		return o, r, h
	},
}

func TestProposeTwice(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, h := begin(t)
			text, base, err := r.Read(t.Context(), "prompts/base.md")
			if err != nil || string(text) != prompt || base != o.head() {
				t.Fatalf("read %q at %s: %v", text, base, err)
			}
			p := o.proposal()
			if out, found, err := r.Find(t.Context(), p); found || err != nil {
				t.Fatalf("found before it was there: %+v, %v", out, err)
			}
			first, err := r.Propose(t.Context(), p)
			if err != nil || first.Existing {
				t.Fatalf("propose: %+v, %v", first, err)
			}
			o.exactlyOne(p, first, h)
			if got, want := o.git("log", "-1", "--format=%an|%ae|%at|%cn|%ct|%B", first.Branch), "Ciclo|ciclo@localhost|1772600767|Ciclo|1772600767|"+p.message(); strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Errorf("commit %q, want %q", got, want)
			}
			o.write("other.txt", "2\n")
			o.commit("others go on") // which changes nothing for it
			want := first
			want.Existing = true
			again, err := r.Propose(t.Context(), p)
			if diff := cmp.Diff(want, again); diff != "" || err != nil {
				t.Errorf("again: %v %s", err, diff)
			}
			found, there, err := r.Find(t.Context(), p)
			if diff := cmp.Diff(want, found); diff != "" || !there || err != nil {
				t.Errorf("find: %t %v %s", there, err, diff)
			}
			if h != nil && len(h.State().Pulls) != 1 {
				t.Errorf("pull requests: %+v", h.State().Pulls)
			}
		})
	}
}

func TestModesAreKept(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, _ := begin(t)
			p := o.proposal()
			p.Files = map[string][]byte{"bin/run.sh": []byte("#!/bin/sh\r\nexit 1\r\n"), "bin.txt": {0, 255}, "bin-a/x": []byte("x")}
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			got := o.git("ls-tree", "-r", "--format=%(objectmode) %(path)", out.Branch)
			want := "100644 bin-a/x\n100644 bin.txt\n100755 bin/run.sh\n120000 link\n120000 link.md\n100644 other.txt\n100644 prompts/base.md"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			o.git("fsck", "--strict")
		})
	}
}

func TestBaseMoved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(o *origin, p *Proposal)
		want   error
		text   string
	}{
		"another file": {change: func(o *origin, _ *Proposal) { o.write("other.txt", "2\n"); o.commit("x") }},
		"there and back": {change: func(o *origin, _ *Proposal) {
			o.write("prompts/base.md", "x")
			o.commit("x")
			o.write("prompts/base.md", prompt)
			o.commit("y")
		}},
		"the same file":             {change: func(o *origin, _ *Proposal) { o.write("prompts/base.md", "x"); o.commit("x") }, want: ErrMoved, text: "prompts/base.md changed"},
		"a file that was to be new": {change: func(o *origin, _ *Proposal) { o.write("reports/new/2026.svg", "x"); o.commit("x") }, want: ErrMoved, text: "reports/new/2026.svg changed"},
		"the file's mode": {change: func(o *origin, _ *Proposal) {
			o.run(o.clone, "update-index", "--chmod=+x", "prompts/base.md")
			o.run(o.clone, "commit", "-qm", "x")
			o.run(o.clone, "push", "-q", "origin", "HEAD:main")
		}, want: ErrMoved, text: "prompts/base.md changed"},
		"a commit that never was": {change: func(_ *origin, p *Proposal) { p.BaseCommit = strings.Repeat("ab", 20) }, want: ErrMoved, text: "rewritten"},
		"the base holds it by now": {change: func(o *origin, p *Proposal) {
			for path, text := range p.Files {
				o.write(path, string(text))
			}
			p.BaseCommit = o.commit("x")
		}, want: ErrNothing, text: "holds these files already"},
		"a symbolic link in the way":  {change: func(o *origin, p *Proposal) { p.Files = map[string][]byte{"link/base.md": nil} }, text: "link is a symbolic link"},
		"a symbolic link as the file": {change: func(o *origin, p *Proposal) { p.Files = map[string][]byte{"link.md": nil} }, text: "link.md is a symbolic link"},
		"a folder as the file":        {change: func(o *origin, p *Proposal) { p.Files = map[string][]byte{"prompts": nil} }, text: "prompts is a folder"},
		"a file as the folder":        {change: func(o *origin, p *Proposal) { p.Files = map[string][]byte{"other.txt/x": nil} }, text: "other.txt is a file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, begin := range remotes {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					o, r, h := begin(t)
					p := o.proposal()
					c.change(o, &p)
					out, err := r.Propose(t.Context(), p)
					if c.text == "" {
						if err != nil || o.git("rev-parse", out.Branch+"^") != o.head() {
							t.Fatalf("%+v, %v: want a commit on the present head", out, err)
						}
						o.exactlyOne(p, out, h)
						return
					}
					wantError(t, err, true, c.text)
					if c.want != nil && !errors.Is(err, c.want) {
						t.Errorf("%v is not %v", err, c.want)
					}
					if len(o.branches()) != 0 {
						t.Errorf("it left %v", o.branches())
					}
				})
			}
		})
	}
}

func TestBaseTooFarBack(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	r := o.local()
	r.history = 3
	p := o.proposal()
	for i := range 2 {
		o.commit(fmt.Sprint(i))
	}
	if _, err := r.Propose(t.Context(), p); err != nil {
		t.Fatalf("two commits back of three: %v", err)
	}
	p.Key += "-2"
	o.commit("3")
	if _, err := r.Propose(t.Context(), p); !errors.Is(err, ErrMoved) {
		t.Errorf("three commits back of three: %v", err)
	}
}

func TestBranchOfAnother(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, h := begin(t)
			p := o.proposal()
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			// People go on with it: still ours.
			o.run(o.clone, "fetch", "-q", "origin", out.Branch)
			o.run(o.clone, "checkout", "-q", "FETCH_HEAD")
			o.write("prompts/base.md", "better")
			o.run(o.clone, "commit", "-qam", "better")
			o.run(o.clone, "push", "-q", "origin", "HEAD:refs/heads/"+out.Branch)
			tip := o.branches()[out.Branch]
			again, err := r.Propose(t.Context(), p)
			if err != nil || !again.Existing || again.Commit != out.Commit || tip == out.Commit {
				t.Errorf("with a commit on top: %+v, %v", again, err)
			}
			other := p
			other.Files = map[string][]byte{"prompts/base.md": []byte("another content")}
			_, err = r.Propose(t.Context(), other)
			wantError(t, err, true, "ciclo/"+p.Key, "another content")
			if !errors.Is(err, ErrConflict) {
				t.Errorf("%v is no conflict", err)
			}
			if _, _, err = r.Find(t.Context(), other); !errors.Is(err, ErrConflict) {
				t.Errorf("find: %v", err)
			}
			if o.branches()[out.Branch] != tip {
				t.Error("somebody's branch was changed")
			}
			if h != nil && len(h.State().Pulls) != 1 {
				t.Errorf("pull requests %+v", h.State().Pulls)
			}
		})
	}
}

func TestBranchThatNobodyProposed(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, h := begin(t)
			p := o.proposal()
			o.git("branch", "ciclo/"+p.Key, "main")
			if _, err := r.Propose(t.Context(), p); !errors.Is(err, ErrConflict) {
				t.Errorf("got %v", err)
			}
			if h != nil && len(h.State().Pulls) != 0 {
				t.Error("a pull request of somebody's branch")
			}
		})
	}
}

// TestBranchComesMeanwhile has somebody make the branch before each request of
// Propose: it is theirs.
func TestBranchComesMeanwhile(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		o := newOrigin(t)
		p := o.proposal()
		at := &meanwhile{&http.Transport{DisableKeepAlives: true}, n, func() { o.git("branch", "ciclo/"+p.Key, "main") }}
		r, h := o.github(func(c *Config) { c.Transport = at })
		out, err := r.Propose(t.Context(), p)
		if out.Commit != "" { // it was pushed before
			if n < 6 || at.n != 1 {
				t.Errorf("request %d came too late for the branch, with %d to go", n, at.n)
			}
			return
		}
		if !errors.Is(err, ErrConflict) || !Permanent(err) {
			t.Errorf("before request %d: %v", n, err)
		}
		if o.branches()["ciclo/"+p.Key] != o.head() || len(h.State().Pulls) != 0 {
			t.Errorf("before request %d: branches %v, pull requests %v", n, o.branches(), h.State().Pulls)
		}
	}
}

// meanwhile does something before the nth request, unless it would fail.
type meanwhile struct {
	http.RoundTripper
	n  int
	do func()
}

func (m *meanwhile) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/pulls") && req.Method == http.MethodPost {
		return m.RoundTripper.RoundTrip(req) // the branch is there
	}
	if m.n--; m.n == 0 {
		m.do()
	}
	return m.RoundTripper.RoundTrip(req)
}

func TestEndedPullRequestStaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		merged, deleted bool
		want            string
	}{"closed": {false, false, "closed"}, "closed, branch deleted": {false, true, "closed"}, "merged, branch deleted": {true, true, "merged"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrigin(t)
			r, h := o.github()
			p := o.proposal()
			out, err := r.Propose(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			h.EndPull("1", "closed", c.merged)
			if c.deleted {
				o.git("branch", "-D", out.Branch)
			}
			want := Outcome{Branch: out.Branch, Number: 1, URL: out.URL, State: c.want, Existing: true}
			again, err := r.Propose(t.Context(), p)
			if diff := cmp.Diff(want, again); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if len(h.State().Pulls) != 1 || c.deleted && len(o.branches()) != 0 {
				t.Errorf("pulls %+v, branches %v", h.State().Pulls, o.branches())
			}
		})
	}
}

func TestAtOnce(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, h := begin(t)
			p := o.proposal()
			outs, errs := make([]Outcome, 4), make([]error, 4)
			var wg sync.WaitGroup
			for i := range outs {
				wg.Go(func() { outs[i], errs[i] = r.Propose(t.Context(), p) })
			}
			wg.Wait()
			made := 0
			for i := range outs {
				// A git that finds the branch's lock taken says so: then it is asked again.
				for range 20 {
					if errs[i] == nil || Permanent(errs[i]) {
						break
					}
					outs[i], errs[i] = r.Propose(t.Context(), p)
				}
				if errs[i] != nil {
					t.Fatal(errs[i])
				}
				if !outs[i].Existing {
					made++
				}
				outs[i].Existing = false
				if diff := cmp.Diff(outs[0], outs[i]); diff != "" {
					t.Error(diff)
				}
			}
			if made > 1 {
				t.Errorf("%d say that they made it", made)
			}
			o.exactlyOne(p, outs[0], h)
		})
	}
}

// TestCutAtEachCall ends Propose at each of its requests, before it is sent and
// after it was answered, by a broken connection and by the caller's end.
func TestCutAtEachCall(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, after := range []bool{false, true} {
		for _, killed := range []bool{false, true} {
			for n := 1; ; n++ {
				o := newOrigin(t)
				cut := &cutter{RoundTripper: &http.Transport{DisableKeepAlives: true}, n: n, after: after}
				r, h := o.github(func(c *Config) { c.Transport = cut })
				ctx, cancel := context.WithCancel(t.Context())
				if killed {
					cut.kill = cancel
				}
				p := o.proposal()
				_, err := r.Propose(ctx, p)
				cancel()
				if cut.n > 0 { // it needed fewer
					if err != nil {
						t.Fatal(err)
					}
					calls = n - 1
					break
				}
				wantError(t, err, false)
				if killed && !errors.Is(err, context.Canceled) {
					t.Errorf("cut %d: %v is not the context's", n, err)
				}
				before, found, err := r.Find(t.Context(), p)
				if err != nil {
					t.Fatal(err)
				}
				out, err := r.Propose(t.Context(), p)
				if err != nil {
					t.Fatalf("after cut %d (after the answer: %t): %v", n, after, err)
				}
				o.exactlyOne(p, out, h)
				if found != out.Existing || found && before != out {
					t.Errorf("cut %d: found %+v %t, then proposed %+v", n, before, found, out)
				}
			}
		}
	}
	if calls < 7 {
		t.Errorf("%d calls were cut, want each of at least 7", calls)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for way, begin := range remotes {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			o, r, _ := begin(t)
			_, _, err := r.Read(t.Context(), "prompts/none.md")
			wantError(t, err, true, `read "prompts/none.md" on main`)
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v is not fs.ErrNotExist", err)
			}
			for path, text := range map[string]string{"link.md": "symbolic link", "link/base.md": "symbolic link", "prompts": "a folder", "../x": "no path", "/etc/passwd": "no path"} {
				_, _, err := r.Read(t.Context(), path)
				wantError(t, err, true, text)
			}
			o.write("large", strings.Repeat("x", MaxFile+1))
			o.write("largest", strings.Repeat("x", MaxFile))
			o.commit("large")
			if _, _, err := r.Read(t.Context(), "large"); !errors.Is(err, ErrTooLarge) || !Permanent(err) {
				t.Errorf("read of 1 MiB and a byte: %v", err)
			}
			if text, _, err := r.Read(t.Context(), "largest"); err != nil || len(text) != MaxFile {
				t.Errorf("read of 1 MiB: %d bytes, %v", len(text), err)
			}
		})
	}
}
