"""How the API shows which upgrades there are for a cluster, and what Marina does of them by itself."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from clusters.lifecycle.support import support_ends
from clusters.lifecycle.upgrades import Available, Reason, Running, upgrades_available, version_of
from clusters.models import UpgradeChannel, VirtualCluster, VirtualClusterPhase


class AvailableSerializer(serializers.Serializer[Any]):
    """One upgrade that there is, and why."""

    reason = serializers.ChoiceField([each.value for each in Reason])
    message = serializers.CharField()
    kubernetes_version = serializers.CharField(allow_blank=True, help_text="Empty: as it is.")
    chart_version = serializers.CharField(allow_blank=True, help_text="Empty: as it is.")
    in_the_way = serializers.CharField(allow_blank=True, help_text="Why it cannot be done as things are.")


class PlannedUpgradeSerializer(serializers.Serializer[Any]):
    """What Marina does by itself next, between two times; without an end there is no window."""

    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    cause = serializers.CharField(help_text="patch, minor, chart, or support: what it runs is without support.")
    kubernetes_version = serializers.CharField(allow_blank=True)
    chart_version = serializers.CharField(allow_blank=True)


class UpgradeShownSerializer(serializers.Serializer[Any]):
    """Which upgrades there are, the most pressing first, and which of them Marina does by itself and when."""

    available = AvailableSerializer(many=True)
    channel = serializers.ChoiceField(UpgradeChannel.choices, help_text="What Marina takes by itself.")
    planned = PlannedUpgradeSerializer(allow_null=True)
    blocked = serializers.CharField(allow_blank=True, help_text="Why the last one by itself was not done.")
    support_ends_at = serializers.DateTimeField(allow_null=True, help_text="Of the Kubernetes version that it runs.")


def upgrade_shown(cluster: VirtualCluster) -> dict[str, Any]:
    """As UpgradeShownSerializer shows it."""
    gone = cluster.phase in (VirtualClusterPhase.DELETED, VirtualClusterPhase.DELETING)
    available = () if gone else upgrades_available(running_of(cluster), now=timezone.now())
    return {
        "available": [_available(each) for each in available],
        "channel": cluster.upgrade_channel or UpgradeChannel.NONE.value,
        "planned": None if gone else _planned(cluster),
        "blocked": cluster.upgrade_blocked,
        "support_ends_at": _time(support_ends().get(version_of(cluster.kubernetes_version).line)),
    }


def running_of(cluster: VirtualCluster) -> Running:
    """What it has; its active placement is read along."""
    placements = getattr(cluster, "active_placements", ())
    host = placements[0].host.kubernetes_version if placements else ""
    return Running(kubernetes=cluster.kubernetes_version, chart=cluster.chart_version, host=host)


def _available(each: Available) -> dict[str, str]:
    return {
        "reason": each.reason.value,
        "message": each.message,
        "kubernetes_version": each.kubernetes,
        "chart_version": each.chart,
        "in_the_way": each.in_the_way,
    }


def _planned(cluster: VirtualCluster) -> dict[str, Any] | None:
    if cluster.upgrade_at is None:
        return None
    return {
        "at": _time(cluster.upgrade_at),
        "until": _time(cluster.upgrade_until),
        "cause": cluster.upgrade_cause,
        "kubernetes_version": cluster.upgrade_to,
        "chart_version": cluster.upgrade_to_chart,
    }


def _time(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
