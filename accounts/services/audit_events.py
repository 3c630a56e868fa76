"""Events for webhooks out of the audit log. It is only added to, so a position in it says how far they were made.

Rows are read in the order of the transactions that wrote them, and only those of transactions below the oldest one
that is still open: all of these have ended, so nothing that is committed later was passed by, however long it took.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts.models import AuditEvent, EventPosition, Organization, Project, Webhook
from accounts.services.webhook_events import Event, events_publish

NAME: Final = "audit"
BATCH: Final = 500
_LAST_ROW: Final = UUID(int=2**128 - 1)
_LONGEST_WRITING: Final = timedelta(days=1)
"""Of a dump, rows from longer before it was loaded are no news, whatever their transactions were numbered."""

_TYPES: Final[Mapping[str, str]] = {
    "virtualcluster.create": "virtual-cluster.created",
    "virtualcluster.update": "virtual-cluster.changed",
    "virtualcluster.transfer": "virtual-cluster.transferred",
    "virtualcluster.inherit": "virtual-cluster.transferred",
    "virtualcluster.ceiling": "virtual-cluster.changed",
    "virtualcluster.extend": "virtual-cluster.changed",
    "virtualcluster.cleanup-consent": "virtual-cluster.changed",
    "virtualcluster.forget-retained": "virtual-cluster.changed",
    "virtualcluster.sleep-skip": "virtual-cluster.changed",
    "virtualcluster.sleep-postpone": "virtual-cluster.changed",
    "virtualcluster.writer.correct": "virtual-cluster.changed",
    "break-glass.begin": "break-glass.begun",
    "break-glass.end": "break-glass.ended",
    "serviceaccount.create": "service-account.created",
    "serviceaccount.update": "service-account.changed",
    "serviceaccount.delete": "service-account.deleted",
    "federation.create": "federation-rule.created",
    "federation.update": "federation-rule.changed",
    "federation.delete": "federation-rule.deleted",
    "rollout.create": "rollout.created",
    "rollout.pause": "rollout.changed",
    "rollout.resume": "rollout.changed",
    "rollout.retry": "rollout.changed",
    "rollout.abort": "rollout.changed",
    "rollout.halt": "rollout.halted",
    "rollout.end": "rollout.ended",
    "host.update": "host-cluster.changed",
    "host.lost": "host-cluster.lost",
    "host.found": "host-cluster.found",
    "host.evacuate": "host-cluster.changed",
    "host.forget-retained": "host-cluster.changed",
    "host.disconnect": "host-cluster.disconnected",
    "role.give": "role.given",
    "role.change": "role.changed",
    "role.take": "role.taken",
    "role.expire": "role.taken",
    "custom-role.create": "role.defined",
    "custom-role.update": "role.defined",
    "custom-role.delete": "role.undefined",
    "invitation.create": "invitation.created",
    "invitation.accept": "invitation.accepted",
    "invitation.revoke": "invitation.revoked",
}


def event_type_of(action: str) -> str:
    """The event that an audited action is told as; empty where it is none."""
    return _TYPES.get(action, "")


@transaction.atomic
def audit_events_publish(*, now: datetime) -> int:
    """Makes events of the audit rows that were committed since; says how many rows it read. Run by a schedule.

    Of two at once the second does nothing. The position moves in the transaction that makes the deliveries.
    """
    position = _position(now=now)
    if position is None:
        return 0
    horizon = _oldest_open()
    if position.transaction >= horizon:  # numbers begin anew in a database that was loaded from a dump
        position.since = now
        _move(position, horizon - 1, _LAST_ROW)
        return 0
    if not Webhook.objects.filter(enabled=True).exists():
        _move(position, horizon - 1, _LAST_ROW)
        return 0
    rows = list(_unread(position, horizon)[:BATCH])
    if rows:
        events_publish(_events([row for row in rows if _is_news(row, position)]), now=now)
        _move(position, rows[-1].written_in, rows[-1].pk)
    return len(rows)


def _position(*, now: datetime) -> EventPosition | None:
    """None where another has it, and at the very first time, when everything is old."""
    first = EventPosition(name=NAME, transaction=_oldest_open() - 1, row=_LAST_ROW, since=now)
    EventPosition.objects.bulk_create([first], ignore_conflicts=True)
    return EventPosition.objects.select_for_update(skip_locked=True).filter(name=NAME).first()


def _oldest_open() -> int:
    """Every transaction with a lower number has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def _unread(position: EventPosition, horizon: int) -> QuerySet[AuditEvent]:
    behind = Q(written_in__gt=position.transaction) | Q(written_in=position.transaction, pk__gt=position.row)
    rows = AuditEvent.objects.filter(behind, written_in__gte=position.transaction, written_in__lt=horizon)
    return rows.order_by("written_in", "pk")


