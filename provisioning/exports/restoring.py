"""What of an export is made again and what is only listed, decided before anything is done."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from provisioning.drivers.kinds import Json
from provisioning.exports.digests import is_custom, object_digest, sendable, title_of
from provisioning.exports.identity import ObjectId, id_of
from provisioning.exports.left_out import is_token
from provisioning.exports.ordering import Phase, definitions_by_kind, ordered, phase_of
from provisioning.exports.paths import FREE

_UID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
API_SERVICE: Final = "APIService.apiregistration.k8s.io"
LEANED_ON: Final = Phase.RIGHTS
"""The last of the phases on which the others lean."""


@dataclass(frozen=True)
class Planned:
    """One object that is made again: as it was exported, and as it is sent. `status` is set where it is carried."""

    key: ObjectId
    exported: Json
    manifest: Json
    status: Json | None


@dataclass(frozen=True)
class Listed:
    """One that is not made again, and why, in a sentence."""

    key: ObjectId
    why: str


@dataclass(frozen=True)
class RestorePlan:
    """`wanted` in the order in which they are made; `definitions` by the group and kind that they define."""

    wanted: tuple[Planned, ...]
    not_run: tuple[Listed, ...]
    definitions: Mapping[tuple[str, str], Json]

    @cached_property
    def served_inside(self) -> frozenset[str]:
        """The groups whose objects another API server serves, which runs in the cluster itself."""
        registered = [each.exported["spec"] for each in self.wanted if title_of(each.exported) == API_SERVICE]
        return frozenset(str(spec.get("group")) for spec in registered if spec.get("service"))

    @property
    def leaned_on(self) -> int:
        """How many at the beginning are what the others lean on."""
        later = (number for number, each in enumerate(self.wanted) if phase_of(each.exported) > LEANED_ON)
        return next(later, len(self.wanted))

    def alike(self, first: int, end: int) -> int:
        """Up to where, from `first` on and before `end`, objects are of one kind and name no others by uid.

        None of these needs another to be there, so they can be made at the same time. It is one at least.
        """
        of = self.wanted[first].key
        if _names_others(self.wanted[first]):
            return first + 1
        others = (number for number in range(first + 1, end) if not _may_join(self.wanted[number], of))
        return next(others, end)


def _may_join(planned: Planned, of: ObjectId) -> bool:
    return (planned.key.group, planned.key.kind) == (of.group, of.kind) and not _names_others(planned)


def _names_others(planned: Planned) -> bool:
    named: list[str] = []

    def note(uid: str) -> str:
        named.append(uid)
        return uid

    references_rewritten(planned.manifest, note)
    return bool(named or planned.manifest["metadata"].get("ownerReferences"))


def restore_plan(objects: Iterable[Json], *, tokens: bool = False) -> RestorePlan:
    """The same for the same objects, however they were sorted. `tokens`: whether Secrets for tokens are made too."""
    reasons = [(obj, "" if tokens and is_token(obj) else why_not_made(obj)) for obj in objects]
    made = [obj for obj, why in reasons if not why]
    return RestorePlan(
        wanted=tuple(_planned(obj) for obj in ordered(made)),
        not_run=tuple(sorted((Listed(id_of(obj), why) for obj, why in reasons if why), key=lambda each: each.key)),
        definitions=definitions_by_kind(made),
    )


def why_not_made(obj: Json) -> str:
    """Why it is listed and not made again; empty where it is made."""
    title, status = title_of(obj), obj.get("status") or {}
    if obj["metadata"].get("deletionTimestamp"):
        return "It was being deleted when it was exported."
    if title == "Job.batch":
        ended = [each["type"] for each in status.get("conditions") or [] if each.get("status") == "True"]
        how = next((kind for kind in ("Complete", "Failed") if kind in ended), "")
        return f"It had ended ({how}); it is not run again." if how else ""
    if title == "Pod" and status.get("phase") in ("Succeeded", "Failed"):
        return f"It had ended ({status['phase']}); it is not run again."
    if is_token(obj):
        return "It is the token of a service account that was; a new one is made when it is asked for."
    return ""


def _planned(obj: Json) -> Planned:
    status = obj.get("status") if is_custom(obj) else None
    return Planned(key=id_of(obj), exported=obj, manifest=as_sent(obj), status=status or None)


def as_sent(obj: Json) -> Json:
    """As it is made again, but for what its references name by uid: see `references_rewritten`."""
    manifest = sendable(obj)
    if title_of(obj) == "Pod":
        for computed in ("priority", "preemptionPolicy"):  # from its priority class; given, they may be refused
            manifest.get("spec", {}).pop(computed, None)
    return manifest


def status_sent(planned: Planned, made: Json) -> Json | None:
    """The status to carry, with the generations that it has seen brought to those of the object that was made.

    What had not seen the newest one has not seen the new one either.
    """
    if planned.status is None:
        return None
    newest, now = planned.exported["metadata"].get("generation"), made["metadata"].get("generation", 1)
    status = dict(planned.status)
    if isinstance(status.get("conditions"), list):
        status["conditions"] = [_seen(each, newest, now) for each in status["conditions"]]
    seen: Json = _seen(status, newest, now)
    return seen


def _seen(holder: Any, newest: Any, now: int) -> Any:
    if not isinstance(holder, dict) or not isinstance(holder.get("observedGeneration"), int):
        return holder
    return {**holder, "observedGeneration": now if holder["observedGeneration"] == newest else max(0, now - 1)}


def uids_of(objects: Iterable[Json]) -> dict[str, ObjectId]:
    """Which exported object had which uid."""
    return {str(uid): id_of(obj) for obj in objects if (uid := obj["metadata"].get("uid"))}


def references_rewritten(value: Any, renewed: Callable[[str], str | None]) -> Any:
    """The same with every reference (a mapping with kind, name and uid) naming the uid of the object made anew.

    `renewed` tells the new one for the old one. One that is not known is taken out, as it would name nothing; but for
    what is no uid of Kubernetes' at all.
    """
    if isinstance(value, list):
        return [references_rewritten(each, renewed) for each in value]
    if not isinstance(value, dict):
        return value
    copy = {key: each if key in FREE else references_rewritten(each, renewed) for key, each in value.items()}
    if isinstance(copy.get("uid"), str) and "kind" in copy and "name" in copy:
        if uid := renewed(copy["uid"]):
            copy["uid"] = uid
        elif _UID.fullmatch(copy["uid"]):
            del copy["uid"]
    return copy


def counts_the_same(one: Json, other: Json) -> bool:
    """Whether somebody who looks at both would call them the same: the status is not looked at."""
    return object_digest(_statusless(one)) == object_digest(_statusless(other))


def _statusless(obj: Json) -> Json:
    return {key: value for key, value in obj.items() if key != "status"}
