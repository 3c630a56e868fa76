"""Events for webhooks, and notices of failures, out of operations that ended.

The engine does nothing for it: a job finds the rows afterwards.

Which ends were told stands in the row itself (`announced_at`), so it does not matter when they were committed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts.models import Webhook
from accounts.services.audit_events import organization_short, project_short
from accounts.services.webhook_events import Event, events_publish
from clusters.models import UNANNOUNCED, Operation, OperationKind, OperationState
from clusters.services.failure_notices import failures_tell
from clusters.services.sleep_notices import refused_sleeps_tell

BATCH: Final = 500

_SUCCEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    OperationKind.PROVISION: ("virtual-cluster.ready",),
    OperationKind.ADOPT: ("virtual-cluster.created", "virtual-cluster.ready"),
    OperationKind.CONFIGURE: ("virtual-cluster.changed",),
    OperationKind.DELETE: ("virtual-cluster.deleted",),
    OperationKind.SLEEP: ("virtual-cluster.asleep",),
    OperationKind.WAKE: ("virtual-cluster.awake",),
    OperationKind.EXPORT: ("virtual-cluster.exported",),
    OperationKind.RESTORE: ("virtual-cluster.restored",),
    OperationKind.UPGRADE: ("virtual-cluster.upgraded",),
    OperationKind.MIGRATE: ("virtual-cluster.moved",),
    OperationKind.RECOVER: ("virtual-cluster.recovered",),
    OperationKind.CONNECT: ("host-cluster.connected",),
    OperationKind.RENEW_CREDENTIAL: ("host-cluster.renewed",),
}
_FAILED: Final[Mapping[str, tuple[str, ...]]] = {
    OperationKind.PROVISION: ("virtual-cluster.failed",),
    OperationKind.ADOPT: ("virtual-cluster.failed",),
    OperationKind.CONFIGURE: ("virtual-cluster.failed",),
    OperationKind.DELETE: ("virtual-cluster.failed",),
    OperationKind.SLEEP: ("virtual-cluster.failed",),
    OperationKind.WAKE: ("virtual-cluster.failed",),
    OperationKind.EXPORT: ("virtual-cluster.failed",),
    OperationKind.RESTORE: ("virtual-cluster.failed",),
    OperationKind.UPGRADE: ("virtual-cluster.failed",),
    OperationKind.MIGRATE: ("virtual-cluster.failed",),
    OperationKind.RECOVER: ("virtual-cluster.failed",),
    OperationKind.CONNECT: ("host-cluster.failed",),
    OperationKind.RENEW_CREDENTIAL: ("host-cluster.failed",),
}


@transaction.atomic
def operations_announce(*, now: datetime) -> int:
    """Makes events of operations that ended since; says how many. Run by a schedule; two at once share the work."""
    rows = Operation.objects.filter(UNANNOUNCED).order_by("finished_at", "id")
    if not Webhook.objects.filter(enabled=True).exists():
        keys = rows.select_for_update(of=("self",), skip_locked=True).values_list("pk", flat=True)[:BATCH]
        return _told(list(keys), now)
    related = ("virtual_cluster", "host", "project__organization", "organization", "requested_by")
    ended = list(rows.select_for_update(of=("self",), skip_locked=True).select_related(*related)[:BATCH])
    events_publish([event for operation in ended for event in _events(operation)], now=now)
    return _told([each.pk for each in ended], now)


def _told(keys: list[UUID], now: datetime) -> int:
    failures_tell(keys, now=now)
    refused_sleeps_tell(keys, now=now)
    return Operation.objects.filter(pk__in=keys).update(announced_at=F("finished_at"))


def _events(operation: Operation) -> list[Event]:
    """The operation's own first, then what it means for its object."""
    if operation.finished_at is None:
        return []
    data = _data(operation)
    return [
        Event(
            type=event_type,
            # one that is tried again ends once more
            source=f"{operation.pk} {operation.finished_at.isoformat()}",
            at=operation.finished_at,
            organization_id=operation.organization_id,
            project_id=operation.project_id,
            data=data,
        )
        for event_type in (f"operation.{operation.state.lower()}", *_meant(operation))
    ]


def _meant(operation: Operation) -> tuple[str, ...]:
    by_state: Mapping[str, Mapping[str, tuple[str, ...]]] = {
        OperationState.SUCCEEDED: _SUCCEEDED,
        OperationState.FAILED: _FAILED,
    }
    return by_state.get(operation.state, {}).get(operation.kind, ())


def _data(operation: Operation) -> dict[str, Any]:
    return {
        "operation": {
            "id": str(operation.pk),
            "kind": operation.kind,
            "state": operation.state,
            "error": _error(operation),
            "requested_by": _person(operation),
            "created_at": operation.created_at.isoformat(),
            "finished_at": operation.finished_at.isoformat() if operation.finished_at else None,
        },
        "virtual_cluster": _named(operation.virtual_cluster),
        "host_cluster": _named(operation.host),
        "organization": organization_short(operation.organization),
        "project": project_short(operation.project),
    }


def _error(operation: Operation) -> dict[str, str] | None:
    if not operation.error_code:
        return None
    return {"code": operation.error_code, "message": operation.error_message, "hint": operation.error_hint}


def _person(operation: Operation) -> dict[str, str] | None:
    person = operation.requested_by
    return {"id": str(person.pk), "handle": person.handle} if person else None


def _named(row: Any) -> dict[str, str] | None:
    return {"id": str(row.pk), "name": row.name} if row else None
