package dashboard

import (
	"net/url"
	"time"
)

// otherPages lead to a list's other pages: an address is empty where there is none.
type otherPages struct {
	First, Next string
}

// otherPagesOf is of a list at a path that was asked with a query; next is the API's
// cursor, nil on the last page.
func otherPagesOf(path string, query url.Values, next *string) (p otherPages) {
	p.First, p.Next = pager(&url.URL{Path: path, RawQuery: query.Encode()}, next)
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
