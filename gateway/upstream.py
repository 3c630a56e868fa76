"""The connections to one virtual API: few for ordinary requests together, one for each upgraded stream."""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from urllib3.util import parse_url

from gateway import metrics
from gateway.http2 import Exchange, Headers, Http2Connection
from provisioning.drivers.road import Road
from provisioning.drivers.streams.byte_stream import ByteStream
from provisioning.drivers.streams.dial import connect, tls_to
from provisioning.drivers.streams.forward import forward
from provisioning.drivers.streams.tls import TlsStream
from provisioning.engine.errors import StepError
from provisioning.steps.kubeconfig import CLUSTER_ROLES
from provisioning.steps.names import MANAGED_BY, MARINA

log = structlog.get_logger(__name__)

AUTHORITY: Final = "localhost:8443"
ROAD_SECONDS: Final = 60.0
"""How long a way that was found is taken again without asking the host; one that fails is forgotten at once."""
ENDPOINT_AGAIN_SECONDS: Final = 60.0
"""A published address that did not answer is not tried for so long; the port-forward always leads there."""
ENDPOINT_CONNECT_SECONDS: Final = 2.0
PING_SECONDS: Final = 5.0
UNANSWERED_SECONDS: Final = 12.0
"""A connection of which nothing was heard for so long after a ping is dead."""
IDLE_SECONDS: Final = 300.0
ROLES_SECONDS: Final = 300.0
ROLES_DOUBTED_SECONDS: Final = 5.0
"""After somebody was told that they may not, the bindings are looked after this often at most."""
WAY_SECONDS: Final = 15.0
"""For the host to say where the control plane is; others who ask the same host wait for their turn in it."""
READY_SECONDS: Final = 8.0
_READY_AGAIN: Final = 0.25
_TRIES: Final = 5

RoadFinder = Callable[[], Awaitable[Road]]


