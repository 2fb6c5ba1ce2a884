package dashboard

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nuzantara/ciclo/client"
)

// Visitor is who looks.
type Visitor struct {
	// Name is the token's.
	Name string
	// May says which of read, run, approve and admin the visitor may do.
	May map[string]bool
	// FormToken is what the visitor's forms must carry.
	FormToken string
	// API answers as it answers the visitor.
	API *client.Client
}

// Config is what the dashboard needs of the service that it is a part of.
type Config struct {
	// Visitor finds who asks by the session's cookie; nil where nobody has signed in.
	Visitor func(*http.Request) (*Visitor, error)
	// SignIn begins a session for a token and sets its cookie, where the token is known.
	SignIn func(w http.ResponseWriter, r *http.Request, token string) (known bool, err error)
	// SignOut ends the session.
	SignOut func(w http.ResponseWriter, r *http.Request) error
	// Wait is in how long a visitor may ask again; 0 is now.
	Wait func(name string) time.Duration
	// Stopped is closed when the service stops: no stream may outlast it.
	Stopped <-chan struct{}
	// Zone is the firm's, which times are shown in.
	Zone    *time.Location
	Version string
	Log     *slog.Logger
}

// Dashboard serves the pages.
type Dashboard struct {
	cfg     Config
	mux     *http.ServeMux
	assets  *assets
	pages   map[string]*template.Template // by the template's file name
	streams *streams
}

const (
	// pageTimeout bounds what one page may ask.
	pageTimeout = 10 * time.Second
	// maxForm bounds the body of a form, in bytes.
	maxForm = 1 << 20
)

// New prepares the pages.
func New(cfg Config) (*Dashboard, error) {
	d := &Dashboard{cfg: cfg, mux: http.NewServeMux(), pages: map[string]*template.Template{}, streams: &streams{own: map[string]int{}}}
	if cfg.Zone == nil {
		d.cfg.Zone = time.UTC
	}
	var err error
	if d.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	names := []string{"sign-in.html", "refused.html"}
	for _, p := range pages() {
		names = append(names, p.template)
	}
	for _, name := range names {
		if d.pages[name], err = d.parse(name); err != nil {
			return nil, err
		}
	}
	d.routes()
	return d, nil
}

// Patterns are the paths that the dashboard serves, as echo writes them.
func Patterns() []string {
	patterns := []string{"/", "/sign-in", "/sign-out", "/assets/*"}
	known := map[string]bool{"": true}
	for _, p := range pages() {
		first, _, _ := strings.Cut(strings.TrimPrefix(p.path, "/"), "/")
		if !known[first] && first != "{$}" {
			known[first] = true
			patterns = append(patterns, "/"+first, "/"+first+"/*")
		}
	}
	return patterns
}

func (d *Dashboard) routes() {
	d.mux.Handle("GET /assets/{file}", d.assets)
	d.mux.HandleFunc("GET /sign-in", d.showSignIn)
	d.mux.HandleFunc("POST /sign-in", d.signIn)
	d.mux.HandleFunc("POST /sign-out", d.signOut)
	for _, p := range pages() {
		d.mux.HandleFunc("GET "+p.path, func(w http.ResponseWriter, r *http.Request) { d.show(w, r, p) })
		for _, a := range p.actions {
			d.mux.HandleFunc("POST "+a.path, func(w http.ResponseWriter, r *http.Request) { d.act(w, r, p, a) })
		}
	}
	d.mux.HandleFunc("/", d.NoPage)
}

// NoPage answers who asks for a page that there isn't, at whatever address: it leads
// nowhere else, as a mux does that corrects paths.
func (d *Dashboard) NoPage(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	v, err := d.cfg.Visitor(r)
	if err == nil && v == nil {
		d.askToSignIn(w, r)
		return
	}
	d.refuse(w, r, v, errors.Join(err, &client.Problem{Status: http.StatusNotFound, Title: "There is no such page"}))
}

