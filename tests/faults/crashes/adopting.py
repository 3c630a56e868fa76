"""A virtual cluster that somebody else installed with helm, and what can be asked for about it."""

import tempfile
from pathlib import Path

from django.utils import timezone

from clusters.models import DiscoveredCluster, HostCluster, Operation, VirtualCluster
from clusters.services.configuring import virtual_cluster_configure
from clusters.services.discovered import discovered_adopt
from clusters.services.virtual_clusters import virtual_cluster_delete
from dev.waiting import wait_until
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kinds import POD, SECRET
from provisioning.inventory import inventory_note
from tests.conftest import LOCAL_CHART
from tests.faults.crashes.stage import Stage

RELEASE = "theirs"
THEIR_VALUES = {"controlPlane": {"statefulSet": {"labels": {"team": "theirs"}}}}


def adopt(stage: Stage) -> Operation:
    """Found on the host, and not adopted yet."""
    found = _found(stage, stage.host())
    return discovered_adopt(
        discovered=found,
        project=stage.world.payments,
        actor=stage.staff,
        now=timezone.now(),
        name=stage.name,
        owner=stage.world.olivia,
    ).operation


def configure_adopted(stage: Stage) -> Operation:
    """The first operation after an adoption, which tells what it changes."""
    return virtual_cluster_configure(virtual_cluster=_adopted(stage), actor=stage.actor, now=timezone.now()).operation


def delete_adopted(stage: Stage) -> Operation:
    """In a namespace that stays, which gets its labels back."""
    return virtual_cluster_delete(virtual_cluster=_adopted(stage), actor=stage.actor, now=timezone.now()).operation


def _adopted(stage: Stage) -> VirtualCluster:
    operation = adopt(stage)
    stage.finish(operation.pk)
    assert operation.virtual_cluster
    operation.virtual_cluster.refresh_from_db()
    return operation.virtual_cluster


def _found(stage: Stage, host: HostCluster) -> DiscoveredCluster:
    """Installed by the host's administrator, ready, and noted by a survey of the host."""
    stage.given_namespace_make()
    with tempfile.TemporaryDirectory() as folder:
        helm = HelmClient(stage.helm, stage.admin, Path(folder))
        helm.upgrade_install(RELEASE, LOCAL_CHART, stage.given_namespace, THEIR_VALUES, 60)
    wait_until(lambda: _ready(stage), seconds=60, what="their virtual cluster did not get ready")
    inventory_note(host=host, kube=stage.kube, now=timezone.now())
    return DiscoveredCluster.objects.get(host=host, namespace=stage.given_namespace)


def _ready(stage: Stage) -> bool:
    if stage.kube.get(SECRET, f"vc-{RELEASE}", stage.given_namespace) is None:
        return False
    pod = stage.kube.get(POD, f"{RELEASE}-0", stage.given_namespace)
    conditions = pod["status"].get("conditions") or [] if pod else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
