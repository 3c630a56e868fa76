"""On which host a virtual cluster is placed: among those offered to its project, by rules that are told to people."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.errors import InvalidInput
from accounts.models import Project
from clusters.access import hosts_offered
from clusters.free_room import FreeRoom, placed_unseen, room_of, with_capacity
from clusters.models import Breaker, Exposure, HostCluster, HostMode, HostPhase, Placement
from clusters.placement_wish import PlacementWish, Refusal, host_unlike
from clusters.versions import KubernetesVersion, check_host_can_run

TOLD_MOST: Final = 20
"""So many other hosts are told of in a sentence; a list has them all."""

DECIDING: Final = (
    "name",
    "phase",
    "cordoned",
    "lost_at",
    "breaker",
    "conditions",
    "mode",
    "namespaces",
    "region",
    "labels",
    "exposure",
    "kubernetes_version",
)


@dataclass(frozen=True)
class Candidate:
    """A host that fits, with what it is ordered by."""

    host: HostCluster
    placed: int
    room: FreeRoom | None = None
    away: bool = False
    hidden: bool = False
    cramped: bool = False
    """It takes the cluster, but not all that may come to run in it."""

    @property
    def order(self) -> tuple[bool, bool, bool, bool, float, int, str]:
        """The best is the least.

        Those that can take it now come first, as work for a host that does not answer waits; of them those that publish
        an address, as a cluster without one helps nobody by itself; then those with room for all that its size allows;
        then those of which the room is known, with the greatest share of it free; then those with the fewest clusters.
        """
        share = self.room.share if self.room else 0.0
        return (self.away, self.hidden, self.cramped, self.room is None, -share, self.placed, self.host.name)

    @property
    def standing(self) -> str:
        """What it has, and what speaks against it: "14 of 16 CPU free"."""
        count = f"{self.placed} virtual cluster{'' if self.placed == 1 else 's'}"
        parts = [f"{self.room} free" if self.room else f"{count}, free room not known"]
        parts += ["it takes nothing right now"] if self.away else []
        parts += ["it publishes no address"] if self.hidden else []
        parts += ["less than its size may grow to"] if self.cramped else []
        return ", ".join(parts)


@dataclass(frozen=True)
class LeftOut:
    """An offered host that does not fit."""

    host: HostCluster
    refusal: Refusal


@dataclass(frozen=True)
class HostChoice:
    """The hosts that fit, best first, and for each other offered one the sentence why not."""

    candidates: tuple[Candidate, ...]
    refused: tuple[LeftOut, ...] = ()
    by_name: bool = False
    """One was asked for by name, and no other was weighed."""

    @property
    def fitting(self) -> tuple[HostCluster, ...]:
        """Those that can take it, best first."""
        return tuple(candidate.host for candidate in self.candidates)

    @property
    def left_out(self) -> dict[str, str]:
        """By name why not."""
        return {each.host.name: each.refusal.why for each in self.refused}

    @property
    def fields(self) -> frozenset[str]:
        """Which fields of the wish the others were left out for."""
        return frozenset(each.refusal.field for each in self.refused)

    def explain(self) -> str:
        """Why no host fits, in words."""
        if not self.refused:
            return "No host cluster is offered to this project."
        return _joined([f"{name}: {why}" for name, why in sorted(self.left_out.items())], most=TOLD_MOST)

    def why(self, *, most: int = TOLD_MOST) -> str:
        """Why the first was chosen and the others were not, in words; of the others at most so many."""
        best, *others = self.candidates
        told = [f"{each.host.name} comes after it: {each.standing}." for each in others]
        told += [f"{each.host.name} left out: {each.refusal.why}" for each in self.refused]
        return _joined([f"{best.host.name}: {self._reason(best, others)}.", *told], most=1 + most)

    def _reason(self, best: Candidate, others: Iterable[Candidate]) -> str:
        if self.by_name:
            return f"asked for by name ({best.standing})"
        if not others:
            return f"the only one that fits ({best.standing})"
        shares = [each.room.share for each in others if each.room]
        if best.room is None or best.away or best.room.share < max(shares, default=0.0):
            return f"preferred ({best.standing})"
        return f"most free ({best.room})"


def _joined(sentences: list[str], *, most: int) -> str:
    more = len(sentences) - most
    return " ".join(sentences[:most] + ([f"And {more} other{'' if more == 1 else 's'}."] if more > 0 else []))


def hosts_choose(*, project: Project, wish: PlacementWish) -> HostChoice:
    """Weighs the hosts offered to the project (only the wanted one, where one is named), in two queries.

    What others are about to place is not seen yet: whoever must not choose the same writes under a lock.
    """
    offered = hosts_offered(project)
    if wish.host is not None:
        offered = offered.filter(pk=wish.host.pk)
    unseen = placed_unseen(offered)
    candidates, refused = [], []
    for host in _weighable(offered):
        room = room_of(host, unseen=unseen[host.pk])
        refusal = host_refuses(host, wish=wish, room=room, taken=host.taken)  # type: ignore[attr-defined]
        if refusal:
            refused.append(LeftOut(host, refusal))
        else:
            hidden = host.exposure == Exposure.NONE and wish.exposure != Exposure.NONE
            placed: int = host.placed  # type: ignore[attr-defined]
            cramped = room is not None and wish.grows_to is not None and bool(room.lacks(wish.grows_to))
            candidates.append(Candidate(host, placed, room, away=_away(host), hidden=hidden, cramped=cramped))
    return HostChoice(
        candidates=tuple(sorted(candidates, key=lambda candidate: candidate.order)),
        refused=tuple(refused),
        by_name=wish.host is not None,
    )


def _weighable(hosts: QuerySet[HostCluster]) -> QuerySet[HostCluster]:
    """With its capacity, how many are `placed` on it, and in mode namespaces those `taken`.

    With no column but those that decide: others can be long.
    """
    on_it = Placement.objects.filter(host=OuterRef("pk")).order_by()
    placed = Coalesce(Subquery(on_it.values("host").annotate(count=Count("pk")).values("count")), 0)
    taken = ArraySubquery(on_it.filter(host__mode=HostMode.NAMESPACES).values("namespace"))
    return with_capacity(hosts).annotate(placed=placed, taken=taken).only(*DECIDING)


def _away(host: HostCluster) -> bool:
    """Whether nothing can be placed there now: it is silent, or the last probe found that it refuses or has no node."""
    if host.breaker == Breaker.OPEN:
        return True
    said = next((each for each in host.conditions if each["type"] == "Schedulable"), None)
    return said is not None and said["status"] == "False" and said["reason"] != "Cordoned"


def host_refuses(
    host: HostCluster, *, wish: PlacementWish, room: FreeRoom | None = None, taken: Collection[str] = ()
) -> Refusal | None:
    """Why such a virtual cluster cannot be placed on the host; None when it can.

    `taken`: mode namespaces, those that hold a placement.
    """
    if host.phase != HostPhase.CONNECTED:
        return Refusal(f"It is not connected ({host.phase}).")
    if host.lost_at is not None:
        return Refusal("It was lost.")
    if host.cordoned:
        return Refusal("It is cordoned: it takes nothing new.")
    if unlike := host_unlike(host, wish):
        return unlike
    if host.mode == HostMode.NAMESPACES and not namespaces_free(host, taken=taken):
        return Refusal(f"All of its {len(host.namespaces)} namespaces are taken.")
    return _version_refusal(host, wish.kubernetes_version) or _room_refusal(wish, room)


def _version_refusal(host: HostCluster, kubernetes_version: str) -> Refusal | None:
    try:
        version = KubernetesVersion.parse(host.kubernetes_version)
    except InvalidInput:
        return Refusal("It did not tell its Kubernetes version yet.")
    why_not = check_host_can_run(KubernetesVersion.parse(kubernetes_version), version)
    return Refusal(why_not, field="spec.kubernetes_version") if why_not else None


def _room_refusal(wish: PlacementWish, room: FreeRoom | None) -> Refusal | None:
    """A host of which nobody knows the room may have it."""
    if room is None or wish.needs is None:
        return None
    lacks = room.lacks(wish.needs)
    return Refusal(lacks, field="spec.size") if lacks else None


def namespaces_free(host: HostCluster, *, taken: Collection[str]) -> list[str]:
    """Mode namespaces: those of the list that hold no placement, in the list's order."""
    return [namespace for namespace in host.namespaces if namespace not in taken]
