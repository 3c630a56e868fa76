"""How the loss of a host is set in motion. It answers all the while: a worker is to be killed, not kept waiting."""

from django.utils import timezone

from clusters.models import HostCluster, Operation, OperationKind, Placement, VirtualCluster
from clusters.services.exports import export_start
from clusters.services.lost_hosts import host_lost
from tests.faults.crashes.moving import furnished
from tests.faults.crashes.stage import Stage


def recover(stage: Stage) -> Operation:
    """From an export, once what the lost host has is stopped."""
    recovery = _given_up(stage)
    stage.finish(_quarantine(recovery).pk)
    return recovery


def quarantine(stage: Stage) -> Operation:
    """While the cluster is not made again yet."""
    return _quarantine(_given_up(stage))


def _given_up(stage: Stage) -> Operation:
    assert stage.beside
    cluster = furnished(stage)
    _goes_beside(stage, cluster)
    stage.finish(export_start(virtual_cluster=cluster, actor=stage.actor, now=timezone.now()).operation.pk)
    host = Placement.objects.get(virtual_cluster=cluster).host
    said = host_lost(host=host, actor=stage.staff, now=timezone.now(), force=True, reason="Its disks fail.")
    return said.operations[0]


def _goes_beside(stage: Stage, cluster: VirtualCluster) -> None:
    """And to no host of another case."""
    assert stage.beside
    labels = {"case": stage.name}
    HostCluster.objects.filter(pk=stage.beside.host().pk).update(labels=labels)
    VirtualCluster.objects.filter(pk=cluster.pk).update(wanted_host_labels=labels)


def _quarantine(recovery: Operation) -> Operation:
    return Operation.objects.get(virtual_cluster=recovery.virtual_cluster, kind=OperationKind.QUARANTINE)
