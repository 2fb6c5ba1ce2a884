package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nuzantara/ciclo/client"
)

const (
	// liveEvery is how often a page's live parts are made anew.
	liveEvery = 2 * time.Second
	// keepAlive is how long a stream may be silent.
	keepAlive = 15 * time.Second
	// maxStreams bounds how many listen at a time, maxOwnStreams how many with one
	// token; the others look by themselves.
	maxStreams    = 200
	maxOwnStreams = 20
	// maxLive is how long one stream lasts; browsers come back by themselves.
	maxLive = time.Hour
)

// part is a live part of a page as it is now.
type part struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// streams counts who listens, by token.
type streams struct {
	mu  sync.Mutex
	all int
	own map[string]int
}

// begin reports whether one more may listen.
func (s *streams) begin(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.own[name] >= maxOwnStreams {
		return false
	}
	s.all++
	s.own[name]++
	return true
}

func (s *streams) end(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.own[name]--; s.own[name] == 0 {
		delete(s.own, name)
	}
}

// stream sends a page's live parts as server-sent events whenever they change: what
// templates named part:ID give, which the browser puts into the element of that id.
func (d *Dashboard) stream(w http.ResponseWriter, r *http.Request, v *Visit, p page) {
	if !d.streams.begin(v.Name) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer d.streams.end(v.Name)
	names := d.parts(p)
	if len(names) == 0 {
		w.WriteHeader(http.StatusNoContent) // what tells an EventSource not to come back
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxLive)
	defer cancel()
	seen := map[string]string{}
	changed, over, err := d.changed(ctx, r, p, names, seen)
	if err != nil { // there is nothing to listen to
		d.refuse(w, r, v.Visitor, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies pass each event on at once
	writing := http.NewResponseController(w)
	for spoke := time.Now(); ; {
		if len(changed) == 0 && !over && time.Since(spoke) > keepAlive/2 {
			changed = []byte(": nothing new\n\n")
		}
		if len(changed) > 0 {
			if err := writing.SetWriteDeadline(time.Now().Add(keepAlive)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return // the browser is gone
			}
			if _, err := w.Write(changed); err != nil {
				return // the browser is gone
			}
			if err := writing.Flush(); err != nil {
				return
			}
			spoke = time.Now()
		}
		if over {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-d.cfg.Stopped:
			return
		case <-time.After(liveEvery):
		}
		changed, over, err = d.changed(ctx, r, p, names, seen)
		var refused *client.Problem
		if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
			return // it won't pass by itself; anything else may
		}
	}
}

// parts are the names of a page's live parts.
func (d *Dashboard) parts(p page) []string {
	var names []string
	for _, t := range d.pages[p.template].Templates() {
		if strings.HasPrefix(t.Name(), "part:") {
			names = append(names, t.Name())
		}
	}
	slices.Sort(names)
	return names
}

// settled is what a page shows where it can tell that it will not change any more.
type settled interface{ Settled() bool }

// changed are the events of what differs from what the browser has seen. It is over
// when the session is, and when nothing changes any more: the browser is told so,
// and doesn't come back.
func (d *Dashboard) changed(ctx context.Context, r *http.Request, p page, names []string, seen map[string]string) (events []byte, over bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	visitor, err := d.cfg.Visitor(r.WithContext(ctx))
	if err != nil || visitor == nil {
		return nil, err == nil, err
	}
	data, err := p.read(ctx, &Visit{Request: r, Visitor: visitor, Zone: d.cfg.Zone, Now: time.Now()})
	if err != nil {
		return nil, false, err
	}
	var all bytes.Buffer
	for _, name := range names {
		var text bytes.Buffer
		if err := d.pages[p.template].ExecuteTemplate(&text, name, view{Section: p.section, Visitor: visitor, Data: data}); err != nil {
			return nil, false, fmt.Errorf("show %s: %w", name, err)
		}
		html := text.String()
		if before, known := seen[name]; known && before == withoutAges(html) {
			continue
		}
		seen[name] = withoutAges(html)
		event, err := json.Marshal(part{strings.TrimPrefix(name, "part:"), html})
		if err != nil {
			return nil, false, fmt.Errorf("encode %s: %w", name, err)
		}
		fmt.Fprintf(&all, "event: part\ndata: %s\n\n", event)
	}
	if s, can := data.(settled); can && s.Settled() {
		all.WriteString("event: over\ndata: {}\n\n")
		return all.Bytes(), true, nil
	}
	return all.Bytes(), false, nil
}

// ages are what the browser keeps true by itself.
var ages = regexp.MustCompile(`( data-ago>)[^<]*`)

func withoutAges(html string) string { return ages.ReplaceAllString(html, "$1") }
