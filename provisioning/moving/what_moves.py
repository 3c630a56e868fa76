"""What of a cluster's objects moves, and as what. Pure.

Exports leave out Secrets with tokens of ServiceAccounts. They move without their tokens: where they go, Kubernetes
fills in new ones, so that what mounts them starts.
"""

from typing import Final

from provisioning.drivers.kinds import Json
from provisioning.exports.digests import title_of
from provisioning.exports.identity import owners_of
from provisioning.exports.left_out import OF_TOKENS, by_system, is_token, rule_for
from provisioning.moving.freezing import NAME as FREEZE
from provisioning.moving.holding import JOB
from provisioning.moving.pods import job_ended
from provisioning.steps.names import MANAGED_BY, MARINA

POD: Final = "Pod"
TOKENS: Final = f"type={OF_TOKENS}"
"""As a field selector of Secrets."""
ACCOUNT: Final = "kubernetes.io/service-account.name"
_ACCOUNT_UID: Final = "kubernetes.io/service-account.uid"
_LAST_USED: Final = "kubernetes.io/legacy-token-last-used"
"""A label that the API server writes."""
_FILLED_IN: Final = frozenset({"token", "ca.crt", "namespace"})


def moves(obj: Json) -> bool:
    """Whether an object that users own is carried with the others. A Job that has ended would run once more.

    What Pods alone own (the claim of a generic ephemeral volume) ends with them, and is made again with the next ones.
    """
    title, owners = title_of(obj), owners_of(obj)
    if title == POD or (title == JOB and job_ended(obj)):
        return False
    if owners and all((each.group, each.kind) == ("", POD) for each in owners):
        return False
    own = (obj["metadata"].get("labels") or {}).get(MANAGED_BY) == MARINA
    return not (own and obj["metadata"]["name"] == FREEZE)


def left_out(obj: Json) -> bool:
    """Whether it is none that users own. It needs its managedFields."""
    if not is_token(obj):
        return rule_for(obj) is not None
    writers = obj["metadata"].get("managedFields") or []
    made_by_system = bool(writers) and all(by_system(str(each.get("manager"))) for each in writers)
    return made_by_system or rule_for({**obj, "type": ""}) is not None


def as_moved(obj: Json) -> Json:
    """The object itself; of a token's Secret a copy without all that Kubernetes fills in."""
    if not is_token(obj):
        return obj
    copy = {key: value for key, value in obj.items() if key not in ("data", "immutable")}
    copy["metadata"] = _without(_without(obj["metadata"], "annotations", _ACCOUNT_UID), "labels", _LAST_USED)
    data = {key: value for key, value in (obj.get("data") or {}).items() if key not in _FILLED_IN}
    return {**copy, "data": data} if data else copy


def _without(meta: Json, part: str, key: str) -> Json:
    left = {name: value for name, value in (meta.get(part) or {}).items() if name != key}
    rest = {name: value for name, value in meta.items() if name != part}
    return {**rest, part: left} if left else rest


def account_of(obj: Json) -> str:
    """The ServiceAccount whose token it holds; "" for all else."""
    return str((obj["metadata"].get("annotations") or {}).get(ACCOUNT, "")) if is_token(obj) else ""
