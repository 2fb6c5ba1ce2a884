-- What files bring beside payments: exchange rates, and the firm's own references,
-- by which a growing export can be imported day after day.
-- +goose Up
CREATE TABLE crm.rates (
    -- One unit of currency is worth rate units of "into".
    currency  text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    "into"    text NOT NULL CHECK ("into" ~ '^[A-Z]{3}$'),
    day       date NOT NULL CHECK (isfinite(day)),
    -- numeric knows NaN, which is greater than Infinity.
    rate      numeric NOT NULL CHECK (rate > 0 AND rate < 'Infinity'),
    import_id bigint REFERENCES crm.imports (id),
    PRIMARY KEY (currency, "into", day),
    CONSTRAINT rates_of_two_currencies CHECK (currency <> "into")
);

CREATE VIEW source.rates AS
    SELECT currency, "into", day, rate
    FROM crm.rates;

-- The firm's own id of a payment or interaction; many have none. UNIQUE is what
-- keeps two imports at once from taking one row twice.
ALTER TABLE crm.payments
    ADD COLUMN reference text CHECK (reference <> ''),
    ADD CONSTRAINT payments_reference_once UNIQUE (reference);
ALTER TABLE crm.interactions
    ADD COLUMN reference text CHECK (reference <> ''),
    ADD COLUMN import_id bigint REFERENCES crm.imports (id),
    ADD CONSTRAINT interactions_reference_once UNIQUE (reference);

-- +goose Down
ALTER TABLE crm.interactions DROP COLUMN reference, DROP COLUMN import_id;
ALTER TABLE crm.payments DROP COLUMN reference;
DROP VIEW source.rates;
DROP TABLE crm.rates;
