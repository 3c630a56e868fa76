"""Which object is meant: by group, kind, namespace and name, whatever version of its kind it is written in."""

from typing import NamedTuple

from provisioning.drivers.kinds import Json
from provisioning.exports.digests import group_of


class ObjectId(NamedTuple):
    """One object of a cluster."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


def id_of(obj: Json) -> ObjectId:
    """Of an object as the API gives it."""
    meta = obj.get("metadata") or {}
    return ObjectId(
        group_of(obj), str(obj.get("kind", "")), str(meta.get("namespace") or ""), str(meta.get("name", ""))
    )


def owners_of(obj: Json) -> list[ObjectId]:
    """What its ownerReferences name: in its own namespace, or in none."""
    references = (obj.get("metadata") or {}).get("ownerReferences") or []
    return [owner_id(reference, namespace=id_of(obj).namespace) for reference in references]


def owner_id(reference: Json, *, namespace: str) -> ObjectId:
    """What one reference names. Whether its kind lives in namespaces is not known here: see `found_in`."""
    return ObjectId(group_of(reference), str(reference.get("kind", "")), namespace, str(reference.get("name", "")))
