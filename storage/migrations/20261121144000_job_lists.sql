-- migrate:up
-- What died is looked for among millions that are done. A promise enters these at its end only, so
-- that they cost nothing on its way.
CREATE INDEX outbox_dead ON outbox (id) INCLUDE (queue) WHERE state = 'dead';
CREATE INDEX outbox_discarded ON outbox (id) WHERE state = 'discarded';

-- migrate:down
DROP INDEX outbox_discarded;
DROP INDEX outbox_dead;
