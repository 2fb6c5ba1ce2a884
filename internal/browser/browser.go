// Package browser looks at pages as people do: with a real Chromium, wide and
// narrow, light and dark. What it sees of a page is what the tests judge: errors in
// the console, requests to elsewhere, the page's weight, and what would keep
// somebody from using it (accessible.js). It is in no shipped binary.
package browser

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// ErrNone says that there is no Chromium here.
var ErrNone = errors.New("there is no chromium: apt-get install chromium")

// Browser is a running Chromium without windows. Its tabs share one profile: who
// signs in on one is signed in on all.
type Browser struct {
	ctx  context.Context //nolint:containedctx // chromedp's contexts are its handles
	ends []context.CancelFunc
}

// Start starts a Chromium that lives until Close or the end of ctx.
func Start(ctx context.Context) (*Browser, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, ErrNone
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root its sandbox
	}
	allocated, endAllocated := chromedp.NewExecAllocator(ctx, options...)
	first, endFirst := chromedp.NewContext(allocated)
	b := &Browser{ctx: first, ends: []context.CancelFunc{endFirst, endAllocated}}
	if err := chromedp.Do(first); err != nil {
		b.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return b, nil
}

// Close ends the browser.
func (b *Browser) Close() {
	for _, end := range b.ends {
		end()
	}
}

// Screen is what a tab is looked at with.
type Screen struct {
	Width int
	Dark  bool
	// NoScript switches scripts off.
	NoScript bool
}

func (s Screen) String() string {
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	return fmt.Sprintf("%d px, %s", s.Width, scheme)
}

// Tab is a tab of the browser, and what happened in it.
type Tab struct {
	ctx context.Context //nolint:containedctx // chromedp's contexts are its handles
	end context.CancelFunc

	// status is the last page's, dark whether the tab is.
	status int64
	dark   bool

	mu       sync.Mutex
	console  []string
	requests []string
	bytes    float64
}

// Open opens an empty tab.
func (b *Browser) Open(s Screen) (*Tab, error) {
	t := &Tab{dark: s.Dark}
	t.ctx, t.end = chromedp.NewContext(b.ctx, chromedp.WithListener(t.note))
	scheme := "light"
	if s.Dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	err := t.Do(
		chromedp.EmulateViewport(int64(s.Width), 900),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media)
			if err == nil {
				_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
			}
			if err == nil && s.NoScript {
				_, err = chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			}
			return err
		}))
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	return t, nil
}

// Close closes the tab.
func (t *Tab) Close() { t.end() }

