"""Tells people that what they asked for failed: after the end, by the job that also makes events of it."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from accounts.models import User
from accounts.services.notifications import About, notification_send
from accounts.services.project_admins import project_admins
from clusters.models import Operation, OperationState

_NEWS_FOR: Final = timedelta(days=1)
"""What ended before that is told nobody any more: an installation that was down, or one that began to tell."""


def failures_tell(keys: Collection[UUID], *, now: datetime) -> None:
    """Of these operations that ended: those that failed, to whoever asked for them, or for what a program asked for to

    the project's admins. What Marina began by itself is not told here. In the caller's transaction, which says that
    this end was told.
    """
    if not keys:
        return
    failed = Operation.objects.filter(
        pk__in=keys,
        state=OperationState.FAILED,
        requested_by__isnull=False,
        finished_at__gt=now - _NEWS_FOR,
    )
    for operation in failed.select_related("virtual_cluster", "host", "project__organization", "requested_by"):
        _tell(operation, now)


def _tell(operation: Operation, now: datetime) -> None:
    about = operation.virtual_cluster or operation.host
    place = f"{operation.project}/{about.name}" if operation.project and about else str(about or "")
    why = " ".join(filter(None, (operation.error_message, operation.error_hint)))
    notification_send(
        recipients=_recipients(operation),
        kind="operation-failed",
        about=About(
            kind="operation",
            id=operation.pk,
            name=f"{operation.kind} of {place}",
            organization_id=operation.organization_id,
        ),
        text=f"{operation.kind} of {place} failed. {why}".strip(),
        now=now,
        link=f"/virtual-clusters/{operation.virtual_cluster_id}" if operation.virtual_cluster_id else "",
        command=f"marina op get {operation.pk}",
    )


def _recipients(operation: Operation) -> Iterable[User]:
    asked = operation.requested_by
    if asked is not None and asked.is_active and not asked.is_service_account:
        return [asked]
    return project_admins(operation.project) if operation.project else []
