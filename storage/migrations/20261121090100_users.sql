-- migrate:up
CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- Canonical: NFC, lower case, IDNA domain; dots and plus are kept.
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_verified boolean NOT NULL DEFAULT false,
    -- NULL for people who sign in by another way only.
    password_hash text,
    -- Raised by everything that makes older letters, links and codes worthless.
    credential_version integer NOT NULL DEFAULT 1,
    first_name text NOT NULL CHECK (length(first_name) BETWEEN 2 AND 50),
    last_name text NOT NULL CHECK (length(last_name) BETWEEN 2 AND 50),
    profile_picture_url text,
    locale text NOT NULL DEFAULT 'en',
    is_active boolean NOT NULL DEFAULT true,
    last_login_at timestamptz,
    -- Raised by every change a reader can see; the ETag is made of it.
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);

CREATE UNIQUE INDEX users_email_living ON users (email) WHERE deleted_at IS NULL;
CREATE INDEX users_created_at ON users (created_at, id);

CREATE TABLE user_roles (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role_id uuid NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, role_id)
);

CREATE INDEX user_roles_role ON user_roles (role_id);

-- migrate:down
DROP TABLE user_roles;
DROP TABLE users;
