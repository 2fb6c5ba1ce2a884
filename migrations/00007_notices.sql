-- What the operator is told of, by mail or webhook: a scheduled execution that
-- failed for good, an agent that was paused. Each row is written by the
-- transaction of its cause, so that neither is ever without the other.
-- +goose Up

-- Who opened it: somebody who waits for the answer and sees a failure, or a
-- schedule, whose failures nobody looks at.
ALTER TABLE ciclo.executions
    ADD COLUMN origin text NOT NULL DEFAULT 'request' CHECK (origin IN ('request', 'schedule'));
-- An agent may be paused many times: each is a cause of its own.
ALTER TABLE ciclo.pauses ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;

CREATE TABLE ciclo.notices (
    -- Receivers are given it, so that they can tell a repetition; unique among all installations.
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind         text NOT NULL CHECK (kind IN ('failed', 'paused')),
    -- '*' is all agents.
    agent        text NOT NULL,
    -- The cause, which makes one notice. A pause's row goes when it ends, so nothing refers to it.
    execution_id text COLLATE "C" UNIQUE REFERENCES ciclo.executions (id) ON DELETE CASCADE,
    pause_id     bigint UNIQUE,
    subject      text NOT NULL CHECK (subject <> ''),
    -- What happened and what to do next.
    text         text NOT NULL CHECK (text <> ''),
    at           timestamptz NOT NULL DEFAULT now(),

    -- When it is to be sent, or sent again; NULL once it was sent or given up. A
    -- sender that takes it sets it ahead, as its lease.
    due_at       timestamptz DEFAULT now(),
    -- Grows each time that a sender takes it, and is the sender's fence.
    tries        integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- The channels that have it already: they get no repetition when another fails.
    told         text[] NOT NULL DEFAULT '{}',
    sent_at      timestamptz,
    -- Of the last try that failed; stays.
    error        text,

    CONSTRAINT notices_have_one_cause
        CHECK ((kind = 'failed') = (execution_id IS NOT NULL) AND (kind = 'paused') = (pause_id IS NOT NULL)),
    CONSTRAINT notices_wait_or_were_sent CHECK (due_at IS NULL OR sent_at IS NULL),
    CONSTRAINT notices_given_up_say_why CHECK (due_at IS NOT NULL OR sent_at IS NOT NULL OR error IS NOT NULL)
);
CREATE INDEX notices_due ON ciclo.notices (due_at) WHERE due_at IS NOT NULL;

-- ON CONFLICT: a notice that is there already is no reason to refuse its cause.
-- +goose StatementBegin
CREATE FUNCTION ciclo.notice_time(at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
$$;
CREATE FUNCTION ciclo.notice_failure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ciclo.notices (kind, agent, execution_id, subject, text)
    VALUES ('failed', NEW.agent, NEW.id,
        format('%s: a scheduled execution failed for good (%s)', NEW.agent, NEW.error_class),
        format(E'Execution %1$s of %2$s, opened by its schedule at %3$s, failed for good at %4$s, attempts made: %5$s.\n'
                '%6$s: %7$s\n\n'
                'What to do:\n'
                '- `ciclo status %1$s` shows its moves and its error, with `--json` its parameters too.\n'
                '- `ciclo effects %1$s` shows what it did outside; what is unknown there is for you to look at, it is never done again.\n'
                '- Mend the cause, then `ciclo run %2$s` does it again now. The schedule goes on by itself.\n'
                '- If it would fail again: `ciclo pause %2$s`.',
            NEW.id, NEW.agent, ciclo.notice_time(NEW.started_at), ciclo.notice_time(NEW.ended_at), NEW.attempt,
            NEW.error_class, left(NEW.error_text, 1000)))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE FUNCTION ciclo.notice_pause() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    who text := CASE NEW.agent WHEN '*' THEN 'every agent' ELSE NEW.agent END;
    arg text := CASE NEW.agent WHEN '*' THEN 'all' ELSE NEW.agent END;
BEGIN
    INSERT INTO ciclo.notices (kind, agent, pause_id, subject, text)
    VALUES ('paused', NEW.agent, NEW.id,
        CASE NEW.kind WHEN 'hand' THEN format('%s is paused by hand', who) ELSE format('%s is paused: it fails again and again', who) END,
        format(CASE NEW.kind
            WHEN 'hand' THEN
                E'Somebody paused %1$s by hand at %2$s: %3$s\n'
                'What runs goes on; what is accepted waits and is not lost.\n\n'
                'What to do:\n'
                '- `ciclo resume %4$s` lets it run again. Nothing else does.\n'
                '- `ciclo status` shows what is paused and what waits.'
            ELSE
                E'The breaker of %1$s paused it at %2$s: %3$s\n'
                'What is accepted waits and is not lost. From %5$s on one execution at a time is let through; the first that completes ends the pause.\n\n'
                'What to do:\n'
                '- `ciclo status ID`, with the execution above, shows the error. Mend its cause.\n'
                '- `ciclo resume %4$s` lets it run again at once; else the next probe does.\n'
                '- `ciclo pause %4$s` keeps it paused, without probes.'
            END, who, ciclo.notice_time(NEW.paused_at), left(NEW.reason, 1000), arg, ciclo.notice_time(NEW.probe_after)))
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- The WHEN keeps it off every other move.
CREATE TRIGGER executions_notice_failure AFTER UPDATE OF status ON ciclo.executions
    FOR EACH ROW WHEN (NEW.status = 'failed' AND NEW.origin = 'schedule') EXECUTE FUNCTION ciclo.notice_failure();
-- A pause by hand of what the breaker paused is an update, and no news.
CREATE TRIGGER pauses_notice AFTER INSERT ON ciclo.pauses
    FOR EACH ROW EXECUTE FUNCTION ciclo.notice_pause();

CREATE VIEW dashboard.notices AS
    SELECT id, kind, agent, execution_id, subject, text, at,
           CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN due_at IS NULL THEN 'given up' ELSE 'waiting' END AS condition,
           sent_at, due_at, tries, told, error
    FROM ciclo.notices;
COMMENT ON VIEW dashboard.notices IS 'What the operator was told of, or is to be; error is of the last try that failed.';

-- +goose StatementBegin
DO $$
BEGIN
    GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO ciclo_dashboard;
EXCEPTION
    WHEN undefined_object THEN RAISE NOTICE 'nothing was granted to ciclo_dashboard: there is no such role';
END $$;
-- +goose StatementEnd

-- +goose Down
DROP VIEW dashboard.notices;
DROP TRIGGER executions_notice_failure ON ciclo.executions;
DROP TRIGGER pauses_notice ON ciclo.pauses;
DROP FUNCTION ciclo.notice_failure, ciclo.notice_pause, ciclo.notice_time;
DROP TABLE ciclo.notices;
ALTER TABLE ciclo.pauses DROP COLUMN id;
ALTER TABLE ciclo.executions DROP COLUMN origin;
