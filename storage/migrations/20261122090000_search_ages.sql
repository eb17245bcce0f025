-- migrate:up
-- Trigrams by age: a search in the order of creation asks for those of a span of time, as long as
-- it is likely to need, instead of finding all that ever matched. Every row stands in seven spans,
-- from an hour to half a year, each width counted from a second of its own so that no two spans
-- are taken for each other. `storage/pages/ages.py` has the same expression.
DROP INDEX users_search;
CREATE INDEX users_search ON users USING gin (
    (ARRAY[
        date_bin('1 hours', created_at, '1970-01-01 00:00:00+00'),
        date_bin('4 hours', created_at, '1970-01-01 00:00:01+00'),
        date_bin('16 hours', created_at, '1970-01-01 00:00:02+00'),
        date_bin('64 hours', created_at, '1970-01-01 00:00:03+00'),
        date_bin('256 hours', created_at, '1970-01-01 00:00:04+00'),
        date_bin('1024 hours', created_at, '1970-01-01 00:00:05+00'),
        date_bin('4096 hours', created_at, '1970-01-01 00:00:06+00')
    ]),
    search_text gin_trgm_ops
) WITH (fastupdate = off);

-- migrate:down
DROP INDEX users_search;
CREATE INDEX users_search ON users USING gin (search_text gin_trgm_ops) WITH (fastupdate = off);
