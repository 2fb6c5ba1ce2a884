// Package played is a server on this machine that plays a git host for tests: real
// repositories by git's own http-backend, and the part of GitHub's REST API that
// lists and opens pull requests. It misbehaves on command, over HTTP too, so that
// a test can drive one that another process talks to.
//
// Imports: the standard library. In no shipped binary.
package played

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What can be asked of a host, as faults and requests name it.
const (
	List   = "list"   // of pull requests
	Create = "create" // of a pull request
	Refs   = "refs"   // of a repository, before a fetch or a push
	Fetch  = "fetch"
	Push   = "push"
)

// Fault is something that goes wrong. The first that fits a request has its way.
type Fault struct {
	// On is the kind of request; empty is any.
	On string `json:"on,omitempty"`
	// Skip is how many of them pass before.
	Skip int `json:"skip,omitempty"`
	// Times is how often it goes wrong; 0 is once, -1 always.
	Times int `json:"times,omitempty"`
	// After does what was asked before it goes wrong.
	After bool `json:"after,omitempty"`
	// Status, Header and Body are the answer instead; without a status the answer is
	// the usual one.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// Cut ends the connection in the middle of the answer.
	Cut bool `json:"cut,omitempty"`
	// DelayMS is how long the answer takes, in milliseconds.
	DelayMS int `json:"delay_ms,omitempty"`
}

