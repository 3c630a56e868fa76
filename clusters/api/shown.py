"""What lists show of clusters, placements and operations, written out: fifty of a page, each with a hundred fields.

The serializers say the same field by field, for the API's document, and take six times as long; a test compares both.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone

from accounts.models import RoleBinding, User
from clusters.api.upgrade_shown import upgrade_shown
from clusters.gateway_address import gateway_url_of
from clusters.lifecycle.deciding import CLEANUP
from clusters.models import Operation, Placement, VirtualCluster

_CONDITION: Final = ("type", "status", "reason", "message", "last_transition_time")
_STEP: Final = ("key", "name", "state", "started_at", "finished_at", "note")
_LEFT_BEHIND: Final = ("kind", "name", "namespace", "host")


def time_shown(time: datetime | None) -> str | None:
    """As every time in the API: ISO 8601, in UTC."""
    if time is None:
        return None
    text = time.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _picked(rows: Iterable[Mapping[str, Any]], keys: Iterable[str]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in keys if key in row} for row in rows]


def _named(row: Any) -> dict[str, Any] | None:
    return None if row is None else {"id": str(row.pk), "name": row.name}


def operation_shown(operation: Operation) -> dict[str, Any]:
    """As OperationSerializer shows it."""
    steps = operation.steps
    sealed = operation.sealed_until is not None and operation.sealed_until > timezone.now()
    return {
        "id": str(operation.pk),
        "kind": operation.kind,
        "state": operation.state,
        "virtual_cluster": _named(operation.virtual_cluster),
        "host_cluster": _named(operation.host),
        "steps": _picked(steps, _STEP),
        "steps_done": sum(step["state"] == "done" for step in steps),
        "steps_total": len(steps),
        "message": operation.message,
        "error": _error(operation),
        "attempt": operation.attempt,
        "run_after": time_shown(operation.run_after),
        "requested_by": _person(operation.requested_by),
        "created_at": time_shown(operation.created_at),
        "started_at": time_shown(operation.started_at),
        "finished_at": time_shown(operation.finished_at),
        "has_sealed_result": sealed,
        "waiting_for_host": _named(operation.waiting_host),
        "usual_seconds": getattr(operation, "usual_seconds", None),
        "left_behind": _picked(operation.left_behind, _LEFT_BEHIND),
    }


def _error(operation: Operation) -> dict[str, str] | None:
    if not operation.error_code:
        return None
    return {"code": operation.error_code, "message": operation.error_message, "hint": operation.error_hint}


def placement_shown(placement: Placement) -> dict[str, Any]:
    """As PlacementSerializer shows it."""
    return {
        "id": str(placement.pk),
        "host": _named(placement.host),
        "namespace": placement.namespace,
        "release": placement.release,
        "role": placement.role,
        "endpoint": placement.endpoint,
        "kubernetes_version": placement.kubernetes_version,
        "chart_version": placement.chart_version,
        "adopted": placement.adopted is not None,
        "why": placement.why,
    }


def cluster_shown(cluster: VirtualCluster) -> dict[str, Any]:
    """As VirtualClusterSerializer shows it."""
    project = cluster.project
    placements, operations = getattr(cluster, "active_placements", ()), getattr(cluster, "newest_operations", ())
    return {
        "id": str(cluster.pk),
        "name": cluster.name,
        "project": {**(_named(project) or {}), "organization": _named(project.organization)},
        "owner": owner_shown(cluster),
        "created_by": _person(cluster.creator),
        "spec": spec_shown(cluster),
        "labels": cluster.labels,
        "deletion_protection": cluster.deletion_protection,
        "expires_at": time_shown(cluster.expires_at),
        "kubeconfig_ceiling": cluster.kubeconfig_ceiling,
        "gateway_url": gateway_url_of(cluster),
        "break_glass": [_glass_shown(each) for each in getattr(cluster, "glass_broken", ())],
        "last_used_at": time_shown(getattr(cluster, "last_used_at", None)),
        "last_used_by": getattr(cluster, "last_used_by", None),
        "generation": cluster.generation,
        "observed_generation": cluster.observed_generation,
        "phase": cluster.phase,
        "asleep": asleep_shown(cluster),
        "schedule": schedule_shown(cluster),
        "cleanup": cleanup_shown(cluster),
        "upgrade": upgrade_shown(cluster),
        "frozen": frozen_shown(cluster),
        "retained": retained_shown(placements[0] if placements else None),
        "conditions": _picked(cluster.conditions, _CONDITION),
        "not_synced": placements[0].not_synced if placements else [],
        "placement": placement_shown(placements[0]) if placements else None,
        "operation": operation_shown(operations[0]) if operations else None,
        "created_at": time_shown(cluster.created_at),
        "deleted_at": time_shown(cluster.deleted_at),
    }


def asleep_shown(cluster: VirtualCluster) -> dict[str, Any] | None:
    """As AsleepSerializer shows it."""
    if cluster.asleep_since is None:
        return None
    return {"since": time_shown(cluster.asleep_since), "by": cluster.asleep_by, "why": cluster.asleep_why}


def frozen_shown(cluster: VirtualCluster) -> dict[str, Any] | None:
    """As FrozenSerializer shows it."""
    if cluster.frozen_at is None:
        return None
    return {"since": time_shown(cluster.frozen_at), "why": cluster.frozen_why}


def retained_shown(active: Placement | None) -> list[dict[str, Any]]:
    """As RetainedSerializer shows them, as the selector fetched them along with the active one."""
    found: list[dict[str, Any]] = getattr(active, "retained", None) or []
    return [
        {
            "id": each["id"],
            "host": {"id": each["host"], "name": each["name"]},
            "since": _time_again(each["since"]),
            "until": _time_again(each["until"]),
        }
        for each in found
    ]


def _time_again(text: str | None) -> str | None:
    """A time that the database has written."""
    return time_shown(datetime.fromisoformat(text).astimezone(UTC)) if text else None


def schedule_shown(cluster: VirtualCluster) -> dict[str, Any]:
    """As ScheduleShownSerializer shows it."""
    return {
        "next_sleep_at": time_shown(cluster.next_sleep_at),
        "next_wake_at": time_shown(cluster.next_wake_at) if cluster.asleep_by != CLEANUP else None,
        "next_export_at": time_shown(cluster.next_export_at),
        "sleep_skipped_at": time_shown(cluster.sleep_skipped_at),
        "sleep_postponed_at": time_shown(cluster.sleep_postponed_at),
        "put_off_by": cluster.sleep_put_off_by,
        "put_off_for": put_off_for(cluster),
    }


def put_off_for(cluster: VirtualCluster) -> str:
    """For what somebody left its time to sleep out, or moved it; empty where nobody did."""
    if not cluster.sleep_put_off_by:
        return ""
    return "project" if cluster.sleep_put_off_for_project else "virtual-cluster"


def cleanup_shown(cluster: VirtualCluster) -> dict[str, Any] | None:
    """As CleanupShownSerializer shows it."""
    if cluster.cleanup_at is None and cluster.kept_until is None:
        return None
    return {
        "at": time_shown(cluster.cleanup_at),
        "cause": cluster.cleanup_cause,
        "state": cluster.cleanup_state,
        "why": cluster.cleanup_why,
        "consent_at": time_shown(cluster.consent_at),
        "kept_until": time_shown(cluster.kept_until),
    }


def spec_shown(cluster: VirtualCluster) -> dict[str, Any]:
    """What is wanted of it."""
    return {
        "kubernetes_version": cluster.kubernetes_version,
        "chart_version": cluster.chart_version,
        "size": cluster.size,
        "exposure": cluster.exposure,
        "values": cluster.values,
        "control_plane": {"replicas": cluster.replicas},
        "region": cluster.wanted_region,
        "host_labels": cluster.wanted_host_labels,
    }


def owner_shown(cluster: VirtualCluster) -> dict[str, str]:
    """As OwnerSerializer shows it."""
    user = cluster.owner_user
    if user is None:
        return {"kind": "team", "id": str(cluster.owner.pk), "name": str(cluster.owner)}
    if user.is_service_account:
        account = user.service_account
        return {"kind": "service-account", "id": str(account.pk), "name": user.label}
    return {"kind": "user", "id": str(user.pk), "name": user.handle}


def _person(user: User | None) -> dict[str, str] | None:
    return None if user is None else {"id": str(user.pk), "handle": user.handle, "name": user.label}


def _glass_shown(grant: RoleBinding) -> dict[str, Any]:
    """As BreakGlassSerializer shows it."""
    return {
        "id": str(grant.pk),
        "who": _person(grant.user),
        "role": grant.role,
        "until": time_shown(grant.expires_at),
        "reason": grant.reason,
        "created_at": time_shown(grant.created_at),
    }
