"""What a control plane's pod tells about the virtual cluster it belongs to."""

import base64
from dataclasses import dataclass
from typing import Any

import yaml

from localkube.api import KubeApi, Object


@dataclass(frozen=True)
class Release:
    """One installed vcluster, as its pod sees it."""

    name: str
    namespace: str
    service_account: str
    node: str
    service_uid: str
    cluster_ip: str
    values: Object
    """The Helm values it was installed with, from secret vc-config-NAME."""

    def value(self, *path: str) -> Any:
        """The value at that path, None when any part of it is not there."""
        found: Any = self.values
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def owner(self) -> Object:
        """What vcluster makes belongs to its Service, so that it goes with it."""
        return {"apiVersion": "v1", "kind": "Service", "name": self.name, "uid": self.service_uid}


def is_control_plane(pod: Object) -> bool:
    """A pod of a vcluster's StatefulSet; not a tenant's pod that merely bears the same label."""
    metadata = pod["metadata"]
    labels = metadata.get("labels", {})
    owners = {owner["kind"] for owner in metadata.get("ownerReferences", [])}
    return "release" in labels and "vcluster.loft.sh/managed-by" not in labels and "StatefulSet" in owners


async def read_release(api: KubeApi, pod: Object) -> Release:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["labels"]["release"]
    path = f"/api/v1/namespaces/{namespace}"
    service = await api.get(f"{path}/services/{name}")
    config = await api.get(f"{path}/secrets/vc-config-{name}")
    return Release(
        name=name,
        namespace=namespace,
        service_account=pod["spec"]["serviceAccountName"],
        node=pod["spec"]["nodeName"],
        service_uid=service["metadata"]["uid"],
        cluster_ip=service["spec"].get("clusterIP", ""),
        values=_config(config),
    )


def _config(secret: Object) -> Object:
    text = base64.b64decode(secret.get("data", {}).get("config.yaml", ""))
    return yaml.safe_load(text) or {}


def kubernetes_version(pod: Object) -> str:
    """From the tag of the init container `kubernetes`, which brings the API server: `1.36.3` of `...:v1.36.3`."""
    for container in pod["spec"].get("initContainers", []):
        if container["name"] == "kubernetes":
            return str(container["image"].rpartition(":")[2].removeprefix("v"))
    return ""


def claim_name(pod: Object) -> str | None:
    """The claim that holds the data, None when the data is not kept."""
    for volume in pod["spec"].get("volumes", []):
        if volume["name"] == "data" and "persistentVolumeClaim" in volume:
            return str(volume["persistentVolumeClaim"]["claimName"])
    return None
