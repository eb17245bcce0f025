-- migrate:up
-- A session that goes on moves its end by minutes. With an index on the end each refresh wrote to
-- all indexes of `sessions`; one on its day is written to once a day.
ALTER TABLE sessions ADD COLUMN expires_day timestamptz NOT NULL
    GENERATED ALWAYS AS (date_bin('1 day', expires_at, '1970-01-01 00:00:00+00')) STORED;
DROP INDEX sessions_expires;
CREATE INDEX sessions_expires ON sessions (expires_day);
ALTER TABLE sessions SET (fillfactor = 85);

-- migrate:down
ALTER TABLE sessions RESET (fillfactor);
DROP INDEX sessions_expires;
ALTER TABLE sessions DROP COLUMN expires_day;
CREATE INDEX sessions_expires ON sessions (expires_at);
