"""What owners are told of upgrades that Marina does by itself, with the command that does them now."""

from collections.abc import Iterable
from datetime import datetime

from accounts.services.notifications_many import Message, notifications_send
from clusters.lifecycle.support import support_ends
from clusters.lifecycle.upgrade_cases import UpgradeCase
from clusters.lifecycle.upgrades import next_minor, version_of
from clusters.models import VirtualCluster
from clusters.services.cleanup_recipients import owners_of
from clusters.services.ownership import about_cluster, cluster_link


def upgrade_command(cluster: VirtualCluster, version: str) -> str:
    """What upgrades it now."""
    to = f" --to {version}" if version else ""
    return f"marina upgrade {cluster.name}{to} --project {cluster.project}"


def support_tell(cases: Iterable[UpgradeCase], *, now: datetime) -> int:
    """Warns that what they run loses its support. A fixed number of statements."""
    found = list(cases)
    owners = owners_of([case.cluster for case in found])
    messages = [
        Message(
            recipients=owners[case.cluster.pk],
            about=about_cluster(case.cluster),
            text=_support_text(case, now),
            link=cluster_link(case.cluster),
            command=upgrade_command(case.cluster, str(next_minor(version_of(case.running.kubernetes)) or "")),
        )
        for case in found
    ]
    return notifications_send(kind="support-ending", messages=messages, now=now) if messages else 0


def _support_text(case: UpgradeCase, now: datetime) -> str:
    has = version_of(case.running.kubernetes)
    ends = support_ends()[has.line]
    line, wanted = f"{has.major}.{has.minor}", next_minor(has)
    since = "has been without support since" if ends <= now else "has no support from"
    text = f"{case.cluster} runs Kubernetes {has}, and {line} {since} {ends:%Y-%m-%d}{'' if ends <= now else ' on'}. "
    if wanted is None:
        return f"{text}No newer minor version is offered here yet; ask your platform team."
    window = "in its next maintenance window after that" if case.policy.window else "after that"
    return f"{text}Marina upgrades it to {wanted} by itself {window}, after an export. Better do it when it suits you."


def upgrade_begun_tell(cluster: VirtualCluster, *, versions: str, why: str, now: datetime) -> None:
    """That it has begun."""
    message = Message(
        recipients=owners_of([cluster])[cluster.pk],
        about=about_cluster(cluster),
        text=f"{cluster} is being upgraded to {versions}. {why} It is exported first.",
        link=cluster_link(cluster),
        command=f"marina op watch {cluster.name} --project {cluster.project}",
    )
    notifications_send(kind="upgrade-begun", messages=[message], now=now)


def upgrade_blocked_tell(cluster: VirtualCluster, *, versions: str, why: str, again: bool, now: datetime) -> None:
    """That it could not be done, and whether Marina tries again."""
    after = "Marina tries again in its next window." if again else "Marina does not try that again."
    message = Message(
        recipients=owners_of([cluster])[cluster.pk],
        about=about_cluster(cluster),
        text=f"{cluster} could not be upgraded to {versions}. {why} {after}",
        link=cluster_link(cluster),
        command=upgrade_command(cluster, cluster.upgrade_to),
    )
    notifications_send(kind="upgrade-blocked", messages=[message], now=now)
