-- migrate:up
-- Browsers and apps a person signed in from: what other sign-ins are compared with.
CREATE TABLE devices (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- An IPv4 address or the /64 of an IPv6 one, and a keyed digest of the user agent.
    site text NOT NULL,
    agent_mac bytea NOT NULL,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_last_seen ON devices (last_seen_at);

ALTER TABLE sessions ADD COLUMN device_id uuid REFERENCES devices (id) ON DELETE SET NULL;
CREATE INDEX sessions_device ON sessions (device_id);

-- Failed sign-ins of an address, known or not, by blind index: they survive a wiped Redis.
CREATE TABLE sign_in_failures (
    account bytea PRIMARY KEY,
    failures integer NOT NULL,
    open_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX sign_in_failures_updated_at ON sign_in_failures (updated_at);

-- How a password was hashed, without salt and digest: $2b$12, $argon2id$v=19$m=19456,t=2,p=1.
ALTER TABLE users ADD COLUMN password_scheme text GENERATED ALWAYS AS (
    substring(
        password_hash FROM '^(\$2[abxy]\$\d\d|\$argon2[id]+\$v=\d+\$[^$]+|\$?[^$]+\$\d+(?=\$))'
    )
) STORED;
CREATE INDEX users_password_scheme ON users (password_scheme);

-- migrate:down
DROP INDEX users_password_scheme;
ALTER TABLE users DROP COLUMN password_scheme;
DROP TABLE sign_in_failures;
ALTER TABLE sessions DROP COLUMN device_id;
DROP TABLE devices;
