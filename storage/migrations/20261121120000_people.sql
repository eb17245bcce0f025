-- migrate:up
-- A trusted extension: the owner of the database may create it. It stays when we roll back, since
-- others may use it by then.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What a search looks at: words start after a space, so that short ones can be found by prefix.
ALTER TABLE users ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
    lower(' ' || email || ' ' || first_name || ' ' || last_name)
) STORED;
-- The planner must know how common a word is, to choose between this index and the order wanted.
ALTER TABLE users ALTER COLUMN search_text SET STATISTICS 1000;
-- Without a list of pending entries, which every search would have to read through.
CREATE INDEX users_search ON users USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
-- Signs of which no trigram is made: whoever searches for `%` must not read everybody. What stands
-- in every address is left out. `storage/words.py` has the same expression.
CREATE INDEX users_search_signs ON users USING gin (
    string_to_array(regexp_replace(search_text, '[a-z0-9 ]|[.@](?=[a-z0-9])', '', 'g'), NULL)
) WITH (fastupdate = off);

-- One index for every order of the list, over the living, with all that the list skips and counts
-- by: the rows themselves are read for one page only. The default order has what is searched and
-- filtered by, too.
DROP INDEX users_created_at;
CREATE INDEX users_by_created_at ON users (created_at, id)
    INCLUDE (search_text, is_active, email_verified, plan) WHERE deleted_at IS NULL;
CREATE INDEX users_by_updated_at ON users (updated_at, id) WHERE deleted_at IS NULL;
DROP INDEX users_email_living;
CREATE UNIQUE INDEX users_email_living ON users (email) INCLUDE (id) WHERE deleted_at IS NULL;
CREATE INDEX users_by_first_name ON users (lower(first_name), id) INCLUDE (first_name)
    WHERE deleted_at IS NULL;
CREATE INDEX users_by_last_name ON users (lower(last_name), id) INCLUDE (last_name)
    WHERE deleted_at IS NULL;
CREATE INDEX users_by_last_login_at ON users
    (coalesce(last_login_at, '-infinity'::timestamptz), id) INCLUDE (last_login_at)
    WHERE deleted_at IS NULL;
-- Who has a role or is in a team is found by id.
CREATE INDEX users_living ON users (id) INCLUDE (created_at) WHERE deleted_at IS NULL;

-- What few people are: found without walking past all others.
CREATE INDEX users_suspended ON users (created_at, id) INCLUDE (email_verified, plan)
    WHERE NOT is_active AND deleted_at IS NULL;
CREATE INDEX users_unverified ON users (created_at, id) INCLUDE (is_active, plan)
    WHERE NOT email_verified AND deleted_at IS NULL;
CREATE INDEX users_premium ON users (created_at, id) INCLUDE (is_active, email_verified)
    WHERE plan = 'premium' AND deleted_at IS NULL;
CREATE INDEX users_deleted ON users (created_at, id) WHERE deleted_at IS NOT NULL;

DROP INDEX user_roles_role;
CREATE INDEX user_roles_role ON user_roles (role_id, user_id);

-- One row a person, once they filled it in.
CREATE TABLE user_profiles (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    bio text NOT NULL DEFAULT '' CHECK (length(bio) <= 2000),
    -- AES-256-GCM envelopes under SECRET_KEYS, bound to the person.
    phone bytea,
    date_of_birth bytea,
    timezone text,
    language text NOT NULL DEFAULT 'en',
    notification_preferences jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE teams (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 100),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 1000),
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX teams_name ON teams (lower(name));
CREATE INDEX teams_by_created_at ON teams (created_at, id);

CREATE TABLE team_members (
    team_id uuid NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- What they are in this team; who may change its members must also be allowed to by a role.
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('manager', 'member')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, user_id)
);

CREATE INDEX team_members_user ON team_members (user_id);

CREATE TABLE content (
    id uuid PRIMARY KEY,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body text NOT NULL DEFAULT '' CHECK (length(body) <= 100000),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'archived')),
    owner_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    team_id uuid REFERENCES teams (id) ON DELETE SET NULL,
    -- When it was first published.
    published_at timestamptz,
    search_text text NOT NULL GENERATED ALWAYS AS (lower(' ' || title || ' ' || body)) STORED,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX content_owner ON content (owner_id, created_at, id);
CREATE INDEX content_team ON content (team_id);
CREATE INDEX content_by_created_at ON content (created_at, id);
CREATE INDEX content_by_updated_at ON content (updated_at, id);
CREATE INDEX content_by_title ON content (lower(title), id);
CREATE INDEX content_published ON content (published_at, id) WHERE status = 'published';
CREATE INDEX content_search ON content USING gin (search_text gin_trgm_ops)
    WITH (fastupdate = off);

ALTER TABLE roles ADD COLUMN version bigint NOT NULL DEFAULT 1;

INSERT INTO permissions (name, description) VALUES
    ('sessions:read', 'See where every user is signed in'),
    ('roles:read', 'See roles, and what they permit'),
    ('roles:write', 'Create, change and delete roles'),
    ('roles:assign', 'Give roles to users and take them away'),
    ('teams:read', 'See every team'),
    ('teams:read_own', 'See the teams one is in'),
    ('teams:create', 'Create teams'),
    ('teams:manage', 'Change and delete every team'),
    ('teams:manage_own', 'Change and delete the teams one manages');

