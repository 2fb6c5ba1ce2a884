// Package agents is the contract between Ciclo and an agent, and the catalogue
// of the agents there are.
//
// An agent is one folder here: its code and its agent.json, the manifest. The
// orchestrator knows agents by their manifests alone; cmd/worker adds the code
// with one line. An agent reads the views of schema source through Task.Read,
// works in steps (Step, StepTx) and returns a Result. It never sees River, the
// store, or another agent.
//
// This root package may import pgx and the JSON Schema validator; it must not
// import the store, River, or any agent.
package agents
