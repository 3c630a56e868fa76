"""The audit log as somebody finds it who owns the database: past every trigger, as only that person can."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import AuditEvent, AuditPolicy
from accounts.services.audit import audit_record
from tests.accounts.conftest import MARINA


def policy_stored() -> None:
    """As `manage.py migrate` leaves it: tests that commit empty all tables, also of what migrations stored."""
    AuditPolicy.objects.update_or_create(id=1, defaults={"retention_days": settings.AUDIT_RETENTION_DAYS})


def written(organization: Any = None, count: int = 1, **fields: Any) -> list[AuditEvent]:
    """New rows of an organization, or of the platform."""
    key = organization.pk if organization else None
    given = {"action": "project.update", "kind": "project", "object_id": "p", "name": "payments", **fields}
    return [audit_record(actor=MARINA, organization_id=key, **given) for _ in range(count)]


@contextmanager
def as_owner() -> Iterator[Any]:
    """A cursor past triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        try:
            yield cursor
        finally:
            cursor.execute("SET LOCAL session_replication_role = origin")


def tamper(statement: str, *values: Any) -> None:
    with as_owner() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0, "nothing was tampered with"


def sealed_at(time: datetime, number: int) -> None:
    """Lets a seal be of that time."""
    tamper("UPDATE accounts_auditseal SET sealed_at = %s WHERE number = %s", time, number)
