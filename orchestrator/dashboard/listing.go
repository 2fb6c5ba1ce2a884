package dashboard

import (
	"net/url"
	"time"
)

// pager leads to a list's other pages: an address is empty where there is none.
type pager struct {
	First, Next string
}

// pagerOf is of a list at a path that was asked with a query; next is the API's
// cursor, nil on the last page.
func pagerOf(path string, query url.Values, next *string) pager {
	var p pager
	at := func(cursor string) string {
		q := url.Values{}
		for name, values := range query {
			if name != "cursor" {
				q[name] = values
			}
		}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		if len(q) == 0 {
			return path
		}
		return path + "?" + q.Encode()
	}
	if query.Has("cursor") {
		p.First = at("")
	}
	if next != nil {
		p.Next = at(*next)
	}
	return p
}

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
