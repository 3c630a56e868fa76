"""Where a virtual cluster can be moved to, by what the database knows; what keeps it from there is told in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from accounts.models import Project
from clusters.free_room import FreeRoom, placed_unseen, room_of, with_capacity
from clusters.kept_versions import kept_too_old
from clusters.models import Breaker, HostCluster, HostPhase, Placement, PlacementRole, VirtualCluster
from clusters.move_wish import MoveWish
from clusters.offering import who_can_offer
from clusters.placement_wish import Refusal, wish_of
from clusters.placing import Candidate, HostChoice, LeftOut, host_refuses, hosts_choose

_CODES: Final = {
    "spec.kubernetes_version": "host-version",
    "spec.size": "host-full",
    "spec.region": "residency",
    "spec.host_labels": "residency",
    "spec.exposure": "exposure",
}
"""By the field of the wish that a host refuses. Of its namespaces and of its own state: see `_code`."""


@dataclass(frozen=True, kw_only=True)
class MoveRefusal:
    """One thing that keeps a cluster from a host. `about` is the host's name, `why` a sentence."""

    code: str
    about: str
    why: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class MoveTarget:
    """The host that it goes to, or what keeps it from there. `kept`: going back, the placement that waits there.

    `room`: how much of the host is free, where that is known.
    """

    host: HostCluster | None
    refusals: tuple[MoveRefusal, ...] = ()
    kept: Placement | None = None
    why: str = ""
    room: FreeRoom | None = None


def move_target(*, cluster: VirtualCluster, wish: MoveWish, now: datetime) -> MoveTarget:
    """As things are now. Raises nothing for what is in the way: that is in the answer, all of it."""
    # what is being removed keeps it from nowhere: the move waits until it is gone
    there = Placement.objects.filter(virtual_cluster=cluster).exclude(role=PlacementRole.LEAVING)
    placements = list(there.select_related("host__credential"))
    begun = next((each for each in placements if each.role == PlacementRole.TARGET), None)
    if begun is not None:
        return _begun(cluster, begun, wish)
    if wish.back:
        return _back(cluster, placements, now)
    if wish.to is not None:
        return _named(cluster, wish.to, placements)
    return _any(cluster, placements)


def elsewhere(cluster: VirtualCluster) -> MoveTarget:
    """The best host on which nothing of it is or was, whatever becomes of these; or why there is none."""
    return _any(cluster, list(Placement.objects.filter(virtual_cluster=cluster)))


def source_refusals(cluster: VirtualCluster) -> tuple[MoveRefusal, ...]:
    """What keeps it from being carried from where it is."""
    source = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).select_related("host").first()
    if source is None:
        return (MoveRefusal(code="not-placed", about=cluster.name, why=f"{cluster} was never placed on a host."),)
    if source.host.breaker != Breaker.OPEN:
        return ()
    return (
        MoveRefusal(
            code="source-unreachable",
            about=source.host.name,
            why=f"{source.host.name}, on which it is now, does not answer: nothing can be carried from there.",
            hint="Wait until it answers. Of a host that is lost, clusters are made again from their exports.",
        ),
    )


def _begun(cluster: VirtualCluster, there: Placement, wish: MoveWish) -> MoveTarget:
    """What a move has already made there, it does not weigh again."""
    if wish.to is None or wish.to.pk == there.host_id:
        return MoveTarget(host=there.host, kept=there, why=there.why)
    why = f"What an earlier move of {cluster} made on {there.host.name} is still there."
    refusal = MoveRefusal(
        code="move-unfinished",
        about=there.host.name,
        why=why,
        hint="See the operations of the cluster; one that failed while it was put back can be tried again.",
    )
    return MoveTarget(host=there.host, refusals=(refusal,))


def _named(cluster: VirtualCluster, host: HostCluster, placements: list[Placement]) -> MoveTarget:
    there = next((each for each in placements if each.host_id == host.pk), None)
    if there is not None:
        return MoveTarget(host=host, refusals=(_occupied(cluster, there),))
    choice = hosts_choose(project=cluster.project, wish=wish_of(cluster, host=host))
    refusals = tuple(_of_choice(cluster.project, host, choice))
    if refusals:
        return MoveTarget(host=host, refusals=refusals)
    return MoveTarget(host=host, why=choice.why(), room=choice.candidates[0].room)


def _occupied(cluster: VirtualCluster, there: Placement) -> MoveRefusal:
    """It cannot be twice on one host, as its namespace there has the same name."""
    name = there.host.name
    match there.role:
        case PlacementRole.RETAINED if there.lost_at is None and (why := kept_too_old(there, cluster)):
            return replace(_too_old(cluster, there, why), code="retained-there")
        case PlacementRole.RETAINED if there.lost_at is None:
            return MoveRefusal(
                code="retained-there",
                about=name,
                why=f"{cluster} came from {name}, and what it was there is kept until {_told(there.retained_until)}.",
                hint=f"Go back to it: marina migrate {cluster.name} --back.",
            )
        case PlacementRole.LOST | PlacementRole.RETAINED:
            why = f"{name} was lost with {cluster} on it, and what it was there has still to be removed."
            return MoveRefusal(code="lost-there", about=name, why=why)
    return MoveRefusal(
        code="same-host",
        about=name,
        why=f"{cluster} is on {name} already.",
        hint="Name another host, or none: then Marina chooses one.",
    )


def _of_choice(project: Project, host: HostCluster, choice: HostChoice) -> Iterator[MoveRefusal]:
    if not choice.candidates and not choice.refused:
        why = f"{host.name} is not offered to {project}."
        yield MoveRefusal(code="not-offered", about=host.name, why=why, hint=who_can_offer(project))
    for left_out in choice.refused:
        yield _refusal(left_out.host, left_out.refusal)
    yield from _silent(choice.candidates[0].host if choice.candidates else host)


