-- migrate:up
-- What happened, chained: each row carries the hash of the one before. Nobody but the sealing
-- worker adds to it, nobody changes it (grants), and a change by force shows (storage/ledger).
CREATE TABLE audit_ledger (
    sequence bigint NOT NULL,
    id uuid NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    subject_id uuid,
    request_id text,
    facts jsonb NOT NULL,
    happened_at timestamptz NOT NULL,
    -- SHA-256 over the salt and the personal data of the event, which stand in a table of their own.
    personal_hash bytea NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sequence, sealed_at)
) PARTITION BY RANGE (sealed_at);

CREATE INDEX audit_ledger_id ON audit_ledger (id);
CREATE INDEX audit_ledger_subject ON audit_ledger (subject_id, id);
CREATE INDEX audit_ledger_actor ON audit_ledger (actor_id, id);
CREATE INDEX audit_ledger_action ON audit_ledger (action, id);

-- Nothing is lost should nobody have made the partition of a month.
CREATE TABLE audit_ledger_rest PARTITION OF audit_ledger DEFAULT;

-- Personal data of events: deleted when a person is erased, which leaves the chain valid.
CREATE TABLE audit_personal (
    event_id uuid PRIMARY KEY,
    salt bytea NOT NULL,
    address text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Signed states of the chain, the newest one its head; also written down outside the database.
CREATE TABLE audit_checkpoints (
    sequence bigint PRIMARY KEY,
    hash bytea NOT NULL,
    key_id text NOT NULL,
    -- Ed25519 over sequence and hash.
    signature bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The workers' role may not make tables; this much of it it may ask for.
CREATE FUNCTION make_audit_partition(month date) RETURNS boolean
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

-- Retention: a month goes whole, and only one that is over and whose end a checkpoint has signed.
-- Returns the last row that went, NULL for a month that is not there or had none.
CREATE FUNCTION drop_audit_partition(month date) RETURNS bigint
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

-- At most one promise to seal waits or is being kept.
CREATE UNIQUE INDEX outbox_one_seal ON outbox (name)
    WHERE name = 'audit.seal' AND state IN ('pending', 'handed_over');

REVOKE ALL ON FUNCTION make_audit_partition(date) FROM PUBLIC;
REVOKE ALL ON FUNCTION drop_audit_partition(date) FROM PUBLIC;

SELECT make_audit_partition((now() + make_interval(months => ahead))::date)
FROM generate_series(0, 3) AS ahead;

-- migrate:down
DROP INDEX outbox_one_seal;
DROP FUNCTION drop_audit_partition(date);
DROP FUNCTION make_audit_partition(date);
DROP TABLE audit_checkpoints;
DROP TABLE audit_personal;
DROP TABLE audit_ledger;