class Unreachable(Exception):
    """The virtual API is not to be had now. `reason` is one word for metrics; the message is fit for the user."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class Upstream:
    """Of one placement and one generation of its host's credential."""

    def __init__(self, find_road: RoadFinder, *, endpoint: str, name: str) -> None:
        self._find_road = find_road
        self._endpoint = endpoint
        self._name = name
        self._road: Road | None = None
        self._road_found = 0.0
        self._endpoint_failed = -ENDPOINT_AGAIN_SECONDS
        self._connections: list[Http2Connection] = []
        self._alive: set[Http2Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialling: asyncio.Task[Http2Connection] | None = None
        self._roles_kept = -ROLES_SECONDS
        self.used = time.monotonic()
        self.closed = False

    # --- for requests ---------------------------------------------------------------------------------------------

    async def request(self, method: bytes, path: bytes, headers: Headers, *, has_body: bool) -> Exchange:
        """Sends a request's head over a shared connection. Unreachable where there is none to be had."""
        self.used = time.monotonic()
        for _ in range(_TRIES):  # a new one may be full, or gone, by the time its turn comes
            connection = next((each for each in self._connections if each.has_room), None) or await self._another()
            if connection.has_room:
                return connection.request(method, path, headers, has_body=has_body)
        raise Unreachable(f"The API server of {self._name} ends its connections at once.", reason="unreachable")

    async def _another(self) -> Http2Connection:
        """One more connection; all who need one at the same time get the same."""
        if self._dialling is None:
            self._dialling = asyncio.create_task(self._dial_http2())
            self._dialling.add_done_callback(self._dialled)
        return await asyncio.shield(self._dialling)

    def _dialled(self, task: asyncio.Task[Http2Connection]) -> None:
        self._dialling = None
        if not task.cancelled():
            task.exception()  # whoever waits for it hears of it; perhaps nobody does any more

    async def _dial_http2(self) -> Http2Connection:
        connection = Http2Connection(await self._dial("h2"), authority=AUTHORITY)
        await connection.start()
        self._alive.add(connection)
        task = asyncio.create_task(self._run(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await _until_ready(connection)
            if self._roles_due(ROLES_SECONDS):
                await self._keep_roles(connection)
        except (OSError, TimeoutError) as error:
            connection.close(ConnectionAbortedError("It was not ready."))
            raise self._unreachable(error) from error
        self._connections.append(connection)
        return connection

    async def _run(self, connection: Http2Connection) -> None:
        try:
            await connection.run()
        finally:
            self._alive.discard(connection)
            self._connections = [each for each in self._connections if each is not connection]

    async def stream(self) -> ByteStream:
        """A connection of its own that speaks HTTP/1.1, for one upgraded stream. Unreachable as above."""
        self.used = time.monotonic()
        return await self._dial("http/1.1")

    # --- dialling -------------------------------------------------------------------------------------------------

    async def _dial(self, protocol: str) -> TlsStream:
        for attempt in (1, 2):
            kept, began = self._road is not None, time.monotonic()
            try:
                async with asyncio.timeout(WAY_SECONDS):
                    road = await self._way()
                async with asyncio.timeout(road.timeouts.connect + road.timeouts.read):
                    stream = await self._over(road, protocol)
            except (OSError, StepError) as error:
                self._road = None
                metrics.DIALS.labels("failed").inc()
                # the pod may have been replaced, and its certificate with it: once more by a way found anew
                if kept and attempt == 1:
                    continue
                raise self._unreachable(error) from error
            metrics.DIALS.labels("made").inc()
            metrics.DIAL_SECONDS.observe(time.monotonic() - began)
            return stream
        raise AssertionError("the second attempt returns or raises")

    def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, StepError):
            return Unreachable(error.message, reason=error.code)
        reason = "timeout" if isinstance(error, TimeoutError) else "unreachable"
        # what went wrong names addresses and pods of the host, which are no tenant's business
        log.info("a virtual API cannot be reached", cluster=self._name, reason=reason, error=str(error))
        return Unreachable(f"The API server of {self._name} cannot be reached.", reason=reason)

    async def _way(self) -> Road:
        if self._road is None or time.monotonic() - self._road_found > ROAD_SECONDS:
            self._road, self._road_found = await self._find_road(), time.monotonic()
        return self._road

    async def _over(self, road: Road, protocol: str) -> TlsStream:
        route = road.virtual(protocol)
        hostname = route.server_hostname or "localhost"
        if self._endpoint and time.monotonic() - self._endpoint_failed >= ENDPOINT_AGAIN_SECONDS:
            try:
                return _speaking(protocol, await self._published(route.ssl_context, hostname))
            except OSError as error:
                self._endpoint_failed = time.monotonic()
                log.info("published endpoint does not answer", cluster=self._name, error=str(error))
        below = await forward(road.host, namespace=road.namespace, pod=road.pod, port=road.port)
        return _speaking(protocol, await tls_to(below, route.ssl_context, hostname))

    async def _published(self, context: ssl.SSLContext, hostname: str) -> TlsStream:
        url = parse_url(self._endpoint)
        async with asyncio.timeout(ENDPOINT_CONNECT_SECONDS):
            below = await connect((url.host or "").strip("[]"), url.port or 443)
            return await tls_to(below, context, hostname)

    # --- what Marina keeps inside ---------------------------------------------------------------------------------

    def doubt_roles(self) -> None:
        """Somebody was told that they may not: perhaps a tenant has taken away what Marina's levels are bound to."""
        self._look_after_roles(ROLES_DOUBTED_SECONDS)

    def _look_after_roles(self, seconds: float) -> None:
        connection = next((each for each in self._connections if each.has_room), None)
        if connection is not None and self._roles_due(seconds):
            task = asyncio.create_task(self._keep_roles(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _roles_due(self, seconds: float) -> bool:
        return time.monotonic() - self._roles_kept >= seconds

    async def _keep_roles(self, connection: Http2Connection) -> None:
        """The bindings of Marina's levels: a tenant may have deleted them, or the cluster is older than the gateway."""
        self._roles_kept = time.monotonic()
        try:
            async with asyncio.timeout(_ROLES_PATIENCE):
                for name, manifest in LEVEL_BINDINGS.items():
                    status = await self._apply(connection, name, manifest)
                    if status == _INVALID:  # bound to another role, which cannot be changed
                        await _inside(connection, b"DELETE", f"{_BINDINGS}/{name}", b"")
                        status = await self._apply(connection, name, manifest)
                    if status >= 300:
                        log.warning("a level's binding was refused", cluster=self._name, binding=name, status=status)
        except (OSError, TimeoutError) as error:
            log.warning("the levels' bindings could not be kept", cluster=self._name, error=str(error))

    async def _apply(self, connection: Http2Connection, name: str, manifest: dict[str, object]) -> int:
        path = f"{_BINDINGS}/{name}?fieldManager=marina&force=true"
        return await _inside(connection, b"PATCH", path, json.dumps(manifest).encode())

    # --- its life -------------------------------------------------------------------------------------------------

    def tend(self) -> None:
        """Now and then: asks silent connections whether they live, ends dead and unneeded ones."""
        now = time.monotonic()
        for connection in list(self._connections):
            silent = connection.silent_for()
            if connection.unanswered_for() > UNANSWERED_SECONDS:
                connection.close(ConnectionResetError(f"Nothing was heard of {self._name} for {int(silent)} s."))
            elif silent > PING_SECONDS:
                connection.ping()
            if not connection.open_exchanges and (self.closed or now - self.used > IDLE_SECONDS):
                connection.retire()
        self._look_after_roles(ROLES_SECONDS)

    @property
    def idle(self) -> bool:
        """Whether it holds nothing that would be missed."""
        return not self._connections and time.monotonic() - self.used > IDLE_SECONDS

    @property
    def dialling(self) -> bool:
        """Whether a connection is on its way, which somebody has to end as well."""
        return self._dialling is not None

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def retire(self) -> None:
        """It is old: what is under way may end, nothing new begins."""
        self.closed = True
        for connection in list(self._connections):
            connection.retire()

    async def close(self) -> None:
        self.closed = True
        for connection in list(self._alive):
            connection.close(ConnectionAbortedError("The gateway stops."))
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task


_BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_INVALID: Final = 422
_ROLES_PATIENCE: Final = 10.0


def _speaking(protocol: str, stream: TlsStream) -> TlsStream:
    """The stream, if the server agreed to the protocol; ConnectionError if not: its words could not be understood."""
    if protocol == "h2" and stream.protocol != protocol:
        stream.close()
        raise ConnectionAbortedError("it does not speak HTTP/2")
    return stream


async def _until_ready(connection: Http2Connection) -> None:
    """An API server that has just begun refuses everybody whose rights it has not read yet; it says so itself.

    One that is not ready for long is asked all the same: it may still answer what people want to know of it.
    """
    deadline = time.monotonic() + READY_SECONDS
    async with asyncio.timeout(2 * READY_SECONDS):
        while await _inside(connection, b"GET", "/readyz", b"") >= 500 and time.monotonic() < deadline:
            await asyncio.sleep(_READY_AGAIN)


async def _inside(connection: Http2Connection, method: bytes, path: str, body: bytes) -> int:
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
