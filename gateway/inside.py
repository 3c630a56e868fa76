"""What Marina does inside a virtual cluster in its own name: sees that it is ready, and keeps the levels' bindings."""

import asyncio
import json
import time
from typing import Final

import structlog

from gateway.exchange import Exchange
from gateway.http2 import Http2Connection
from provisioning.steps.kubeconfig import CLUSTER_ROLES
from provisioning.steps.names import MANAGED_BY, MARINA

log = structlog.get_logger(__name__)

ROLES_SECONDS: Final = 300.0
ROLES_DOUBTED_SECONDS: Final = 5.0
"""After somebody was told that they may not, the bindings are looked after this often at most."""
READY_SECONDS: Final = 8.0
_READY_AGAIN: Final = 0.25
_BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_INVALID: Final = 422
_ROLES_PATIENCE: Final = 10.0
_REVISION_PATIENCE: Final = 10.0
NAMES_ONLY: Final = b"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Of what objects hold, nothing is read."""


def _binding(level: str, role: str) -> dict[str, object]:
    rbac = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"marina:level:{level}", "labels": {MANAGED_BY: MARINA}},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": f"marina:level:{level}"}],
    }


LEVEL_BINDINGS: Final = {f"marina:level:{level}": _binding(level, role) for level, role in CLUSTER_ROLES.items()}
"""What each level gives is the same as with a direct kubeconfig."""


class Roles:
    """The bindings of Marina's levels: a tenant may have deleted them, or the cluster is older than the gateway."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._kept = -ROLES_SECONDS

    def due(self, seconds: float = ROLES_SECONDS) -> bool:
        """Whether they were looked after this long ago."""
        return time.monotonic() - self._kept >= seconds

    async def keep(self, connection: Http2Connection) -> None:
        """Puts them right. What goes wrong is told in the log: nobody waits for it."""
        self._kept = time.monotonic()
        try:
            async with asyncio.timeout(_ROLES_PATIENCE):
                for name, manifest in LEVEL_BINDINGS.items():
                    status = await _apply(connection, name, manifest)
                    if status == _INVALID:  # bound to another role, which cannot be changed
                        await _asked(connection, b"DELETE", f"{_BINDINGS}/{name}", b"")
                        status = await _apply(connection, name, manifest)
                    if status >= 300:
                        log.warning("a level's binding was refused", cluster=self._cluster, binding=name, status=status)
        except (OSError, TimeoutError) as error:
            log.warning("the levels' bindings could not be kept", cluster=self._cluster, error=str(error))


async def until_ready(connection: Http2Connection) -> None:
    """An API server that has just begun refuses everybody whose rights it has not read yet; it says so itself.

    One that is not ready for long is asked all the same: it may still answer what people want to know of it.
    """
    deadline = time.monotonic() + READY_SECONDS
    async with asyncio.timeout(2 * READY_SECONDS):
        while await _asked(connection, b"GET", "/readyz", b"") >= 500 and time.monotonic() < deadline:
            await asyncio.sleep(_READY_AGAIN)


async def revision_told(exchange: Exchange) -> int | None:
    """The version of a list that was asked for in Marina's own name; None where the answer is none."""
    try:
        async with asyncio.timeout(_REVISION_PATIENCE):
            status, _ = await exchange.head()
            body = b""
            while status == 200 and (part := await exchange.read()):
                body += part
    finally:
        exchange.cancel()
    try:
        return int(json.loads(body)["metadata"]["resourceVersion"])
    except (ValueError, TypeError, KeyError):
        return None


async def _apply(connection: Http2Connection, name: str, manifest: dict[str, object]) -> int:
    path = f"{_BINDINGS}/{name}?fieldManager=marina&force=true"
    return await _asked(connection, b"PATCH", path, json.dumps(manifest).encode())


async def _asked(connection: Http2Connection, method: bytes, path: str, body: bytes) -> int:
    """The status of one small request in Marina's own name."""
    headers = ((b"content-type", b"application/apply-patch+yaml"), (b"accept", b"application/json"))
    exchange = connection.request(method, path.encode(), headers, has_body=bool(body))
    try:
        if body:
            await exchange.send(body)
            await exchange.end()
        status, _ = await exchange.head()
        return status
    finally:
        exchange.cancel()
