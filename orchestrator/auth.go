package orchestrator

import (
	"context"
	"crypto/subtle"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"github.com/nuzantara/ciclo/internal/postgres"
)

// Scope is what a token may do.
type Scope string

const (
	// Read is to look at everything.
	Read Scope = "read"
	// Run is to start, cancel and look.
	Run Scope = "run"
	// Approve is to let go out what agents drafted, and to look.
	Approve Scope = "approve"
	// Admin is everything, and to pause, resume and drain.
	Admin Scope = "admin"
)

// Scopes are all there are.
var Scopes = []Scope{Read, Run, Approve, Admin}

// allows reports whether a token with these scopes may do what the scope stands for.
func allows(scopes []string, needed Scope) bool {
	has := func(s Scope) bool { return slices.Contains(scopes, string(s)) }
	return has(Admin) || has(needed) || needed == Read && (has(Run) || has(Approve))
}

// minToken is the shortest API token that is taken, in characters.
const minToken = 16

// tokens knows who may come in: who has the configured token, which may do all,
// and those in the database, where a revoked one is known within tokensFor.
type tokens struct {
	configured []byte // its hash; nil where there is none
	list       func(ctx context.Context) ([]postgres.Token, error)

	mu            sync.Mutex
	known         []postgres.Token
	loaded, until time.Time
	failed        time.Time
	failure       error
}

const (
	// tokensFor is how long the database's tokens are believed.
	tokensFor = 2 * time.Second
	// tokensMissed is how soon they are looked at again for one that isn't among them.
	tokensMissed = 250 * time.Millisecond
	// sharedTimeout bounds what several requests wait for together; a failure is
	// remembered for a third of it.
	sharedTimeout = 3 * time.Second
)

// configuredToken is the name of the token that the configuration gives.
const configuredToken = "CICLO_TOKEN"

// find returns the name and the scopes of a token; no scopes where it is unknown.
// All are compared, in constant time.
func (t *tokens) find(ctx context.Context, token string) (name string, scopes []string, err error) {
	return t.holder(ctx, postgres.HashToken(token))
}

// holder is find by the token's hash.
func (t *tokens) holder(ctx context.Context, given []byte) (name string, scopes []string, err error) {
	if subtle.ConstantTimeCompare(given, t.configured) == 1 {
		return configuredToken, []string{string(Admin)}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock() // others wait for the same answer
	if time.Now().After(t.until) {
		if err := t.load(ctx); err != nil {
			return "", nil, err
		}
	}
	if name, scopes = t.among(given); scopes == nil && time.Now().After(t.loaded.Add(tokensMissed)) {
		err = t.load(ctx) // it may have been made just now
		name, scopes = t.among(given)
	}
	return name, scopes, err
}

// load asks the database, for as long as others may wait for it.
func (t *tokens) load(ctx context.Context) error {
	if time.Now().Before(t.failed.Add(sharedTimeout / 3)) {
		return t.failure // those who waited meanwhile need not each try
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
	defer cancel()
	known, err := t.list(ctx)
	if err != nil {
		t.failed, t.failure = time.Now(), err
		return err
	}
	t.known, t.loaded, t.until = known, time.Now(), time.Now().Add(tokensFor)
	return nil
}

func (t *tokens) among(hash []byte) (name string, scopes []string) {
	for _, k := range t.known {
		if subtle.ConstantTimeCompare(hash, k.Hash) == 1 && k.RevokedAt == nil {
			name, scopes = k.Name, k.Scopes
		}
	}
	return name, scopes
}

// limits bounds how often each token may ask.
type limits struct {
	perSecond float64 // 0: as often as it likes

	mu     sync.Mutex
	tokens map[string]*rate.Limiter
}

// wait is in how long the token may ask again; 0 is now. A second's worth may come
// at once.
func (l *limits) wait(token string, now time.Time) time.Duration {
	if l.perSecond == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.tokens[token]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), int(math.Ceil(l.perSecond)))
		l.tokens[token] = limiter
	}
	reserved := limiter.ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait > 0 {
		reserved.CancelAt(now) // it wasn't let through
	}
	return wait
}

// grant is whose token a request carries, and what it may do.
type grant struct {
	name   string
	scopes []string
}

// grantKey is where authenticate leaves a request's grant.
const grantKey = "grant"

// granted is the request's grant; empty on an open route.
func granted(c echo.Context) grant {
	g, _ := c.Get(grantKey).(grant)
	return g
}

// browsed reports whether the path is of a document or a download, which a browser
// may open with the token as the password. It must stay with what changes nothing: a browser
// sends a password along with whatever another site makes it ask for.
func browsed(path string) bool {
	return path == documentPath || path == docsPath || path == Prefix+exportPath || path == Prefix+graphExportPath || path == Prefix+executionPath
}

// tokenOf is the token that a request carries; empty where there is none.
func tokenOf(c echo.Context) string {
	scheme, token, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return token
	}
	if _, password, ok := c.Request().BasicAuth(); ok && browsed(c.Path()) {
		return password
	}
	return ""
}

// holderOf is whose token, or on a document's or download's path whose session of
// the dashboard, a request carries.
func (o *Orchestrator) holderOf(c echo.Context) (grant, error) {
	ctx := c.Request().Context()
	token := tokenOf(c)
	if secret := secretOf(c.Request()); token == "" && secret != "" && browsed(c.Path()) {
		if g, err := o.sessions.grantOf(ctx, secret); err != nil || g.scopes != nil {
			return g, err
		}
	}
	if token == "" {
		return grant{}, errNoToken
	}
	name, scopes, err := o.tokens.find(ctx, token)
	if err == nil && scopes == nil {
		err = errWrongToken
	}
	return grant{name, scopes}, err
}

// authenticate lets a request pass that carries a token. What is behind no route
// needs one too: a stranger learns nothing.
func (o *Orchestrator) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if o.open[c.Path()] {
			return next(c)
		}
		if g, ok := insideGrant(c.Request().Context()); ok {
			c.Set(grantKey, g)
			return next(c)
		}
		if r := c.Request(); c.Path() == "" && r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			o.pages.NoPage(c.Response(), r) // a person at an address that there isn't
			return nil
		}
		g, err := o.holderOf(c)
		if err != nil {
			return err
		}
		if wait := o.limits.wait(g.name, time.Now()); wait > 0 {
			c.Response().Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			return errTooMany
		}
		c.Set(grantKey, g)
		return next(c)
	}
}

// needs lets a request pass whose token has the scope.
func needs(scope Scope) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !allows(granted(c).scopes, scope) {
				return newProblem(http.StatusForbidden, "scope-missing", "The token may not do this", "it needs the scope "+string(scope))
			}
			return next(c)
		}
	}
}

// logged writes a change into the audit log before it happens, and how it was
// answered after it. Without the first there is no change.
func (o *Orchestrator) logged(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		id, err := o.store.BeginChange(ctx, granted(c).name, c.Request().Method, c.Request().URL.Path)
		if err != nil {
			return err
		}
		err = next(c)
		status := c.Response().Status
		if err != nil {
			status = problemOf(err).Status
		}
		if ended := o.store.EndChange(context.WithoutCancel(ctx), id, status); ended != nil {
			o.cfg.Log.Warn("the audit log lacks an answer", "id", id, "status", status, "error", ended)
		}
		return err
	}
}