// Pull is a pull request.
type Pull struct {
	Owner  string `json:"owner"`
	Name   string `json:"name"`
	Number int    `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Head   string `json:"head"`
	Base   string `json:"base"`
	State  string `json:"state"` // open or closed
	Merged bool   `json:"merged"`
}

// Request is one that came, faults included.
type Request struct {
	On     string `json:"on"`
	Path   string `json:"path"`
	Status int    `json:"status"` // 0: no whole answer
}

// State is what a host holds: GET /played.
type State struct {
	Pulls    []Pull    `json:"pulls"`
	Requests []Request `json:"requests"`
}

// Host is the server; an http.Handler.
type Host struct {
	folder, token string
	mux           *http.ServeMux

	mu       sync.Mutex
	faults   []Fault
	pulls    []Pull
	requests []Request
}

// New plays a host whose repositories are the bare ones in folder, as
// owner/name.git, open to a token alone. It is reached at /owner/name.git by git,
// at /api for GitHub's API, and driven at /played: GET is its State, POST of a
// Fault adds one, DELETE ends all; POST /played/pulls/{number} of a Pull's state
// and merged changes those. Needs git.
func New(folder, token string) (*Host, error) {
	out, err := exec.CommandContext(context.Background(), "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("find git: %w", err)
	}
	backend, err := exec.LookPath(filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"))
	if err != nil {
		return nil, fmt.Errorf("find git's http-backend: %w", err)
	}
	h := &Host{folder: folder, token: token, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /played", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, h.State()) })
	h.mux.HandleFunc("POST /played", func(w http.ResponseWriter, r *http.Request) { take(w, r, h.Misbehave) })
	h.mux.HandleFunc("DELETE /played", func(http.ResponseWriter, *http.Request) { h.Behave() })
	h.mux.HandleFunc("POST /played/pulls/{number}", func(w http.ResponseWriter, r *http.Request) {
		take(w, r, func(p Pull) { h.EndPull(r.PathValue("number"), p.State, p.Merged) })
	})
	h.mux.HandleFunc("GET /api/repos/{owner}/{name}/pulls", h.played(func(*http.Request) string { return List }, h.api(h.list)))
	h.mux.HandleFunc("POST /api/repos/{owner}/{name}/pulls", h.played(func(*http.Request) string { return Create }, h.api(h.create)))
	git := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=played"}, Stderr: io.Discard}
	h.mux.HandleFunc("/{owner}/{name}/{rest...}", h.played(kind, func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != h.token {
			w.Header().Set("WWW-Authenticate", `Basic realm="played"`)
			http.Error(w, "Bad credentials", http.StatusUnauthorized)
			return
		}
		git.ServeHTTP(w, r)
	}))
	return h, nil
}

func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// kind says what git asks for.
func kind(r *http.Request) string {
	switch {
	case strings.HasSuffix(r.URL.Path, "/git-upload-pack"):
		return Fetch
	case strings.HasSuffix(r.URL.Path, "/git-receive-pack"):
		return Push
	}
	return Refs
}

// Misbehave adds a fault.
func (h *Host) Misbehave(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.Times = cmp.Or(f.Times, 1)
	h.faults = append(h.faults, f)
}

// Behave ends all faults.
func (h *Host) Behave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// State is what the host holds.
func (h *Host) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return State{append([]Pull{}, h.pulls...), append([]Request{}, h.requests...)}
}

// EndPull changes where a pull request stands.
func (h *Host) EndPull(number, state string, merged bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.pulls {
		if strconv.Itoa(h.pulls[i].Number) == number {
			h.pulls[i].State, h.pulls[i].Merged = state, merged
		}
	}
}

// fault takes the fault that a request meets; nil where all goes well.
func (h *Host) fault(on string) *Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.faults {
		f := &h.faults[i]
		if f.On != "" && f.On != on || f.Times == 0 {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		met := *f
		return &met
	}
	return nil
}

// played serves a request as its fault will have it, and notes it.
func (h *Host) played(kind func(*http.Request) string, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		on, status := kind(r), 0
		defer func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.requests = append(h.requests, Request{on, r.URL.Path, status})
		}()
		f := h.fault(on)
		if f == nil {
			f = &Fault{}
		}
		usual := httptest.NewRecorder()
		if f.After || f.Status == 0 {
			serve(usual, r)
		}
		if f.DelayMS > 0 {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
			}
		}
		body := usual.Body.Bytes()
		if f.Status != 0 {
			usual.Code, body = f.Status, []byte(f.Body)
			clear(usual.Header())
			usual.Header().Set("Content-Type", "application/json")
		}
		for name, value := range f.Header {
			usual.Header().Set(name, value)
		}
		for name, values := range usual.Header() {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(usual.Code)
		if f.Cut {
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to end a connection in the middle
		}
		status = usual.Code
		_, _ = w.Write(body)
	}
}

// api lets in who has the token.
func (h *Host) api(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+h.token {
			answer(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
			return
		}
		if err := h.git(r, "rev-parse", "--git-dir"); err != nil {
			answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
			return
		}
		serve(w, r)
	}
}

func (h *Host) git(r *http.Request, args ...string) error {
	_, err := h.ask(r, args...)
	return err
}

// ask asks git about the request's repository.
func (h *Host) ask(r *http.Request, args ...string) (string, error) {
	dir := filepath.Join(h.folder, r.PathValue("owner"), r.PathValue("name")+".git")
	out, err := exec.CommandContext(r.Context(), "git", append([]string{"--git-dir", dir}, args...)...).Output() //nolint:gosec // a test's own
	return strings.TrimSpace(string(out)), err
}

func (h *Host) list(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	head, state := r.URL.Query().Get("head"), cmp.Or(r.URL.Query().Get("state"), "open")
	found := []any{}
	for _, p := range slices.Backward(h.pulls) {
		// As GitHub's, a filter without an owner is none.
		if p.Owner != r.PathValue("owner") || p.Name != r.PathValue("name") || state != "all" && p.State != state || strings.Contains(head, ":") && head != p.Owner+":"+p.Head {
			continue
		}
		found = append(found, show(r, p))
	}
	answer(w, http.StatusOK, found)
}

func (h *Host) create(w http.ResponseWriter, r *http.Request) {
	var p Pull
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"message": "Problems parsing JSON"})
		return
	}
	refused := func(field, code, message string) {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed", "errors": []map[string]string{{"resource": "PullRequest", "field": field, "code": code, "message": message}}})
	}
	for field, branch := range map[string]string{"head": p.Head, "base": p.Base} {
		if h.git(r, "rev-parse", "--verify", "refs/heads/"+branch) != nil {
			refused(field, "invalid", "")
			return
		}
	}
	if between, err := h.ask(r, "rev-list", "--count", p.Base+".."+p.Head); err != nil || between == "0" {
		refused("", "custom", fmt.Sprintf("No commits between %s and %s", p.Base, p.Head))
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p.Owner, p.Name, p.State, p.Merged = r.PathValue("owner"), r.PathValue("name"), "open", false
	for _, other := range h.pulls {
		if other.State == "open" && other.Owner == p.Owner && other.Name == p.Name && other.Head == p.Head && other.Base == p.Base {
			refused("", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", p.Owner, p.Head))
			return
		}
	}
	p.Number = len(h.pulls) + 1
	h.pulls = append(h.pulls, p)
	answer(w, http.StatusCreated, show(r, p))
}

// show is a pull request as GitHub shows it.
func show(r *http.Request, p Pull) map[string]any {
	var merged *string
	if p.Merged {
		at := "2026-01-02T03:04:05Z"
		merged = &at
	}
	return map[string]any{
		"number": p.Number, "state": p.State, "title": p.Title, "body": p.Body, "merged_at": merged,
		"html_url": fmt.Sprintf("http://%s/%s/%s/pull/%d", r.Host, p.Owner, p.Name, p.Number),
		"head":     map[string]any{"ref": p.Head, "label": p.Owner + ":" + p.Head, "repo": map[string]any{"full_name": p.Owner + "/" + p.Name}},
		"base":     map[string]any{"ref": p.Base},
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes())
}

// take reads a command.
func take[T any](w http.ResponseWriter, r *http.Request, do func(T)) {
	var body T
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	do(body)
	w.WriteHeader(http.StatusNoContent)
}
