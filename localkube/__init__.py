"""A real Kubernetes on this machine, for the demo and the tests.

`LocalKube` starts hosts: each is a real etcd, API server, controller-manager and scheduler, with kwok in the place of
the kubelet, so that pods become Running although no container runs. On each host a stand-in for vcluster
(`localkube.virtual`, chart in `charts/vcluster`) gives real virtual API servers.

Importing this package costs nothing but the standard library; so does `ensure_tools`.
"""

from typing import TYPE_CHECKING, Any

from localkube.errors import LocalKubeError
from localkube.tools import Tools, ensure_tools

if TYPE_CHECKING:
    from localkube.hosts import LocalHost, LocalKube

__all__ = ["LocalHost", "LocalKube", "LocalKubeError", "Tools", "ensure_tools"]


def __getattr__(name: str) -> Any:
    """`LocalKube` needs the cryptography package, which is not there yet when the tools are built."""
    if name in ("LocalHost", "LocalKube"):
        from localkube import hosts

        return getattr(hosts, name)
    raise AttributeError(name)
