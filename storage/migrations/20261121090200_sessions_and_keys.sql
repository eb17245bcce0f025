-- migrate:up
CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    algorithm text NOT NULL,
    public_key bytea NOT NULL,
    -- An AES-256-GCM envelope under SECRET_KEYS, bound to the id.
    private_key bytea NOT NULL,
    -- A new key stands in the JWKS for a while before it signs.
    signs_from timestamptz NOT NULL,
    retired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row is the whole state of a session; nothing presentable is stored.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- How often the refresh token was rotated; only the holder of this generation may go on.
    generation integer NOT NULL DEFAULT 0,
    -- `ver` of the access tokens that are good.
    epoch integer NOT NULL DEFAULT 1,
    -- The secret key the live refresh token was made under.
    key_id text NOT NULL,
    amr text[] NOT NULL,
    authenticated_at timestamptz NOT NULL,
    address text,
    user_agent text,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE email_verification_tokens (
    -- The id of the job whose letter carries the token: a repeated letter has the same one.
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email text NOT NULL,
    token_mac bytea NOT NULL UNIQUE,
    code_mac bytea NOT NULL,
    wrong_codes integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    spent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX email_verification_tokens_user ON email_verification_tokens (user_id);
CREATE INDEX email_verification_tokens_expires ON email_verification_tokens (expires_at);

-- One-time links that let the first admin in.
CREATE TABLE setup_tokens (
    id uuid PRIMARY KEY,
    token_mac bytea NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL,
    spent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- migrate:down
DROP TABLE setup_tokens;
DROP TABLE email_verification_tokens;
DROP TABLE sessions;
DROP TABLE signing_keys;
