-- migrate:up
-- The step that made the promise, as W3C Trace Context writes it: its job goes on with that trace.
-- NULL, and no byte of the row, where it is not traced.
ALTER TABLE outbox ADD COLUMN trace_parent text;

-- migrate:down
ALTER TABLE outbox DROP COLUMN trace_parent;
