"""Tells owners that a cluster did not fall asleep when a schedule or the cleanup wanted it to."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from accounts.services.notifications_many import Message, notifications_send
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster
from clusters.services.cleanup_recipients import owners_of
from clusters.services.ownership import about_cluster, cluster_link

_NEWS_FOR: Final = timedelta(days=1)


def refused_sleeps_tell(keys: Collection[UUID], *, now: datetime) -> None:
    """Of these operations that ended: sleeps that nobody asked for and that failed. In the caller's transaction."""
    if not keys:
        return
    failed = Operation.objects.filter(
        pk__in=keys,
        kind=OperationKind.SLEEP,
        state=OperationState.FAILED,
        requested_by__isnull=True,
        finished_at__gt=now - _NEWS_FOR,
    )
    related = ("virtual_cluster__project__organization", "virtual_cluster__owner_user")
    found = [(each, each.virtual_cluster) for each in failed.select_related(*related) if each.virtual_cluster]
    owners = owners_of([cluster for _, cluster in found]) if found else {}
    messages = [
        Message(
            recipients=owners[cluster.pk],
            about=about_cluster(cluster),
            text=_text(operation, cluster),
            link=cluster_link(cluster),
            command=f"marina op get {operation.pk}",
        )
        for operation, cluster in found
    ]
    if messages:
        notifications_send(kind="sleep-refused", messages=messages, now=now)


def _text(operation: Operation, cluster: VirtualCluster) -> str:
    by = operation.params.get("by") or "Marina"
    told = f"{cluster} did not fall asleep, as {by} wanted. {operation.error_message} {operation.error_hint}"
    return told.strip()
