"""Telling people that a cluster was moved: its owner, and those whose kubeconfigs lead to where it was."""

from datetime import datetime

from accounts.models import User
from accounts.services.notifications_many import Message, notifications_send
from clusters.models import KubeconfigGrant, Operation, Placement, PlacementRole, VirtualCluster
from clusters.services.cleanup_recipients import owners_of
from clusters.services.ownership import about_cluster, cluster_link


def move_ended_tell(operation: Operation, now: datetime) -> None:
    """After the switch, in the transaction that writes it. Nothing where the cluster is gone."""
    cluster = operation.virtual_cluster
    active = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).select_related("host").first()
    if cluster is None or active is None:
        return
    notifications_send(kind="cluster-moved", messages=_messages(cluster, active, operation, now), now=now)


def direct_holders(cluster: VirtualCluster, *, now: datetime) -> list[User]:
    """Who holds an unexpired kubeconfig that leads past the gateway; each once, by handle."""
    grants = KubeconfigGrant.objects.filter(virtual_cluster=cluster, revoked_at=None, expires_at__gt=now)
    return list(User.objects.filter(pk__in=grants.values("user")).order_by("handle"))


def _messages(cluster: VirtualCluster, active: Placement, operation: Operation, now: datetime) -> list[Message]:
    owners, holders = owners_of([cluster])[cluster.pk], direct_holders(cluster, now=now)
    told = f"{cluster} runs on {active.host.name} now; its address at the gateway is the same."
    ends = (
        f"{cluster} runs on {active.host.name} now. Your direct kubeconfig leads to where it was, and works no more: "
        "fetch a new one."
    )
    others = [owner for owner in owners if owner.pk not in {holder.pk for holder in holders}]
    again = f"marina kubeconfig {cluster.name} --project {cluster.project} --direct"
    return [
        _message(cluster, others, told, f"marina op get {operation.pk}"),
        _message(cluster, holders, ends, again),
    ]


def _message(cluster: VirtualCluster, recipients: list[User], text: str, command: str) -> Message:
    return Message(
        recipients=recipients, about=about_cluster(cluster), text=text, link=cluster_link(cluster), command=command
    )
