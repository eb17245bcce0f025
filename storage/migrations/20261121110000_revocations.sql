-- migrate:up
-- What web processes must forget: one session, everything of one person, or (both NULL) everything.
CREATE TABLE revocations (
    id uuid PRIMARY KEY,
    session_id uuid,
    user_id uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX revocations_created_at ON revocations (created_at);

-- Triggers, so that no way of ending a session, not even a hand at psql, can forget to tell.
CREATE FUNCTION revoke_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, session_id) VALUES (gen_random_uuid(), OLD.id);
    RETURN NULL;
END $$;

CREATE FUNCTION revoke_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, user_id) VALUES (gen_random_uuid(), OLD.id);
    RETURN NULL;
END $$;

-- A registration gives a role before there is any session to forget.
CREATE FUNCTION revoke_user_of_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, user_id)
    SELECT gen_random_uuid(), changed.user_id
    FROM (SELECT coalesce(NEW.user_id, OLD.user_id) AS user_id) AS changed
    WHERE EXISTS (SELECT FROM sessions WHERE sessions.user_id = changed.user_id);
    RETURN NULL;
END $$;

CREATE TRIGGER sessions_revoked AFTER UPDATE ON sessions FOR EACH ROW
WHEN (OLD.ended_at IS NULL AND (
    NEW.ended_at IS NOT NULL OR NEW.epoch <> OLD.epoch OR NEW.expires_at < OLD.expires_at
    OR NEW.authenticated_at <> OLD.authenticated_at
))
EXECUTE FUNCTION revoke_session();

CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions FOR EACH ROW
WHEN (OLD.ended_at IS NULL)
EXECUTE FUNCTION revoke_session();

CREATE TRIGGER user_roles_changed AFTER INSERT OR UPDATE OR DELETE ON user_roles FOR EACH ROW
EXECUTE FUNCTION revoke_user_of_role();

-- `premium` may call more often; an admin or a billing service sets it.
ALTER TABLE users ADD COLUMN plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'premium'));

CREATE TRIGGER users_revoked AFTER UPDATE ON users FOR EACH ROW
WHEN ((OLD.is_active, OLD.deleted_at, OLD.email_verified, OLD.plan)
    IS DISTINCT FROM (NEW.is_active, NEW.deleted_at, NEW.email_verified, NEW.plan))
EXECUTE FUNCTION revoke_user();

-- migrate:down
DROP TRIGGER users_revoked ON users;
DROP TRIGGER user_roles_changed ON user_roles;
DROP TRIGGER sessions_deleted ON sessions;
DROP TRIGGER sessions_revoked ON sessions;
DROP FUNCTION revoke_user_of_role();
DROP FUNCTION revoke_user();
DROP FUNCTION revoke_session();
DROP TABLE revocations;
ALTER TABLE users DROP COLUMN plan;
