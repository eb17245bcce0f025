-- migrate:up
-- Nothing ever read or wrote it.
ALTER TABLE outbox DROP COLUMN relay_until;

-- migrate:down
ALTER TABLE outbox ADD COLUMN relay_until timestamptz;
