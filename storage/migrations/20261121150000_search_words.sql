-- migrate:up
-- The words of an address once more, apart: every word now starts after a space, so that a short
-- one is found by one LIKE. A regular expression took three times as long for each row walked past.
DROP INDEX users_search;
DROP INDEX users_search_signs;
DROP INDEX users_by_created_at;
ALTER TABLE users DROP COLUMN search_text;
ALTER TABLE users ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
    lower(' ' || email || ' ' || first_name || ' ' || last_name
        || ' ' || translate(email, '.@_+-', '     '))
) STORED;
ALTER TABLE users ALTER COLUMN search_text SET STATISTICS 1000;
CREATE INDEX users_search ON users USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX users_search_signs ON users USING gin (
    string_to_array(regexp_replace(search_text, '[a-z0-9 ]|[.@](?=[a-z0-9])', '', 'g'), NULL)
) WITH (fastupdate = off);
CREATE INDEX users_by_created_at ON users (created_at, id)
    INCLUDE (search_text, is_active, email_verified, plan) WHERE deleted_at IS NULL;

-- migrate:down
DROP INDEX users_search;
DROP INDEX users_search_signs;
DROP INDEX users_by_created_at;
ALTER TABLE users DROP COLUMN search_text;
ALTER TABLE users ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
    lower(' ' || email || ' ' || first_name || ' ' || last_name)
) STORED;
ALTER TABLE users ALTER COLUMN search_text SET STATISTICS 1000;
CREATE INDEX users_search ON users USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
CREATE INDEX users_search_signs ON users USING gin (
    string_to_array(regexp_replace(search_text, '[a-z0-9 ]|[.@](?=[a-z0-9])', '', 'g'), NULL)
) WITH (fastupdate = off);
CREATE INDEX users_by_created_at ON users (created_at, id)
    INCLUDE (search_text, is_active, email_verified, plan) WHERE deleted_at IS NULL;
