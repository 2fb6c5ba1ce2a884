-- History goes by policy, in batches, while results stay. A function each does a
-- batch in the caller's transaction and nothing else can: the guards below refuse
-- whoever deletes history by hand. internal/retention calls them.
-- +goose Up

-- Results name the execution that wrote them, so its row stays with them; what
-- happened to it (transitions, steps, effects, deliveries, notices) goes.
ALTER TABLE ciclo.executions
    ADD COLUMN pruned_at timestamptz,
    ADD CONSTRAINT executions_pruned_have_ended CHECK (pruned_at IS NULL OR ended_at IS NOT NULL);
-- Up to there slots are no longer kept, and nobody knows which of them were run.
ALTER TABLE ciclo.schedules ADD COLUMN slots_pruned_until timestamptz;

-- What may be next, the oldest first: what was pruned and stays is no longer in it.
CREATE INDEX executions_to_prune ON ciclo.executions (ended_at, id) WHERE ended_at IS NOT NULL AND pruned_at IS NULL;
CREATE INDEX cycles_to_prune ON ciclo.cycles (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX executions_by_retry ON ciclo.executions (retry_of) WHERE retry_of IS NOT NULL;
-- Each foreign key to executions is asked for each one that goes.
CREATE INDEX messages_by_drafter ON ciclo.messages (drafted_by);
CREATE INDEX segment_changes_by_previous ON ciclo.segment_changes (previous_execution_id);
CREATE INDEX entity_merges_by_execution ON ciclo.entity_merges (execution_id) WHERE execution_id IS NOT NULL;

-- prune_executions has this setting while it deletes; by accident nobody has it.
-- +goose StatementBegin
CREATE FUNCTION ciclo.refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is history: only ciclo prune removes it, once its execution has ended', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER executions_stay BEFORE DELETE ON ciclo.executions FOR EACH ROW
    WHEN (coalesce(current_setting('ciclo.pruning', true), '') <> 'on' OR OLD.ended_at IS NULL) EXECUTE FUNCTION ciclo.refuse_deletion();
CREATE TRIGGER transitions_stay BEFORE DELETE ON ciclo.transitions FOR EACH ROW
    WHEN (coalesce(current_setting('ciclo.pruning', true), '') <> 'on') EXECUTE FUNCTION ciclo.refuse_deletion();
CREATE TRIGGER effects_stay BEFORE DELETE ON ciclo.effects FOR EACH ROW
    WHEN (coalesce(current_setting('ciclo.pruning', true), '') <> 'on') EXECUTE FUNCTION ciclo.refuse_deletion();

-- Whoever is quicker than a day prunes what is still tried again, polled or looked at.
-- +goose StatementBegin
CREATE FUNCTION ciclo.check_retention(before timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF before IS NULL OR before > now() - interval '1 day' THEN
        RAISE EXCEPTION 'what ended less than a day ago is not pruned' USING ERRCODE = 'check_violation';
    END IF;
END $$;

-- Which of some executions, all ended before, must stay for now, and why: the first
-- reason of each.
CREATE FUNCTION ciclo.held_executions(ids text[], before timestamptz) RETURNS TABLE (id text, reason text) LANGUAGE sql STABLE AS $$
    WITH asked AS (
        SELECT e.id, e.agent, e.cycle_id, e.dry_run FROM ciclo.executions e WHERE e.id = ANY (ids)
    ), of_agents AS (
        SELECT DISTINCT agent FROM asked WHERE NOT dry_run
    ), newest AS (
        SELECT done.id FROM of_agents a CROSS JOIN LATERAL (
            SELECT n.id FROM ciclo.executions n WHERE n.agent = a.agent AND n.status = 'completed' AND NOT n.dry_run ORDER BY n.ended_at DESC, n.id DESC LIMIT 1) done
        UNION
        SELECT last.id FROM of_agents a CROSS JOIN LATERAL (
            SELECT one.id FROM (VALUES ('started'), ('running'), ('completed'), ('failed'), ('cancelled')) statuses (status) CROSS JOIN LATERAL (
                SELECT n.started_at, n.id FROM ciclo.executions n WHERE n.agent = a.agent AND n.status = statuses.status AND NOT n.dry_run
                ORDER BY n.started_at DESC, n.id DESC LIMIT 1) one
            ORDER BY one.started_at DESC, one.id DESC LIMIT 1) last
    ), judged AS (
        SELECT asked.id, CASE
            -- A person decides first.
            WHEN EXISTS (SELECT FROM ciclo.effects f WHERE f.execution_id = asked.id AND f.state IN ('intended', 'unknown')) THEN 'effect'
            -- What names it is alive, or younger.
            WHEN EXISTS (SELECT FROM ciclo.executions r WHERE r.retry_of = asked.id AND (r.ended_at IS NULL OR r.ended_at >= before)) THEN 'retry'
            WHEN EXISTS (SELECT FROM ciclo.cycles c WHERE c.id = asked.cycle_id AND (c.ended_at IS NULL OR c.ended_at >= before)) THEN 'cycle'
            -- Somebody is still to be told.
            WHEN EXISTS (SELECT FROM ciclo.transitions t JOIN ciclo.webhook_deliveries d ON d.transition_id = t.id
                         WHERE t.execution_id = asked.id AND d.due_at IS NOT NULL) THEN 'delivery'
            WHEN EXISTS (SELECT FROM ciclo.notices n WHERE n.execution_id = asked.id AND n.due_at IS NOT NULL) THEN 'notice'
            -- The agent's last one, and the last that completed: status, schedules and results look at them.
            WHEN asked.id IN (SELECT newest.id FROM newest) THEN 'newest'
        END AS reason
        FROM asked
    )
    SELECT judged.id, judged.reason FROM judged WHERE judged.reason IS NOT NULL
$$;

-- A batch of executions that ended before, of one agent where one is given, after a
-- position (ended_at, id) and up to size of them. Rehearsed it counts what would go.
-- The foreign keys to executions say what is history (ON DELETE CASCADE) and what is
-- a result (no action), also those of agents to come.
CREATE FUNCTION ciclo.prune_executions(before timestamptz, of_agent text, after_at timestamptz, after_id text, size integer, rehearse boolean,
    OUT seen integer, OUT last_at timestamptz, OUT last_id text, OUT gone jsonb, OUT kept jsonb)
    LANGUAGE plpgsql AS $$
DECLARE
    ids   text[]; -- those of the batch, then those of them that may go
    held  text[];
    named text[] := '{}'; -- by results
    found text[];
    n     bigint;
    fk    record;
BEGIN
    PERFORM ciclo.check_retention(before);
    gone := '{}';
    IF rehearse THEN
        SELECT array_agg(b.id ORDER BY b.ended_at, b.id), max(b.ended_at) INTO ids, last_at FROM (
            SELECT e.id, e.ended_at FROM ciclo.executions e
            WHERE e.ended_at < before AND e.ended_at IS NOT NULL AND e.pruned_at IS NULL AND (e.ended_at, e.id) > (after_at, after_id) AND (of_agent = '' OR e.agent = of_agent)
            ORDER BY e.ended_at, e.id LIMIT size) b;
    ELSE
        -- Others that prune take other rows; a retry that holds one is let finish.
        SELECT array_agg(b.id ORDER BY b.ended_at, b.id), max(b.ended_at) INTO ids, last_at FROM (
            SELECT e.id, e.ended_at FROM ciclo.executions e
            WHERE e.ended_at < before AND e.ended_at IS NOT NULL AND e.pruned_at IS NULL AND (e.ended_at, e.id) > (after_at, after_id) AND (of_agent = '' OR e.agent = of_agent)
            ORDER BY e.ended_at, e.id LIMIT size FOR UPDATE SKIP LOCKED) b;
    END IF;
    seen := coalesce(cardinality(ids), 0);
    kept := '{}';
    IF seen = 0 THEN
        RETURN;
    END IF;
    last_id := ids[seen];

    -- Under the locks, by a new snapshot: who names one of them has done so, or waits.
    SELECT coalesce(jsonb_object_agg(r.reason, r.n), '{}'), array_agg(i) INTO kept, held
    FROM (SELECT h.reason, count(*) AS n, array_agg(h.id) AS list FROM ciclo.held_executions(ids, before) h GROUP BY h.reason) r, unnest(r.list) i;
    IF held IS NOT NULL THEN
        ids := ARRAY(SELECT i FROM unnest(ids) i WHERE i <> ALL (held));
    END IF;

    -- Not a SET clause of the function: only a superuser may give it one.
    PERFORM set_config('ciclo.pruning', 'on', true);
    n := 0;
    IF rehearse THEN
        SELECT count(*) INTO n FROM ciclo.transitions t JOIN ciclo.webhook_deliveries d ON d.transition_id = t.id WHERE t.execution_id = ANY (ids);
    ELSE
        DELETE FROM ciclo.webhook_deliveries d USING ciclo.transitions t WHERE t.execution_id = ANY (ids) AND d.transition_id = t.id;
        GET DIAGNOSTICS n = ROW_COUNT;
    END IF;
    gone := jsonb_build_object('ciclo.webhook_deliveries', n);
    FOR fk IN
        SELECT c.conrelid::regclass AS of_table, a.attname AS of_column, c.confdeltype AS action, format('%I.%I', s.nspname, t.relname) AS name
        FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace s ON s.oid = t.relnamespace
        WHERE c.confrelid = 'ciclo.executions'::regclass AND c.contype = 'f' AND c.conparentid = 0 AND cardinality(c.conkey) = 1
        ORDER BY name, of_column
    LOOP
        IF fk.action IN ('a', 'r') THEN
            EXECUTE format('SELECT array_agg(i) FROM unnest($1) i CROSS JOIN LATERAL (SELECT FROM %s WHERE %I = i LIMIT 1) one', fk.of_table, fk.of_column) INTO found USING ids;
            named := named || coalesce(found, '{}');
        ELSIF fk.action = 'c' THEN
            IF rehearse THEN
                EXECUTE format('SELECT count(*) FROM %s WHERE %I = ANY ($1)', fk.of_table, fk.of_column) INTO n USING ids;
            ELSE
                EXECUTE format('DELETE FROM %s WHERE %I = ANY ($1)', fk.of_table, fk.of_column) USING ids;
                GET DIAGNOSTICS n = ROW_COUNT;
            END IF;
            gone := gone || jsonb_build_object(fk.name, n + coalesce((gone ->> fk.name)::bigint, 0));
        END IF;
    END LOOP;
    named := ARRAY(SELECT DISTINCT i FROM unnest(named) i);
    IF NOT rehearse THEN
        UPDATE ciclo.executions e SET pruned_at = now() WHERE e.id = ANY (named);
        DELETE FROM ciclo.executions e WHERE e.id = ANY (ids) AND NOT e.id = ANY (named);
    END IF;
    PERFORM set_config('ciclo.pruning', '', true);
    n := cardinality(named);
    gone := gone || jsonb_build_object('ciclo.executions', cardinality(ids) - n);
    IF n > 0 THEN
        kept := kept || jsonb_build_object('result', n);
    END IF;
END $$;

-- The last slot of a schedule by which a planned cycle says that an agent is behind.
CREATE FUNCTION ciclo.last_telling_slot(of_schedule text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT s.due_at FROM ciclo.slots s
    WHERE s.schedule = of_schedule AND (s.reason IS NULL AND s.outcome <> 'queued' OR s.reason IN ('breaker', 'dependency', 'budget', 'business_hours'))
    ORDER BY s.due_at DESC LIMIT 1
$$;

-- A batch of cycles that ended before, each with its slot, once all its executions
-- are pruned. The schedule notes first that its slots are no longer all there: a
-- backfill locks it and looks, so that none is run twice.
CREATE FUNCTION ciclo.prune_cycles(before timestamptz, after_at timestamptz, after_id text, size integer, rehearse boolean,
    OUT seen integer, OUT last_at timestamptz, OUT last_id text, OUT gone jsonb, OUT kept jsonb)
    LANGUAGE plpgsql AS $$
DECLARE
    all_ids text[];
    ids     text[];
    slots   bigint;
    agents  bigint;
BEGIN
    PERFORM ciclo.check_retention(before);
    gone := '{}';
    kept := '{}';
    IF rehearse THEN
        SELECT array_agg(b.id ORDER BY b.ended_at, b.id), max(b.ended_at) INTO all_ids, last_at FROM (
            SELECT c.id, c.ended_at FROM ciclo.cycles c WHERE c.ended_at < before AND c.ended_at IS NOT NULL AND (c.ended_at, c.id) > (after_at, after_id)
            ORDER BY c.ended_at, c.id LIMIT size) b;
    ELSE
        SELECT array_agg(b.id ORDER BY b.ended_at, b.id), max(b.ended_at) INTO all_ids, last_at FROM (
            SELECT c.id, c.ended_at FROM ciclo.cycles c WHERE c.ended_at < before AND c.ended_at IS NOT NULL AND (c.ended_at, c.id) > (after_at, after_id)
            ORDER BY c.ended_at, c.id LIMIT size FOR UPDATE SKIP LOCKED) b;
    END IF;
    seen := coalesce(cardinality(all_ids), 0);
    IF seen = 0 THEN
        RETURN;
    END IF;
    last_id := all_ids[seen];
    ids := ARRAY(
        SELECT c.id FROM ciclo.cycles c
        WHERE c.id = ANY (all_ids)
          AND NOT EXISTS (SELECT FROM ciclo.executions e WHERE e.cycle_id = c.id AND e.pruned_at IS NULL AND (NOT rehearse OR e.ended_at IS NULL OR e.ended_at >= before))
          AND NOT (rehearse AND EXISTS (
              SELECT FROM ciclo.held_executions(ARRAY(SELECT e.id FROM ciclo.executions e WHERE e.cycle_id = c.id AND e.pruned_at IS NULL), before)))
          AND NOT EXISTS (SELECT FROM ciclo.slots s WHERE s.cycle_id = c.id AND s.due_at >= ciclo.last_telling_slot(s.schedule)));
    IF cardinality(ids) < seen THEN
        kept := jsonb_build_object('cycle', seen - cardinality(ids));
    END IF;
    SELECT count(*) INTO slots FROM ciclo.slots s WHERE s.cycle_id = ANY (ids);
    SELECT count(*) INTO agents FROM ciclo.cycle_agents a WHERE a.cycle_id = ANY (ids);
    gone := jsonb_build_object('ciclo.cycles', cardinality(ids), 'ciclo.slots', slots, 'ciclo.cycle_agents', agents);
    IF NOT rehearse THEN
        UPDATE ciclo.schedules n SET slots_pruned_until = greatest(n.slots_pruned_until, s.due_at)
        FROM (SELECT schedule, max(due_at) AS due_at FROM ciclo.slots WHERE cycle_id = ANY (ids) GROUP BY schedule) s WHERE n.name = s.schedule;
        DELETE FROM ciclo.slots s WHERE s.cycle_id = ANY (ids);
        UPDATE ciclo.executions e SET cycle_id = NULL WHERE e.cycle_id = ANY (ids);
        DELETE FROM ciclo.cycles c WHERE c.id = ANY (ids);
    END IF;
END $$;

-- A batch of slots that were skipped before, after a position (schedule, due_at).
CREATE FUNCTION ciclo.prune_slots(before timestamptz, after_schedule text, after_due timestamptz, size integer, rehearse boolean,
    OUT seen integer, OUT last_schedule text, OUT last_due timestamptz, OUT gone jsonb)
    LANGUAGE plpgsql AS $$
DECLARE
    schedules text[];
    dues      timestamptz[];
    deleted   bigint;
BEGIN
    PERFORM ciclo.check_retention(before);
    SELECT array_agg(b.schedule ORDER BY b.schedule, b.due_at), array_agg(b.due_at ORDER BY b.schedule, b.due_at) INTO schedules, dues FROM (
        SELECT s.schedule, s.due_at
        FROM ciclo.schedules n CROSS JOIN LATERAL (SELECT ciclo.last_telling_slot(n.name) AS due_at OFFSET 0) telling CROSS JOIN LATERAL (
            SELECT s.schedule, s.due_at FROM ciclo.slots s
            WHERE s.schedule = n.name AND s.outcome = 'skipped' AND s.decided_at < before AND s.due_at < before AND s.due_at < coalesce(telling.due_at, 'infinity')
              AND s.due_at > CASE WHEN n.name = after_schedule THEN after_due ELSE '-infinity' END
            ORDER BY s.due_at LIMIT size) s
        WHERE n.name >= after_schedule COLLATE "C"
        ORDER BY s.schedule, s.due_at LIMIT size) b;
    seen := coalesce(cardinality(dues), 0);
    gone := jsonb_build_object('ciclo.slots', seen);
    IF seen = 0 THEN
        RETURN;
    END IF;
    last_schedule := schedules[seen];
    last_due := dues[seen];
    IF NOT rehearse THEN
        UPDATE ciclo.schedules n SET slots_pruned_until = greatest(n.slots_pruned_until, s.due_at)
        FROM (SELECT b.schedule, max(b.due_at) AS due_at FROM unnest(schedules, dues) b (schedule, due_at) GROUP BY 1) s WHERE n.name = s.schedule;
        -- A backfill may have come before and queued one.
        DELETE FROM ciclo.slots s USING unnest(schedules, dues) b (schedule, due_at)
        WHERE s.schedule = b.schedule AND s.due_at = b.due_at AND s.outcome = 'skipped';
        GET DIAGNOSTICS deleted = ROW_COUNT;
        gone := jsonb_build_object('ciclo.slots', deleted);
    END IF;
END $$;

-- A batch of what hangs on no execution: sessions of workers that ended or were lost
-- before, and notices of pauses that were sent or given up before.
CREATE FUNCTION ciclo.prune_others(before timestamptz, size integer, rehearse boolean, OUT gone jsonb) LANGUAGE plpgsql AS $$
DECLARE
    sessions bigint;
    told     bigint;
BEGIN
    PERFORM ciclo.check_retention(before);
    IF rehearse THEN
        SELECT count(*) INTO sessions FROM ciclo.workers w
        WHERE coalesce(w.ended_at, w.lease_until) < before AND NOT EXISTS (SELECT FROM ciclo.executions e WHERE e.worker_id = w.id AND e.status = 'running');
        SELECT count(*) INTO told FROM ciclo.notices n WHERE n.execution_id IS NULL AND n.due_at IS NULL AND n.at < before;
    ELSE
        DELETE FROM ciclo.workers WHERE id IN (
            SELECT w.id FROM ciclo.workers w
            WHERE coalesce(w.ended_at, w.lease_until) < before AND NOT EXISTS (SELECT FROM ciclo.executions e WHERE e.worker_id = w.id AND e.status = 'running')
            LIMIT size FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS sessions = ROW_COUNT;
        DELETE FROM ciclo.notices WHERE id IN (
            SELECT n.id FROM ciclo.notices n WHERE n.execution_id IS NULL AND n.due_at IS NULL AND n.at < before LIMIT size FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS told = ROW_COUNT;
    END IF;
    gone := jsonb_build_object('ciclo.workers', sessions, 'ciclo.notices', told);
END $$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ciclo.prune_others, ciclo.prune_slots, ciclo.prune_cycles, ciclo.last_telling_slot, ciclo.prune_executions, ciclo.held_executions, ciclo.check_retention;
DROP TRIGGER effects_stay ON ciclo.effects;
DROP TRIGGER transitions_stay ON ciclo.transitions;
DROP TRIGGER executions_stay ON ciclo.executions;
DROP FUNCTION ciclo.refuse_deletion;
DROP INDEX ciclo.entity_merges_by_execution, ciclo.segment_changes_by_previous, ciclo.messages_by_drafter,
    ciclo.executions_by_retry, ciclo.cycles_to_prune, ciclo.executions_to_prune;
ALTER TABLE ciclo.schedules DROP COLUMN slots_pruned_until;
ALTER TABLE ciclo.executions DROP CONSTRAINT executions_pruned_have_ended, DROP COLUMN pruned_at;
