-- migrate:up
INSERT INTO permissions (name, description) VALUES
    ('audit:read', 'Search, verify and export the audit trail'),
    ('jobs:read', 'See queues, jobs and periodic tasks'),
    ('jobs:manage', 'Retry, discard and replay jobs, hold queues, run periodic tasks'),
    ('statistics:read', 'See how many people, sign-ins and letters there are');

INSERT INTO role_permissions (role_id, permission)
SELECT roles.id, permission
FROM roles
CROSS JOIN unnest(ARRAY['audit:read', 'jobs:read', 'jobs:manage', 'statistics:read']) AS permission
WHERE roles.name = 'admin'
ON CONFLICT DO NOTHING;

ALTER TABLE outbox
    -- 0: a person waits for it; 1: ordinary; 2: bulk, which gives way to all others.
    ADD COLUMN urgency smallint NOT NULL DEFAULT 1 CHECK (urgency BETWEEN 0 AND 2),
    -- The finished promise that this one repeats.
    ADD COLUMN replay_of uuid,
    -- How far a long job says it is.
    ADD COLUMN progress_done bigint,
    ADD COLUMN progress_total bigint,
    DROP CONSTRAINT outbox_state_check,
    ADD CONSTRAINT outbox_state_check
        CHECK (state IN ('pending', 'handed_over', 'done', 'dead', 'discarded'));

DROP INDEX outbox_finished;
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE state IN ('done', 'dead', 'discarded');

-- Held by an administrator: not even a probe goes out until it is released.
ALTER TABLE queue_pauses ADD COLUMN held boolean NOT NULL DEFAULT false;

-- migrate:down
ALTER TABLE queue_pauses DROP COLUMN held;

-- The release before knows no discarded jobs; what was discarded was dead.
UPDATE outbox SET state = 'dead' WHERE state = 'discarded';
DROP INDEX outbox_finished;
ALTER TABLE outbox
    DROP CONSTRAINT outbox_state_check,
    ADD CONSTRAINT outbox_state_check
        CHECK (state IN ('pending', 'handed_over', 'done', 'dead')),
    DROP COLUMN urgency,
    DROP COLUMN replay_of,
    DROP COLUMN progress_done,
    DROP COLUMN progress_total;
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE state IN ('done', 'dead');

DELETE FROM role_permissions
WHERE permission IN ('audit:read', 'jobs:read', 'jobs:manage', 'statistics:read');
DELETE FROM permissions
WHERE name IN ('audit:read', 'jobs:read', 'jobs:manage', 'statistics:read');