// Refuse shows on a page why there is none, where something beside the pages is
// asked for. The visitor is nil where nobody has signed in.
func (d *Dashboard) Refuse(w http.ResponseWriter, r *http.Request, visitor *Visitor, why *client.Problem) {
	protect(w.Header())
	d.refuse(w, r, visitor, why)
}

// protect sets what every page says to browsers.
func protect(header http.Header) {
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// ServeHTTP implements http.Handler.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	// What another site makes a browser send is refused before anything is read.
	if err := sameOrigin.Check(r); err != nil {
		d.refuse(w, r, nil, &client.Problem{Status: http.StatusForbidden, Title: "The form came from another site", Detail: err.Error()})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d.mux.ServeHTTP(w, r)
}

// policy lets a page have our own style, script and images, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

var sameOrigin = http.NewCrossOriginProtection()

// Visit is one look at a page.
type Visit struct {
	*http.Request
	*Visitor
	Zone *time.Location
	Now  time.Time
}

// page is one of the dashboard's.
type page struct {
	// path is http.ServeMux's.
	path string
	// section is which of the navigation's it belongs to.
	section  string
	template string
	// read asks the API for what the template shows. Its error is shown instead.
	read func(context.Context, *Visit) (any, error)
	// actions are what the page's forms do.
	actions []action
}

// action is what a form does. It returns where to go then and what to say there.
type action struct {
	path string
	do   func(context.Context, *Visit) (next, said string, err error)
}

// visit finds the visitor and leads who hasn't signed in to the form. It returns
// nil where the answer was given.
func (d *Dashboard) visit(w http.ResponseWriter, r *http.Request) *Visit {
	visitor, err := d.cfg.Visitor(r)
	if err != nil {
		d.refuse(w, r, nil, err)
		return nil
	}
	if visitor == nil {
		d.askToSignIn(w, r)
		return nil
	}
	return &Visit{Request: r, Visitor: visitor, Zone: d.cfg.Zone, Now: time.Now()}
}

// show answers with a page, or its live parts to who listens.
func (d *Dashboard) show(w http.ResponseWriter, r *http.Request, p page) {
	v := d.visit(w, r)
	if v == nil {
		return
	}
	if d.tooOften(w, r, v) {
		return
	}
	if r.Header.Get("Accept") == "text/event-stream" {
		d.stream(w, r, v, p)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	data, err := p.read(ctx, v)
	if err != nil {
		d.refuse(w, r, v.Visitor, err)
		return
	}
	d.write(w, r, http.StatusOK, p.template, view{Section: p.section, Visitor: v.Visitor, Said: takeSaid(w, r), Data: data})
}

func (d *Dashboard) tooOften(w http.ResponseWriter, r *http.Request, v *Visit) bool {
	wait := d.cfg.Wait(v.Name)
	if wait <= 0 {
		return false
	}
	w.Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)+1))
	d.refuse(w, r, v.Visitor, &client.Problem{Status: http.StatusTooManyRequests, Title: "The token asks too often", Detail: "try again in " + wait.Round(time.Second).String()})
	return true
}

// act does what a form asks for, and leads to where its outcome is seen.
func (d *Dashboard) act(w http.ResponseWriter, r *http.Request, p page, a action) {
	v := d.visit(w, r)
	if v == nil {
		return
	}
	if d.tooOften(w, r, v) {
		return
	}
	if err := checkForm(r, v.FormToken); err != nil {
		d.refuse(w, r, v.Visitor, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	next, said, err := a.do(ctx, v)
	if err != nil {
		d.refuse(w, r, v.Visitor, err)
		return
	}
	say(w, said)
	http.Redirect(w, r, local(next), http.StatusSeeOther)
}

// local is a path of this service; the overview where the text is anything else.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// Paths are the pages' paths, as http.ServeMux writes them.
func Paths() []string {
	var paths []string
	for _, p := range pages() {
		paths = append(paths, p.path)
	}
	return paths
}
