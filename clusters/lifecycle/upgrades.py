"""Which upgrades there are for one cluster, why, and which of them its channel takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.conf import settings

from accounts.errors import InvalidInput
from clusters.lifecycle.support import support_ends, warn_spans
from clusters.models import UpgradeCause, UpgradeChannel
from clusters.versions import (
    KubernetesVersion,
    chart_support,
    check_chart_can_run,
    check_host_can_run,
    kubernetes_versions_order,
)


class Reason(StrEnum):
    """Why an upgrade is offered."""

    PATCH = "newer-patch"
    MINOR = "newer-minor"
    SUPPORT = "support-ends"
    CHART = "newer-chart"


@dataclass(frozen=True, kw_only=True)
class Running:
    """What one cluster has: its versions, and its host's (empty: not known)."""

    kubernetes: str
    chart: str
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class Available:
    """One upgrade that there is. `in_the_way`: why it cannot be done as things are; empty where it can."""

    reason: Reason
    message: str
    kubernetes: str = ""
    chart: str = ""
    in_the_way: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """To which versions; empty: as it is."""

    cause: UpgradeCause
    kubernetes: str = ""
    chart: str = ""

    @property
    def signature(self) -> str:
        """By which tries of the same are known."""
        return f"{self.kubernetes} {self.chart}"


_NONE: Final = KubernetesVersion(0, 0, 0)


def version_of(text: str) -> KubernetesVersion:
    """Read; what cannot be read is older than everything."""
    try:
        return KubernetesVersion.parse(text)
    except InvalidInput:
        return _NONE


def upgrades_available(running: Running, *, now: datetime) -> tuple[Available, ...]:
    """All of them, the most pressing first."""
    has = version_of(running.kubernetes)
    if has == _NONE:
        return ()
    patch, minor = newest_patch(has), next_minor(has)
    found: list[Available] = []
    ends = support_ends().get(has.line)
    if ends is not None and now >= ends - warn_spans()[0]:
        found.append(_support(has, ends, minor, running, now))
    if patch is not None:
        found.append(
            Available(
                reason=Reason.PATCH,
                kubernetes=str(patch),
                message=f"Kubernetes {patch} is a newer patch of what it runs, {has}.",
                in_the_way=in_the_way(patch, running),
            )
        )
    if minor is not None:
        found.append(
            Available(
                reason=Reason.MINOR,
                kubernetes=str(minor),
                message=f"Kubernetes {minor} is the next minor version after {has}.",
                in_the_way=in_the_way(minor, running),
            )
        )
    if chart_is_newer(running):
        message = f"Version {settings.CHART_VERSION} of vcluster's chart is newer than its {running.chart}."
        found.append(Available(reason=Reason.CHART, chart=settings.CHART_VERSION, message=message))
    return tuple(found)


def _support(
    has: KubernetesVersion, ends: datetime, minor: KubernetesVersion | None, running: Running, now: datetime
) -> Available:
    is_over = "has been" if ends <= now else "will be"
    return Available(
        reason=Reason.SUPPORT,
        kubernetes=str(minor or ""),
        message=f"Kubernetes {has.major}.{has.minor} {is_over} without support from {ends:%Y-%m-%d}.",
        in_the_way=in_the_way(minor, running) if minor else "No newer minor version is offered here yet.",
    )


def _offered() -> Sequence[KubernetesVersion]:
    return kubernetes_versions_order(settings.KUBERNETES_VERSIONS)


def newest_patch(has: KubernetesVersion) -> KubernetesVersion | None:
    """Of its own minor; None where it has that."""
    return next((each for each in _offered() if each.line == has.line and each > has), None)


def next_minor(has: KubernetesVersion) -> KubernetesVersion | None:
    """The newest patch of the minor that follows: one at a time."""
    return next((each for each in _offered() if each.line == (has.major, has.minor + 1)), None)


def chart_is_newer(running: Running) -> bool:
    """Whether the configured chart is newer than the cluster's."""
    return version_of(settings.CHART_VERSION) > version_of(running.chart)


def in_the_way(wanted: KubernetesVersion, running: Running) -> str:
    """Why its host, or the chart that it would have, cannot run that version."""
    host = version_of(running.host)
    if host != _NONE and (why := check_host_can_run(wanted, host)):
        return why
    if running.chart != settings.CHART_VERSION and not chart_is_newer(running):
        return ""  # a chart newer than the configured one: what it runs, nobody has said
    support = chart_support(settings.CHART_VERSION, settings.CHART_KUBERNETES_VERSIONS)
    return check_chart_can_run(wanted, support) or ""


def target_of(channel: UpgradeChannel, running: Running) -> Target | None:
    """What the channel takes now; None where that is nothing."""
    if channel is UpgradeChannel.NONE:
        return None
    has = version_of(running.kubernetes)
    minor = _possible(next_minor(has), running) if channel is UpgradeChannel.MINOR else None
    wanted = minor or _possible(newest_patch(has), running)
    chart = settings.CHART_VERSION if _chart_taken(channel, running) else ""
    if wanted is None and not chart:
        return None
    cause = UpgradeCause.MINOR if minor else UpgradeCause.PATCH if wanted else UpgradeCause.CHART
    return Target(cause=cause, kubernetes=str(wanted or ""), chart=chart)


def forced_target(running: Running) -> Target | None:
    """Away from a version without support: the next minor; None where that cannot be."""
    minor = _possible(next_minor(version_of(running.kubernetes)), running)
    if minor is None:
        return None
    chart = settings.CHART_VERSION if chart_is_newer(running) else ""
    return Target(cause=UpgradeCause.SUPPORT, kubernetes=str(minor), chart=chart)


def _possible(wanted: KubernetesVersion | None, running: Running) -> KubernetesVersion | None:
    return None if wanted is None or in_the_way(wanted, running) else wanted


def _chart_taken(channel: UpgradeChannel, running: Running) -> bool:
    """Patches of the chart with patches, whatever is newer with minors."""
    same_line = version_of(settings.CHART_VERSION).line == version_of(running.chart).line
    return chart_is_newer(running) and (channel is UpgradeChannel.MINOR or same_line)
