-- After a restore the database has forgotten what was done since its backup. What it
-- needs to know not to do that again (docs/backup-and-restore.md).
-- +goose Up

-- Which database this is, as the services last knew it: a copy, and one that was
-- restored, is another one.
CREATE TABLE ciclo.incarnation (
    singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- The cluster's and the database's own numbers, and the timeline, which grows at
    -- each promotion and at each restore to a point in time. NULL: not noted, or not told.
    system_identifier bigint,
    database_oid      bigint,
    timeline          bigint,
    noted_at          timestamptz,
    -- When it was last taken over after a restore.
    restored_at       timestamptz,
    CONSTRAINT incarnation_is_whole CHECK ((database_oid IS NULL) = (noted_at IS NULL))
);
INSERT INTO ciclo.incarnation DEFAULT VALUES;

-- It was alive when the database was restored: its effects may all have happened.
ALTER TABLE ciclo.executions ADD COLUMN restored_at timestamptz;
-- Slots up to it belong to a time that was lived through before the restore.
ALTER TABLE ciclo.schedules ADD COLUMN restored_until timestamptz;
ALTER TABLE ciclo.slots DROP CONSTRAINT slots_reason_known;
ALTER TABLE ciclo.slots ADD CONSTRAINT slots_reason_known CHECK (reason IN ('overlap', 'paused', 'late', 'cooldown', 'dependency', 'budget', 'breaker',
    'not_due', 'business_hours', 'unknown_agent', 'ended', 'restored'));

-- It may have left by an execution that nobody knows any more.
ALTER TABLE ciclo.messages ADD COLUMN restored_at timestamptz;
ALTER TABLE ciclo.messages DROP CONSTRAINT messages_sending_by;
ALTER TABLE ciclo.messages ADD CONSTRAINT messages_sending_by
    CHECK (status NOT IN ('sending', 'unknown', 'sent') OR execution_id IS NOT NULL OR restored_at IS NOT NULL) NOT VALID;
ALTER TABLE ciclo.messages VALIDATE CONSTRAINT messages_sending_by;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ciclo.guard_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.client_id <> OLD.client_id OR NEW.channel <> OLD.channel OR NEW.address <> OLD.address OR NEW.zone <> OLD.zone
       OR NEW.drafted_by <> OLD.drafted_by OR NEW.template <> OLD.template OR NEW.language <> OLD.language
       OR (OLD.status <> 'draft' AND (NEW.subject <> OLD.subject OR NEW.body <> OLD.body OR NEW.variables IS DISTINCT FROM OLD.variables
           OR NEW.approved_by IS DISTINCT FROM OLD.approved_by)) THEN
        RAISE EXCEPTION 'message %: what was drafted or approved stays', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    -- What was restored may have left since: whoever may write to it forgets that.
    IF NEW.status = 'unknown' AND OLD.status = 'approved' AND NEW.restored_at IS DISTINCT FROM OLD.restored_at THEN
        NEW.status_at := now();
        RETURN NEW;
    END IF;
    IF NOT ((OLD.status, NEW.status) IN (
        ('draft', 'approved'), ('draft', 'rejected'), ('draft', 'expired'),
        ('approved', 'sending'), ('approved', 'rejected'), ('approved', 'expired'), ('approved', 'failed'),
        ('sending', 'sent'), ('sending', 'unknown'), ('sending', 'failed'), ('sending', 'approved'), ('sending', 'rejected'),
        ('unknown', 'sent'), ('unknown', 'approved'), ('unknown', 'rejected'))) THEN
        RAISE EXCEPTION 'message % can''t move from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = 'sending' AND NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.message_id = NEW.id) THEN
        RAISE EXCEPTION 'message % has no contact', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('approved', 'failed', 'rejected') AND EXISTS (
        SELECT FROM ciclo.effects f WHERE f.execution_id = OLD.execution_id AND f.name = 'send'
        AND f.state IN ('intended', 'done', 'unknown') AND OLD.status IN ('sending', 'unknown')) THEN
        RAISE EXCEPTION 'message % may have left: its effect says so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    NEW.status_at := now();
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ciclo.guard_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.client_id <> OLD.client_id OR NEW.channel <> OLD.channel OR NEW.address <> OLD.address OR NEW.zone <> OLD.zone
       OR NEW.drafted_by <> OLD.drafted_by OR NEW.template <> OLD.template OR NEW.language <> OLD.language
       OR (OLD.status <> 'draft' AND (NEW.subject <> OLD.subject OR NEW.body <> OLD.body OR NEW.variables IS DISTINCT FROM OLD.variables
           OR NEW.approved_by IS DISTINCT FROM OLD.approved_by)) THEN
        RAISE EXCEPTION 'message %: what was drafted or approved stays', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;
    IF NOT ((OLD.status, NEW.status) IN (
        ('draft', 'approved'), ('draft', 'rejected'), ('draft', 'expired'),
        ('approved', 'sending'), ('approved', 'rejected'), ('approved', 'expired'), ('approved', 'failed'),
        ('sending', 'sent'), ('sending', 'unknown'), ('sending', 'failed'), ('sending', 'approved'), ('sending', 'rejected'),
        ('unknown', 'sent'), ('unknown', 'approved'), ('unknown', 'rejected'))) THEN
        RAISE EXCEPTION 'message % can''t move from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = 'sending' AND NOT EXISTS (SELECT FROM ciclo.contacts c WHERE c.message_id = NEW.id) THEN
        RAISE EXCEPTION 'message % has no contact', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status IN ('approved', 'failed', 'rejected') AND EXISTS (
        SELECT FROM ciclo.effects f WHERE f.execution_id = OLD.execution_id AND f.name = 'send'
        AND f.state IN ('intended', 'done', 'unknown') AND OLD.status IN ('sending', 'unknown')) THEN
        RAISE EXCEPTION 'message % may have left: its effect says so', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    NEW.status_at := now();
    RETURN NEW;
END $$;
-- +goose StatementEnd
ALTER TABLE ciclo.messages DROP CONSTRAINT messages_sending_by;
ALTER TABLE ciclo.messages ADD CONSTRAINT messages_sending_by CHECK (status NOT IN ('sending', 'unknown', 'sent') OR execution_id IS NOT NULL);
ALTER TABLE ciclo.messages DROP COLUMN restored_at;
ALTER TABLE ciclo.slots DROP CONSTRAINT slots_reason_known;
ALTER TABLE ciclo.slots ADD CONSTRAINT slots_reason_known CHECK (reason IN ('overlap', 'paused', 'late', 'cooldown', 'dependency', 'budget', 'breaker',
    'not_due', 'business_hours', 'unknown_agent', 'ended'));
ALTER TABLE ciclo.schedules DROP COLUMN restored_until;
ALTER TABLE ciclo.executions DROP COLUMN restored_at;
DROP TABLE ciclo.incarnation;
