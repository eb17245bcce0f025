-- migrate:up
-- What the audit trail is searched by. Events are shown in the order of their ids, which are times:
-- every index ends with the id, so that a page of what matches is read and no more. What is most
-- common (success, users) is met while walking and needs none.
CREATE INDEX audit_ledger_noun ON audit_ledger (split_part(action, '.', 1), id);
CREATE INDEX audit_ledger_outcome ON audit_ledger (outcome, id) WHERE outcome <> 'success';
CREATE INDEX audit_ledger_actor_kind ON audit_ledger (actor_kind, id) WHERE actor_kind <> 'user';
CREATE INDEX audit_ledger_request ON audit_ledger (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_personal_address ON audit_personal (address, event_id)
    WHERE address IS NOT NULL;

-- migrate:down
DROP INDEX audit_personal_address;
DROP INDEX audit_ledger_request;
DROP INDEX audit_ledger_actor_kind;
DROP INDEX audit_ledger_outcome;
DROP INDEX audit_ledger_noun;
