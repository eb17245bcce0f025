-- migrate:up
CREATE TABLE roles (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_-]{1,49}$'),
    description text NOT NULL DEFAULT '',
    -- The higher of two roles is the one with the greater rank; `role` in answers is the highest.
    rank integer NOT NULL CHECK (rank BETWEEN 0 AND 1000),
    built_in boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE permissions (
    name text PRIMARY KEY CHECK (name ~ '^[a-z_]+:[a-z_]+$'),
    description text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE role_permissions (
    role_id uuid NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    permission text NOT NULL REFERENCES permissions (name) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (role_id, permission)
);

CREATE INDEX role_permissions_permission ON role_permissions (permission);

INSERT INTO roles (id, name, description, rank, built_in) VALUES
    ('01935000-0000-7000-8000-000000000001', 'admin', 'Full access to everything', 1000, true),
    ('01935000-0000-7000-8000-000000000002', 'manager', 'Manages own teams and content', 500, true),
    ('01935000-0000-7000-8000-000000000003', 'user', 'An ordinary signed-in person', 100, true),
    ('01935000-0000-7000-8000-000000000004', 'guest', 'May read content', 0, true);

INSERT INTO permissions (name, description) VALUES
    ('users:read', 'Read every user'),
    ('users:read_own', 'Read oneself'),
    ('users:create', 'Create users'),
    ('users:update', 'Change every user'),
    ('users:update_team', 'Change members of the teams one manages'),
    ('users:update_own', 'Change oneself'),
    ('users:delete', 'Delete users'),
    ('content:read', 'Read content'),
    ('content:create', 'Create content'),
    ('content:update', 'Change all content'),
    ('content:update_own', 'Change own content'),
    ('content:delete', 'Delete all content'),
    ('content:delete_own', 'Delete own content');

-- The documents' matrix (003 section 9.3): who may do what.
INSERT INTO role_permissions (role_id, permission)
SELECT roles.id, permission
FROM roles
JOIN (VALUES
    ('admin', 'users:read'), ('admin', 'users:read_own'), ('admin', 'users:create'),
    ('admin', 'users:update'), ('admin', 'users:update_own'), ('admin', 'users:delete'),
    ('admin', 'content:read'), ('admin', 'content:create'), ('admin', 'content:update'),
    ('admin', 'content:delete'),
    ('manager', 'users:read'), ('manager', 'users:read_own'), ('manager', 'users:update_team'),
    ('manager', 'users:update_own'), ('manager', 'content:read'), ('manager', 'content:create'),
    ('manager', 'content:update'), ('manager', 'content:delete'),
    ('user', 'users:read_own'), ('user', 'users:update_own'), ('user', 'content:read'),
    ('user', 'content:create'), ('user', 'content:update_own'), ('user', 'content:delete_own'),
    ('guest', 'content:read')
) AS matrix (role, permission) ON matrix.role = roles.name;

-- migrate:down
DROP TABLE role_permissions;
DROP TABLE permissions;
DROP TABLE roles;
