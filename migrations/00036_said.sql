-- What a language model said of messages is kept beside them: it was paid for, and
-- messages are read again whenever the firm's lists change.
-- +goose Up

-- The engine that was asked, of which text (hash), and what it named in it and said of
-- that, by places: no word of the text. NULL: none was asked.
ALTER TABLE ciclo.graph_messages ADD COLUMN said jsonb;
ALTER TABLE ciclo.graph_messages ADD CONSTRAINT graph_messages_said 
    CHECK (said IS NULL OR jsonb_typeof(said) = 'object' AND coalesce(said ->> 'engine', '') <> '') NOT VALID;
ALTER TABLE ciclo.graph_messages VALIDATE CONSTRAINT graph_messages_said;

-- +goose Down
ALTER TABLE ciclo.graph_messages DROP COLUMN said;
