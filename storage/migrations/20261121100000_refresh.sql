-- migrate:up
ALTER TABLE sessions
    ADD COLUMN rotated_at timestamptz,
    -- The live generation at which a parent last came late; two in a row are a stolen token.
    ADD COLUMN late_generation integer,
    -- However much it is used, a session ends here.
    ADD COLUMN absolute_expires_at timestamptz NOT NULL DEFAULT now() + interval '90 days';

ALTER TABLE sessions ALTER COLUMN absolute_expires_at DROP DEFAULT;

-- migrate:down
ALTER TABLE sessions
    DROP COLUMN rotated_at,
    DROP COLUMN late_generation,
    DROP COLUMN absolute_expires_at;
