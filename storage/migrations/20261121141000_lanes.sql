-- migrate:up

-- The relay walks from lane to lane, and takes the oldest of each: a long lane hides no other.
CREATE INDEX outbox_lanes ON outbox (queue, urgency, available_at, id) WHERE state = 'pending';
DROP INDEX outbox_pending;

-- migrate:down
CREATE INDEX outbox_pending ON outbox (available_at) WHERE state = 'pending';
DROP INDEX outbox_lanes;
