package dashboard

import (
	"maps"
	"net/url"
)

// otherPages lead to a list's other pages: an address is empty where there is none.
type otherPages struct {
	First, Next string
}

// otherPagesOf is of a list at a path that was asked with a query; next is the API's
// cursor, nil on the last page. What else was asked for stays.
func otherPagesOf(path string, query url.Values, next *string) (p otherPages) {
	rest := url.Values{}
	maps.Copy(rest, query)
	if rest.Has("cursor") {
		rest.Del("cursor")
		p.First = address(path, rest)
	}
	if next != nil {
		rest.Set("cursor", *next)
		p.Next = address(path, rest)
	}
	return p
}

// address is a path with a query, where there is one.
func address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
