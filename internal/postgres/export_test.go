package postgres

// What tests ask as it is: for its plan, and to be rolled back.
const (
	ActivityQuery   = activityQuery
	CountMovesQuery = countMoves
)

// StandingSQL is for the test that looks at its plan.
var StandingSQL = standingSQL

// Decided are the relations that rights.go has a line of.
func Decided() (all []string) {
	for _, r := range allRights() {
		all = append(all, r.relation)
	}
	return all
}
