"""The one way to host clusters and to the virtual APIs inside them: clients of the official library, built by hand."""

from collections import OrderedDict
from threading import Lock
from typing import Any

import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.util.ssltransport import SSLTransport

from clusters.connection import HostConnection
from provisioning.drivers.portforward import ForwardedSocket, port_forward
from provisioning.drivers.route import Route, Timeouts, route_to

VIRTUAL_API_PORT = 8443


class ApiConnection(ApiClient):
    """An ApiClient that knows its route. Thread-safe."""

    def __init__(self, route: Route, pool_manager: urllib3.PoolManager) -> None:
        configuration = Configuration(host=route.server, retries=False)
        configuration.proxy = None  # the library would take one from this machine's environment
        super().__init__(configuration)
        self.rest_client.pool_manager = pool_manager
        self.default_headers = {"User-Agent": "marina", "Accept": "application/json", **route.headers()}
        self.route = route

    def close(self) -> None:
        """End its idle connections now. For who is its only user: a call under way in another thread may fail."""
        pools = self.rest_client.pool_manager.pools
        for key in list(pools.keys()):
            if pool := pools.get(key):
                pool.close()
        self.retire()

    def retire(self) -> None:
        """End its connections as soon as no call uses them. Who still has it may go on calling."""
        super().close()  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"<ApiConnection to {self.route.target}>"


class HostTransport:
    """Clients of host clusters, one for each host and credential generation, kept while they are used.

    The least recently used is retired when there are more than `capacity`; one of an older generation at once.
    A client that was handed out goes on working after that.
    """

    def __init__(self, *, capacity: int = 256, timeouts: Timeouts | None = None, keep_connections: bool = True) -> None:
        self._capacity = capacity
        self._timeouts = timeouts or Timeouts()
        self._clients: OrderedDict[tuple[str, int], ApiConnection] = OrderedDict()
        self._lock = Lock()

    def client(self, *, host_id: str, generation: int, connection: HostConnection, name: str = "") -> ApiConnection:
        """The client for this host. `name` is what messages call it. PermanentError if the connection is unusable."""
        key = (str(host_id), generation)
        with self._lock:
            if key in self._clients:
                self._clients.move_to_end(key)
                return self._clients[key]
        made = connection_open(connection, target=f"host {name or connection.server}", timeouts=self._timeouts)
        with self._lock:
            kept = self._clients.setdefault(key, made)
            leaving = self._leaving(key)
        for client in leaving:
            client.retire()
        return kept

    def _leaving(self, newest: tuple[str, int]) -> list[ApiConnection]:
        host_id, generation = newest
        older = [key for key in self._clients if key[0] == host_id and key[1] < generation]
        leaving = [self._clients.pop(key) for key in older]
        while len(self._clients) > self._capacity:
            leaving.append(self._clients.popitem(last=False)[1])
        return leaving

    def forget(self, host_id: str) -> None:
        """Close the clients of one host: it is gone, or its credential was erased."""
        with self._lock:
            leaving = [self._clients.pop(key) for key in list(self._clients) if key[0] == str(host_id)]
        for client in leaving:
            client.retire()

    def close(self) -> None:
        with self._lock:
            leaving = list(self._clients.values())
            self._clients.clear()
        for client in leaving:
            client.retire()


def connection_open(connection: HostConnection, *, target: str, timeouts: Timeouts | None = None) -> ApiConnection:
    """A client that no cache holds: for a credential that is still to be tried. The caller closes it."""
    route = route_to(connection, target=target, timeouts=timeouts or Timeouts())
    return ApiConnection(route, route.pool_manager())


def virtual_transport(
    host_client: ApiConnection,
    namespace: str,
    pod: str,
    port: int = VIRTUAL_API_PORT,
    *,
    connection: HostConnection,
    name: str = "",
) -> ApiConnection:
    """A client of the virtual API served by a pod, each of its connections a port-forward of its own.

    TLS goes through to the pod and is verified against `connection.ca_pem` for the name localhost (or the
    connection's tls_server_name); `connection.server` is not used. Use it in a `with`: leaving it ends its forwards.
    """
    target = f"virtual cluster {name}" if name else f"the virtual API in pod {namespace}/{pod}"
    timeouts = host_client.route.timeouts
    inner = route_to(connection, target=target, timeouts=timeouts)
    route = Route(
        target=target,
        server=f"https://localhost:{port}",
        timeouts=timeouts,
        ssl_context=inner.ssl_context,
        token=inner.token,
        server_hostname=inner.server_hostname,
    )

    class Connection(_ForwardedConnection):
        def forward(self) -> ForwardedSocket:
            return port_forward(host_client.route, namespace=namespace, pod=pod, port=port)

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Connection

    manager = route.pool_manager()
    manager.pool_classes_by_scheme = {"https": Pool}
    return ApiConnection(route, manager)


class _ForwardedConnection(HTTPSConnection):
    """urllib3's connection, over a port-forward in place of a TCP connection to its host's address."""

    _forwarded: ForwardedSocket | None = None

    def forward(self) -> ForwardedSocket:
        raise NotImplementedError

    def connect(self) -> None:
        self._forwarded = forwarded = self.forward()
        raw: Any = forwarded
        assert self.ssl_context is not None  # noqa: S101 - a Route always has one
        try:
            tls: Any = SSLTransport(raw, self.ssl_context, server_hostname=self.server_hostname or self.host)
        except BaseException:
            forwarded.close()
            raise
        self.sock = tls
        self.is_verified = True

    @property
    def is_connected(self) -> bool:
        """A pooled connection on which something arrived unasked is on its way to its end."""
        return super().is_connected and not (self._forwarded and self._forwarded.pending())
