-- migrate:up
-- What cannot be sealed is refused where it is written: it would keep all others waiting. Texts stay
-- below what an index of the ledger holds; times are such as a verification can read.
UPDATE audit_inbox SET
    facts = CASE WHEN jsonb_typeof(facts) = 'object' AND octet_length(facts::text) <= 65536 THEN facts
        ELSE jsonb_build_object('facts_as_text', left(facts::text, 10000)) END,
    action = left(action, 200),
    actor_kind = left(actor_kind, 40),
    address = left(address, 256),
    request_id = left(request_id, 512),
    happened_at = greatest(least(happened_at, '9998-01-01Z'), '0002-01-01Z')
WHERE jsonb_typeof(facts) <> 'object' OR octet_length(facts::text) > 65536
    OR length(action) > 200 OR length(actor_kind) > 40 OR length(address) > 256
    OR length(request_id) > 512 OR happened_at NOT BETWEEN '0002-01-01Z' AND '9998-01-01Z';

ALTER TABLE audit_inbox ADD CONSTRAINT audit_inbox_can_be_sealed CHECK (
    jsonb_typeof(facts) = 'object' AND octet_length(facts::text) <= 65536
    AND length(action) <= 200 AND length(actor_kind) <= 40 AND length(address) <= 256
    AND length(request_id) <= 512 AND happened_at BETWEEN '0002-01-01Z' AND '9998-01-01Z'
);

-- Rows that were sealed while their month had no partition lie in the rest: they move into it.
CREATE OR REPLACE FUNCTION make_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_ledger_' || to_char(first, 'YYYYMM');
    lower timestamptz := first::timestamp AT TIME ZONE 'UTC';
    upper timestamptz := (first + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    move text := format(
        'WITH moved AS (
            DELETE FROM public.audit_ledger_rest WHERE sealed_at >= %L AND sealed_at < %L RETURNING *
        ) INSERT INTO public.%I SELECT * FROM moved', lower, upper, name
    );
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.audit_ledger INCLUDING ALL)', name);
    EXECUTE move;
    -- Only now are others kept waiting; what was sealed meanwhile follows.
    LOCK TABLE public.audit_ledger_rest IN ACCESS EXCLUSIVE MODE;
    EXECUTE move;
    EXECUTE format(
        'ALTER TABLE public.audit_ledger ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        name, lower, upper
    );
    RETURN true;
END $$;

-- Months that have begun and have rows in the rest. By force, any time can stand there.
CREATE FUNCTION audit_months_in_rest() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT DISTINCT date_trunc('month', sealed_at AT TIME ZONE 'UTC')::date
    FROM public.audit_ledger_rest WHERE sealed_at >= '2000-01-01Z' AND sealed_at < now()
$$;

-- Retention: a month goes whole, and only one that is over and whose end a checkpoint has signed.
-- Its personal data went before, the oldest first and in batches: one statement would take too long.
-- Returns the last row that went, NULL for a month that is not there or had none.
CREATE OR REPLACE FUNCTION drop_audit_partition(month date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_ledger_' || to_char(first, 'YYYYMM');
    last bigint;
    personal boolean;
BEGIN
    IF to_regclass('public.' || name) IS NULL OR first + interval '1 month' > now() THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT max(sequence) FROM public.%I', name) INTO last;
    IF last IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.audit_checkpoints WHERE sequence = last
    ) THEN
        RAISE EXCEPTION 'row % of the ledger is not signed by a checkpoint', last;
    END IF;
    EXECUTE format(
        'SELECT EXISTS (
            SELECT FROM (SELECT id FROM public.%I ORDER BY sequence DESC LIMIT 1000) AS newest
            JOIN public.audit_personal ON event_id = newest.id
        )', name
    ) INTO personal;
    IF personal THEN
        RAISE EXCEPTION 'personal data of the events of % are still there', name;
    END IF;
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN last;
END $$;

-- Checkpoints of rows that went prove nothing any more, save the last: the chain goes on from it.
CREATE FUNCTION drop_audit_checkpoints(most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    WITH gone AS (
        DELETE FROM public.audit_checkpoints WHERE sequence IN (
            SELECT sequence FROM public.audit_checkpoints
            WHERE sequence < (SELECT min(sequence) FROM public.audit_ledger) - 1
            ORDER BY sequence LIMIT most
        ) RETURNING true
    )
    SELECT count(*) FROM gone
$$;

REVOKE ALL ON FUNCTION audit_months_in_rest() FROM PUBLIC;
REVOKE ALL ON FUNCTION drop_audit_checkpoints(integer) FROM PUBLIC;

-- migrate:down
DROP FUNCTION drop_audit_checkpoints(integer);
DROP FUNCTION audit_months_in_rest();

CREATE OR REPLACE FUNCTION drop_audit_partition(month date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_ledger_' || to_char(first, 'YYYYMM');
    last bigint;
BEGIN
    IF to_regclass('public.' || name) IS NULL OR first + interval '1 month' > now() THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT max(sequence) FROM public.%I', name) INTO last;
    IF last IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.audit_checkpoints WHERE sequence = last
    ) THEN
        RAISE EXCEPTION 'row % of the ledger is not signed by a checkpoint', last;
    END IF;
    EXECUTE format(
        'DELETE FROM public.audit_personal USING public.%I AS gone WHERE event_id = gone.id', name
    );
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN last;
END $$;

CREATE OR REPLACE FUNCTION make_audit_partition(month date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'audit_ledger_' || to_char(first, 'YYYYMM');
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%I PARTITION OF public.audit_ledger FOR VALUES FROM (%L) TO (%L)',
        name, first::timestamp AT TIME ZONE 'UTC',
        (first + interval '1 month')::timestamp AT TIME ZONE 'UTC'
    );
    RETURN true;
END $$;

ALTER TABLE audit_inbox DROP CONSTRAINT audit_inbox_can_be_sealed;
