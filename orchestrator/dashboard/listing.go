package dashboard

import (
	"net/url"
	"slices"
)

// listing is a filtered list of a page: what was asked for, and the ways from here.
type listing struct {
	// Asked are the parameters that filter and order, without what was left empty.
	Asked url.Values
	// First and Next are addresses; empty where there is no such page.
	First, Next string
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
	for name, values := range filters {
		query[name] = values
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}

// listingOf says where a page of a list is: path is the list's.
func listingOf(path string, filters url.Values, cursor string, next *string) listing {
	l := listing{Asked: filters}
	if cursor != "" {
		l.First = path + l.Query()
	}
	if next != nil {
		query := url.Values{"cursor": {*next}}
		for name, values := range filters {
			query[name] = values
		}
		l.Next = path + "?" + query.Encode()
	}
	return l
}
