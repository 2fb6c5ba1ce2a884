-- What the Conversation Trainer finds: one row a pattern and execution, so that one
-- sees which persist.
-- +goose Up
CREATE TABLE ciclo.patterns (
    execution_id     text COLLATE "C" NOT NULL REFERENCES ciclo.executions (id),
    -- What won conversations have more often, or less often.
    kind             text NOT NULL CHECK (kind IN ('ngram', 'length', 'turns', 'questions', 'response_time', 'call_to_action', 'money', 'politeness')),
    feature          text COLLATE "C" NOT NULL CHECK (feature <> ''),
    -- The strongest is 1.
    rank             integer NOT NULL CHECK (rank >= 1),
    -- The cut of a feature that is a number; empty where it is there or not.
    above            double precision,

    -- Earlier conversations with the feature and without, and those of them that were won.
    n_with           integer NOT NULL,
    n_with_won       integer NOT NULL,
    n_without        integer NOT NULL,
    n_without_won    integer NOT NULL,
    -- Within strata of channel, segment and month; intervals of 95 %. The odds ratio
    -- is empty where it is 0 or endless.
    risk_difference  double precision NOT NULL,
    risk_low         double precision NOT NULL,
    risk_high        double precision NOT NULL,
    odds_ratio       double precision CHECK (odds_ratio > 0 AND odds_ratio < 'Infinity'),
    odds_low         double precision CHECK (odds_low >= 0),
    odds_high        double precision CHECK (odds_high <= 'Infinity'),
    p                double precision NOT NULL CHECK (p BETWEEN 0 AND 1),
    q                double precision NOT NULL CHECK (q BETWEEN 0 AND 1),
    -- Log-odds z-score of an n-gram; for ranking alone.
    z                double precision CHECK (z BETWEEN -1e6 AND 1e6),

    -- The later conversations.
    confirmed        boolean NOT NULL,
    later_with       integer NOT NULL,
    later_with_won   integer NOT NULL,
    later_without    integer NOT NULL,
    later_without_won integer NOT NULL,
    later_difference double precision,
    later_low        double precision,
    later_high       double precision,

    -- Weaker features of nearly the same conversations; ids of conversations.
    same_as          text[] NOT NULL,
    examples         text[] NOT NULL,

    PRIMARY KEY (execution_id, feature),
    UNIQUE (execution_id, rank),
    CONSTRAINT patterns_counts CHECK (
        n_with_won BETWEEN 0 AND n_with AND n_without_won BETWEEN 0 AND n_without
        AND later_with_won BETWEEN 0 AND later_with AND later_without_won BETWEEN 0 AND later_without),
    CONSTRAINT patterns_intervals CHECK (
        risk_difference BETWEEN risk_low AND risk_high AND risk_low >= -1 AND risk_high <= 1
        AND odds_ratio BETWEEN odds_low AND odds_high AND later_difference BETWEEN later_low AND later_high
        AND num_nulls(odds_ratio, odds_low, odds_high) IN (0, 3) AND num_nulls(later_difference, later_low, later_high) IN (0, 3)),
    -- Confirmed is the same sign, and an interval that excludes 0.
    CONSTRAINT patterns_confirmed CHECK (
        NOT confirmed OR coalesce((risk_difference > 0 AND later_low > 0) OR (risk_difference < 0 AND later_high < 0), false))
);
CREATE INDEX patterns_by_feature ON ciclo.patterns (feature, execution_id);

CREATE VIEW dashboard.patterns AS
    SELECT p.rank, p.kind, p.feature, p.above, p.risk_difference, p.risk_low, p.risk_high, p.odds_ratio, p.odds_low, p.odds_high, p.q,
           p.confirmed, p.later_difference, p.later_low, p.later_high, p.n_with, p.n_with_won, p.n_without, p.n_without_won,
           p.later_with, p.later_with_won, p.later_without, p.later_without_won, p.p, p.z, p.same_as, p.examples, e.ended_at, p.execution_id
    FROM ciclo.patterns p JOIN ciclo.executions e ON e.id = p.execution_id
    WHERE p.execution_id = (
        SELECT id FROM ciclo.executions
        WHERE agent = 'conversation-trainer' AND status = 'completed' AND NOT dry_run
        ORDER BY ended_at DESC, id DESC LIMIT 1);
COMMENT ON VIEW dashboard.patterns IS 'The last complete run''s patterns of won and lost conversations, the strongest first by rank: association, not cause.';

-- +goose Down
DROP VIEW dashboard.patterns;
DROP TABLE ciclo.patterns;
