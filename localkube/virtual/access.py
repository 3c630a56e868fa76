"""The secret vc-NAME, and the other identities of a virtual API server, as vcluster makes them."""

import base64
from pathlib import Path

from localkube import kubeconfig
from localkube.api import KubeApi, Object
from localkube.pki import Authority, Identity, write_private
from localkube.virtual.podstatus import pod_ip
from localkube.virtual.release import Release

SUPER_ADMIN = "kubernetes-super-admin"
_MASTERS = "system:masters"


def serving_names(release: Release, pod_uid: str) -> list[str]:
    """What the serving certificate is valid for."""
    name, namespace = release.name, release.namespace
    extra = release.value("controlPlane", "proxy", "extraSANs") or []
    internal = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    addresses = [ip for ip in (release.cluster_ip, pod_ip(pod_uid)) if ip not in ("", "None")]
    return ["localhost", "127.0.0.1", name, f"{name}.{namespace}", *addresses, *internal, *map(str, extra)]


def super_admin(authority: Authority) -> tuple[Identity, tuple[Path, Path]]:
    """The syncer's identity, which is the secret's: made anew at each start of the pod."""
    certificate, key = authority.issue_files("super-admin", SUPER_ADMIN, groups=[_MASTERS])
    return Identity(certificate.read_bytes(), key.read_bytes()), (certificate, key)


def controller_manager_kubeconfig(authority: Authority, server: str) -> Path:
    identity = authority.issue("system:kube-controller-manager")
    path = authority.folder / "controller-manager.kubeconfig"
    text = _kubeconfig(authority, identity, server, "system:kube-controller-manager", "kubernetes")
    write_private(path, text.encode())
    return path


async def publish_secret(host: KubeApi, release: Release, authority: Authority, identity: Identity) -> None:
    """Writes secret vc-NAME into the host namespace, before the virtual API answers as after."""
    server = release.value("exportKubeConfig", "server") or "https://localhost:8443"
    context = release.value("exportKubeConfig", "context") or f"{SUPER_ADMIN}@kubernetes"
    content = {
        "config": _kubeconfig(authority, identity, server, SUPER_ADMIN, context).encode(),
        "certificate-authority": authority.certificate,
        "client-certificate": identity.certificate,
        "client-key": identity.key,
        "token": b"",
    }
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"vc-{release.name}", "ownerReferences": [release.owner()]},
        "data": {key: base64.b64encode(value).decode() for key, value in content.items()},
    }
    await host.apply(f"/api/v1/namespaces/{release.namespace}/secrets/vc-{release.name}", secret)


def _kubeconfig(authority: Authority, identity: Identity, server: str, user: str, context: str) -> str:
    return kubeconfig.with_certificate(
        server=server,
        authority=authority.certificate,
        identity=identity,
        cluster="kubernetes",
        user=user,
        context=context,
    )
