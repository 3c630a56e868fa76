"""Who owns what in a cluster that moves: some owners do not move, and some take along what they own as they go."""

from provisioning.drivers.kinds import Json
from provisioning.drivers.kube import KubeClient
from provisioning.exports.digests import title_of
from provisioning.exports.identity import ObjectId, owner_id
from provisioning.exports.served import Served
from provisioning.moving.holding import JOB
from provisioning.moving.what_moves import left_out, moves


class Owners:
    """Those that objects name, in the cluster that is moved. Each is looked up once."""

    def __init__(self, source: KubeClient) -> None:
        self._source = source
        self._served = Served(source)
        self._found: dict[ObjectId, Json | None] = {}

    def moving(self, obj: Json) -> Json:
        """Without references to owners that do not move, which a copy has lost; the object itself where all do."""
        references = _references(obj)
        kept = [each for each in references if self._moves(each, obj)]
        if len(kept) == len(references):
            return obj
        rest = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
        return {**obj, "metadata": {**rest, "ownerReferences": kept} if kept else rest}

    def took_along(self, obj: Json) -> bool:
        """Whether Kubernetes itself took away what is gone: its owners are gone, or it is a Job whose time was over."""
        references = _references(obj)
        if title_of(obj) == JOB and _goes_by_itself(obj, references):
            return True
        return bool(references) and all(_gone(self._owner(each, obj)) for each in references)

    def _moves(self, reference: Json, obj: Json) -> bool:
        owner = self._owner(reference, obj)
        return owner is not None and not left_out(owner) and moves(owner)

    def _owner(self, reference: Json, obj: Json) -> Json | None:
        key = owner_id(reference, namespace=str(obj["metadata"].get("namespace") or ""))
        if key not in self._found:
            self._found[key] = self._looked_up(reference, key)
        return self._found[key]

    def _looked_up(self, reference: Json, key: ObjectId) -> Json | None:
        served = self._served.kind_of({"apiVersion": reference["apiVersion"], "kind": key.kind})
        if served is None or (served.kind.namespaced and not key.namespace):
            return None
        return self._source.get(served.kind, key.name, key.namespace if served.kind.namespaced else None)


def _references(obj: Json) -> list[Json]:
    return list(obj["metadata"].get("ownerReferences") or [])


def _gone(owner: Json | None) -> bool:
    return owner is None or "deletionTimestamp" in owner["metadata"]


def _goes_by_itself(job: Json, references: list[Json]) -> bool:
    """Once it has ended: after its own time, or as one of many that a CronJob started."""
    timed = (job.get("spec") or {}).get("ttlSecondsAfterFinished") is not None
    return timed or any(each.get("controller") and each.get("kind") == "CronJob" for each in references)
