-- migrate:up
-- The order of people by their last change, in a table of its own, as that by their last sign-in
-- is: with an index on the column itself every role given, team joined and password changed wrote
-- its person's row anew into all indexes of `users`.
CREATE TABLE user_changes (
    user_id uuid NOT NULL,
    living boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The person's own.
    updated_at timestamptz NOT NULL
);
INSERT INTO user_changes (user_id, living, updated_at)
SELECT id, deleted_at IS NULL, updated_at FROM users;
-- Looked at once for all rows.
ALTER TABLE user_changes ADD PRIMARY KEY (user_id),
    ADD FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE;
CREATE INDEX user_changes_order ON user_changes (updated_at, user_id) INCLUDE (living);

CREATE FUNCTION keep_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO user_changes (user_id, living, updated_at)
    VALUES (NEW.id, NEW.deleted_at IS NULL, NEW.updated_at)
    ON CONFLICT (user_id) DO UPDATE
    SET living = excluded.living, updated_at = excluded.updated_at;
    RETURN NULL;
END $$;

CREATE TRIGGER users_change AFTER INSERT OR UPDATE OF updated_at, deleted_at ON users
FOR EACH ROW EXECUTE FUNCTION keep_change();

DROP INDEX users_by_updated_at;

-- migrate:down
CREATE INDEX users_by_updated_at ON users (updated_at, id) WHERE deleted_at IS NULL;
DROP TRIGGER users_change ON users;
DROP FUNCTION keep_change();
DROP TABLE user_changes;
