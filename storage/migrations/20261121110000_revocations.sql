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

-- Triggers, so that no way of ending a session, not even a hand at psql, can forget to tell. They
-- fire at commit: a row that is made now and seen a minute later would be overlooked.
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

-- The session that a registration opens in the same transaction is nothing to forget.
CREATE FUNCTION revoke_user_of_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO revocations (id, user_id)
    SELECT gen_random_uuid(), changed.user_id
    FROM (SELECT NEW.user_id UNION SELECT OLD.user_id) AS changed (user_id)
    WHERE EXISTS (
        SELECT FROM sessions
        WHERE sessions.user_id = changed.user_id AND sessions.created_at < now()
    );
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER sessions_revoked AFTER UPDATE ON sessions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.ended_at IS NULL AND (
    NEW.ended_at IS NOT NULL OR NEW.epoch <> OLD.epoch OR NEW.expires_at < OLD.expires_at
    OR NEW.authenticated_at <> OLD.authenticated_at
))
EXECUTE FUNCTION revoke_session();

CREATE CONSTRAINT TRIGGER sessions_deleted AFTER DELETE ON sessions
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.ended_at IS NULL)
EXECUTE FUNCTION revoke_session();

CREATE CONSTRAINT TRIGGER user_roles_changed AFTER INSERT OR UPDATE OR DELETE ON user_roles
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION revoke_user_of_role();

-- `premium` may call more often; an admin or a billing service sets it.
ALTER TABLE users ADD COLUMN plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'premium'));

CREATE CONSTRAINT TRIGGER users_revoked AFTER UPDATE ON users
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
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
