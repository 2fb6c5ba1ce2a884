// Package conformance holds answers of the API against its own document, which
// every test does with every answer that it gets.
package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document with its schemas compiled.
type Document struct {
	paths   map[string]map[string]call
	schemas *jsonschema.Compiler
	// known are the compiled schemas by their place in the document.
	known map[string]*jsonschema.Schema
}

type call struct {
	Responses map[string]response `json:"responses"`
}

type response struct {
	Content map[string]struct{} `json:"content"`
}

const source = "openapi.json"

// Read reads a document and compiles the schema of every answer in it.
func Read(text []byte) (*Document, error) {
	var parsed struct {
		Paths map[string]map[string]call `json:"paths"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	d := &Document{paths: parsed.Paths, schemas: jsonschema.NewCompiler(), known: map[string]*jsonschema.Schema{}}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource(source, whole); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	for path, calls := range d.paths {
		for method, c := range calls {
			for status, r := range c.Responses {
				for media := range r.Content {
					place := pointer("paths", path, method, "responses", status, "content", media, "schema")
					if err := d.compile(place); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	for _, name := range []string{"Problem", "Transition", "Step", "Progress"} {
		if err := d.compile(pointer("components", "schemas", name)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Document) compile(place string) error {
	s, err := d.schemas.Compile(source + place)
	if err != nil {
		return fmt.Errorf("compile %s: %w", place, err)
	}
	d.known[place] = s
	return nil
}

// pointer is a JSON pointer as a fragment.
func pointer(parts ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	for i, part := range parts {
		parts[i] = escape.Replace(part)
	}
	return "#/" + strings.Join(parts, "/")
}

// Check says what is wrong with an answer to a request for a path; nil where it is
// as the document says.
func (d *Document) Check(method, path string, status int, header http.Header, body []byte) error {
	template, calls := d.find(path)
	method = strings.ToLower(method)
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil && len(body) > 0 {
		return fmt.Errorf("the content type %q: %w", header.Get("Content-Type"), err)
	}
	c, described := calls[method]
	if !described {
		if status < http.StatusBadRequest {
			return fmt.Errorf("%s %s is not in the document, and answered %d", method, path, status)
		}
		return d.holds(pointer("components", "schemas", "Problem"), body)
	}
	code := strconv.Itoa(status)
	if _, listed := c.Responses[code]; !listed {
		if status < http.StatusBadRequest {
			return fmt.Errorf("%s %s has no answer %d in the document", method, template, status)
		}
		code = "default"
	}
	contents := c.Responses[code].Content
	if len(contents) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s %s answers %d with a body: %.200s", method, template, status, body)
		}
		return nil
	}
	if _, listed := contents[media]; !listed {
		return fmt.Errorf("%s %s answers %d as %q", method, template, status, media)
	}
	switch {
	case media == "text/event-stream":
		return d.checkEvents(body)
	case !strings.HasSuffix(media, "json"):
		return nil
	}
	return d.holds(pointer("paths", template, method, "responses", code, "content", media, "schema"), body)
}

// find is the path of the document that stands for a request's; what is written
// out goes before what is filled in.
func (d *Document) find(path string) (template string, calls map[string]call) {
	if calls, ok := d.paths[path]; ok {
		return path, calls
	}
	parts := strings.Split(path, "/")
	for template, calls := range d.paths {
		names := strings.Split(template, "/")
		if len(names) == len(parts) && !slices.ContainsFunc(indices(names), func(i int) bool { return !strings.HasPrefix(names[i], "{") && names[i] != parts[i] }) {
			return template, calls
		}
	}
	return "", nil
}

func indices(list []string) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

func (d *Document) holds(place string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w: %.200s", place, err, body)
	}
	if err := d.known[place].Validate(value); err != nil {
		return fmt.Errorf("%s: %w: %.2000s", place, err, body)
	}
	return nil
}

// checkEvents checks the data of each whole event of a stream.
func (d *Document) checkEvents(stream []byte) error {
	var wrong []error
	for _, block := range strings.Split(string(stream), "\n\n") {
		var kind, data string
		for line := range strings.Lines(block) {
			field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch field {
			case "event":
				kind = value
			case "data":
				data = value
			}
		}
		if kind == "" || data == "" {
			continue // a sign of life, or what was cut off
		}
		place := pointer("components", "schemas", strings.ToUpper(kind[:1])+kind[1:])
		if d.known[place] == nil {
			wrong = append(wrong, fmt.Errorf("%q is no kind of event", kind))
			continue
		}
		wrong = append(wrong, d.holds(place, []byte(data)))
	}
	return errors.Join(wrong...)
}

// Transport is a client's transport that checks every answer, streams excepted.
type Transport struct {
	Document *Document
	// Wrong is told of what is not as the document says.
	Wrong func(error)
}

// RoundTrip sends a request and checks the answer.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if err := t.Document.Check(req.Method, req.URL.EscapedPath(), resp.StatusCode, resp.Header, body); err != nil {
		t.Wrong(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
