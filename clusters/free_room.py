"""How much of a host is free, as its last survey saw it, less what was placed there since.

What was placed and not yet seen counts with what its own pods will ask for, so that many made at once do not all go to
the host that was the emptiest a minute ago. What people will run in it nobody knows yet.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import BooleanField, Count, F, Func, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from clusters.models import HostCluster, Placement
from clusters.sizes import SIZES, Requests

UNSEEN_FOR: Final = timedelta(minutes=10)
"""So long before a survey something may have been placed whose pods that survey did not find; longer, it has none."""

_MIB: Final = 1024**2
_GIB: Final = 1024**3


@dataclass(frozen=True)
class Room:
    """One resource of a host: what its nodes can give, and how much of that nothing asks for."""

    free: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1; below 0 where more is asked for than there is."""
        return self.free / self.total


@dataclass(frozen=True)
class FreeRoom:
    """CPU in millicores, memory in bytes."""

    cpu: Room
    memory: Room
    pods: Room

    @property
    def share(self) -> float:
        """Of what is scarcest."""
        return min(self.cpu.share, self.memory.share, self.pods.share)

    def __str__(self) -> str:
        """What is scarcest: "14 of 16 CPU"."""
        scarcest = min((self.cpu, self.memory, self.pods), key=lambda room: room.share)
        if scarcest is self.cpu:
            return f"{_cores(scarcest.free)} of {_cores(scarcest.total)} CPU"
        if scarcest is self.memory:
            return f"{_gib(scarcest.free)} of {_gib(scarcest.total)} GiB of memory"
        return f"{max(scarcest.free, 0)} of {scarcest.total} pods"

    def lacks(self, needs: Requests) -> str:
        """Why it is too little, in a sentence with the numbers; "" where it is enough."""
        if self.cpu.free < needs.cpu:
            return f"{_cores(self.cpu.free)} CPU free of {_cores(self.cpu.total)}, {_cores(needs.cpu)} needed."
        if self.memory.free < needs.memory * _MIB:
            free, total = _gib(self.memory.free), _gib(self.memory.total)
            return f"{free} GiB of memory free of {total}, {_gib(needs.memory * _MIB)} needed."
        if self.pods.free < needs.pods:
            return f"{max(self.pods.free, 0)} pods free of {self.pods.total}, {needs.pods} needed."
        return ""


def _cores(millicores: int) -> str:
    return f"{round(max(millicores, 0) / 1000, 2):g}"


def _gib(amount: int) -> str:
    return f"{round(max(amount, 0) / _GIB, 1):g}"


def with_capacity(hosts: QuerySet[HostCluster]) -> QuerySet[HostCluster]:
    """With what `room_of` reads: two parts of the capacity, as what each namespace asks for may be long."""
    return hosts.annotate(allocatable=F("capacity__allocatable"), requested=F("capacity__requested"))


def room_of(host: Any, *, unseen: Requests) -> FreeRoom | None:
    """Of a host `with_capacity`, and with what is placed on it unseen. None where its capacity is not known, also

    where no node of it takes pods.
    """
    has, asked = host.allocatable, host.requested
    if not isinstance(has, dict) or not isinstance(asked, dict):
        return None
    coming = {"cpu": unseen.cpu, "memory": unseen.memory * _MIB, "pods": unseen.pods}
    found = {}
    for name, more in coming.items():
        total = has.get(name)
        if not isinstance(total, int) or total <= 0:
            return None
        found[name] = Room(free=total - int(asked.get(name) or 0) - more, total=total)
    return FreeRoom(**found)


def placed_unseen(hosts: QuerySet[HostCluster]) -> Mapping[UUID, Requests]:
    """What is placed on each host and not among what its last survey counted, added up; of each other host nothing."""
    counted = Func(
        F("host__capacity__requested_by_namespace"),
        F("namespace"),
        function="jsonb_exists",
        output_field=BooleanField(),
    )
    since = Q(host__surveyed_at=None) | Q(created_at__gt=F("host__surveyed_at") - UNSEEN_FOR)
    groups = (
        Placement.objects.filter(since, host__in=hosts.order_by().values("pk"))
        .annotate(counted=Coalesce(counted, Value(False)))
        .filter(counted=False)
        .values("host_id", "virtual_cluster__size", "virtual_cluster__replicas")
        .annotate(placed=Count("pk"))
        .order_by()
    )
    found: dict[UUID, Requests] = defaultdict(lambda: Requests(cpu=0, memory=0, pods=0))
    for group in groups:
        size = SIZES.get(group["virtual_cluster__size"])
        if size is not None:
            own, placed = size.own_requests(replicas=group["virtual_cluster__replicas"]), group["placed"]
            sofar = found[group["host_id"]]
            found[group["host_id"]] = Requests(
                cpu=sofar.cpu + placed * own.cpu,
                memory=sofar.memory + placed * own.memory,
                pods=sofar.pods + placed * own.pods,
            )
    return found
