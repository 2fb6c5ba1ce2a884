// Package orchestrator accepts executions over HTTP, answers for their status,
// and keeps the reaper and the notifier. It knows agents by their manifests; no
// agent code runs here.
//
// Handlers return errors; problem.go alone maps them to HTTP. Imports:
// internal/postgres, internal/execution, internal/notice, agents (the root
// alone), echo.
package orchestrator
