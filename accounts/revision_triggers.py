"""The triggers that write revisions and tombstones, as migrations add them to a table.

pg_current_xact_id() is the whole transaction's number, also within savepoints, and costs nothing where something is
written anyway.
"""

from collections.abc import Sequence
from typing import Final

from django.db.migrations import RunSQL

FUNCTIONS: Final = """
CREATE FUNCTION marina_revision_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_in := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;

-- the arguments: kind; the columns of organization and project, and of "everybody sees it", each may be empty
CREATE FUNCTION marina_tombstone_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone jsonb := to_jsonb(OLD);
    organization uuid := (gone ->> TG_ARGV[2])::uuid;
    project uuid := (gone ->> TG_ARGV[3])::uuid;
BEGIN
    IF project IS NULL AND organization IS NULL AND gone ? 'virtual_cluster_id' THEN
        SELECT project_id INTO project FROM clusters_virtualcluster WHERE id = (gone ->> 'virtual_cluster_id')::uuid;
    END IF;
    IF organization IS NULL AND project IS NOT NULL THEN
        SELECT organization_id INTO organization FROM accounts_project WHERE id = project;
    END IF;
    INSERT INTO accounts_tombstone (kind, object_id, revision, organization_id, project_id, everybody, deleted_at)
    VALUES (TG_ARGV[0], (gone ->> TG_ARGV[1])::uuid, pg_current_xact_id()::text::bigint, organization, project,
            coalesce((gone ->> TG_ARGV[4])::boolean, false), clock_timestamp());
    RETURN NULL;
END $$;

-- a row of a table between two others changes what one of them shows: table and column name that one
CREATE FUNCTION marina_revision_touch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    touched uuid := (to_jsonb(coalesce(NEW, OLD)) ->> TG_ARGV[1])::uuid;
BEGIN
    EXECUTE format('UPDATE %I SET changed_in = 0 WHERE id = $1', TG_ARGV[0]) USING touched;
    RETURN NULL;
END $$;

CREATE FUNCTION marina_rights_of_users() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_rightschange (user_id, revision, changed_at)
    SELECT DISTINCT user_id, pg_current_xact_id()::text::bigint, clock_timestamp() FROM changed;
    RETURN NULL;
END $$;

CREATE FUNCTION marina_rights_of_groups() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_rightschange (user_id, revision, changed_at)
    SELECT DISTINCT user_id, pg_current_xact_id()::text::bigint, clock_timestamp()
    FROM accounts_user_groups WHERE group_id IN (SELECT group_id FROM changed);
    RETURN NULL;
END $$;

CREATE FUNCTION marina_rights_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_rightschange (user_id, revision, changed_at)
    VALUES (NEW.id, pg_current_xact_id()::text::bigint, clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER marina_rights AFTER UPDATE OF is_staff, is_superuser, is_active ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION marina_rights_of_user();
"""
FUNCTIONS_REVERSE: Final = """
DROP TRIGGER marina_rights ON accounts_user;
DROP FUNCTION marina_rights_of_user, marina_rights_of_groups, marina_rights_of_users, marina_revision_touch,
    marina_tombstone_write, marina_revision_set;
"""


def revised(
    table: str,
    *,
    kind: str = "",
    organization: str = "",
    project: str = "",
    everybody: str = "",
    columns: Sequence[str] = (),
) -> RunSQL:
    """Revisions for a table with a column `changed_in`, and tombstones where it has a kind of its own.

    Where `columns` are named, only an update that sets one of them counts: others (a lease's renewal) stay as cheap as
    they were, since they touch no index.
    """
    of = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
    arguments = f"'{kind}', 'id', '{organization}', '{project}', '{everybody}'"
    set_it = f"""
        CREATE TRIGGER marina_revision BEFORE INSERT OR {of} ON {table}
            FOR EACH ROW EXECUTE FUNCTION marina_revision_set();
        """
    remember = f"""
        CREATE TRIGGER marina_tombstone AFTER DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION marina_tombstone_write({arguments});
        """
    return RunSQL(
        set_it + (remember if kind else ""),
        f"DROP TRIGGER IF EXISTS marina_tombstone ON {table}; DROP TRIGGER marina_revision ON {table};",
    )


def touching(table: str, *, column: str, touched: str) -> RunSQL:
    """For a table between two others: what is added or removed there is a change of `touched`, named by `column`."""
    return RunSQL(
        f"""
        CREATE TRIGGER marina_touch AFTER INSERT OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION marina_revision_touch('{touched}', '{column}');
        """,
        f"DROP TRIGGER marina_touch ON {table};",
    )


def unseen(
    name: str, table: str, *, kind: str, key: str, organization: str = "", project: str = "", when: str = ""
) -> RunSQL:
    """Where a removed row, or with `when` an update, takes an object from the sight of some: a tombstone for these."""
    happens = f"UPDATE ON {table} FOR EACH ROW WHEN ({when})" if when else f"DELETE ON {table} FOR EACH ROW"
    everybody = "offered_to_all" if when else ""
    return RunSQL(
        f"""
        CREATE TRIGGER {name} AFTER {happens}
            EXECUTE FUNCTION marina_tombstone_write('{kind}', '{key}', '{organization}', '{project}', '{everybody}');
        """,
        f"DROP TRIGGER {name} ON {table};",
    )


def rights(table: str, *, subject: str) -> RunSQL:
    """For a table that says what users or groups may do: each change is a change of rights of `subject`."""
    made = [
        f"""
        CREATE TRIGGER marina_rights_{event.lower()} AFTER {event} ON {table}
            REFERENCING {transition} TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION marina_rights_of_{subject}();
        """
        for event, transition in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
    ]
    dropped = [f"DROP TRIGGER marina_rights_{event} ON {table};" for event in ("insert", "update", "delete")]
    return RunSQL("".join(made), "".join(dropped))
