-- Which versions of the services may run on this schema, besides its own: two
-- versions run on one schema while a deploy goes on (docs/upgrading.md).
-- +goose Up
CREATE TABLE ciclo.compatibility (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- The schema version of the oldest binaries that this schema still serves. A
    -- migration that takes something away from them raises it, in its transaction.
    oldest    bigint NOT NULL CHECK (oldest > 0),
    raised_at timestamptz NOT NULL DEFAULT now()
);
-- Those before this one know no schema but their own.
INSERT INTO ciclo.compatibility (oldest) VALUES (30);
-- +goose StatementBegin
CREATE FUNCTION ciclo.guard_compatibility() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.oldest < OLD.oldest THEN
        RAISE EXCEPTION 'what a schema has taken away does not come back: the oldest version is %, and only grows', OLD.oldest USING ERRCODE = 'check_violation';
    END IF;
    NEW.raised_at := now();
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER compatibility_grows BEFORE UPDATE OR DELETE ON ciclo.compatibility
    FOR EACH ROW EXECUTE FUNCTION ciclo.guard_compatibility();

-- The schema version that the worker was built with. NULL: older than this migration.
ALTER TABLE ciclo.workers ADD COLUMN schema_version bigint CHECK (schema_version > 0);

-- +goose Down
ALTER TABLE ciclo.workers DROP COLUMN schema_version;
DROP TABLE ciclo.compatibility;
DROP FUNCTION ciclo.guard_compatibility;
