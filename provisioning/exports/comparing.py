"""What came of a restore: the cluster read again, and compared with the export object by object, by digest."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.exports.digests import differing_paths, object_digest
from provisioning.exports.identity import ObjectId, id_of
from provisioning.exports.making import Outcome, troubled
from provisioning.exports.progress import MOST_TOLD, Progress
from provisioning.exports.restoring import Planned, RestorePlan
from provisioning.exports.served import Served

PATHS_SHOWN: Final = 10


@dataclass(frozen=True)
class Comparison:
    """`counts` by what is said of the objects; `listed`: one entry for each that is not as it was exported."""

    counts: dict[str, int]
    listed: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """As the operation keeps and the API shows it."""
        return {"counts": self.counts, "listed": self.listed[:MOST_TOLD]}


class FoundAgain(dict[ObjectId, Json]):
    """By who they are. `unread`: why kinds could not be read, by group and name."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: dict[tuple[str, str], str] = {}


def found_again(virtual: KubeClient, plan: RestorePlan) -> FoundAgain:
    """Every object of the plan as it is in the cluster now: one list a kind. Raises what concerns the whole server."""
    served, found = Served(virtual), FoundAgain()
    wanted = {each.key: each.exported for each in plan.wanted}
    for group, kind in sorted({(key.group, key.kind) for key in wanted}):
        try:
            of_kind = [each for key, each in wanted.items() if (key.group, key.kind) == (group, kind)]
            for each in _kinds(served, of_kind):
                found.update({id_of(obj): obj for obj in virtual.list(each) if id_of(obj) in wanted})
        except StepError as error:
            if troubled(virtual, error):
                raise
            found.unread[group, kind] = f"Its kind cannot be read: {error.message}"
    return found


def _kinds(served: Served, objects: Iterable[Json]) -> list[Kind]:
    """In which these are served, all of one kind: more than one where versions differ."""
    by_version = {str(each["apiVersion"]): each for each in objects}
    kinds = {found.kind for each in by_version.values() if (found := served.kind_of(each))}
    return sorted(kinds, key=lambda kind: kind.api_version)


def compared(
    plan: RestorePlan,
    progress: Progress,
    found: Mapping[ObjectId, Json],
    *,
    unread: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> Comparison:
    """Equal, differing, conflict, missing or refused, for every object of the plan; not run, for the others.

    `unread` as `found_again` tells it: of these kinds nobody knows what is there.
    """
    counts: Counter[str] = Counter()
    listed: list[dict[str, Any]] = []
    for number, planned in enumerate(plan.wanted):
        outcome, note = progress.told.get(str(number), ["", ""])
        note = note or unread.get((planned.key.group, planned.key.kind), "")
        entry = _entry(planned, outcome, note, found.get(planned.key))
        counts[entry["what"]] += 1
        if entry["what"] != "equal" or note:
            listed.append(entry)
    listed += [_listed(each.key, "not-run", each.why) for each in plan.not_run]
    counts["not-run"] = len(plan.not_run)
    made = {outcome.value: progress.counts[outcome] for outcome in Outcome if progress.counts[outcome]}
    return Comparison({"objects": len(plan.wanted) + len(plan.not_run), **made, **_named(counts)}, listed)


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    return {what: counts[what] for what in ("equal", "differing", "missing", "not-run") if counts[what]}


def _entry(planned: Planned, outcome: str, note: str, found: Json | None) -> dict[str, Any]:
    if found is None:
        return _listed(planned.key, "refused" if outcome == Outcome.REFUSED else "missing", note)
    # another version of its kind was taken where this cluster does not serve the one of the export
    wanted = {**planned.exported, "apiVersion": found["apiVersion"]}
    if object_digest(wanted) == object_digest(found):
        return _listed(planned.key, "equal", note if outcome != Outcome.REFUSED else "")
    what = outcome if outcome in (Outcome.CONFLICT, Outcome.REFUSED) else "differing"
    return {**_listed(planned.key, what, note), "paths": differing_paths(wanted, found)[:PATHS_SHOWN]}


def _listed(key: ObjectId, what: str, why: str) -> dict[str, Any]:
    return {"object": str(key), "what": what, "why": why, "paths": []}


def sentence_of(counts: Mapping[str, int]) -> str:
    """What came of it, for people."""
    words = {
        "differing": ("differs", "differ"),
        "conflict": ("was there already and is otherwise", "were there already and are otherwise"),
        "missing": ("is missing", "are missing"),
        "refused": ("was refused", "were refused"),
        "not-run": ("had ended and is not run again", "had ended and are not run again"),
    }
    first = f"{counts.get('equal', 0)} of {counts['objects']} objects are as they were exported"
    others = [f"{count} {text[count > 1]}" for what, text in words.items() if (count := counts.get(what, 0))]
    return "; ".join([first, *others]) + "."
