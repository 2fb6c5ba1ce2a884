package orchestrator

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"riverqueue.com/riverui"

	"github.com/nuzantara/ciclo/client"
	"github.com/nuzantara/ciclo/internal/queue"
)

// riverPath is where River UI lies.
const riverPath = "/river"

// riverUI shows the queue as River has it, to the scope admin alone. It shows: what
// it could change of rows, Ciclo's own tables don't know of, and would mend
// (docs/decisions/0026-river-ui.md).
type riverUI struct {
	handler *riverui.Handler
	// styles are the sources of the fixed styles that the front end sets by script.
	styles string
	// running ends with the service; nil where that doesn't run.
	running context.Context //nolint:containedctx // it is the service's, not a call's
	once    sync.Once
}

// newRiverUI makes River UI over a client that inserts alone: it never works and
// never leads.
func (o *Orchestrator) newRiverUI() (*riverUI, error) {
	log := o.cfg.Log.With("component", "river-ui")
	reads, err := river.NewClient(riverpgxv5.New(o.cfg.Pool), &river.Config{Schema: queue.Schema, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("make River UI's client: %w", err)
	}
	handler, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(reads, nil), Logger: log, Prefix: riverPath})
	if err != nil {
		return nil, fmt.Errorf("make River UI: %w", err)
	}
	styles, err := riverStyles()
	if err != nil {
		return nil, fmt.Errorf("read River UI's front end: %w", err)
	}
	return &riverUI{handler: handler, styles: styles}, nil
}

// fixedStyle is where the front end makes a style element of a text of its own.
var fixedStyle = regexp.MustCompile("createTextNode\\(`([^`$]*\\{[^`$]*)`\\)")

// riverStyles are the hashes of the styles that the front end holds as texts, as a
// Content-Security-Policy names them.
func riverStyles() (sources string, err error) {
	scripts, err := fs.Glob(riverui.FrontendIndex, "dist/assets/*.js")
	if err != nil {
		return "", err
	}
	for _, name := range scripts {
		text, err := fs.ReadFile(riverui.FrontendIndex, name)
		if err != nil {
			return "", err
		}
		for _, style := range fixedStyle.FindAllSubmatch(text, -1) {
			hash := sha256.Sum256(style[1])
			sources += " 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
		}
	}
	return sources, nil
}

// mountRiver serves River UI beside the pages.
func (o *Orchestrator) mountRiver() error {
	var err error
	if o.river, err = o.newRiverUI(); err != nil {
		return err
	}
	for _, path := range []string{riverPath, riverPath + "/*"} {
		o.open[path] = true // riverVisitors finds out by itself who asks
		o.echo.Match([]string{http.MethodGet, http.MethodHead}, path, o.showRiver, o.riverVisitors)
		o.echo.Match([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, path, o.changeRiver, o.riverVisitors)
	}
	return nil
}

// riverVisitors lets those pass who may do all: with a token of scope admin, or
// signed in with one.
func (o *Orchestrator) riverVisitors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, header := c.Request(), c.Response().Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", riverPolicy(""))
		g, bySession, err := o.riverGrant(c)
		person := strings.Contains(r.Header.Get("Accept"), "text/html")
		if query, queryErr := url.QueryUnescape(r.URL.RawQuery); queryErr != nil || !storable(r.URL.Path) || !storable(query) {
			return newProblem(http.StatusBadRequest, "bad-text", "The address holds what is no text", "")
		}
		switch {
		case err != nil:
			return err
		case g.scopes == nil && person && r.Method == http.MethodGet:
			return c.Redirect(http.StatusSeeOther, "/sign-in?next="+riverPath)
		case g.scopes == nil:
			return errNoToken
		case !allows(g.scopes, Admin) && bySession && person:
			visitor, err := o.visitor(r)
			if err != nil {
				return err
			}
			o.pages.Refuse(c.Response(), r, visitor, &client.Problem{Status: http.StatusForbidden, Title: "You may not see River's tables", Detail: "sign in with a token of scope admin"})
			return nil
		case !allows(g.scopes, Admin):
			return newProblem(http.StatusForbidden, "scope-missing", "The token may not do this", "it needs the scope "+string(Admin))
		}
		if wait := o.limits.wait(g.name, time.Now()); wait > 0 {
			header.Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			return errTooMany
		}
		if err := notFromElsewhere(r, bySession); err != nil {
			return newProblem(http.StatusForbidden, "cross-origin", "The request came from another site", err.Error())
		}
		c.Set(grantKey, g)
		return next(c)
	}
}

