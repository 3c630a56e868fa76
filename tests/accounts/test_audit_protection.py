"""Nobody changes the audit log: Marina's database role cannot, and who owns the tables has to mean it."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from psycopg import errors

from accounts.models import AuditEvent, AuditSeal, Project
from accounts.models.audit_seals import APPEND_ONLY
from accounts.services.audit_sealing import audit_retain, audit_seal
from accounts.services.audit_verifying import audit_verify
from controlplane.database_roles import application_role_grant, application_role_make
from tests.accounts.audit_tampering import policy_stored, tamper, written

ROLE = "marina_tests_application"
TABLES = [model._meta.db_table for model in APPEND_ONLY]
COLUMN = {"accounts_auditevent": "actor", "accounts_auditseal": "digest", "accounts_auditsealedrow": "digest"}


@pytest.fixture(autouse=True)
def _policy(db) -> None:
    policy_stored()


@pytest.fixture
def application(world) -> Iterator[None]:
    """From here on this connection is what Marina's own role is, with a log that has sealed rows."""
    audit_seal()
    application_role_make("default", name=ROLE, password="not-used-here")
    application_role_grant("default", name=ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def refused(statement: str, *, by: type[Exception] = errors.InsufficientPrivilege) -> None:
    with pytest.raises(DatabaseError) as told, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert isinstance(told.value.__cause__, by), told.value


@pytest.mark.parametrize("table", TABLES)
def test_marinas_role_changes_removes_and_empties_nothing(application, table):
    refused(f"UPDATE {table} SET {COLUMN[table]} = 'x'")
    refused(f"DELETE FROM {table}")
    refused(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("table", [*TABLES, "accounts_auditpolicy"])
def test_marinas_role_cannot_alter_or_drop_the_tables_or_take_their_triggers_away(application, table):
    refused(f"ALTER TABLE {table} ADD COLUMN x int")
    refused(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    refused(f"ALTER TABLE {table} OWNER TO {ROLE}")
    refused(f"DROP TABLE {table} CASCADE")
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT UPDATE ON {table} TO {ROLE}")  # PostgreSQL warns, and grants nothing
        cursor.execute("SELECT has_table_privilege(%s, 'UPDATE')", [table])
        assert cursor.fetchone() == (False,)
    refused("SET session_replication_role = replica")


def test_marinas_role_cannot_change_what_protects_the_log(application):
    refused("DROP TRIGGER audit_keep ON accounts_auditevent")
    refused("DROP FUNCTION audit_segment_drop(uuid)")
    refused("CREATE OR REPLACE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    refused("UPDATE accounts_auditpolicy SET retention_days = 1")
    refused("INSERT INTO accounts_auditpolicy VALUES (2, 1)")
    refused("DELETE FROM accounts_auditpolicy")


def test_marinas_role_does_its_work_writing_sealing_and_reading(application, world):
    written(world.acme, 2)
    assert audit_seal() == 2
    assert audit_verify().damages == []
    Project.objects.filter(pk=world.search.pk).update(display_name="Search")
    assert Project.objects.get(pk=world.search.pk).display_name == "Search"


def test_marinas_role_drops_old_segments_by_the_owners_function_and_no_younger_ones(application, world):
    first = AuditSeal.objects.get(organization_id=world.acme.pk)
    refused(f"SELECT audit_segment_drop('{first.pk}')")
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        tamper("UPDATE accounts_auditseal SET sealed_at = now() - interval '401 days' WHERE id = %s", first.pk)
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
    assert audit_retain(now=timezone.now()) == first.count
    assert audit_verify().damages == []


def test_a_segment_is_not_dropped_before_an_older_one(world):
    audit_seal()
    written(world.acme)
    audit_seal()
    second = AuditSeal.objects.get(organization_id=world.acme.pk, number=2)
    tamper("UPDATE accounts_auditseal SET sealed_at = now() - interval '401 days' WHERE id = %s", second.pk)
    refused(f"SELECT audit_segment_drop('{second.pk}')")


def test_a_table_of_marinas_role_does_not_pass_for_the_owners(application, world):
    first = AuditSeal.objects.get(organization_id=world.acme.pk)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE accounts_auditpolicy AS SELECT 1 AS id, 1 AS retention_days")
        cursor.execute("CREATE TEMPORARY TABLE accounts_auditseal (LIKE public.accounts_auditseal)")
    refused(f"SELECT audit_segment_drop('{first.pk}')")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pg_temp.accounts_auditpolicy, pg_temp.accounts_auditseal")


# --- with one role for everything -------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_also_where_one_role_owns_all_a_change_by_mistake_is_refused(world, table):
    audit_seal()
    refused(f"UPDATE {table} SET {COLUMN[table]} = 'x'")
    refused(f"DELETE FROM {table}")
    refused(f"DELETE FROM {table} WHERE /*\nPL/pgSQL function audit_segment_drop(uuid) x */ true")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # tests empty tables between each other, so they go without this one
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER audit_keep_all")
    refused(f"TRUNCATE {table} CASCADE")


def test_no_model_of_the_log_is_saved_a_second_time(world):
    event = AuditEvent.objects.latest("id")
    event.actor = "nobody"
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        event.save()
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        event.delete()
