package postgres

// What tests ask as it is: for its plan, and to be rolled back.
const (
	ActivityQuery   = activityQuery
	CountMovesQuery = countMoves
)