// riverGrant is who asks, and whether a browser's session says so; no scopes where
// nobody does.
func (o *Orchestrator) riverGrant(c echo.Context) (g grant, bySession bool, err error) {
	ctx := c.Request().Context()
	if token := tokenOf(c); token != "" {
		name, scopes, err := o.tokens.find(ctx, token)
		if err == nil && scopes == nil {
			err = errWrongToken
		}
		return grant{name, scopes}, false, err
	}
	g, err = o.sessions.grantOf(ctx, secretOf(c.Request()))
	return g, true, err
}

var riverOrigin = http.NewCrossOriginProtection()

// notFromElsewhere refuses changes that another site makes a browser send. River
// UI's front end has no token in its requests, so that their origin is all that
// tells: who has a session, a browser, must name it. Who sends a bearer token is no
// browser that was misled, and may leave it out.
func notFromElsewhere(r *http.Request, bySession bool) error {
	if err := riverOrigin.Check(r); err != nil {
		return err
	}
	unsafe := r.Method != http.MethodGet && r.Method != http.MethodHead
	if bySession && unsafe && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return errors.New("neither Sec-Fetch-Site nor Origin says where it comes from")
	}
	return nil
}

// riverPolicy lets River UI's front end load its own files and ask its own API, and
// nothing else. What it writes into a style element at run time is let in by that
// element's nonce, and what it holds as a text by its hash.
func riverPolicy(styles string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'" + styles + "; img-src 'self' data:; connect-src 'self'; " +
		"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}

// showRiver answers what changes nothing.
func (o *Orchestrator) showRiver(c echo.Context) error {
	o.river.once.Do(func() {
		if o.river.running == nil {
			return
		}
		// What it counts in the background begins with the first visitor.
		if err := o.river.handler.Start(o.river.running); err != nil {
			o.cfg.Log.Warn("River UI counts nothing in the background", "error", err)
		}
	})
	if strings.HasPrefix(c.Request().URL.Path, riverPath+"/assets/") {
		c.Response().Header().Set("Cache-Control", "private, max-age=86400") // their names change with what they hold
	}
	r := c.Request().Clone(c.Request().Context())
	for _, conditional := range []string{"Range", "If-Range", "If-Modified-Since", "If-None-Match"} {
		r.Header.Del(conditional) // the page is whole and new each time
	}
	w := &riverPage{ResponseWriter: c.Response(), nonce: rand.Text(), styles: o.river.styles}
	o.river.handler.ServeHTTP(w, r)
	return w.end()
}

// changeRiver lets a queue be resumed that something paused past Ciclo, and refuses
// everything else.
func (o *Orchestrator) changeRiver(c echo.Context) error {
	name, isQueue := strings.CutPrefix(c.Request().URL.Path, riverPath+"/api/queues/")
	if _, action, _ := strings.Cut(name, "/"); isQueue && action == "resume" && c.Request().Method == http.MethodPut {
		return o.logged(func(c echo.Context) error {
			o.river.handler.ServeHTTP(c.Response(), c.Request())
			return nil
		})(c)
	}
	c.Response().Header().Set("Allow", "GET, HEAD")
	return newProblem(http.StatusMethodNotAllowed, "river-only-shown", "River's rows are only shown here",
		"executions are cancelled by ciclo cancel, run again by ciclo retry, agents paused by ciclo pause, or on Ciclo's own pages")
}

// riverPage is an answer of River UI. Into its page, and no other file, it puts the
// style element that the front end would else make for itself, which a policy
// without 'unsafe-inline' refuses.
type riverPage struct {
	http.ResponseWriter
	nonce, styles string
	page          *bytes.Buffer
	status        int
}

func (p *riverPage) WriteHeader(status int) {
	header := p.Header()
	if strings.HasPrefix(header.Get("Content-Type"), "text/html") && status == http.StatusOK {
		p.page, p.status = &bytes.Buffer{}, status
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *riverPage) Write(text []byte) (int, error) {
	if p.page != nil {
		return p.page.Write(text)
	}
	return p.ResponseWriter.Write(text)
}

// end sends the page, where the answer is one.
func (p *riverPage) end() error {
	if p.page == nil {
		return nil
	}
	// The front end's library takes an element of this id for its own.
	style := fmt.Sprintf(`<style id="_goober" nonce="%s"> </style></head>`, p.nonce)
	text := strings.Replace(p.page.String(), "</head>", style, 1)
	p.Header().Set("Content-Security-Policy", riverPolicy(" 'nonce-"+p.nonce+"'"+p.styles))
	p.Header().Del("Content-Length")
	p.ResponseWriter.WriteHeader(p.status)
	if _, err := p.ResponseWriter.Write([]byte(text)); err != nil {
		return fmt.Errorf("send River UI's page: %w", err)
	}
	return nil
}
