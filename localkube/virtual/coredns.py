"""The DNS deployment of a virtual cluster: its pod is copied to the host and counts against the quota there."""

from localkube.api import KubeApi, Object
from localkube.virtual.release import Release

_LABELS = {"k8s-app": "vcluster-kube-dns"}
_IMAGE = "coredns/coredns:1.12.1"


async def deploy(virtual: KubeApi, release: Release) -> None:
    """As vcluster does on start, unless `controlPlane.coredns.enabled` is false. No name is ever resolved here."""
    if release.value("controlPlane", "coredns", "enabled") is False:
        return
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    await virtual.apply(path, _deployment(release))


def _deployment(release: Release) -> Object:
    settings = release.value("controlPlane", "coredns", "deployment") or {}
    container = {
        "name": "coredns",
        "image": settings.get("image") or _IMAGE,
        "resources": settings.get("resources", {}),
    }
    template = {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system", "labels": _LABELS},
        "spec": {
            "replicas": settings.get("replicas", 1),
            "selector": {"matchLabels": _LABELS},
            "template": template,
        },
    }