def _refusal(host: HostCluster, refusal: Refusal) -> MoveRefusal:
    return MoveRefusal(code=_code(host, refusal), about=host.name, why=f"{host.name}: {refusal.why}")


def _code(host: HostCluster, refusal: Refusal) -> str:
    if host.phase != HostPhase.CONNECTED:
        return "host-not-connected"
    if host.cordoned:
        return "host-cordoned"
    return _CODES.get(refusal.field, "host-full")


def _silent(host: HostCluster) -> Iterator[MoveRefusal]:
    """What a new cluster would wait for, a move does not: it would keep what runs from being changed meanwhile."""
    if host.breaker == Breaker.OPEN:
        why = f"{host.name} does not answer."
        yield MoveRefusal(code="host-unreachable", about=host.name, why=why, hint=f"See: marina host get {host.name}.")
        return
    said = next((each for each in host.conditions if each["type"] == "Schedulable"), None)
    if said is not None and said["status"] == "False" and said["reason"] != "Cordoned":
        yield MoveRefusal(code="host-unschedulable", about=host.name, why=f"{host.name}: {said['message']}")


def _any(cluster: VirtualCluster, placements: list[Placement]) -> MoveTarget:
    taken = {each.host_id: each for each in placements}
    choice = hosts_choose(project=cluster.project, wish=wish_of(cluster, host=None))
    fitting = [each for each in choice.candidates if each.host.pk not in taken and not any(_silent(each.host))]
    if not fitting:
        return MoveTarget(host=None, refusals=(_nowhere(cluster, choice, taken),))
    rest = HostChoice(candidates=tuple(fitting), refused=choice.refused)
    return MoveTarget(host=fitting[0].host, why=rest.why(), room=fitting[0].room)


def _nowhere(cluster: VirtualCluster, choice: HostChoice, taken: Mapping[UUID, Placement]) -> MoveRefusal:
    told = [_why_not(cluster, each, taken) for each in choice.candidates]
    told += [f"{each.host.name}: {each.refusal.why}" for each in choice.refused if each.host.pk not in taken]
    told = told or ["No other host cluster is offered to this project."]
    return MoveRefusal(
        code="no-host",
        about=cluster.name,
        why=f"No other host cluster can take it. {' '.join(told[:20])}",
        hint=who_can_offer(cluster.project),
    )


def _why_not(cluster: VirtualCluster, candidate: Candidate, taken: Mapping[UUID, Placement]) -> str:
    if there := taken.get(candidate.host.pk):
        occupied = _occupied(cluster, there)
        return f"{occupied.why} {occupied.hint}" if occupied.code == "retained-there" else occupied.why
    return " ".join(each.why for each in _silent(candidate.host))


def _back(cluster: VirtualCluster, placements: list[Placement], now: datetime) -> MoveTarget:
    # not what was given up with a lost host: it did not move away from there
    kept = [each for each in placements if each.role == PlacementRole.RETAINED and each.lost_at is None]
    living = [each for each in kept if each.retained_until is None or each.retained_until > now]
    if not living:
        return MoveTarget(host=None, refusals=(_nothing_kept(cluster, kept),))
    newest = max(living, key=lambda each: (each.role_since or each.created_at, each.pk))
    if why := kept_too_old(newest, cluster):
        return MoveTarget(host=newest.host, refusals=(_too_old(cluster, newest, why),))
    choice = hosts_choose(project=cluster.project, wish=wish_of(cluster, host=newest.host))
    choice = _with_its_own_namespace(cluster, choice, newest)
    refusals = tuple(_of_choice(cluster.project, newest.host, choice))
    room = choice.candidates[0].room if choice.candidates else None
    why = f"{newest.host.name}: it came from there."
    return MoveTarget(host=newest.host, refusals=refusals, kept=newest, why=why, room=room)


def _too_old(cluster: VirtualCluster, kept: Placement, why: str) -> MoveRefusal:
    until = f"; to {kept.host.name} once that is removed ({_told(kept.retained_until)})" if kept.retained_until else ""
    hint = f"Move it with --to HOST instead, which copies it{until}."
    return MoveRefusal(code="kept-too-old", about=kept.host.name, why=why, hint=hint)


def _nothing_kept(cluster: VirtualCluster, kept: list[Placement]) -> MoveRefusal:
    why = f"{cluster} was not moved, or what it was before is removed: there is nowhere to go back to."
    if kept:
        host = kept[0].host.name
        why = f"What {cluster} was on {host} was kept until {_told(kept[0].retained_until)}, and is being removed."
    return MoveRefusal(
        code="nothing-retained", about=cluster.name, why=why, hint="Move it to a host by name instead: --to HOST."
    )


def _with_its_own_namespace(cluster: VirtualCluster, choice: HostChoice, kept: Placement) -> HostChoice:
    """Of a host that has given namespaces only: the one in which it waits is free to it."""
    if not choice.refused:
        return choice
    (host,) = with_capacity(HostCluster.objects.filter(pk=kept.host_id))
    room: FreeRoom | None = room_of(host, unseen=placed_unseen(HostCluster.objects.filter(pk=host.pk))[host.pk])
    taken = set(host.placements.exclude(pk=kept.pk).values_list("namespace", flat=True))
    refusal = host_refuses(host, wish=wish_of(cluster, host=host), room=room, taken=taken)
    if refusal is None:
        return HostChoice(candidates=(Candidate(host, 0, room),), by_name=True)
    return HostChoice(candidates=(), refused=(LeftOut(host, refusal),), by_name=True)


def _told(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC") if time else "it is removed"
