"""Carrying objects from one cluster to another, where they are held until their time has come.

What is at the target is brought to what is at the source, whoever made it there: the target is nobody's yet. How it
is carried may be another one day: a snapshot of the store, say, in place of the first copy.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from provisioning.drivers.errors import ConflictError
from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import PermanentError
from provisioning.exports.digests import group_of, sendable, title_of
from provisioning.exports.identity import ObjectId, id_of
from provisioning.exports.making import Made, Maker, NotYet, Outcome, Way
from provisioning.exports.merging import merge_patch
from provisioning.exports.restoring import Planned, RestorePlan, restore_plan
from provisioning.exports.served import ServedKind
from provisioning.moving.changes import Changes, finalizers_kept, finalizers_of
from provisioning.moving.freezing import NAME as FREEZE
from provisioning.moving.holding import JOB, held
from provisioning.moving.pods import job_ended
from provisioning.steps.names import MANAGED_BY, MARINA

POD: Final = "Pod"


def moving_plan(objects: Iterable[Json], *, served: Callable[[str], bool] = lambda api_version: True) -> RestorePlan:
    """What of a cluster's objects is made at the target, held. Pods without a controller come at the very end.

    `served` tells whether a version of a group moves at all.
    """
    moved = (obj for obj in objects if served(str(obj["apiVersion"])) and moves(obj))
    return restore_plan(held(obj) for obj in moved)


def moves(obj: Json) -> bool:
    """Whether an object that users own is carried with the others. A Job that has ended would run once more."""
    if title_of(obj) == JOB and job_ended(obj):
        return False
    own = (obj["metadata"].get("labels") or {}).get(MANAGED_BY) == MARINA
    return title_of(obj) != POD and not (own and obj["metadata"]["name"] == FREEZE)


def moving_way(mark: str) -> Way:
    """`mark`: of the operation."""
    return Way(mark=mark, overwrite=True, verb="move")


class Carrier(Maker):
    """Makes what is missing at the target, and changes what is otherwise."""

    def __init__(
        self, virtual: KubeClient, plan: RestorePlan, way: Way, *, ending: Collection[ObjectId] = frozenset()
    ) -> None:
        super().__init__(virtual, plan, way)
        self._ending = ending
        self._meant = {uid: meant for each in plan.wanted for uid, meant in _references(each.exported)}

    def served_as_is(self, obj: Json) -> ServedKind | None:
        """Where the target serves a kind that was made there already."""
        return self._served.kind_of(obj)

    def _there(self, planned: Planned, served: ServedKind, found: Json, manifest: Json, note: str) -> Made:
        if found["metadata"].get("deletionTimestamp"):
            return self._going(planned, served, found, note)
        self._note(planned.key, found)
        patch = merge_patch(sendable(found), manifest)
        if patch:
            found = self._patched(planned, served, found, patch)
        self._carry_status(planned, served, found)
        return Made(Outcome.OVERWRITTEN if patch else Outcome.SAME, note)

    def _going(self, planned: Planned, served: ServedKind, found: Json, note: str) -> Made:
        """It ends where it was too, and waits for as many; or it was made anew there, and nobody here sees to its end.

        NotYet where it has to go first.
        """
        ending = planned.key in self._ending
        kept = [
            each
            for each in finalizers_of(found)
            if each in (finalizers_of(planned.exported) if ending else finalizers_kept(found))
        ]
        if kept != finalizers_of(found):
            meta = found["metadata"]
            patch = {"metadata": {"finalizers": kept, "uid": meta["uid"]}}
            self._virtual.patch_merge(served.kind, meta["name"], meta.get("namespace"), patch)
        if ending:
            return Made(Outcome.SAME, note)
        raise NotYet(f"{planned.key} is being deleted.", alone=True)

    def _patched(self, planned: Planned, served: ServedKind, found: Json, patch: Json) -> Json:
        try:
            return self._virtual.patch_as(served.kind, found, patch, manager=self._way.created_by)
        except ConflictError as error:  # a controller was faster
            raise NotYet(error.message, alone=True) from error
        except PermanentError as error:
            if error.code != "invalid":
                raise
            # it was made anew at the source, with what nobody may change of one that is there
            meta = found["metadata"]
            self._virtual.delete(served.kind, meta["name"], meta.get("namespace"), uid=meta["uid"])
            raise NotYet(f"{planned.key} is made anew: {error.message}", alone=True) from error

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


def changes_carry(target: KubeClient, changes: Changes, *, mark: str) -> Carried:
    """Makes, changes and deletes at the target. May be done again after any crash, with the same result."""
    plan = moving_plan([*changes.changed, *(_alive(obj) for obj in changes.ending)])
    carrier = Carrier(target, plan, moving_way(mark), ending={id_of(obj) for obj in changes.ending})
    carried, again = Carried(), []
    for planned in plan.wanted:
        if not _made(carrier, planned, carried):
            again.append(planned)
    for planned in again:  # what it leaned on came after it
        _made(carrier, planned, carried)
    carried.effects += len(changes.gone) + len(changes.ending) + len(changes.ended)
    for obj in changes.ending:
        if served := carrier.served_as_is(obj):
            _deleted(target, served.kind, obj, keep_finalizers=True)
    for kind, obj in changes.gone:
        _deleted(target, kind, obj, keep_finalizers=False)
    ended_remove(target, changes)
    return carried


def ended_remove(target: KubeClient, changes: Changes) -> None:
    """Takes the copies of Jobs away that have ended since, before these would be run a second time."""
    for kind, obj in changes.ended:
        _deleted(target, kind, obj, keep_finalizers=False)


def _made(carrier: Carrier, planned: Planned, carried: Carried) -> bool:
    try:
        made = carrier.make(planned)
    except NotYet as later:
        carried.waiting[planned.key] = later.why
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


def _deleted(target: KubeClient, kind: Kind, obj: Json, *, keep_finalizers: bool) -> None:
    """At the source somebody saw to its finalizers already; at the target nobody is at work who would."""
    name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
    if not target.delete(kind, name, namespace) or keep_finalizers:
        return
    left = target.get(kind, name, namespace)
    if left is not None and finalizers_kept(left) != finalizers_of(left):
        target.patch_merge(kind, name, namespace, {"metadata": {"finalizers": finalizers_kept(left)}})
