-- Pages of executions by status, at the same cost however long the history is.
-- +goose Up

-- It gives the newest of one agent in one status. All other filters by agent and
-- status are merged from a few of these, so it takes the place of the index by
-- agent alone: a move writes as many indexes as before.
CREATE INDEX executions_by_agent_status_start ON ciclo.executions (agent, status, started_at DESC, id DESC);
DROP INDEX ciclo.executions_by_agent_start;

-- +goose Down
CREATE INDEX executions_by_agent_start ON ciclo.executions (agent, started_at DESC, id DESC);
DROP INDEX ciclo.executions_by_agent_status_start;
