// Package migrations holds Ciclo's schema as embedded SQL files for goose, in
// the order of their numbers. River's own migrations run before them, under
// the same advisory lock (internal/postgres.Migrate). It imports the standard
// library alone and holds no logic.
//
// Rules: old code must run on the new schema (expand first, contract in a later
// release, which raises ciclo.compatibility: docs/upgrading.md); an invariant is a CHECK, UNIQUE, FK or trigger with a comment that
// says why.
package migrations

import "embed"

// FS holds the SQL files.
//
//go:embed *.sql
var FS embed.FS
