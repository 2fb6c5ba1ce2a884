-- The trace that an execution began in, so that attempts in any process, after any
-- crash, are in the same.
-- +goose Up

-- W3C's traceparent of the span that accepted it; NULL where no trace was kept.
ALTER TABLE ciclo.executions
    ADD COLUMN traceparent text,
    ADD CONSTRAINT executions_traceparent CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');

-- +goose Down
ALTER TABLE ciclo.executions DROP COLUMN traceparent;
