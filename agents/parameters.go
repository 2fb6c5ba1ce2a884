package agents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// FieldError is what is wrong with one parameter. Field is a JSON pointer
// without its leading slash; it is empty for the parameters as a whole.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// ParametersError lists everything that is wrong with the parameters of a run.
type ParametersError struct{ Fields []FieldError }

func (e *ParametersError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = strings.TrimPrefix(f.Field+": ", ": ") + f.Detail
	}
	return "parameters: " + strings.Join(parts, "; ")
}

// parameterSchema is the compiled schema and what is needed besides: each
// top-level property's type, for the query, and default.
type parameterSchema struct {
	compiled *jsonschema.Schema
	types    map[string]string
	defaults map[string]any
	each     []ParameterSchema
	// needed are those that must be given: they are required and have no default.
	needed []string
}

func compileParameters(text []byte) (parameterSchema, error) {
	var none parameterSchema
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return none, err
	}
	root, ok := doc.(map[string]any)
	if !ok || root["type"] != "object" || root["additionalProperties"] != false {
		return none, errors.New(`must be a schema with "type": "object" and "additionalProperties": false`)
	}
	compiled, err := compileSchema(root)
	if err != nil {
		return none, err
	}
	s := parameterSchema{compiled: compiled, types: map[string]string{}, defaults: map[string]any{}}
	properties, _ := root["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		text, err := json.Marshal(properties[name])
		if err != nil {
			return none, err
		}
		property, _ := properties[name].(map[string]any)
		description, _ := property["description"].(string)
		s.each = append(s.each, ParameterSchema{name, description, text})
		kind, _ := property["type"].(string)
		s.types[name] = kind
		if value, has := property["default"]; has {
			s.defaults[name] = value
		}
	}
	required, _ := root["required"].([]any)
	for _, name := range required {
		if name, ok := name.(string); ok && s.defaults[name] == nil {
			s.needed = append(s.needed, name)
		}
	}
	optional := maps.Clone(root)
	delete(optional, "required")
	defaults, err := compileSchema(optional)
	if err != nil {
		return none, err
	}
	if err := defaults.Validate(s.defaults); err != nil {
		return none, fmt.Errorf("the defaults break the schema: %w", err)
	}
	return s, nil
}

func compileSchema(root map[string]any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("parameters.json", root); err != nil {
		return nil, err
	}
	return c.Compile("parameters.json")
}

// ParameterSchema is what one parameter may be.
type ParameterSchema struct {
	Name, Description string
	Schema            json.RawMessage
}

// ParameterSchemas are those of the manifest's parameters, in the order of their names.
func (m *Manifest) ParameterSchemas() []ParameterSchema { return m.schema.each }

// ReadParameters reads a JSON object, or nothing, with each number in one form:
// 1.0 and 1e0 are 1. The error is a *ParametersError where it is JSON but none.
func ReadParameters(text []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return map[string]any{}, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	values, ok := doc.(map[string]any)
	if !ok {
		return nil, &ParametersError{Fields: []FieldError{{Detail: "must be a JSON object"}}}
	}
	var wrong []FieldError
	for name, value := range values {
		plain, err := plainValue(value)
		if strings.ContainsRune(name, 0) {
			err = errNUL
		}
		if err != nil {
			wrong = append(wrong, FieldError{name, err.Error()})
		}
		values[name] = plain
	}
	if len(wrong) > 0 {
		return nil, &ParametersError{Fields: wrong}
	}
	return values, nil
}

// errNUL is of the one character that Postgres keeps in no text.
var errNUL = errors.New("must not contain the character U+0000")

// plainValue writes the numbers in a value in one form, and refuses those that no
// program could hold, and texts that the database couldn't.
func plainValue(value any) (any, error) {
	var errs []error
	switch v := value.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return v, errNUL
		}
	case json.Number:
		return plainNumber(v)
	case []any:
		for i := range v {
			plain, err := plainValue(v[i])
			v[i], errs = plain, append(errs, err)
		}
	case map[string]any:
		for name := range v {
			plain, err := plainValue(v[name])
			if strings.ContainsRune(name, 0) {
				err = errNUL
			}
			v[name], errs = plain, append(errs, err)
		}
	}
	return value, errors.Join(errs...)
}

func plainNumber(n json.Number) (json.Number, error) {
	if _, err := n.Int64(); err == nil {
		return n, nil
	}
	f, err := n.Float64()
	if err != nil || !strings.ContainsAny(string(n), ".eE") {
		return n, fmt.Errorf("the number %.40s is out of range", n)
	}
	if f == math.Trunc(f) && math.Abs(f) <= 1<<53 { // exact
		return json.Number(strconv.FormatInt(int64(f), 10)), nil
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
}

// CheckParameters validates the parameters of a run, a JSON object or nothing,
// against the manifest's schema and returns them with defaults filled in, keys
// sorted. The error is a *ParametersError where they are JSON but not allowed.
func (m *Manifest) CheckParameters(text []byte) (json.RawMessage, error) {
	values, err := ReadParameters(text)
	if err != nil {
		return nil, err
	}
	for name, value := range m.schema.defaults {
		if _, given := values[name]; !given {
			values[name] = value
		}
	}
	if err := m.schema.compiled.Validate(values); err != nil {
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) {
			return nil, fmt.Errorf("validate parameters: %w", err)
		}
		return nil, &ParametersError{Fields: fieldErrors(invalid)}
	}
	return json.Marshal(values)
}

// QueryParameters turns a URL's query into parameters by the types that the
// schema gives: integers, numbers and booleans are parsed, the rest is text.
// The result still has to pass CheckParameters.
func (m *Manifest) QueryParameters(query url.Values) (json.RawMessage, error) {
	values := map[string]any{}
	var wrong []FieldError
	for name, texts := range query {
		if len(texts) > 1 {
			wrong = append(wrong, FieldError{name, "is given more than once"})
			continue
		}
		text := texts[0]
		switch m.schema.types[name] {
		case "integer", "number":
			if _, err := strconv.ParseFloat(text, 64); err != nil || !json.Valid([]byte(text)) {
				wrong = append(wrong, FieldError{name, fmt.Sprintf("%q is not a number", text)})
				continue
			}
			values[name] = json.Number(text)
		case "boolean":
			if text != "true" && text != "false" {
				wrong = append(wrong, FieldError{name, fmt.Sprintf("%q is not true or false", text)})
				continue
			}
			values[name] = text == "true"
		default:
			values[name] = text
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
		return nil, &ParametersError{Fields: wrong}
	}
	return json.Marshal(values)
}

var english = message.NewPrinter(language.English)

// fieldErrors flattens the validator's tree to its leaves, sorted by field.
func fieldErrors(err *jsonschema.ValidationError) []FieldError {
	if len(err.Causes) == 0 {
		return []FieldError{{strings.Join(err.InstanceLocation, "/"), err.ErrorKind.LocalizedString(english)}}
	}
	var out []FieldError
	for _, cause := range err.Causes {
		out = append(out, fieldErrors(cause)...)
	}
	slices.SortStableFunc(out, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return out
}
