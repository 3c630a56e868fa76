"""Kubeconfigs that go through the gateway: one that holds no secret and asks `marina` for tokens, one with a token."""

import base64
from typing import Any, Final

import yaml
from django.conf import settings

from accounts.errors import Conflict
from clusters.gateway_address import gateway_ca_pem, gateway_url_of
from clusters.models import VirtualCluster

EXEC_VERSION: Final = "client.authentication.k8s.io/v1"
INSTALL_HINT: Final = (
    "This kubeconfig asks the command `marina` for tokens, and it is not found. Install it (docs/kubeconfigs.md tells "
    "how), log in with `marina login {server}`, and try again."
)


def gateway_require(cluster: VirtualCluster) -> str:
    """The cluster's address at the gateway. Raises Conflict, which tells what to take instead, where there is none."""
    url = gateway_url_of(cluster)
    if not url:
        raise Conflict(
            f"There is no gateway for {cluster}: neither GATEWAY_URL nor one of its region is set.",
            hint=f"Ask {settings.PLATFORM_CONTACT} to set one up, or take a direct kubeconfig where the project allows "
            f"it: `marina kubeconfig {cluster.name} --direct`.",
            code="no-gateway",
        )
    return url


def exec_kubeconfig(cluster: VirtualCluster, *, level: str = "") -> str:
    """It asks `marina credential` for a token whenever kubectl needs one, of this level or the highest."""
    run: dict[str, Any] = {
        "apiVersion": EXEC_VERSION,
        "command": "marina",
        "args": ["credential", "--cluster", str(cluster.pk), *(["--level", level] if level else [])],
        "env": [{"name": "MARINA_SERVER", "value": settings.PUBLIC_URL}],
        "installHint": INSTALL_HINT.format(server=settings.PUBLIC_URL),
        "interactiveMode": "Never",
        "provideClusterInfo": False,
    }
    return _rendered(cluster, {"exec": run})


def static_kubeconfig(cluster: VirtualCluster, *, token: str) -> str:
    """It holds the token itself, for tools that run no other command."""
    return _rendered(cluster, {"token": token})


def _rendered(cluster: VirtualCluster, user: dict[str, Any]) -> str:
    name = f"marina-{cluster.name}"
    there = {"server": gateway_require(cluster)}
    if ca := gateway_ca_pem():
        there["certificate-authority-data"] = base64.b64encode(ca.encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": there}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False, width=1000)