INSERT INTO role_permissions (role_id, permission)
SELECT roles.id, permission
FROM roles
JOIN (VALUES
    ('admin', 'sessions:read'), ('admin', 'roles:read'), ('admin', 'roles:write'),
    ('admin', 'roles:assign'), ('admin', 'teams:read'), ('admin', 'teams:read_own'),
    ('admin', 'teams:create'), ('admin', 'teams:manage'), ('admin', 'teams:manage_own'),
    ('admin', 'users:update_team'), ('admin', 'content:update_own'),
    ('admin', 'content:delete_own'),
    ('manager', 'roles:read'), ('manager', 'teams:read'), ('manager', 'teams:read_own'),
    ('manager', 'teams:create'), ('manager', 'teams:manage_own'),
    ('manager', 'content:update_own'), ('manager', 'content:delete_own'),
    ('user', 'teams:read_own')
) AS matrix (role, permission) ON matrix.role = roles.name
ON CONFLICT DO NOTHING;

-- What everybody who has one role must forget.
ALTER TABLE revocations ADD COLUMN role_id uuid;

CREATE FUNCTION revoke_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, role_id)
    SELECT gen_random_uuid(), changed.id
    FROM (SELECT NEW.role_id UNION SELECT OLD.role_id) AS changed (id)
    WHERE changed.id IS NOT NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION revoke_changed_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, role_id) VALUES (gen_random_uuid(), OLD.id);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER role_permissions_changed
AFTER INSERT OR UPDATE OR DELETE ON role_permissions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION revoke_role();

CREATE CONSTRAINT TRIGGER roles_changed AFTER UPDATE OR DELETE ON roles
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION revoke_changed_role();

-- Whatever a reader of a person can see is kept in memory by web processes: they must hear of it.
DROP TRIGGER users_revoked ON users;
CREATE CONSTRAINT TRIGGER users_revoked AFTER UPDATE ON users
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN ((OLD.version, OLD.is_active, OLD.deleted_at, OLD.email_verified, OLD.plan)
    IS DISTINCT FROM (NEW.version, NEW.is_active, NEW.deleted_at, NEW.email_verified, NEW.plan))
EXECUTE FUNCTION revoke_user();

-- Of a sign-in only the person's other sessions have to hear.
CREATE FUNCTION revoke_user_elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, user_id)
    SELECT gen_random_uuid(), OLD.id
    WHERE EXISTS (
        SELECT FROM sessions
        WHERE sessions.user_id = OLD.id AND sessions.ended_at IS NULL
          AND sessions.created_at < now()
    );
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER users_signed_in AFTER UPDATE ON users
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.last_login_at IS DISTINCT FROM NEW.last_login_at)
EXECUTE FUNCTION revoke_user_elsewhere();

-- The version of a person, of which their ETag is made, counts their roles and teams too. A person
-- made in the same transaction has been shown to nobody.
CREATE FUNCTION count_user_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE users SET version = version + 1, updated_at = now()
    WHERE id IN (NEW.user_id, OLD.user_id) AND created_at < now();
    RETURN NULL;
END $$;

CREATE TRIGGER user_roles_counted AFTER INSERT OR UPDATE OR DELETE ON user_roles
FOR EACH ROW EXECUTE FUNCTION count_user_version();

CREATE TRIGGER team_members_counted AFTER INSERT OR UPDATE OR DELETE ON team_members
FOR EACH ROW EXECUTE FUNCTION count_user_version();

-- migrate:down
DROP TRIGGER team_members_counted ON team_members;
DROP TRIGGER user_roles_counted ON user_roles;
DROP FUNCTION count_user_version();
DROP TRIGGER users_signed_in ON users;
DROP FUNCTION revoke_user_elsewhere();
DROP TRIGGER users_revoked ON users;
CREATE CONSTRAINT TRIGGER users_revoked AFTER UPDATE ON users
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN ((OLD.is_active, OLD.deleted_at, OLD.email_verified, OLD.plan)
    IS DISTINCT FROM (NEW.is_active, NEW.deleted_at, NEW.email_verified, NEW.plan))
EXECUTE FUNCTION revoke_user();
DROP TRIGGER roles_changed ON roles;
DROP TRIGGER role_permissions_changed ON role_permissions;
DROP FUNCTION revoke_changed_role();
DROP FUNCTION revoke_role();
ALTER TABLE revocations DROP COLUMN role_id;
DELETE FROM role_permissions WHERE permission IN (
    'sessions:read', 'roles:read', 'roles:write', 'roles:assign', 'teams:read', 'teams:read_own',
    'teams:create', 'teams:manage', 'teams:manage_own'
) OR (role_id, permission) IN (
    SELECT roles.id, added.permission FROM roles JOIN (VALUES
        ('admin', 'users:update_team'), ('admin', 'content:update_own'),
        ('admin', 'content:delete_own'), ('manager', 'content:update_own'),
        ('manager', 'content:delete_own')
    ) AS added (role, permission) ON added.role = roles.name
);
DELETE FROM permissions WHERE name IN (
    'sessions:read', 'roles:read', 'roles:write', 'roles:assign', 'teams:read', 'teams:read_own',
    'teams:create', 'teams:manage', 'teams:manage_own'
);
ALTER TABLE roles DROP COLUMN version;
DROP TABLE content;
DROP TABLE team_members;
DROP TABLE teams;
DROP TABLE user_profiles;
DROP INDEX user_roles_role;
CREATE INDEX user_roles_role ON user_roles (role_id);
DROP INDEX users_deleted;
DROP INDEX users_premium;
DROP INDEX users_unverified;
DROP INDEX users_suspended;
DROP INDEX users_living;
DROP INDEX users_by_last_login_at;
DROP INDEX users_by_last_name;
DROP INDEX users_by_first_name;
DROP INDEX users_email_living;
CREATE UNIQUE INDEX users_email_living ON users (email) WHERE deleted_at IS NULL;
DROP INDEX users_by_updated_at;
DROP INDEX users_by_created_at;
CREATE INDEX users_created_at ON users (created_at, id);
DROP INDEX users_search_signs;
DROP INDEX users_search;
ALTER TABLE users DROP COLUMN search_text;
