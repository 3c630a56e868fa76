"""What a probe's answer means for a host, as conditions. Pure: the row as it stands, the answer, and the settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.errors import InvalidInput
from clusters.models import Breaker, Condition, HostCluster, condition_set
from clusters.versions import ChartSupport, KubernetesVersion, check_chart_can_run, check_host_can_run

ANSWERED = ("unauthorized", "forbidden", "too-many-requests", "not-found", "conflict", "invalid")
"""Codes of errors that only a server that is there can give. 5xx is not among them: nobody can work with such a one."""
REFUSED = ("unauthorized", "forbidden")


@dataclass(frozen=True)
class Answer:
    """What came of asking a host for its version: the version, or why there is none, as code and sentence.

    No exception: that would hold on to its frames, and they to the connection.
    """

    host_id: UUID
    version: str = ""
    code: str = ""
    why: str = ""

    @property
    def answered(self) -> bool:
        """Whether the host is there."""
        return self.code in ("", *ANSWERED)

    @property
    def refused(self) -> bool:
        """Whether it is there and does not take Marina's credential."""
        return self.code in REFUSED


@dataclass(frozen=True)
class Nodes:
    """How many nodes the last survey saw, and how many of them take pods. None: that is not known."""

    all: int | None = None
    ready: int | None = None


@dataclass(frozen=True)
class Offered:
    """The Kubernetes versions that Marina offers, and what the chart runs of them."""

    versions: Sequence[str]
    chart: ChartSupport


def conditions_of(
    host: HostCluster, answer: Answer, nodes: Nodes, offered: Offered, *, now: datetime
) -> list[dict[str, Any]]:
    """The host's conditions with what the answer tells. `host` is as it stands after the answer, breaker included."""
    conditions: list[dict[str, Any]] = host.conditions
    for new in (
        _reachable(answer),
        _authorized(answer),
        version_supported(host.kubernetes_version, offered),
        schedulable(host, answer, nodes),
    ):
        conditions = _noted(conditions, new, now)
    return conditions


def _noted(conditions: list[dict[str, Any]], new: Condition, now: datetime) -> list[dict[str, Any]]:
    before = next((each for each in conditions if each["type"] == new.type), None)
    if new.type == "Authorized" and before and before["status"] == new.status == "True":
        return conditions  # connecting tells more of it than a probe can
    return condition_set(conditions, new, now=now)


def _reachable(answer: Answer) -> Condition:
    if answer.answered:
        return Condition(type="Reachable", status="True", reason="Answered", message="It answers.")
    return Condition(type="Reachable", status="False", reason=_camel(answer), message=answer.why)


def _authorized(answer: Answer) -> Condition:
    if answer.refused:
        message = f"{answer.why} Give Marina a new credential (marina host renew)."
        return Condition(type="Authorized", status="False", reason=_camel(answer), message=message)
    if not answer.answered:
        return Condition(type="Authorized", status="Unknown", reason="NotReachable", message="It does not answer.")
    return Condition(type="Authorized", status="True", reason="Accepted", message="It takes Marina's credential.")


def _camel(answer: Answer) -> str:
    return "".join(part.capitalize() for part in answer.code.split("-"))


def version_supported(version: str, offered: Offered) -> Condition:
    """Whether at least one of the versions that Marina offers can run there."""
    try:
        host = KubernetesVersion.parse(version)
    except InvalidInput:
        message = "It did not tell a version that Marina can read."
        return Condition(type="VersionSupported", status="Unknown", reason="NotKnown", message=message)
    wanted = [KubernetesVersion.parse(each) for each in offered.versions]
    why_not = {each: check_host_can_run(each, host) or check_chart_can_run(each, offered.chart) for each in wanted}
    can = ", ".join(str(each) for each, why in why_not.items() if why is None)
    if can:
        return Condition(type="VersionSupported", status="True", reason="CanRun", message=f"It can run {can}.")
    message = " ".join(why for why in why_not.values() if why) or "Marina offers no Kubernetes version."
    return Condition(type="VersionSupported", status="False", reason="CanRunNone", message=message)


def schedulable(host: HostCluster, answer: Answer, nodes: Nodes) -> Condition:
    """Whether something new can be placed there now; if not, the first reason that stands in the way."""
    if host.cordoned:
        return _not_schedulable("Cordoned", "It is cordoned: it takes nothing new.")
    if host.breaker == Breaker.OPEN:
        since = f" since {host.answered_at:%Y-%m-%d %H:%M:%S} UTC" if host.answered_at else ""
        return _not_schedulable("DoesNotAnswer", f"It has not answered{since}: work for it waits.")
    if answer.refused:
        return _not_schedulable("CredentialRefused", "It refuses Marina's credential.")
    if nodes.ready == 0:
        message = f"None of its {nodes.all} nodes is ready and takes pods." if nodes.all else "It has no node."
        return _not_schedulable("NoNodeReady", message)
    return Condition(type="Schedulable", status="True", reason="TakesPlacements", message="It takes new placements.")


def _not_schedulable(reason: str, message: str) -> Condition:
    return Condition(type="Schedulable", status="False", reason=reason, message=message)
