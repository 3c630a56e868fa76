"""What Marina's own database role may do: all but change the audit log. Granted by the owner of the tables.

With one role for everything (DATABASE_OWNER_URL is not set) there is nothing to grant: triggers alone then stand before
the audit log, which the owner could take away.
"""

from typing import Any, Final

from django.conf import settings
from django.db import connections, transaction
from django.db.utils import DEFAULT_DB_ALIAS, ProgrammingError
from psycopg import sql

from accounts.models import AuditPolicy
from accounts.models.audit_seals import APPEND_ONLY

OWNER: Final = "owner"
"""The connection that DATABASE_OWNER_URL makes."""

# of the schema that Marina's tables are in; what is added later is granted by the migrate that adds it
_GRANTS: Final = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "GRANT EXECUTE ON FUNCTION {schema}.audit_segment_drop(uuid) TO {role}",
)


def owner_alias() -> str:
    """The connection for migrations."""
    return OWNER if OWNER in settings.DATABASES else DEFAULT_DB_ALIAS


def database_roles_apply() -> None:
    """After a migration: stores how long the audit log is kept, and grants Marina's role what it may do."""
    alias = owner_alias()
    if AuditPolicy._meta.db_table not in connections[alias].introspection.table_names():
        return  # it was migrated back to before the audit log was protected
    AuditPolicy.objects.using(alias).update_or_create(id=1, defaults={"retention_days": settings.AUDIT_RETENTION_DAYS})
    default = settings.DATABASES[DEFAULT_DB_ALIAS]
    if default["USER"] != settings.DATABASES[alias]["USER"]:
        application_role_make(alias, name=default["USER"], password=default["PASSWORD"])
        application_role_grant(alias, name=default["USER"])


def application_role_make(alias: str, *, name: str, password: str) -> None:
    """Makes the role unless it is there. Raises ProgrammingError, with what to do, where the owner may not."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone():
            return
        statement = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name))
        if password:
            # as the server would store it, so that the password itself is in no statement and no log of the server
            stored = connection.connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
            statement += sql.SQL(" PASSWORD {}").format(sql.Literal(stored.decode()))
        try:
            cursor.execute(statement)
        except ProgrammingError as error:
            raise ProgrammingError(
                f"There is no database role {name}, and the owner of the tables may not make it: have somebody who may "
                f"do so run CREATE ROLE, as docs/audit.md says ({str(error).strip()})."
            ) from None


def application_role_grant(alias: str, *, name: str) -> None:
    """Gives the role everything in the schema but to change the audit log. At once, so Marina may run meanwhile."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        names = _names(cursor, name)
        for text in _GRANTS:
            cursor.execute(sql.SQL(text).format(**names))
        for table in (*(model._meta.db_table for model in APPEND_ONLY), AuditPolicy._meta.db_table):
            what = {**names, "table": sql.Identifier(table)}
            cursor.execute(sql.SQL("REVOKE ALL ON {schema}.{table} FROM {role}, PUBLIC").format(**what))
            cursor.execute(sql.SQL("GRANT SELECT ON {schema}.{table} TO {role}").format(**what))
        for model in APPEND_ONLY:
            what = {**names, "table": sql.Identifier(model._meta.db_table)}
            cursor.execute(sql.SQL("GRANT INSERT ON {schema}.{table} TO {role}").format(**what))


def _names(cursor: Any, role: str) -> dict[str, sql.Composable]:
    cursor.execute("SELECT current_database(), current_schema()")
    database, schema = cursor.fetchone()
    return {"database": sql.Identifier(database), "schema": sql.Identifier(schema), "role": sql.Identifier(role)}
