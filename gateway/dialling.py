"""One connection to a virtual API: by its published address where that answers, else by a port-forward."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from urllib3.util import parse_url

from gateway import metrics
from gateway.unreachable import Failures, Unreachable, reason_of
from provisioning.drivers.road import Road
from provisioning.drivers.streams.dial import connect, tls_to
from provisioning.drivers.streams.forward import forward
from provisioning.drivers.streams.tls import TlsStream
from provisioning.engine.errors import StepError

log = structlog.get_logger(__name__)

ROAD_SECONDS: Final = 60.0
"""How long a way that was found is taken again without asking the host; one that fails is forgotten at once."""
ENDPOINT_AGAIN_SECONDS: Final = 60.0
"""A published address that did not answer is not tried for so long; the port-forward always leads there."""
ENDPOINT_CONNECT_SECONDS: Final = 2.0
WAY_SECONDS: Final = 15.0
"""For the host to say where the control plane is; others who ask the same host wait for their turn in it."""

RoadFinder = Callable[[], Awaitable[Road]]


@dataclass(frozen=True)
class Dialled:
    """`detour`: by a port-forward, although there is a published address."""

    stream: TlsStream
    detour: bool


class Dialler:
    """Of one placement and one generation of its host's credential."""

    def __init__(self, find_road: RoadFinder, *, endpoint: str, name: str, host: str) -> None:
        self._find_road = find_road
        self._endpoint = endpoint
        self._name = name
        self._host = host
        self._road: Road | None = None
        self._road_found = 0.0
        self._endpoint_failed = -ENDPOINT_AGAIN_SECONDS
        self._failures = Failures(name)

    async def dial(self, protocol: str) -> Dialled:
        """A connection that speaks `h2` or `http/1.1`. Unreachable where there is none to be had."""
        for attempt in (1, 2):
            kept, began = self._road is not None, time.monotonic()
            try:
                async with asyncio.timeout(WAY_SECONDS):
                    road = await self._way()
                async with asyncio.timeout(road.timeouts.connect + road.timeouts.read):
                    made = await self._over(road, protocol)
            except (OSError, StepError) as error:
                self._road = None
                metrics.DIALS.labels(reason_of(error)).inc()
                # the pod may have been replaced, and its certificate with it: once more by a way found anew
                if kept and attempt == 1:
                    continue
                raise self.unreachable(error) from error
            except Unreachable as error:
                metrics.DIALS.labels(error.reason).inc()
                raise
            metrics.DIALS.labels("made").inc()
            metrics.DIAL_SECONDS.observe(time.monotonic() - began)
            return made
        raise AssertionError("the second attempt returns or raises")

    def unreachable(self, error: Exception) -> Unreachable:
        """What is told of this error."""
        return self._failures.unreachable(error, host=self._host)

    @property
    def endpoint_due(self) -> bool:
        """Whether the published address is to be tried."""
        return bool(self._endpoint) and time.monotonic() - self._endpoint_failed >= ENDPOINT_AGAIN_SECONDS

    async def endpoint_answers(self) -> bool:
        """Tries it, for who goes by a port-forward meanwhile."""
        try:
            async with asyncio.timeout(2 * ENDPOINT_CONNECT_SECONDS):
                (await self._published(await self._way(), "h2")).close()
        except (OSError, StepError, Unreachable):
            self._endpoint_failed = time.monotonic()
            return False
        return True

    async def _way(self) -> Road:
        if self._road is None or time.monotonic() - self._road_found > ROAD_SECONDS:
            self._road, self._road_found = await self._find_road(), time.monotonic()
        return self._road

    async def _over(self, road: Road, protocol: str) -> Dialled:
        if self.endpoint_due:
            try:
                return Dialled(await self._published(road, protocol), detour=False)
            except OSError as error:
                self._endpoint_failed = time.monotonic()
                log.info("published endpoint does not answer", cluster=self._name, error=str(error))
        below = await forward(road.host, namespace=road.namespace, pod=road.pod, port=road.port)
        context, hostname = _trust(road, protocol)
        return Dialled(_speaking(protocol, await tls_to(below, context, hostname)), detour=bool(self._endpoint))

    async def _published(self, road: Road, protocol: str) -> TlsStream:
        url = parse_url(self._endpoint)
        async with asyncio.timeout(ENDPOINT_CONNECT_SECONDS):
            below = await connect((url.host or "").strip("[]"), url.port or 443)
            return _speaking(protocol, await tls_to(below, *_trust(road, protocol)))


def _trust(road: Road, protocol: str) -> tuple[ssl.SSLContext, str]:
    """What the other side has to prove: the cluster's own CA stands behind it, and it has its name."""
    route = road.virtual(protocol)
    return route.ssl_context, route.server_hostname or "localhost"


def _speaking(protocol: str, stream: TlsStream) -> TlsStream:
    """The stream, if the server agreed to the protocol; ConnectionError if not: its words could not be understood."""
    if protocol == "h2" and stream.protocol != protocol:
        stream.close()
        raise ConnectionAbortedError("it does not speak HTTP/2")
    return stream
