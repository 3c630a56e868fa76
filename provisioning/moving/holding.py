"""Holding what runs, without losing what it was: at the target until its time has come, at the source from then on.

What was changed is noted on the object itself, so whoever comes next, after any crash, can let it go again.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from provisioning.drivers.kinds import Json
from provisioning.exports.digests import object_digest, title_of

HELD: Final = "marina.dev/held"
"""The annotation: what each field was that holding changed, as JSON; and a label that nothing bears."""
CRON_JOB: Final = "CronJob.batch"
JOB: Final = "Job.batch"
WEBHOOKS: Final = (
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
)
WORKLOADS: Final = ("Deployment.apps", "StatefulSet.apps", "ReplicaSet.apps", "ReplicationController", "DaemonSet.apps")
NOBODY: Final = {"matchLabels": {HELD: "true"}}
"""Selects nothing."""
Fields = tuple[tuple[str, Callable[[Any], Any]], ...]
"""What holding changes, each as the path of a field and what becomes of its value."""


def held(obj: Json) -> Json:
    """A copy that neither runs nor calls anybody; the object itself where it is held already, or never does."""
    return _held(obj, _FIELDS.get(title_of(obj), ()))


def shut(binding: Json) -> Json:
    """A copy of a binding that lets nobody in; the binding itself where it is shut already."""
    return _held(binding, (("subjects", lambda subjects: []),))


def _held(obj: Json, fields: Fields) -> Json:
    """The first field is what makes it held, and is noted always; others only where they have to change."""
    if not fields or (fields[0][0] == _HOOKS and not _at(obj, _HOOKS)):
        return obj
    # a note alone, that somebody copied from elsewhere, holds nothing
    known = _noted(annotations_of(obj)[HELD]) if is_held(obj) and not _changes(obj, *fields[0]) else None
    changing = [path for path, change in fields if _changes(obj, path, change)]
    if known is not None and not changing:
        return obj
    copy: Json = json.loads(json.dumps(obj))
    notes = dict(known or {})
    for path, change in fields:
        if path in changing or (known is None and path == fields[0][0]):
            notes[path] = _selectors(obj) if path == _HOOKS else _at(obj, path)
            _put(copy, path, change(_at(obj, path)))
    copy["metadata"]["annotations"] = {**annotations_of(obj), HELD: json.dumps(notes, sort_keys=True)}
    return copy


def _changes(obj: Json, path: str, change: Callable[[Any], Any]) -> bool:
    return not _same(change(_at(obj, path)), _at(obj, path))


def _same(one: Any, other: Any) -> bool:
    """A server leaves out what is empty."""
    return bool(one == other or not (one or other))


def let_go(obj: Json) -> Json:
    """A copy as it was before it was held; the object itself where it is not."""
    noted = annotations_of(obj).get(HELD)
    if noted is None:
        return obj
    copy: Json = json.loads(json.dumps(obj))
    for path, value in _noted(noted).items():
        _put(copy, path, _with_selectors(_at(copy, path), value) if path == _HOOKS else value)
    annotations = copy["metadata"]["annotations"]
    del annotations[HELD]
    if not annotations:
        del copy["metadata"]["annotations"]
    return copy


def is_held(obj: Json) -> bool:
    """Whether it was held and not let go since."""
    return HELD in annotations_of(obj)


def wanted_replicas(obj: Json) -> int:
    """How many it runs when it is not held; of what has no such number 1."""
    return int((let_go(obj).get("spec") or {}).get("replicas", 1))


def same_but_for_holding(one: Json, other: Json) -> bool:
    """Whether two objects count as the same one, whichever of them is held."""
    return object_digest(let_go(one)) == object_digest(let_go(other))


def annotations_of(obj: Json) -> Mapping[str, str]:
    """Its annotations, if only none."""
    annotations: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return annotations


_HOOKS: Final = "webhooks"


def _selectors(obj: Json) -> dict[str, Any]:
    """By name of the webhook. Only what is changed of them is noted: the rest may be written to meanwhile.

    Of those that were held before, and others of it are called again since, what was noted then.
    """
    noted = _noted(annotations_of(obj).get(HELD, "")).get(_HOOKS)
    before = noted if isinstance(noted, dict) else {}
    found = {str(each.get("name")): each.get("objectSelector") for each in _at(obj, _HOOKS) or []}
    return {name: before.get(name) if selector == NOBODY else selector for name, selector in found.items()}


def _with_selectors(hooks: Any, selectors: Any) -> list[Any]:
    """Each that still selects nobody has its own again: whose operator wrote it anew meanwhile knows better."""
    noted = selectors if isinstance(selectors, dict) else {}
    return [_let_select(hook, noted.get(hook.get("name"))) for hook in hooks or []]


def _let_select(hook: Json, selector: Any) -> Json:
    if hook.get("objectSelector") != NOBODY:
        return hook
    rest = {key: value for key, value in hook.items() if key != "objectSelector"}
    return rest if selector is None else {**rest, "objectSelector": selector}


def _kept(policy: Any) -> Any:
    return "Retain" if policy == "Delete" else policy


_REPLICAS: Final = ("spec.replicas", lambda replicas: 0)
_FIELDS: Final[Mapping[str, Fields]] = {
    **dict.fromkeys(("Deployment.apps", "ReplicaSet.apps", "ReplicationController"), (_REPLICAS,)),
    # with `Delete` the controller gives claims to the pods that it takes away, and their volumes go with these
    "StatefulSet.apps": (_REPLICAS, ("spec.persistentVolumeClaimRetentionPolicy.whenScaled", _kept)),
    "DaemonSet.apps": (("spec.template.spec.nodeSelector", lambda selector: {HELD: "true"}),),
    CRON_JOB: (("spec.suspend", lambda suspend: True),),
    JOB: (("spec.suspend", lambda suspend: True),),
    **dict.fromkeys(WEBHOOKS, ((_HOOKS, lambda hooks: [{**each, "objectSelector": NOBODY} for each in hooks or []]),)),
}


def fields_held(title: str) -> tuple[str, ...]:
    """The paths of what holding changes in such objects; none where it changes nothing."""
    return tuple(path for path, _ in _FIELDS.get(title, ()))


def _noted(text: str) -> dict[str, Any]:
    """Somebody may have written into the annotation: what is no note is none."""
    try:
        noted = json.loads(text)
    except ValueError:
        return {}
    return {path: value for path, value in noted.items() if path in _PATHS} if isinstance(noted, dict) else {}


_PATHS: Final = frozenset({"subjects", *(path for fields in _FIELDS.values() for path, _ in fields)})


def _at(obj: Json, path: str) -> Any:
    value: Any = obj
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _put(obj: Json, path: str, value: Any) -> None:
    """None takes the field away."""
    *way, last = path.split(".")
    for key in way:
        obj = obj.setdefault(key, {})
    if value is None:
        obj.pop(last, None)
    else:
        obj[last] = value
