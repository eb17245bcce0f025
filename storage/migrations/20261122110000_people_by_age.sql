-- migrate:up
-- When somebody was made, beside each role and team of theirs: the people of one role or team are
-- walked in the order lists have unless another is asked for, however many or few they are.
-- No trigger of rows may see this, or everybody's version would change.
ALTER TABLE user_roles ADD COLUMN user_created_at timestamptz;
DROP INDEX user_roles_role;
ALTER TABLE user_roles DISABLE TRIGGER USER;
UPDATE user_roles SET user_created_at = users.created_at FROM users WHERE users.id = user_id;
ALTER TABLE user_roles ENABLE TRIGGER USER;
ALTER TABLE user_roles ALTER COLUMN user_created_at SET NOT NULL;
CREATE INDEX user_roles_by_age ON user_roles (role_id, user_created_at, user_id);

ALTER TABLE team_members ADD COLUMN user_created_at timestamptz;
ALTER TABLE team_members DISABLE TRIGGER USER;
UPDATE team_members SET user_created_at = users.created_at FROM users WHERE users.id = user_id;
ALTER TABLE team_members ENABLE TRIGGER USER;
ALTER TABLE team_members ALTER COLUMN user_created_at SET NOT NULL;
CREATE INDEX team_members_by_age ON team_members (team_id, user_created_at, user_id);

-- Of somebody who is not there the foreign key tells, which is looked at later.
CREATE FUNCTION take_user_created_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.user_created_at :=
        coalesce((SELECT created_at FROM users WHERE id = NEW.user_id), '-infinity');
    RETURN NEW;
END $$;

CREATE TRIGGER user_roles_aged BEFORE INSERT ON user_roles
FOR EACH ROW EXECUTE FUNCTION take_user_created_at();

CREATE TRIGGER team_members_aged BEFORE INSERT ON team_members
FOR EACH ROW EXECUTE FUNCTION take_user_created_at();

-- The service never does this; whoever mends rows by hand may.
CREATE FUNCTION give_user_created_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE user_roles SET user_created_at = NEW.created_at WHERE user_id = NEW.id;
    UPDATE team_members SET user_created_at = NEW.created_at WHERE user_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER users_aged AFTER UPDATE OF created_at ON users
FOR EACH ROW WHEN (OLD.created_at IS DISTINCT FROM NEW.created_at)
EXECUTE FUNCTION give_user_created_at();

-- migrate:down
DROP TRIGGER users_aged ON users;
DROP FUNCTION give_user_created_at();
DROP TRIGGER team_members_aged ON team_members;
DROP TRIGGER user_roles_aged ON user_roles;
DROP FUNCTION take_user_created_at();
DROP INDEX team_members_by_age;
ALTER TABLE team_members DROP COLUMN user_created_at;
DROP INDEX user_roles_by_age;
CREATE INDEX user_roles_role ON user_roles (role_id, user_id);
ALTER TABLE user_roles DROP COLUMN user_created_at;
