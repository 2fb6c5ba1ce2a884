// Package graph keeps the knowledge graph in Postgres: all SQL of its tables is
// here, for the agent that builds it and for the services that show it. Imports:
// pgx.
package graph
