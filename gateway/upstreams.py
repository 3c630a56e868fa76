"""All virtual APIs that this gateway has connections to, by placement."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from gateway import metrics
from gateway.database import DatabaseAway, asked
from gateway.dialling import RoadFinder
from gateway.targets import Target
from gateway.unreachable import Unreachable
from gateway.upstream import Upstream
from provisioning.drivers.road import Road

TEND_SECONDS = 5.0


class Upstreams:
    """One a process. Roads are found in threads of their own: a silent host holds up none of the database's."""

    def __init__(self, find_road: Callable[[UUID], Road], *, threads: int = 32, per_host: int = 2) -> None:
        self._find_road = find_road
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="roads")
        self._per_host = per_host
        self._turns: dict[UUID, asyncio.Semaphore] = {}
        self._open: dict[UUID, tuple[tuple[UUID, int], str, Upstream]] = {}
        self._retired: list[Upstream] = []

    def of(self, target: Target) -> Upstream:
        """The one for where the cluster is now. What led elsewhere takes nothing new."""
        known = self._open.get(target.cluster_id)
        if known is not None and known[:2] == (target.key, target.endpoint):
            return known[2]
        if known is not None:
            known[2].retire()
            self._retired.append(known[2])
        upstream = Upstream(self._finder(target), endpoint=target.endpoint, name=target.name, host=target.host_name)
        self._open[target.cluster_id] = (target.key, target.endpoint, upstream)
        return upstream

    def moved(self, target: Target) -> None:
        """The cluster is there now: connections to where it was end as soon as nothing is under way on them."""
        if target.cluster_id in self._open:
            self.of(target)

    def _finder(self, target: Target) -> RoadFinder:
        turn = self._turns.setdefault(target.host_id, asyncio.Semaphore(self._per_host))

        async def find() -> Road:
            async with turn:
                return await asyncio.get_running_loop().run_in_executor(self._pool, self._asked, target.key[0])

        return find

    def _asked(self, placement_id: UUID) -> Road:
        try:
            return asked(self._find_road, placement_id)
        except DatabaseAway:
            raise Unreachable("Marina's database does not answer.", reason="database") from None
        except ObjectDoesNotExist:
            raise Unreachable("It is not where it was a moment ago.", reason="moved") from None

    async def tend(self) -> None:
        """Keeps them in order until it is cancelled."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            for cluster_id, (_, _, upstream) in list(self._open.items()):
                upstream.tend()
                if upstream.idle:
                    del self._open[cluster_id]
            self._retired = [upstream for upstream in self._retired if upstream.open_connections or upstream.dialling]
            for upstream in self._retired:
                upstream.tend()
            metrics.UPSTREAM_CONNECTIONS.set(sum(each.open_connections for each in self._all()))

    def _all(self) -> list[Upstream]:
        return [*(each[2] for each in self._open.values()), *self._retired]

    async def close(self) -> None:
        for upstream in self._all():
            await upstream.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
