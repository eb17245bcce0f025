-- migrate:up
CREATE TABLE outbox (
    -- Also the id of the job and of the broker's message.
    id uuid PRIMARY KEY,
    queue text NOT NULL,
    name text NOT NULL,
    body jsonb NOT NULL,
    request_id text,
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'handed_over', 'done', 'dead')),
    available_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    -- How often a worker vanished while it held this promise.
    crashes integer NOT NULL DEFAULT 0,
    -- The relay's lease while it hands the promise over.
    relay_until timestamptz,
    handed_at timestamptz,
    -- The worker's lease while it works; another column, since both can be alive at once.
    run_until timestamptz,
    holder uuid,
    finished_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

CREATE INDEX outbox_pending ON outbox (available_at) WHERE state = 'pending';
CREATE INDEX outbox_handed_over ON outbox (handed_at) WHERE state = 'handed_over';
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE state IN ('done', 'dead');

-- A queue whose server does not answer: one promise at a time goes out as a probe.
CREATE TABLE queue_pauses (
    queue text PRIMARY KEY,
    until timestamptz NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- What came out of the broker and was no message of ours.
CREATE TABLE quarantine (
    id uuid PRIMARY KEY,
    queue text NOT NULL,
    reason text NOT NULL,
    size integer NOT NULL,
    -- The first bytes; enough to see whose it is.
    head bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row per letter, whatever happens to its job: unique by the job's id.
CREATE TABLE letters (
    id uuid PRIMARY KEY,
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    template text NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'handed_over', 'bounced', 'failed')),
    answer text,
    handed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX letters_user ON letters (user_id);
CREATE INDEX letters_created ON letters (created_at);

-- Periodic work: the slot and its promise are made in one statement, once.
CREATE TABLE clock_slots (
    task text NOT NULL,
    slot timestamptz NOT NULL,
    promise_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task, slot)
);

-- Append-only: written in the transaction of the fact it tells of.
CREATE TABLE audit_inbox (
    id uuid PRIMARY KEY,
    action text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure', 'denied')),
    actor_kind text NOT NULL,
    actor_id uuid,
    subject_id uuid,
    address text,
    request_id text,
    facts jsonb NOT NULL DEFAULT '{}',
    happened_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX audit_inbox_subject ON audit_inbox (subject_id, id);

CREATE TABLE idempotency_keys (
    -- HMAC over who asked for what under which key.
    id bytea PRIMARY KEY,
    body_mac bytea NOT NULL,
    holder uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    -- An envelope under a key derived from the server's and the client's; NULL while in flight.
    result bytea,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

-- migrate:down
DROP TABLE idempotency_keys;
DROP TABLE audit_inbox;
DROP TABLE clock_slots;
DROP TABLE letters;
DROP TABLE quarantine;
DROP TABLE queue_pauses;
DROP TABLE outbox;
