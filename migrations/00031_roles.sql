-- History is pruned by whoever may call these functions, and by nobody's own rights:
-- no service needs to be able to delete a transition (internal/postgres/roles.go says
-- who may what). They run as their owner, who sees what they say alone.
-- +goose Up
ALTER FUNCTION ciclo.prune_executions(timestamptz, text, timestamptz, text, integer, boolean) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION ciclo.prune_cycles(timestamptz, timestamptz, text, integer, boolean) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION ciclo.prune_slots(timestamptz, text, timestamptz, integer, boolean) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION ciclo.prune_others SECURITY DEFINER SET search_path = pg_catalog, pg_temp;

-- +goose Down
ALTER FUNCTION ciclo.prune_others SECURITY INVOKER RESET search_path;
ALTER FUNCTION ciclo.prune_slots(timestamptz, text, timestamptz, integer, boolean) SECURITY INVOKER RESET search_path;
ALTER FUNCTION ciclo.prune_cycles(timestamptz, timestamptz, text, integer, boolean) SECURITY INVOKER RESET search_path;
ALTER FUNCTION ciclo.prune_executions(timestamptz, text, timestamptz, text, integer, boolean) SECURITY INVOKER RESET search_path;
