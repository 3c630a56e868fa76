"""How `restore` is set in motion: an export of more than the cluster has, read back into the cluster it is of."""

from typing import Any
from zlib import crc32

from django.utils import timezone

from clusters.models import Operation, Placement, VirtualCluster
from clusters.services.restoring import restore_into
from provisioning.drivers.clients import Clients
from tests.clusters.exported import export_of
from tests.faults.crashes.stage import Stage

_RBAC = "rbac.authorization.k8s.io"


def _obj(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> dict[str, Any]:
    number = crc32(f"{kind}/{name}".encode())
    uid = f"00000000-0000-4000-8000-{number:012d}"
    meta = {"name": name, "uid": uid, **({"namespace": namespace} if namespace else {}), **parts.pop("meta", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def _objects() -> list[dict[str, Any]]:
    settings = _obj("v1", "ConfigMap", "settings", "shop", data={"a": "1"})
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "uid": settings["metadata"]["uid"]}
    ended = {"conditions": [{"type": "Complete", "status": "True"}]}
    return [
        _obj("v1", "ConfigMap", "derived", "shop", data={"b": "2"}, meta={"ownerReferences": [owner]}),
        settings,
        _obj("v1", "Namespace", "shop", meta={"labels": {"kubernetes.io/metadata.name": "shop"}}),
        _obj("v1", "Secret", "door", "shop", type="Opaque", data={"key": "dmFsdWU="}),
        _obj(f"{_RBAC}/v1", "ClusterRole", "reads", rules=[]),
        _obj("batch/v1", "Job", "done", "shop", spec={}, status=ended),
        _obj("unknown.example.com/v1", "Gadget", "nobody-knows", "shop"),
    ]


def restore_into_its_own(stage: Stage) -> Operation:
    """Nothing of it is there."""
    return _restore(stage, stage.ready_cluster(stage.host()))


def restore_overwriting(stage: Stage) -> Operation:
    """Somebody has one of the objects, another than was exported, and it is to be as it was."""
    cluster = stage.ready_cluster(stage.host())
    placement = Placement.objects.get(virtual_cluster=cluster)
    with Clients().virtual(placement, lambda: None) as virtual:
        virtual.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        meta = {"name": "settings", "namespace": "shop"}
        virtual.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "other", "more": "x"}})
    return _restore(stage, cluster, overwrite=True)


def _restore(stage: Stage, cluster: VirtualCluster, **how: bool) -> Operation:
    export = export_of(cluster, _objects())
    return restore_into(export=export, virtual_cluster=cluster, actor=stage.actor, now=timezone.now(), **how).operation
