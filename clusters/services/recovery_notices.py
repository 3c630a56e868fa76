"""Telling people that the host of a cluster of theirs was lost, and what came of it."""

from datetime import datetime

from accounts.models import User
from accounts.services.notifications_many import Message, notifications_send
from clusters.host_loss import HostLoss, LostCluster
from clusters.models import VirtualCluster
from clusters.services.cleanup_recipients import owners_of
from clusters.services.move_notices import direct_holders
from clusters.services.ownership import about_cluster, cluster_link


def losses_tell(loss: HostLoss, *, now: datetime) -> None:
    """To the owners, once the host is given up: from when what they get back is."""
    if not loss.members:
        return
    owners = owners_of([each.cluster for each in loss.members])
    messages = [
        _message(
            each.cluster,
            owners[each.cluster.pk],
            f"{loss.host.name}, on which {each.cluster} ran, was lost. {_comes_back(each)}",
            f"marina get {each.cluster.name} --project {each.cluster.project}",
        )
        for each in loss.members
    ]
    notifications_send(kind="cluster-lost", messages=messages, now=now)


def _comes_back(lost: LostCluster) -> str:
    if lost.export is None:
        return lost.sentence
    after = "What was written after that is lost, unless the host comes back."
    return f"It is made again elsewhere. {lost.sentence} {after}"


def recovery_tell(cluster: VirtualCluster, *, text: str, direct_ends: bool, operation: object, now: datetime) -> None:
    """To its owners, and to those whose direct kubeconfigs lead to where it was."""
    holders = direct_holders(cluster, now=now) if direct_ends else []
    known = {each.pk for each in holders}
    others = [each for each in owners_of([cluster])[cluster.pk] if each.pk not in known]
    ends = f"{text} Your direct kubeconfig leads to where it was, and works no more: fetch a new one."
    again = f"marina kubeconfig {cluster.name} --project {cluster.project} --direct"
    messages = [
        _message(cluster, others, text, f"marina op get {operation}"),
        _message(cluster, holders, ends, again),
    ]
    notifications_send(kind="cluster-recovered", messages=messages, now=now)


def _message(cluster: VirtualCluster, recipients: list[User], text: str, command: str) -> Message:
    return Message(
        recipients=recipients, about=about_cluster(cluster), text=text, link=cluster_link(cluster), command=command
    )
