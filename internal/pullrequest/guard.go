package pullrequest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// guard carries the requests of one exchange: it bounds what comes back, keeps the
// token at its host, and knows what an answer's status means. go-git hides the
// errors of its transport, so the first is kept here.
type guard struct {
	r     *Repository
	where string // host that is spoken to
	left  int64  // bytes that may still come

	mu      sync.Mutex
	failure error
}

func (r *Repository) guard(where string, limit int64) *guard {
	return &guard{r: r, where: where, left: limit}
}

// client is an HTTP client whose requests go through the guard.
func (g *guard) client() *http.Client {
	return &http.Client{Transport: g, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if first := via[0].URL; req.URL.Scheme != first.Scheme || req.URL.Host != first.Host || len(via) > 3 {
			return g.fail(refuse("%s sends us elsewhere, where the token must not go: set the repository's address of today", g.where))
		}
		return nil
	}}
}

// RoundTrip makes an error of each answer that is none.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.r.http.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := g.refused(resp); err != nil {
		resp.Body.Close()
		return nil, g.fail(err)
	}
	resp.Body = &guarded{resp.Body, g}
	return resp, nil
}

// fail keeps the first failure.
func (g *guard) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		g.failure = err
	}
	return err
}

// failed is the first failure, or nil.
func (g *guard) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failure
}

// count takes n bytes off what may still come.
func (g *guard) count(n int) error {
	g.mu.Lock()
	g.left -= int64(n)
	over := g.left < 0
	g.mu.Unlock()
	if over {
		return g.fail(permanent{fmt.Errorf("the answer of %s is %w: more than %d MiB for one branch", g.where, ErrTooLarge, g.r.maxAnswer>>20)})
	}
	return nil
}

// refused is the error that an answer stands for. 422 is left to who asked.
func (g *guard) refused(resp *http.Response) error {
	code := resp.StatusCode
	if code < 400 || code == http.StatusUnprocessableEntity {
		return nil
	}
	said := fmt.Sprintf("%s answered %d %s", g.where, code, http.StatusText(code))
	if text := g.said(resp); text != "" {
		said += ": " + text
	}
	wait := askedWait(resp.Header, time.Now())
	switch {
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && wait > 0, code >= 500 && wait > 0:
		return &LimitedError{g.where, said, min(max(wait, time.Second), 24*time.Hour)}
	case code == http.StatusUnauthorized && g.r.token == "":
		return refuse("%s; it needs CICLO_GIT_TOKEN", said)
	case code == http.StatusUnauthorized:
		return refuse("%s; it doesn't take CICLO_GIT_TOKEN: is it right, and has it expired?", said)
	case code == http.StatusForbidden:
		return refuse("%s; CICLO_GIT_TOKEN lacks a right that this needs", said)
	case code == http.StatusNotFound:
		return refuse("%s; CICLO_GIT_REMOTE names no repository there, or one that CICLO_GIT_TOKEN can't see", said)
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusConflict, code == http.StatusTooEarly:
		return fmt.Errorf("%s", said)
	}
	return refuse("%s", said)
}

// said is what a refusing answer says, fit to be shown.
func (g *guard) said(resp *http.Response) string {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // half of it is as good
	var message struct{ Message string }
	switch kind := resp.Header.Get("Content-Type"); {
	case strings.HasPrefix(kind, "application/json"):
		_ = json.Unmarshal(body, &message) // nothing is said then
		return g.r.clean(message.Message)
	case strings.HasPrefix(kind, "text/plain"):
		return g.r.clean(string(body))
	}
	return ""
}

// askedWait is how long an answer asks to wait: by Retry-After in seconds or as a
// date, or by GitHub's headers of a spent limit; 0 where it asks for none.
func askedWait(h http.Header, now time.Time) time.Duration {
	after := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(after); err == nil && seconds >= 0 {
		return max(time.Duration(min(seconds, 1<<30))*time.Second, time.Second)
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(at.Sub(now), time.Second)
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if at, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && at > 0 && at < 1<<40 {
			return max(time.Unix(at, 0).Sub(now), time.Second)
		}
		return time.Minute // what GitHub asks for where it names no time
	}
	return 0
}

// guarded is an answer's body.
type guarded struct {
	io.ReadCloser
	g *guard
}

func (b *guarded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if over := b.g.count(n); over != nil {
		return 0, over
	}
	return n, err
}
