package postgres

// StandingSQL is for the test that looks at its plan.
var StandingSQL = standingSQL
