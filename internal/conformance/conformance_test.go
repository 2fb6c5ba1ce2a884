package conformance

import (
	"net/http"
	"testing"
)

const example = `{
	"openapi": "3.1.1",
	"paths": {
		"/things/{id}": {"get": {"responses": {
			"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
			"204": {},
			"default": {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
		}}},
		"/things/all": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array"}}}}}}},
		"/events": {"get": {"responses": {"200": {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}}}
	},
	"components": {"schemas": {
		"Thing": {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}, "required": ["at"], "additionalProperties": false},
		"Problem": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]},
		"Transition": {"type": "object", "required": ["to"]}, "Step": {}, "Progress": {}
	}}
}`

func TestWhatIsNotAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path   string
		status int
		media  string
		body   string
		fine   bool
	}{
		"a thing":                    {"/things/1", 200, "application/json", `{"at": "2026-01-31T10:00:00Z"}`, true},
		"its problem":                {"/things/1", 404, "application/problem+json", `{"title": "none"}`, true},
		"no content":                 {"/things/1", 204, "", "", true},
		"what is written out":        {"/things/all", 200, "application/json; charset=UTF-8", `[]`, true},
		"a path that isn't there":    {"/nowhere", 404, "application/problem+json", `{"title": "none"}`, true},
		"events":                     {"/events", 200, "text/event-stream", ": hello\n\nid: 1\nevent: transition\ndata: {\"to\": 1}\n\n", true},
		"a field is missing":         {"/things/1", 200, "application/json", `{}`, false},
		"a field is too much":        {"/things/1", 200, "application/json", `{"at": "2026-01-31T10:00:00Z", "x": 1}`, false},
		"a field is malformed":       {"/things/1", 200, "application/json", `{"at": "yesterday"}`, false},
		"no JSON":                    {"/things/1", 200, "application/json", `at`, false},
		"another media type":         {"/things/1", 200, "text/plain", `{"at": "2026-01-31T10:00:00Z"}`, false},
		"another status":             {"/things/1", 201, "application/json", `{"at": "2026-01-31T10:00:00Z"}`, false},
		"content where there's none": {"/things/1", 204, "application/json", `{}`, false},
		"a problem without a title":  {"/things/1", 500, "application/problem+json", `{}`, false},
		"a success off the document": {"/nowhere", 200, "application/json", `{}`, false},
		"an unknown event":           {"/events", 200, "text/event-stream", "event: surprise\ndata: {}\n\n", false},
		"an event without its field": {"/events", 200, "text/event-stream", "event: transition\ndata: {}\n\n", false},
	} {
		err := d.Check(http.MethodGet, c.path, c.status, http.Header{"Content-Type": {c.media}}, []byte(c.body))
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read([]byte(`{"paths": {"/": {"get": {"responses": {"200": {"content": {"a/b": {"schema": {"type": 1}}}}}}}}}`)); err == nil {
		t.Error("a schema that is none is taken")
	}
}
