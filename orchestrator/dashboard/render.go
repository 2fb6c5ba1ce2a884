package dashboard

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"github.com/nuzantara/ciclo/client"
)

//go:embed templates
var templates embed.FS

// view is what every template is given: its own data is in Data.
type view struct {
	Section string
	Visitor *Visitor
	// Said is the outcome of the form that led here.
	Said string
	Data any
}

// parse makes a page's template of the layout, what is shared and its own file.
func (d *Dashboard) parse(name string) (*template.Template, error) {
	parsed, err := template.New("layout.html").Funcs(d.functions()).ParseFS(templates, "templates/layout.html", "templates/shared.html", "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("read template %s: %w", name, err)
	}
	return parsed, nil
}

// write answers with a template, whole or not at all.
func (d *Dashboard) write(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	var text bytes.Buffer
	if err := d.pages[name].Execute(&text, v); err != nil {
		d.cfg.Log.ErrorContext(r.Context(), "page not shown", "path", r.URL.Path, "template", name, "error", err)
		http.Error(w, "Something broke here: the orchestrator's log says what.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(text.Bytes()); err != nil {
		d.cfg.Log.DebugContext(r.Context(), "the page did not reach the browser", "error", err)
	}
}

// refuse shows why there is no page, or why a form did nothing.
func (d *Dashboard) refuse(w http.ResponseWriter, r *http.Request, visitor *Visitor, err error) {
	var p *client.Problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, context.Canceled):
		return // nobody waits for it
	case errors.Is(err, context.DeadlineExceeded):
		p = &client.Problem{Status: http.StatusServiceUnavailable, Title: "The database does not answer in time", Detail: "try again in a few seconds"}
	default:
		d.cfg.Log.ErrorContext(r.Context(), "page refused", "path", r.URL.Path, "error", err)
		p = &client.Problem{Status: http.StatusServiceUnavailable, Title: "The page can't be made now", Detail: "the orchestrator's log says why; try again in a few seconds"}
	}
	if r.Header.Get("Accept") == "text/event-stream" {
		w.WriteHeader(p.Status)
		return
	}
	d.write(w, r, p.Status, "refused.html", view{Visitor: visitor, Data: p})
}
