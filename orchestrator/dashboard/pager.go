package dashboard

import "net/url"

// pager gives the addresses of the first and the next page of a list: the first is
// empty on it, the next on the last one. What else is asked for stays.
func pager(at *url.URL, next *string) (firstPage, nextPage string) {
	query := at.Query()
	if query.Has("cursor") {
		query.Del("cursor")
		firstPage = address(at.Path, query)
	}
	if next != nil {
		query.Set("cursor", *next)
		nextPage = address(at.Path, query)
	}
	return firstPage, nextPage
}

// address is a path with a query, where there is one.
func address(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
