-- A retry: a new execution that names the old one, and may reuse what that finished.
-- +goose Up
ALTER TABLE ciclo.executions ADD COLUMN retry_of text COLLATE "C";
ALTER TABLE ciclo.steps
    -- It wrote by its own transaction. What it wrote belongs to its execution, so
    -- another one doesn't reuse it.
    ADD COLUMN writes boolean NOT NULL DEFAULT false,
    -- The execution whose attempt and worker finished it, where it was reused.
    ADD COLUMN copied_from text COLLATE "C";

-- +goose Down
ALTER TABLE ciclo.steps DROP COLUMN copied_from, DROP COLUMN writes;
ALTER TABLE ciclo.executions DROP COLUMN retry_of;
