package resolution

import "slices"

// ordered is the values in order, each once, without the empty one.
func ordered(values []string) []string {
	var set []string
	return insert(set, values...)
}

// insert adds values to an ordered set.
func insert(set []string, values ...string) []string {
	for _, v := range values {
		if at, there := slices.BinarySearch(set, v); !there && v != "" {
			set = slices.Insert(set, at, v)
		}
	}
	return set
}

// both is the first value that two ordered sets have in common, or empty.
func both(a, b []string) string {
	if len(a) > len(b) {
		a, b = b, a
	}
	for _, v := range a {
		if _, there := slices.BinarySearch(b, v); there {
			return v
		}
	}
	return ""
}

// sharing is the level of two sets: 0 where they share a value, 1 where they don't.
func sharing(a, b []string) int {
	switch {
	case len(a) == 0 || len(b) == 0:
		return Missing
	case both(a, b) != "":
		return 0
	}
	return 1
}
