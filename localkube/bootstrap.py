"""What a fresh host holds before anybody uses it: a node, a default storage class, an ingress class, kwok's kinds."""

import asyncio
from importlib.resources import files

import yaml

from localkube.api import ApiError, KubeApi, Object

STORAGE_CLASS = "standard"
INGRESS_CLASS = "nginx"
_CAPACITY = {"cpu": "512", "memory": "2Ti", "ephemeral-storage": "4Ti", "pods": "20000"}


def node_name(host: str) -> str:
    return f"{host}-node"


async def furnish(api: KubeApi, *, host: str, kubelet_port: int, version: str) -> None:
    """Makes what is missing; a host that was started before keeps what people changed."""
    await asyncio.gather(
        _node(api, host, kubelet_port, version),
        *(_ensure(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", kind) for kind in _kwok_kinds()),
        _ensure(api, "/apis/storage.k8s.io/v1/storageclasses", _storage_class()),
        _ensure(api, "/apis/networking.k8s.io/v1/ingressclasses", _ingress_class()),
        _system_secret(api),
    )


async def _ensure(api: KubeApi, path: str, wanted: Object) -> None:
    try:
        await api.create(path, wanted)
    except ApiError as error:
        if error.status != 409:
            raise


async def _node(api: KubeApi, host: str, kubelet_port: int, version: str) -> None:
    """Ready from the start: kwok keeps it so, and nobody has to wait for its first word."""
    name = node_name(host)
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    await _ensure(api, "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    await api.patch(f"/api/v1/nodes/{name}/status", {"status": node_status(name, version, kubelet_port)})
    await api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})  # put there at creation: not ready yet


def node_status(name: str, version: str, kubelet_port: int) -> Object:
    """The status of a node that is ready and roomy. Its kubelet listens on 127.0.0.1:kubelet_port."""
    pressures = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [{"type": name, "status": "False", "reason": "Kubelet", "message": ""} for name in pressures]
    conditions.append({"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "no container runs"})
    return {
        "conditions": conditions,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        "capacity": _CAPACITY,
        "allocatable": _CAPACITY,
        "nodeInfo": {
            "architecture": "amd64",
            "operatingSystem": "linux",
            "kubeletVersion": f"v{version}",
            "kubeProxyVersion": f"v{version}",
            "containerRuntimeVersion": "localkube://none",
            "osImage": "localkube (no container runs)",
            "kernelVersion": "",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }


def _storage_class() -> Object:
    """Every claim gets a volume of its own (volumes.py), at once: none is mounted, so no node matters.

    With WaitForFirstConsumer the scheduler and the volume controller race to bind, and a pod that loses waits 1 s.
    """
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
    }


def _ingress_class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": INGRESS_CLASS},
        "spec": {"controller": "localkube.marina.dev/none"},
    }


async def _system_secret(api: KubeApi) -> None:
    """Something in kube-system worth stealing, for tests that show who cannot read it."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
    await _ensure(api, "/api/v1/namespaces", namespace)
    metadata = {"name": "localkube-secret", "namespace": "kube-system"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"secret": "of the host"}}
    await _ensure(api, "/api/v1/namespaces/kube-system/secrets", secret)


def _kwok_kinds() -> list[Object]:
    """By which a host's administrator tells what logs, exec, attach and port-forward of a pod lead to."""
    return list(yaml.safe_load_all((files("localkube") / "stages" / "kwok-crds.yaml").read_text()))
