"""Migrations run as the owner of the tables, and Marina as a role that they make, which only adds to the audit log."""

from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from dev.backing import Backing
from dev.errors import DevError
from dev.processes import Processes
from dev.stack import Stack, StackPlan


@pytest.fixture(scope="module")
def urls(backing: Backing) -> tuple[str, str]:
    """Of the owner, and of Marina."""
    assert backing.postgres
    return backing.postgres.create_database("two_roles"), backing.postgres.application_url("two_roles")


@pytest.fixture(scope="module")
def marina(urls: tuple[str, str], backing: Backing, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Not running: its commands."""
    folder: Path = tmp_path_factory.mktemp("two-roles")
    owner_url, database_url = urls
    plan = StackPlan(
        folder=folder,
        owner_url=owner_url,
        database_url=database_url,
        broker_url=backing.broker_url,
        port=1,
        helm=Path("helm"),
    )
    stack = Stack(plan, Processes(folder / "logs"))
    stack.migrate()
    return stack


def test_marina_works_as_a_role_that_owns_nothing(marina: Stack, urls: tuple[str, str]) -> None:
    marina.manage("create_admin", "root-1", "--generate")
    assert "rows are not sealed yet" in (told := marina.manage("audit_verify")) or "1 row is not sealed" in told
    with psycopg.connect(urls[1]) as connection:
        owned = connection.execute("SELECT count(*) FROM pg_tables WHERE tableowner = current_user").fetchone()
        assert owned == (0,)
        assert connection.execute("SELECT count(*) FROM accounts_auditevent").fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditevent SET actor = 'x'",
        "DELETE FROM accounts_auditevent",
        "TRUNCATE accounts_auditevent",
        "DELETE FROM accounts_auditseal",
        "UPDATE accounts_auditsealedrow SET digest = ''",
        "UPDATE accounts_auditpolicy SET retention_days = 1",
        "ALTER TABLE accounts_auditevent DISABLE TRIGGER ALL",
        "DROP TABLE accounts_auditevent CASCADE",
        "CREATE TABLE mine (id int)",
        "SET session_replication_role = replica",
        "CREATE ROLE another SUPERUSER",
    ],
)
def test_it_cannot_change_the_audit_log(marina: Stack, urls: tuple[str, str], statement: str) -> None:
    with psycopg.connect(urls[1]) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


def test_migrating_again_changes_nothing_for_it(marina: Stack) -> None:
    marina.migrate()
    assert "root-2" not in marina.manage("audit_verify")
    marina.manage("create_admin", "root-2", "--generate")


def test_migrations_as_marinas_own_role_are_refused(marina: Stack, urls: tuple[str, str]) -> None:
    with pytest.raises(DevError, match=r"must be owner|permission denied"):
        marina.manage("migrate", "accounts", "0001", "--no-input")
