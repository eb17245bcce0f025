-- migrate:up
-- What a search over teams looks at; teams are thousands, so that it needs no index.
ALTER TABLE teams ADD COLUMN search_text text NOT NULL GENERATED ALWAYS AS (
    lower(' ' || name)
) STORED;
CREATE INDEX teams_by_updated_at ON teams (updated_at, id);

-- migrate:down
DROP INDEX teams_by_updated_at;
ALTER TABLE teams DROP COLUMN search_text;
