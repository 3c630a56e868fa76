"""Sleep, schedules and cleanup on the admin page of clusters: what `marina get` tells of them, and two actions."""

from datetime import datetime
from typing import Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.service_admin import admin_actor
from clusters.admin.operation_links import operation_told
from clusters.admin.words import NOTHING, lines_of
from clusters.lifecycle.deciding import CLEANUP
from clusters.lifecycle.signal import Signal
from clusters.lifecycle.signals import signals_of
from clusters.models import CleanupState, VirtualCluster
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake

LIFECYCLE_FIELDS: Final = ("asleep_told", "schedule_told", "cleanup_told", "signals_told")


class LifecyclePart:
    """Columns, fields and actions for the admin page of clusters."""

    @admin.display(description="asleep")
    def asleep_told(self, cluster: VirtualCluster) -> str:
        """Since when, who or what put it to sleep, and when it wakes."""
        if cluster.asleep_since is None:
            return NOTHING
        by = f", put to sleep by {cluster.asleep_by}" if cluster.asleep_by else ""
        why = f": {cluster.asleep_why.rstrip('.')}" if cluster.asleep_why else ""
        at = None if cluster.asleep_by == CLEANUP else cluster.next_wake_at
        wakes = f"it wakes {_time(at)}, or when somebody uses it" if at else "it wakes when somebody uses it"
        return f"since {_time(cluster.asleep_since)}{by}{why}; {wakes}"

    @admin.display(description="schedule")
    def schedule_told(self, cluster: VirtualCluster) -> SafeString | str:
        """Which one counts, and when it acts next."""
        times = {
            "sleeps next": cluster.next_sleep_at,
            "wakes next": None if cluster.asleep_by == CLEANUP else cluster.next_wake_at,
            "exported next": cluster.next_export_at,
            "left out": cluster.sleep_skipped_at,
            "postponed from": cluster.sleep_postponed_at,
        }
        whose = [str(cluster.planned_by)] if cluster.planned_by else []
        return lines_of([*whose, *(f"{what}: {_time(at)}" for what, at in times.items() if at)])

    @admin.display(description="cleanup")
    def cleanup_told(self, cluster: VirtualCluster) -> SafeString | str:
        """Its date and why, when its owner was told, and until when somebody keeps it."""
        lines = []
        if cluster.cleanup_at:
            waits = "; it takes its owner's yes" if cluster.cleanup_state == CleanupState.AWAITING_CONSENT else ""
            lines.append(f"to be deleted {_time(cluster.cleanup_at)}{waits}: {cluster.cleanup_why}")
            told = (_time(datetime.fromisoformat(each)) for each in cluster.cleanup_warned_at)
            lines.append(f"its owner was told {', '.join(told)}")
        if cluster.kept_until:
            lines.append(f"kept until {_time(cluster.kept_until)}")
        return lines_of(lines)

    @admin.display(description="signals of use")
    def signals_told(self, cluster: VirtualCluster) -> SafeString | str:
        """Each kind: when last, by whom, or why that is not known."""
        found = signals_of([cluster], now=timezone.now())
        return lines_of(map(_signal, found[cluster.pk]))

    @admin.display(description="cleanup", ordering="cleanup_at")
    def cleanup_on(self, cluster: VirtualCluster) -> str:
        """The date on which it is to be deleted alone, for the list."""
        return _time(cluster.cleanup_at) if cluster.cleanup_at else NOTHING

    @admin.action(description="Put to sleep", permissions=["operate"])
    def sleep(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Pods that no controller makes again are not given up: then it stays awake, as its operation tells."""
        for cluster in queryset:
            work = virtual_cluster_sleep(virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now())
            if work.created:
                operation_told(request, f"{cluster} begins to fall asleep", work.operation)
            else:
                messages.success(request, f"{cluster} is asleep, or falls so.")

    @admin.action(description="Wake", permissions=["operate"])
    def wake(self, request: HttpRequest, queryset: QuerySet[VirtualCluster]) -> None:
        """Those that are awake are left as they are."""
        for cluster in queryset:
            work = virtual_cluster_wake(virtual_cluster=cluster, actor=admin_actor(request), now=timezone.now())
            if work.created:
                operation_told(request, f"{cluster} begins to wake", work.operation)
            else:
                messages.success(request, f"{cluster} is awake, or wakes up.")


def _signal(signal: Signal) -> str:
    if signal.last_used_at:
        told = f"{_time(signal.last_used_at)} by {signal.who}"
    else:
        told = "never" if signal.state == "known" else NOTHING
    return f"{signal.kind}: {told} ({signal.state}{f': {signal.reason}' if signal.reason else ''})"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
