-- migrate:up
-- What the clock remembers of a task, however short the history of the outbox is kept.
CREATE TABLE clock_tasks (
    task text PRIMARY KEY,
    -- Its newest promise: while that is open, no other one is made.
    promise_id uuid,
    succeeded_at timestamptz,
    -- How long the newest success worked.
    seconds double precision,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One number a day; `day` is the midnight UTC it begins with.
CREATE TABLE statistics (
    day timestamptz NOT NULL,
    name text NOT NULL,
    value bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, name)
);

-- The last use on a day before that of `last_used_at`: who was active yesterday is known all of
-- today. Not indexed, so that refreshing a session stays an update within its page.
ALTER TABLE sessions ADD COLUMN used_before_at timestamptz;

-- When the newest try of a promise began.
ALTER TABLE outbox ADD COLUMN started_at timestamptz;

-- What purges look for is found without reading the table.
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX quarantine_created ON quarantine (created_at, id);
CREATE INDEX outbox_sealed ON outbox (finished_at) WHERE name = 'audit.seal' AND state = 'done';

-- migrate:down
DROP INDEX outbox_sealed;
DROP INDEX quarantine_created;
DROP INDEX sessions_ended;
ALTER TABLE outbox DROP COLUMN started_at;
ALTER TABLE sessions DROP COLUMN used_before_at;
DROP TABLE statistics;
DROP TABLE clock_tasks;