// note keeps what the tab tells.
func (t *Tab) note(event any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text := []string{string(e.Type)}
		for _, arg := range e.Args {
			text = append(text, strings.Trim(string(arg.Value)+" "+arg.Description, " "))
		}
		t.console = append(t.console, strings.Join(text, " "))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		t.console = append(t.console, "exception "+text)
	case *cdplog.EventEntryAdded:
		t.console = append(t.console, fmt.Sprintf("%s %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		t.requests = append(t.requests, e.Request.URL)
	case *network.EventLoadingFinished:
		t.bytes += e.EncodedDataLength
	}
}

// actionTimeout bounds each thing that is done in a tab.
const actionTimeout = 30 * time.Second

// Do does something in the tab.
func (t *Tab) Do(actions ...chromedp.Action[chromedp.Void]) error {
	if err := chromedp.Do(t.ctx); err != nil { // the first call binds the tab to its context
		return err
	}
	ctx, cancel := context.WithTimeout(t.ctx, actionTimeout)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// Go goes to an address and waits for the page.
func (t *Tab) Go(address string) error {
	t.mu.Lock()
	t.console, t.requests, t.bytes = nil, nil, 0
	t.mu.Unlock()
	_, err := t.follow(chromedp.Navigate(address))
	return err
}

// Eval is what an expression of JavaScript gives.
func Eval[T any](t *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, actionTimeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// SignIn signs in with a token at the form of a dashboard.
func (t *Tab) SignIn(base, token string) error {
	return errors.Join(t.Go(base+"/sign-in"), t.Press(`#token`, token))
}

// Press writes a text into a field and sends its form by Enter, then waits for the
// page that comes.
func (t *Tab) Press(field, text string) error {
	_, err := t.follow(chromedp.SendKeys(field, text+kb.Enter))
	return err
}

// Click clicks on what a CSS selector finds and waits for the page that comes.
func (t *Tab) Click(selector string) error {
	_, err := t.follow(chromedp.Click(selector))
	return err
}

// Type writes a text into a field.
func (t *Tab) Type(field, text string) error { return t.Do(chromedp.SendKeys(field, text)) }

// Unfold clicks on what leads to no other page.
func (t *Tab) Unfold(selector string) error { return t.Do(chromedp.Click(selector)) }

// Status is HTTP's of the page that came last.
func (t *Tab) Status() int { return int(t.status) }

// follow does what leads to another page and waits for that.
func (t *Tab) follow(action chromedp.Action[chromedp.Void]) (*network.Response, error) {
	ctx, cancel := context.WithTimeout(t.ctx, actionTimeout)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, action)
	if response != nil {
		t.status = response.Status
	}
	return response, err
}

// Picture is the whole page as PNG.
func (t *Tab) Picture() ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.ctx, actionTimeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.FullScreenshot(100))
}

// Seen is what there is to say about a page.
type Seen struct {
	Title string
	// Status is HTTP's of the page.
	Status int
	// Console is everything in the console, Outside the requests to other hosts.
	Console, Outside []string
	// Bytes is what was transferred since Go.
	Bytes int
	// Barriers are what would keep somebody from using the page.
	Barriers []string
}

//go:embed accessible.js
var accessible string

// Look says what was seen since Go.
func (t *Tab) Look(base string) (Seen, error) {
	var s Seen
	var err error
	if s.Title, err = Eval[string](t, `document.title`); err != nil {
		return s, fmt.Errorf("read the title: %w", err)
	}
	if s.Barriers, err = Eval[[]string](t, accessible); err != nil {
		return s, fmt.Errorf("look for barriers: %w", err)
	}
	if !t.dark { // the order is the same, and the colour of the focus is a contrast like others
		order, err := t.focusOrder()
		if err != nil {
			return s, fmt.Errorf("go through the page by Tab: %w", err)
		}
		s.Barriers = append(s.Barriers, order...)
	}
	home, err := url.Parse(base)
	if err != nil {
		return s, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Status, s.Console, s.Bytes = int(t.status), append(s.Console, t.console...), int(t.bytes)
	for _, request := range t.requests {
		if u, err := url.Parse(request); err != nil || u.Host != home.Host && u.Scheme != "data" {
			s.Outside = append(s.Outside, request)
		}
	}
	return s, nil
}

// tabbed is how many presses of Tab the focus is followed for.
const tabbed = 60

// focusOrder presses Tab and says where the focus jumps back, gets lost or can't be seen.
func (t *Tab) focusOrder() ([]string, error) {
	if _, err := Eval[bool](t, `document.activeElement.blur(), window.scrollTo(0, 0), getSelection().removeAllRanges(), true`); err != nil {
		return nil, err
	}
	n, err := Eval[int](t, `window.cicloFocusable().length`)
	if err != nil {
		return nil, err
	}
	var barriers []string
	for i := range min(n, tabbed) {
		if err := t.Do(chromedp.KeyEvent(kb.Tab)); err != nil {
			return nil, err
		}
		problem, err := Eval[string](t, fmt.Sprintf(`window.cicloFocused(%d)`, i))
		if err != nil {
			return nil, err
		}
		if problem != "" {
			barriers = append(barriers, problem)
		}
	}
	return barriers, nil
}