def _is_news(row: AuditEvent, position: EventPosition) -> bool:
    return row.result == "ok" and row.created_at > position.since - _LONGEST_WRITING


def _move(position: EventPosition, transaction_number: int, row: UUID) -> None:
    position.transaction, position.row = transaction_number, row
    position.save(update_fields=["transaction", "row", "since"])


def _events(rows: list[AuditEvent]) -> list[Event]:
    told = [(row, kind) for row in rows if (kind := event_type_of(row.action)) and row.organization_id]
    places = _places([row for row, _ in told])
    return [_event(row, kind, places) for row, kind in told]


@dataclass(frozen=True)
class _Places:
    """The organizations and projects that are named in payloads, found with a fixed number of queries."""

    organizations: Mapping[UUID, Organization]
    projects: Mapping[tuple[str, str], Project]
    """By the kind and id of what lives in them."""


def _places(rows: list[AuditEvent]) -> _Places:
    organizations = Organization.objects.in_bulk({row.organization_id for row in rows if row.organization_id})
    held = {_held(row) for row in rows}
    projects = {
        (kind, str(key)): project
        for kind, column in (("project", "pk"), ("virtual-cluster", "virtual_clusters"))
        for key, project in _projects_by(column, {key for each, key in held if each == kind})
    }
    return _Places(organizations, projects)


def _projects_by(column: str, keys: set[str]) -> list[tuple[UUID, Project]]:
    found = Project.objects.filter(**{f"{column}__in": keys})
    projects = {project.pk: project for project in found.select_related("organization").distinct()}
    return [(key, projects[pk]) for key, pk in found.values_list(column, "pk")]


def _held(row: AuditEvent) -> tuple[str, str]:
    """What the project of the event follows from: for a role where it holds, else the object itself."""
    scope = row.details.get("scope") if row.object_kind == "role-binding" else None
    if isinstance(scope, dict):
        return str(scope.get("kind", "")).replace("_", "-"), str(scope.get("id", ""))
    if row.object_kind == "invitation" and row.details.get("project_id"):
        return "project", str(row.details["project_id"])
    return row.object_kind, row.object_id


def _event(row: AuditEvent, event_type: str, places: _Places) -> Event:
    project = places.projects.get(_held(row))
    organization = places.organizations.get(row.organization_id) if row.organization_id else None
    return Event(
        type=event_type,
        source=str(row.pk),
        at=row.created_at,
        organization_id=row.organization_id,
        project_id=project.pk if project else None,
        data={
            "object": {"kind": row.object_kind, "id": row.object_id, "name": row.object_name},
            "organization": organization_short(organization),
            "project": project_short(project),
            "actor": {"id": str(row.actor_id) if row.actor_id else None, "handle": row.actor},
            "before": row.before,
            "after": row.after,
            "details": row.details,
        },
    )


def organization_short(organization: Organization | None) -> dict[str, str] | None:
    """As payloads name it."""
    return {"id": str(organization.pk), "name": organization.name} if organization else None


def project_short(project: Project | None) -> dict[str, Any] | None:
    """As payloads name it."""
    if project is None:
        return None
    return {
        "id": str(project.pk),
        "name": project.name,
        "organization": organization_short(project.organization),
    }
