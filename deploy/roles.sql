-- The roles of least privilege, for one database. Optional: Ciclo works with one role
-- that owns its schema, too. It may be run again at any time.
--
-- As a superuser, or whoever may make roles and own the database (on a managed server
-- its administrator), connected to Ciclo's own database:
--
--   psql -X -v ON_ERROR_STOP=1 -f deploy/roles.sql "$ADMIN_URL"
--
-- then give each a password (psql: \password ciclo_owner) and migrate as the owner,
-- which grants the others their rights, at each version anew:
--
--   DATABASE_URL=postgres://ciclo_owner:…@host/database ciclo migrate
--
--   ciclo_owner         owns the schemas: ciclo migrate, import, restored, replay
--   ciclo_orchestrator  the orchestrator, ciclo token, ciclo prune
--   ciclo_worker        the worker
--   ciclo_eraser        nobody's: the orchestrator becomes it for an erasure's transactions
--   ciclo_dashboard     nobody's: GRANT it to those who read schema dashboard, as Grafana
--
-- internal/postgres/rights.go says who may do what with which table.
DO $$
DECLARE
    role  text;
    owner text;
BEGIN
    FOREACH role IN ARRAY ARRAY['ciclo_owner', 'ciclo_orchestrator', 'ciclo_worker', 'ciclo_eraser', 'ciclo_dashboard'] LOOP
        -- Roles are the server's: another database's Ciclo may be making them now.
        BEGIN
            EXECUTE format('CREATE ROLE %I NOINHERIT', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtext('ciclo roles')); -- one at a time changes them
    ALTER ROLE ciclo_owner LOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
    ALTER ROLE ciclo_orchestrator LOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
    ALTER ROLE ciclo_worker LOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
    ALTER ROLE ciclo_eraser NOLOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
    GRANT ciclo_eraser TO ciclo_orchestrator;

    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO ciclo_owner, ciclo_orchestrator, ciclo_worker', current_database());
    -- Before Postgres 15 everybody may make tables there.
    IF has_schema_privilege('public', 'CREATE WITH GRANT OPTION') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;

    SELECT pg_get_userbyid(nspowner) INTO owner FROM pg_namespace WHERE nspname = 'ciclo';
    IF owner IS NULL THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO ciclo_owner', current_database());
    ELSIF owner <> 'ciclo_owner' THEN
        RAISE NOTICE 'the schema is owned by %, who goes on migrating; to hand it over: REASSIGN OWNED BY % TO ciclo_owner', owner, owner;
    END IF;
END $$;
