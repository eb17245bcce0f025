-- migrate:up
CREATE TABLE password_reset_tokens (
    -- The id of the job whose letter carries the token: a repeated letter has the same one.
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email text NOT NULL,
    -- The token dies with the credential it was made for.
    credential_version integer NOT NULL,
    token_mac bytea NOT NULL UNIQUE,
    code_mac bytea NOT NULL,
    wrong_codes integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    spent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX password_reset_tokens_user ON password_reset_tokens (user_id);
CREATE INDEX password_reset_tokens_email ON password_reset_tokens (email);
CREATE INDEX password_reset_tokens_expires ON password_reset_tokens (expires_at);
CREATE INDEX email_verification_tokens_email ON email_verification_tokens (email);

-- A change of address: confirmed on the new one, can be undone from the old one.
CREATE TABLE email_changes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    old_email text NOT NULL,
    new_email text NOT NULL,
    credential_version integer NOT NULL,
    -- NULL until the letter to the new address is written.
    token_mac bytea UNIQUE,
    code_mac bytea,
    wrong_codes integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    -- Confirmed, or replaced by a newer wish.
    spent_at timestamptz,
    confirmed_at timestamptz,
    undo_mac bytea UNIQUE,
    undo_expires_at timestamptz,
    undone_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX email_changes_user ON email_changes (user_id);
CREATE INDEX email_changes_new_email ON email_changes (new_email);
CREATE INDEX email_changes_expires ON email_changes (expires_at);

-- Letters that strangers can cause are counted by recipient, by blind index.
ALTER TABLE letters ADD COLUMN recipient_mac bytea;
ALTER TABLE letters DROP CONSTRAINT letters_state_check;
ALTER TABLE letters ADD CONSTRAINT letters_state_check
    CHECK (state IN ('queued', 'handed_over', 'bounced', 'failed', 'withheld'));
CREATE INDEX letters_recipient ON letters (recipient_mac, created_at);

-- migrate:down
DROP INDEX letters_recipient;
UPDATE letters SET state = 'failed' WHERE state = 'withheld';
ALTER TABLE letters DROP CONSTRAINT letters_state_check;
ALTER TABLE letters ADD CONSTRAINT letters_state_check
    CHECK (state IN ('queued', 'handed_over', 'bounced', 'failed'));
ALTER TABLE letters DROP COLUMN recipient_mac;
DROP TABLE email_changes;
DROP INDEX email_verification_tokens_email;
DROP TABLE password_reset_tokens;
