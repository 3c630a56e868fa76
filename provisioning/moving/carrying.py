"""Carrying objects from one cluster to another, where they are held until their time has come.

What is at the target is brought to what is at the source, whoever made it there: the target is nobody's yet.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from provisioning.drivers.errors import ConflictError, InvalidError
from provisioning.drivers.kinds import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, SERVICE_ACCOUNT, Json
from provisioning.drivers.kube import KubeClient
from provisioning.exports.digests import group_of, sendable
from provisioning.exports.identity import ObjectId, id_of
from provisioning.exports.making import Made, Maker, NotYet, Outcome, Way
from provisioning.exports.merging import merge_patch
from provisioning.exports.restoring import Planned, RestorePlan, restore_plan
from provisioning.exports.served import ServedKind
from provisioning.moving.changes import Changes
from provisioning.moving.ending import definition_let_go, deleted, finalizers_cut, finalizers_kept, finalizers_of
from provisioning.moving.holding import held
from provisioning.moving.service_addresses import ServicesWay
from provisioning.moving.what_moves import account_of, as_moved, moves

NEVER_ANEW: Final = (NAMESPACE, CUSTOM_RESOURCE_DEFINITION)
"""All below them would go with them."""
AT_ONCE: Final = 8
"""Objects that are carried side by side: hosts may be far away, and people may wait meanwhile."""


def moving_plan(
    objects: Iterable[Json],
    *,
    served: Callable[[str], bool] = lambda api_version: True,
    services: ServicesWay,
) -> RestorePlan:
    """What of a cluster's objects is made at the target, held. Pods without a controller come at the very end.

    `served` tells whether a version of a group moves at all.
    """
    moved = (obj for obj in objects if served(str(obj["apiVersion"])) and moves(obj))
    return restore_plan((held(services.carried(as_moved(obj))) for obj in moved), tokens=True)


def moving_way(mark: str) -> Way:
    """`mark`: of the operation."""
    return Way(mark=mark, overwrite=True, verb="move")


class CopyMaker(Maker):
    """Makes what is missing at the target, and changes what is otherwise.

    `ending`: what is being deleted at the source too. `ended`: whose copies are taken away, and own nothing any more.
    """

    def __init__(
        self,
        virtual: KubeClient,
        plan: RestorePlan,
        way: Way,
        *,
        ending: Collection[ObjectId] = frozenset(),
        ended: Collection[ObjectId] = frozenset(),
    ) -> None:
        super().__init__(virtual, plan, way)
        self._ending, self._ended = ending, ended
        self._meant = {uid: meant for each in plan.wanted for uid, meant in _references(each.exported)}

    def served_as_is(self, obj: Json) -> ServedKind | None:
        """Where the target serves a kind that was made there already."""
        return self._served.kind_of(obj)

    def _made(self, planned: Planned, served: ServedKind) -> Made:
        account = account_of(planned.exported)
        if account and self._virtual.get(SERVICE_ACCOUNT, account, planned.key.namespace) is None:
            raise NotYet(f"Waiting for the ServiceAccount {account}, of whom it holds a token.", alone=True)
        return super()._made(planned, served)

    def _there(self, planned: Planned, served: ServedKind, found: Json, manifest: Json, note: str) -> Made:
        if found["metadata"].get("deletionTimestamp"):
            return self._going(planned, served, found, note)
        self._note(planned.key, found)
        patch = merge_patch(sendable(as_moved(found)), manifest)
        if patch:
            found = self._patched(planned, served, found, patch)
        self._carry_status(planned, served, found)
        return Made(Outcome.OVERWRITTEN if patch else Outcome.SAME, note)

    def _going(self, planned: Planned, served: ServedKind, found: Json, note: str) -> Made:
        """It ends where it was too, and waits for as many; or it was made anew there, and nobody here sees to its end.

        NotYet where it has to go first.
        """
        ending = planned.key in self._ending
        kept = finalizers_of(planned.exported) if ending else finalizers_kept(found)
        finalizers_cut(self._virtual, served.kind, found, [each for each in finalizers_of(found) if each in kept])
        if ending:
            return Made(Outcome.SAME, note)
        if served.kind == CUSTOM_RESOURCE_DEFINITION:
            definition_let_go(self._virtual, found)
        raise NotYet(f"{planned.key} is being deleted.", alone=True)

    def _patched(self, planned: Planned, served: ServedKind, found: Json, patch: Json) -> Json:
        try:
            return self._virtual.patch_as(served.kind, found, patch, manager=self._way.created_by)
        except ConflictError as error:  # a controller was faster
            raise NotYet(error.message, alone=True) from error
        except InvalidError as error:
            if served.kind in NEVER_ANEW or not error.unchangeable:
                raise
            # It was made anew at the source, with what nobody may change of one that is there. What it owned here stays
            # (what of it went at the source is told by name), and nothing is made as owned by one that goes.
            name, namespace, uid = (found["metadata"].get(key) for key in ("name", "namespace", "uid"))
            self._virtual.delete(served.kind, name, namespace, uid=uid, propagation="Orphan")
            self._uids[planned.key] = None
            raise NotYet(f"{planned.key} is made anew: {error.message}", alone=True) from error

    def _owner_of(self, reference: Json, namespace: str) -> ObjectId:
        owner = super()._owner_of(reference, namespace)
        if owner in self._ended:
            self._uids[owner] = None
        return owner

    def _renewed(self, uid: str) -> str | None:
        renewed = super()._renewed(uid)
        if renewed or uid not in self._meant:
            return renewed
        key, api_version = self._meant[uid]
        served = self._served.kind_of({"apiVersion": api_version, "kind": key.kind})
        if served is None:
            return None
        return self._looked_up(key if served.kind.namespaced else key._replace(namespace=""), served.kind)


def _references(obj: Json) -> Iterator[tuple[str, tuple[ObjectId, str]]]:
    """What an object names by uid, anywhere in it: the uid, which object that is, and in which version."""
    own = id_of(obj)

    def walk(value: object) -> Iterator[tuple[str, tuple[ObjectId, str]]]:
        if isinstance(value, list):
            for each in value:
                yield from walk(each)
        if isinstance(value, dict):
            for each in value.values():
                yield from walk(each)
            uid, kind, name = (value.get(key) for key in ("uid", "kind", "name"))
            if isinstance(uid, str) and isinstance(kind, str) and isinstance(name, str):
                version = str(value.get("apiVersion") or "v1")
                namespace = str(value.get("namespace") or own.namespace)
                yield uid, (ObjectId(group_of({"apiVersion": version}), kind, namespace, name), version)

    yield from walk({key: value for key, value in obj.items() if key != "metadata"})


@dataclass
class Carried:
    """What came of carrying changes. `effects`: how many objects were made, changed or deleted.

    `waiting`: worth another try, with the reason; `refused`: never taken.
    """

    effects: int = 0
    waiting: dict[ObjectId, str] = field(default_factory=dict)
    refused: dict[ObjectId, str] = field(default_factory=dict)


def changes_carry(target: KubeClient, changes: Changes, *, mark: str, services: ServicesWay) -> Carried:
    """Makes, changes and deletes at the target. May be done again after any crash, with the same result."""
    plan = moving_plan([*changes.changed, *(_alive(obj) for obj in changes.ending)], services=services)
    ending, ended = {id_of(obj) for obj in changes.ending}, {id_of(obj) for _, obj in changes.ended}
    maker = CopyMaker(target, plan, moving_way(mark), ending=ending, ended=ended)
    carried, again, at = Carried(), [], 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while at < len(plan.wanted):
            alike = plan.wanted[at : plan.alike(at, len(plan.wanted))]
            at += len(alike)
            for planned, made in zip(alike, list(pool.map(maker.tried, alike)), strict=True):
                if not _noted(carried, planned, made):
                    again.append(planned)
    for planned in again:  # what it leaned on came after it
        _noted(carried, planned, maker.tried(planned))
    carried.effects += len(changes.gone) + len(changes.ending) + len(changes.taken) + len(changes.ended)
    for obj in changes.ending:
        if served := maker.served_as_is(obj):
            deleted(target, served.kind, obj, keep_finalizers=True)
    for kind, obj in changes.gone:
        deleted(target, kind, obj)
    ended_remove(target, changes)
    return carried


def ended_remove(target: KubeClient, changes: Changes) -> None:
    """Takes the copies of Jobs away that have ended since, before these would be run a second time.

    What such a Job owns stays, as it does at the source, where the Job is there still. What Kubernetes took away there
    goes here too.
    """
    for kind, obj in changes.taken:
        deleted(target, kind, obj)
    for kind, obj in changes.ended:
        deleted(target, kind, obj, propagation="Orphan")


def _noted(carried: Carried, planned: Planned, made: Made | NotYet) -> bool:
    """False where it is worth another try."""
    if isinstance(made, NotYet):
        carried.waiting[planned.key] = made.why
        return False
    carried.waiting.pop(planned.key, None)
    if made.outcome is Outcome.REFUSED:
        carried.refused[planned.key] = made.note
    carried.effects += made.outcome in (Outcome.CREATED, Outcome.OVERWRITTEN)
    return True


def _alive(obj: Json) -> Json:
    """One that is being deleted, as it was before: it is made first, then deleted, so that its finalizers are kept."""
    gone = ("deletionTimestamp", "deletionGracePeriodSeconds")
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key not in gone}}
