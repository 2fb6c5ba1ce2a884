// Package dev runs all of Ciclo on one machine for one person: a Postgres of its
// own (or DATABASE_URL's), the real orchestrator and two real workers as child
// processes, all of which end with it, however it ends.
//
// Imports: internal/localpostgres, internal/postgres, client. Nothing else
// starts processes.
package dev
