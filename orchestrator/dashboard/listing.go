package dashboard

import (
	"maps"
	"net/url"
	"slices"
	"time"
)

// filled is a query without the fields of a form that were left empty.
func filled(query url.Values) url.Values {
	kept := url.Values{}
	for name, values := range query {
		for _, v := range values {
			if v != "" {
				kept.Add(name, v)
			}
		}
	}
	return kept
}

// fieldLayout is how a form's field of date and time writes an instant.
const fieldLayout = "2006-01-02T15:04"

// instant is a field of date and time, which is of a zone, as the API takes it.
// What is none stays as it is: the API refuses it.
func instant(text string, zone *time.Location) string {
	for _, layout := range []string{fieldLayout, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return text
}

// field is an instant of the API, or of such a field, as such a field shows it.
func field(text string, zone *time.Location) string {
	t, err := time.Parse(time.RFC3339, instant(text, zone))
	if err != nil {
		return ""
	}
	return t.In(zone).Format(fieldLayout)
}

// listing is a filtered list of a page: what was asked for, and the ways from here.
type listing struct {
	// Asked are the parameters that filter and order, without what was left empty.
	Asked url.Values
	otherPages
}

// asked are those of the names that the visitor gave with something in them: the
// fields that a form left empty are none.
func asked(v *Visit, names ...string) url.Values {
	given, query := v.URL.Query(), url.Values{}
	for _, name := range names {
		for _, value := range given[name] {
			if value != "" {
				query.Add(name, value)
			}
		}
	}
	return query
}

// Has reports whether a value of a parameter was asked for, for forms.
func (l listing) Has(name, value string) bool { return slices.Contains(l.Asked[name], value) }

// Get is the first value that was asked for.
func (l listing) Get(name string) string { return l.Asked.Get(name) }

// Query are the filters as a query with its question mark; empty without any.
func (l listing) Query() string {
	if len(l.Asked) == 0 {
		return ""
	}
	return "?" + l.Asked.Encode()
}

// queryOf is what the API is asked: the filters, the page's cursor and its size.
func queryOf(filters url.Values, cursor, limit string) url.Values {
	query := url.Values{"limit": {limit}}
	maps.Copy(query, filters)
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}

// listingOf says where a page of a list is: path is the list's.
func listingOf(path string, filters url.Values, cursor string, next *string) listing {
	asked := url.Values{}
	maps.Copy(asked, filters)
	if cursor != "" {
		asked.Set("cursor", cursor)
	}
	return listing{filters, otherPagesOf(path, asked, next)}
}
