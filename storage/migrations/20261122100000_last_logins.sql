-- migrate:up
-- The order of people by their last sign-in, in a table of its own. With an index on the column
-- itself every sign-in wrote its person's row anew into all indexes of `users`, forty trigrams and
-- ages among them: more than twice the work and forty times the log. Without one, PostgreSQL puts
-- the row's new version beside the old one, where its page has room, and touches no index.
CREATE TABLE user_last_logins (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- -infinity: never.
    last_login_at timestamptz NOT NULL,
    living boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO user_last_logins (user_id, last_login_at, living)
SELECT id, coalesce(last_login_at, '-infinity'), deleted_at IS NULL FROM users;
CREATE INDEX user_last_logins_order ON user_last_logins (last_login_at, user_id) INCLUDE (living);

CREATE FUNCTION keep_last_login() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_last_logins (user_id, last_login_at, living)
    VALUES (NEW.id, coalesce(NEW.last_login_at, '-infinity'), NEW.deleted_at IS NULL)
    ON CONFLICT (user_id) DO UPDATE SET last_login_at = excluded.last_login_at,
        living = excluded.living, updated_at = now();
    RETURN NULL;
END $$;

CREATE TRIGGER users_last_login AFTER INSERT OR UPDATE OF last_login_at, deleted_at ON users
FOR EACH ROW EXECUTE FUNCTION keep_last_login();

DROP INDEX users_by_last_login_at;
ALTER TABLE users SET (fillfactor = 90);

-- migrate:down
ALTER TABLE users RESET (fillfactor);
CREATE INDEX users_by_last_login_at ON users
    (coalesce(last_login_at, '-infinity'::timestamptz), id) INCLUDE (last_login_at)
    WHERE deleted_at IS NULL;
DROP TRIGGER users_last_login ON users;
DROP FUNCTION keep_last_login();
DROP TABLE user_last_logins;
