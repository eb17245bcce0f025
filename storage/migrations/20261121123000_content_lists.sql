-- migrate:up
-- Words start after a line's end or a tab, too. Of long bodies the beginning is searched: every
-- character more would be an entry more in both indexes, at every change.
ALTER TABLE content DROP COLUMN search_text;
ALTER TABLE content ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
    lower(' ' || title || ' ' || translate(left(body, 10000), E'\n\t', '  '))
) STORED;
CREATE INDEX content_search ON content USING gin (search_text gin_trgm_ops)
    WITH (fastupdate = off);
-- As of users: signs of which no trigram is made. `storage/words.py` has the same expression.
CREATE INDEX content_search_signs ON content USING gin (
    string_to_array(regexp_replace(search_text, '[a-z0-9 ]|[.@](?=[a-z0-9])', '', 'g'), NULL)
) WITH (fastupdate = off);

-- Who may read it is decided before the row, and its body, is read.
DROP INDEX content_by_created_at;
CREATE INDEX content_by_created_at ON content (created_at, id) INCLUDE (status, owner_id, team_id);
CREATE INDEX content_by_published_at ON content
    (coalesce(published_at, '-infinity'::timestamptz), id);
DROP INDEX content_published;
CREATE INDEX content_published ON content
    (coalesce(published_at, '-infinity'::timestamptz), id) WHERE status = 'published';
DROP INDEX content_team;
CREATE INDEX content_team ON content (team_id, created_at, id);

-- migrate:down
DROP INDEX content_team;
CREATE INDEX content_team ON content (team_id);
DROP INDEX content_published;
CREATE INDEX content_published ON content (published_at, id) WHERE status = 'published';
DROP INDEX content_by_published_at;
DROP INDEX content_by_created_at;
CREATE INDEX content_by_created_at ON content (created_at, id);
ALTER TABLE content DROP COLUMN search_text;
ALTER TABLE content ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
    lower(' ' || title || ' ' || body)
) STORED;
CREATE INDEX content_search ON content USING gin (search_text gin_trgm_ops)
    WITH (fastupdate = off);
