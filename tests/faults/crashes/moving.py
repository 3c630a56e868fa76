"""How moves between two hosts are set in motion, with something in the cluster that runs, calls and is written."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from clusters.models import HostCluster, Operation, OperationKind, Placement, PlacementRole, VirtualCluster
from clusters.moving import BACK, TO
from clusters.preflight import CHOICES
from clusters.services.operations import operation_start
from clusters.services.placements import placement_leave
from provisioning.drivers.clients import Clients
from tests.chosen import CHOSEN
from tests.faults.crashes.stage import Stage


def _obj(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def _belongings() -> list[dict[str, Any]]:
    labels = {"app": "web"}
    pod = {"containers": [{"name": "main", "image": "web:1"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    job = {"jobTemplate": {"spec": {"template": {"spec": {**pod, "restartPolicy": "Never"}}}}}
    hook = {
        "name": "hook.shop.test",
        "clientConfig": {"url": "https://hook.shop.test"},
        "objectSelector": {},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return [
        _obj("v1", "Namespace", "shop"),
        _obj("v1", "ConfigMap", "settings", "shop", data={"a": "1"}),
        _obj("v1", "Secret", "door", "shop", type="Opaque", data={"key": "dmFsdWU="}),
        _obj(
            "apps/v1",
            "Deployment",
            "web",
            "shop",
            spec={"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        ),
        _obj("batch/v1", "CronJob", "nightly", "shop", spec={"schedule": "0 1 * * *", "suspend": False, **job}),
        _obj("v1", "Pod", "alone", "shop", spec=pod),
        _obj("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "hook", webhooks=[hook]),
    ]


def furnished(stage: Stage) -> VirtualCluster:
    """Ready on the stage's host, with what a user has in it."""
    cluster = stage.ready_cluster(stage.host())
    placement = Placement.objects.get(virtual_cluster=cluster)
    with Clients().virtual(placement, lambda: None) as virtual:
        for each in _belongings():
            virtual.create(each)
    return cluster


def _asked(stage: Stage, cluster: VirtualCluster, **params: Any) -> Operation:
    with transaction.atomic():
        return operation_start(
            kind=OperationKind.MIGRATE,
            subject=cluster,
            actor=stage.actor,
            now=timezone.now(),
            params={CHOICES: CHOSEN, **params},
        ).operation


def move(stage: Stage) -> Operation:
    """To the host beside."""
    assert stage.beside
    return _asked(stage, furnished(stage), **{TO: str(stage.beside.host().pk)})


def again(stage: Stage, cluster: VirtualCluster) -> Operation:
    """One that did not get there, to the same host."""
    assert stage.beside
    return _asked(stage, cluster, **{TO: str(HostCluster.objects.get(name=f"{stage.name}{stage.beside.row}").pk)})


def move_back(stage: Stage) -> Operation:
    """After something was written where it went."""
    there = move(stage)
    stage.finish(there.pk)
    cluster = VirtualCluster.objects.get(operations=there)
    placement = Placement.objects.get(virtual_cluster=cluster, role=PlacementRole.ACTIVE)
    with Clients().virtual(placement, lambda: None) as virtual:
        virtual.apply(_obj("v1", "ConfigMap", "later", "shop", data={"b": "2"}))
    return _asked(stage, cluster, **{BACK: True})


def remove_placement(stage: Stage) -> Operation:
    """What was retained is of no use any more."""
    there = move(stage)
    stage.finish(there.pk)
    cluster = VirtualCluster.objects.get(operations=there)
    with transaction.atomic():
        placement_leave(
            placement=Placement.objects.get(virtual_cluster=cluster, role=PlacementRole.RETAINED), now=timezone.now()
        )
    return Operation.objects.get(virtual_cluster=cluster, kind=OperationKind.REMOVE_PLACEMENT)
