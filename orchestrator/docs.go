package orchestrator

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/labstack/echo/v4"
)

// docsPath is where the document of the API lies as a page, which loads nothing
// else and runs no script.
const docsPath = "/docs"

var (
	//go:embed docs.html
	docsHTML string
	//go:embed docs.css
	docsCSS string
	// docsPolicy lets the page have its own style and nothing else.
	docsPolicy = func() string {
		hash := sha256.Sum256([]byte(docsCSS))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}()
	docsTemplate = template.Must(template.New("docs").Funcs(template.FuncMap{"kind": kindOf, "fields": fieldsOf}).Parse(docsHTML))
)

func (o *Orchestrator) getDocs(c echo.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("Content-Security-Policy", docsPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	return c.HTMLBlob(http.StatusOK, o.docs)
}

// docsCall is a call on the page.
type docsCall struct {
	Method, Path, Short, Scope string
	Call                       *documentCall
}

type docsGroup struct {
	Name, About string
	Calls       []docsCall
}

type docsSchema struct {
	Name   string
	Schema *jsonschema.Schema
}

// renderDocs makes the page.
func renderDocs(d *document) ([]byte, error) {
	view := struct {
		*document
		Style   template.CSS
		Example string
		Groups  []docsGroup
		Schemas []docsSchema
	}{document: d, Style: template.CSS(docsCSS), Example: `"$CICLO_URL` + Prefix + `/status"`} //nolint:gosec // our own file
	for _, tag := range d.Tags {
		group := docsGroup{Name: tag.Name, About: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
			for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
				call := d.Paths[path][method]
				if call.Tags[0] != tag.Name {
					continue
				}
				one := docsCall{Method: strings.ToUpper(method), Path: path, Short: strings.TrimPrefix(path, Prefix), Call: call}
				for _, needed := range call.Security {
					one.Scope = needed["token"][0]
				}
				group.Calls = append(group.Calls, one)
			}
		}
		view.Groups = append(view.Groups, group)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		view.Schemas = append(view.Schemas, docsSchema{name, d.Components.Schemas[name]})
	}
	var page bytes.Buffer
	if err := docsTemplate.Execute(&page, view); err != nil {
		return nil, fmt.Errorf("make the page of the API: %w", err)
	}
	return page.Bytes(), nil
}

// asSchema reads a schema, which a manifest holds as text.
func asSchema(schema any) (*jsonschema.Schema, error) {
	switch s := schema.(type) {
	case *jsonschema.Schema:
		return s, nil
	case json.RawMessage:
		read := &jsonschema.Schema{}
		err := json.Unmarshal(s, read)
		return read, err
	default:
		return nil, fmt.Errorf("%T is no schema", schema)
	}
}

// kindOf says in short what a schema allows, with links to the types that have names.
func kindOf(schema any) (template.HTML, error) {
	s, err := asSchema(schema)
	if err != nil {
		return "", err
	}
	escape := template.HTMLEscapeString
	var said []string
	name, named := strings.CutPrefix(s.Ref, "#/components/schemas/")
	switch {
	case named:
		said = append(said, `<a href="#`+escape(name)+`">`+escape(name)+`</a>`)
	case len(s.AnyOf) > 0:
		for _, one := range s.AnyOf {
			if one.Type == "" && one.Ref == "" {
				one = one.CloneSchemas()
				one.Type = s.Type // which holds for each
			}
			k, err := kindOf(one)
			if err != nil {
				return "", err
			}
			said = append(said, string(k))
		}
		return template.HTML(strings.Join(said, " or ")), nil //nolint:gosec // escaped above
	case s.Type == "array" && s.Items != nil:
		k, err := kindOf(s.Items)
		if err != nil {
			return "", err
		}
		said = append(said, "list of "+string(k))
	case s.Const != nil:
		said = append(said, escape(fmt.Sprintf("“%v”", *s.Const)))
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprintf("“%v”", v))
		}
		said = append(said, escape(strings.Join(values, ", ")))
	case len(s.Types) > 0:
		types := slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" })
		said = append(said, escape(strings.Join(types, " or ")+" or null"))
	case s.Type == "":
		said = append(said, "any JSON")
	default:
		said = append(said, escape(s.Type))
	}
	if s.Format != "" {
		said = append(said, "("+escape(s.Format)+")")
	}
	if s.Minimum != nil && s.Maximum != nil {
		said = append(said, fmt.Sprintf("%v to %v", *s.Minimum, *s.Maximum))
	}
	if s.Default != nil {
		said = append(said, "default "+escape(string(s.Default)))
	}
	return template.HTML(strings.Join(said, " ")), nil //nolint:gosec // escaped above
}

var fieldsTemplate = template.Must(template.New("fields").Funcs(template.FuncMap{"kind": kindOf}).Parse(
	`<table><tr><th scope="col">Field<th scope="col">Type<th scope="col">What it is</tr>
{{- range .}}<tr><td><code>{{.Name}}</code><td>{{kind .Schema}}<td>{{.Schema.Description}}</tr>{{end}}</table>`))

// fieldsOf lists what an object has; of what has no fields it says in short what it is.
func fieldsOf(schema any) (template.HTML, error) {
	s, err := asSchema(schema)
	if err != nil {
		return "", err
	}
	if len(s.Properties) == 0 {
		k, err := kindOf(s)
		return "<p>" + k + "</p>", err
	}
	names := s.PropertyOrder
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.Properties))
	}
	var rows []docsSchema
	for _, name := range names {
		rows = append(rows, docsSchema{name, s.Properties[name]})
	}
	var text bytes.Buffer
	if err := fieldsTemplate.Execute(&text, rows); err != nil {
		return "", err
	}
	return template.HTML(text.String()), nil //nolint:gosec // a template's
}
