"""Who wrote to an object since a moment, by what the API server notes of it: names, times and fields. Pure.

A name is what a client calls itself, so it proves nothing. Who writes by the name of Kubernetes or of Marina is taken
for it only in the fields that these write.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Final

from provisioning.drivers.kinds import Json
from provisioning.drivers.kube import FIELD_MANAGER
from provisioning.exports.digests import is_custom, title_of
from provisioning.exports.left_out import by_system
from provisioning.moving.holding import HELD, JOB, WEBHOOKS, fields_held

FieldPath = tuple[str, ...]

KUBERNETES_WRITES: Final = ("spec.replicas", "metadata.finalizers", "metadata.ownerReferences")
"""Its controllers and the syncer, in what moves, besides what no digest counts."""
_OWN_ANNOTATIONS: Final = ("kubernetes.io/", "k8s.io/", "vcluster.loft.sh/")
_ANNOTATIONS: Final = "metadata.annotations."
_MADE: Final = (JOB, "PersistentVolumeClaim")
"""What its controllers make that moves: of a CronJob, and of a StatefulSet."""


class By(Enum):
    """Who wrote to it. UNTOLD: whoever only took fields away, or wrote by another's name what that one never does."""

    NOBODY = "nobody"
    SOMEBODY = "somebody"
    UNTOLD = "untold"


def written_by(item: Json, since: datetime) -> By:
    """Of an object that was changed. Times are noted to the second.

    Of what has no fields nobody is noted; then its age tells.
    """
    noted = item["metadata"].get("managedFields")
    if not noted:
        created = datetime.fromisoformat(item["metadata"]["creationTimestamp"])
        return By.SOMEBODY if created >= since else By.NOBODY
    writers = [each for each in noted if each.get("time") and datetime.fromisoformat(each["time"]) >= since]
    if not all(_known(str(each.get("manager"))) for each in writers):
        return By.SOMEBODY
    if writers and all(_writes_only_its_own(each, item) for each in writers):
        return By.NOBODY
    return By.UNTOLD


def kubernetes_wrote(paths: list[str]) -> bool:
    """Whether a copy differs only in what Kubernetes' own controllers may have written meanwhile."""
    return all(path.startswith(KUBERNETES_WRITES) or _own_annotation(path) for path in paths)


def kubernetes_made(obj: Json) -> bool:
    """Whether it is what a controller of Kubernetes makes by itself."""
    managers = [str(each.get("manager")) for each in obj["metadata"].get("managedFields") or []]
    return title_of(obj) in _MADE and bool(managers) and all(by_system(each) for each in managers)


def _known(manager: str) -> bool:
    return by_system(manager) or manager == FIELD_MANAGER


def _writes_only_its_own(writer: Json, item: Json) -> bool:
    its_own = _holds if writer.get("manager") == FIELD_MANAGER else _controls
    return all(its_own(path, item) for path in _paths(writer.get("fieldsV1") or {}))


def _controls(path: FieldPath, item: Json) -> bool:
    if path[0] == "status":
        return not is_custom(item)
    if title_of(item) == "PersistentVolumeClaim" and path == ("spec", "volumeName"):
        return True
    return kubernetes_wrote([".".join(path)])


def _own_annotation(path: str) -> bool:
    key = path.removeprefix(_ANNOTATIONS)
    return key != path and any(each in key for each in _OWN_ANNOTATIONS)


def _holds(path: FieldPath, item: Json) -> bool:
    """What Marina writes where a cluster moves away: see `holding`."""
    title, text = title_of(item), ".".join(path)
    if title in WEBHOOKS:
        return text == f"{_ANNOTATIONS}{HELD}" or (path[0] == "webhooks" and "objectSelector" in path)
    fields = fields_held(title)
    return bool(fields) and (text == f"{_ANNOTATIONS}{HELD}" or any(_within(text, field) for field in fields))


def _within(path: str, field: str) -> bool:
    return path == field or path.startswith(f"{field}.")


def _paths(fields: Json, way: FieldPath = ()) -> Iterator[FieldPath]:
    """Every field that holds no other one. `.` is the field itself: there before, or with what is in it."""
    for key, inner in fields.items():
        name = key.partition(":")[2] if key[:2] in ("f:", "k:", "v:") else key
        if key == ".":
            continue
        if any(each != "." for each in inner or {}):
            yield from _paths(inner, (*way, name))
        else:
            yield *way, name
