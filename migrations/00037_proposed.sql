-- A slot whose cycle runs nothing because a model proposed to put it off.
-- +goose Up
ALTER TABLE ciclo.slots DROP CONSTRAINT slots_reason_known;
ALTER TABLE ciclo.slots ADD CONSTRAINT slots_reason_known CHECK (reason IN ('overlap', 'paused', 'late', 'cooldown', 'dependency', 'budget', 'breaker',
    'not_due', 'business_hours', 'unknown_agent', 'ended', 'restored', 'proposed')) NOT VALID;
ALTER TABLE ciclo.slots VALIDATE CONSTRAINT slots_reason_known;

-- +goose Down
ALTER TABLE ciclo.slots DROP CONSTRAINT slots_reason_known;
ALTER TABLE ciclo.slots ADD CONSTRAINT slots_reason_known CHECK (reason IN ('overlap', 'paused', 'late', 'cooldown', 'dependency', 'budget', 'breaker',
    'not_due', 'business_hours', 'unknown_agent', 'ended', 'restored')) NOT VALID;
