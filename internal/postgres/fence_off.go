//go:build unfenced

package postgres

// Without the fence, for chaos alone: what is built with this tag must be found out.
const (
	fence       = `e.id = $1 AND ($2::integer IS NOT NULL OR $3::uuid IS NOT NULL)`
	fenceOfMine = `e.id = mine.id`
)
