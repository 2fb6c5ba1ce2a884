-- Prompts as the Conversation Trainer would have them: one row a proposal, whether it
-- went to a repository or not. A run that comes to the same proposal adds none.
-- +goose Up
CREATE TABLE ciclo.prompt_proposals (
    -- Also the name of the branch, behind ciclo/.
    id             text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$'),
    number         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    -- The execution that came to it first.
    execution_id   text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),

    prompt         text NOT NULL CHECK (prompt <> ''),
    -- The base: its version where source.prompts has one of these bytes, its file and
    -- commit where it was read from a repository.
    base_version   text,
    path           text,
    base_commit    text CHECK (base_commit ~ '^[0-9a-f]{40}$'),
    base_hash      text NOT NULL CHECK (base_hash ~ '^[0-9a-f]{64}$'),
    patterns_hash  text NOT NULL CHECK (patterns_hash ~ '^[0-9a-f]{64}$'),
    window_from    date NOT NULL,
    window_to      date NOT NULL CHECK (window_to >= window_from),

    title          text NOT NULL CHECK (title <> ''),
    body           text NOT NULL CHECK (body <> ''),
    lines          text[] NOT NULL CHECK (cardinality(lines) > 0),
    left_out       jsonb NOT NULL CHECK (jsonb_typeof(left_out) = 'array'),
    report         text NOT NULL CHECK (report <> ''),
    plot           text NOT NULL CHECK (plot <> ''),
    -- When the last conversation that it rests on began: the commit's time.
    data_until     timestamptz NOT NULL,

    -- written: here alone; proposed: a branch, on GitHub an open pull request; closed
    -- and merged: people did; refused: the repository can't take it, reason says why.
    status         text NOT NULL DEFAULT 'written' CHECK (status IN ('written', 'proposed', 'closed', 'merged', 'refused')),
    reason         text,
    branch         text,
    commit         text CHECK (commit ~ '^[0-9a-f]{40}$'),
    pull_request   integer CHECK (pull_request > 0),
    url            text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),

    -- The key by content; id is made of it.
    UNIQUE (prompt, window_from, window_to, base_hash, patterns_hash),
    CONSTRAINT prompt_proposals_base CHECK (num_nulls(path, base_commit) IN (0, 2)),
    CONSTRAINT prompt_proposals_refused CHECK ((status = 'refused') = (reason IS NOT NULL)),
    CONSTRAINT prompt_proposals_brought CHECK (
        (status IN ('proposed', 'closed', 'merged')) = (branch IS NOT NULL)
        AND (branch IS NOT NULL OR num_nonnulls(commit, pull_request, url) = 0)
        AND num_nulls(pull_request, url) IN (0, 2))
);
CREATE INDEX prompt_proposals_by_execution ON ciclo.prompt_proposals (execution_id);

-- What became of conversations by version of the prompt.
CREATE INDEX conversations_by_version ON crm.conversations (agent_version, outcome);

CREATE VIEW dashboard.prompt_proposals AS
    SELECT p.created_at, p.prompt, p.base_version, p.status, p.reason, cardinality(p.lines) AS lines, p.window_from, p.window_to,
           p.branch, p.url, p.title, p.updated_at, p.id, p.execution_id
    FROM ciclo.prompt_proposals p;
COMMENT ON VIEW dashboard.prompt_proposals IS 'Changes of prompts that the trainer proposed, and what became of each as far as a run has seen.';

-- +goose Down
DROP VIEW dashboard.prompt_proposals;
DROP INDEX crm.conversations_by_version;
DROP TABLE ciclo.prompt_proposals;
