"""What keeps the audit log as it was written, in the database's own language. Part of a migration: never edited.

- Each new row is noted as waiting for its seal.
- UPDATE, DELETE and TRUNCATE of rows and seals are refused to everybody, the owner of the tables too, except inside of
  `audit_segment_drop`. (Owners can take the triggers away. So the application does not own them: docs/audit.md.)
- `audit_segment_drop` runs as the owner. It drops the oldest sealed segment of a chain, whole, when it is old enough.
"""

from typing import Any, Final

# PG_CONTEXT lists who called whom; its lines begin with the language, so no name in a statement can pass for one
PROTECT: Final = """
CREATE FUNCTION {schema}.audit_event_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.accounts_auditwaiting (event_id, organization_id) VALUES (NEW.id, NEW.organization_id);
    RETURN NULL;
END $$;

CREATE FUNCTION {schema}.audit_seal_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sealed_at := now();
    NEW.dropped_at := NULL;
    RETURN NEW;
END $$;

CREATE FUNCTION {schema}.audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    callers text;
BEGIN
    GET DIAGNOSTICS callers = PG_CONTEXT;
    IF callers ~ '(^|\\n)PL/pgSQL function ([^ \\n]+\\.)?audit_segment_drop\\(uuid\\) line' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of % is refused: the audit log is only added to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION {schema}.audit_segment_drop(segment uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    seal accounts_auditseal%ROWTYPE;
    days integer;
    dropped integer;
BEGIN
    SELECT * INTO seal FROM accounts_auditseal WHERE id = segment FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such segment';
    ELSIF seal.dropped_at IS NOT NULL THEN
        RETURN 0;
    END IF;
    SELECT retention_days INTO days FROM accounts_auditpolicy;
    IF COALESCE(days, 0) = 0 OR seal.sealed_at > now() - make_interval(days => days) THEN
        RAISE EXCEPTION 'segment % is younger than the audit log is kept', seal.number
            USING ERRCODE = 'insufficient_privilege';
    ELSIF EXISTS (
        SELECT FROM accounts_auditseal AS older
        WHERE older.organization_id IS NOT DISTINCT FROM seal.organization_id
            AND older.number < seal.number AND older.dropped_at IS NULL
    ) THEN
        RAISE EXCEPTION 'segment % is not the oldest', seal.number USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM accounts_auditevent WHERE id IN (SELECT event_id FROM accounts_auditsealedrow WHERE seal_id = segment);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    DELETE FROM accounts_auditsealedrow WHERE seal_id = segment;
    UPDATE accounts_auditseal SET dropped_at = now() WHERE id = segment;
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION {schema}.audit_segment_drop(uuid) FROM PUBLIC;

CREATE TRIGGER audit_event_wait AFTER INSERT ON {schema}.accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION {schema}.audit_event_wait();
CREATE TRIGGER audit_seal_date BEFORE INSERT ON {schema}.accounts_auditseal
    FOR EACH ROW EXECUTE FUNCTION {schema}.audit_seal_date();

CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON {schema}.accounts_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_keep();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON {schema}.accounts_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_keep();
CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON {schema}.accounts_auditsealedrow
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON {schema}.accounts_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON {schema}.accounts_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON {schema}.accounts_auditsealedrow
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.audit_keep();
"""

UNPROTECT: Final = """
DROP FUNCTION {schema}.audit_segment_drop(uuid);
DROP FUNCTION {schema}.audit_keep() CASCADE;
DROP FUNCTION {schema}.audit_seal_date() CASCADE;
DROP FUNCTION {schema}.audit_event_wait() CASCADE;
"""


def in_schema(cursor: Any, text: str) -> str:
    """The statements for the schema that tables are made in: a function that runs as the owner trusts no path."""
    cursor.execute("SELECT quote_ident(current_schema())")
    (schema,) = cursor.fetchone()
    return text.format(schema=schema)
