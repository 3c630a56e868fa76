"""Whether the host has what the workloads of a cluster name: classes and nodes. Pure."""

from collections.abc import Iterator
from typing import Final

from clusters.preflight import Finding, Weight
from provisioning.drivers.kinds import Json
from provisioning.moving.host_seen import HostSeen
from provisioning.moving.inside import Inside
from provisioning.moving.not_moving import class_of, name_of, note
from provisioning.moving.pods import pod_spec
from provisioning.moving.telling import few

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def fitting(inside: Inside, *, source: HostSeen, target: HostSeen) -> Iterator[Finding]:
    """What the target lacks of it. `source`: only what worked there is missed."""
    yield from _storage_classes(inside, target)
    yield from _ingress_classes(inside, source, target)
    yield from _nodes(inside, source, target)


def _blocks(code: str, about: str, message: str, hint: str) -> Finding:
    return Finding(weight=Weight.BLOCKS, code=code, about=about, message=message, hint=hint)


def _storage_classes(inside: Inside, target: HostSeen) -> Iterator[Finding]:
    wanted = {each: class_of(claim) for claim in inside.claims if (each := name_of(claim))}
    if not wanted:
        return
    if target.storage_classes is None:
        yield note(
            "storage-classes-unknown", target.name, f"Marina may not look at the storage classes of {target.name}."
        )
        return
    missing = sorted({each for each in wanted.values() if each and each not in target.storage_classes})
    for name in missing:
        using = [claim for claim, each in wanted.items() if each == name]
        yield _blocks(
            "storage-class-missing",
            few(using),
            f"{target.name} has no storage class {name}, which these claims name.",
            f"Have it made on {target.name}, or make the claims anew with one of: "
            f"{', '.join(sorted(target.storage_classes)) or 'none there'}.",
        )
    by_default = [claim for claim, each in wanted.items() if not each]
    if by_default and not target.default_class:
        yield _blocks(
            "storage-class-missing",
            few(by_default),
            f"{target.name} has no default storage class, and these claims name none.",
            f"Have one made the default on {target.name}.",
        )


def _ingress_classes(inside: Inside, source: HostSeen, target: HostSeen) -> Iterator[Finding]:
    """One that people brought along with their own controller is carried with it."""
    lost = source.ingress_classes - target.ingress_classes
    for name in sorted(lost):
        using = [name_of(each) for each in inside.ingresses if (each.get("spec") or {}).get("ingressClassName") == name]
        if using:
            yield _blocks(
                "ingress-class-missing",
                few(using),
                f"{target.name} has no ingress class {name}: nothing would serve these there.",
                f"It has: {', '.join(sorted(target.ingress_classes)) or 'none'}. Name one of these, or have it made.",
            )


def _nodes(inside: Inside, source: HostSeen, target: HostSeen) -> Iterator[Finding]:
    """What no node takes where it is now either loses nothing."""
    if not source.nodes or not target.nodes:  # nobody may look, or none takes pods, which is told elsewhere
        return
    taken = [each for each in inside.templates if any(_takes(node, each) for node in source.nodes)]
    nowhere = [each for each in taken if not any(_takes(node, each) for node in target.nodes)]
    if nowhere:
        yield _blocks(
            "no-such-node",
            few([f"{each['kind']} {name_of(each)}" for each in nowhere]),
            f"They ask for nodes by name or label (nodeName, nodeSelector, nodeAffinity), and {target.name} has none "
            "that fits.",
            "Change what they ask for, or have nodes labelled so there.",
        )


def _takes(node: Json, found: Json) -> bool:
    spec, labels = pod_spec(found), node["metadata"].get("labels") or {}
    # a Pod's own nodeName is where it was scheduled, and no wish
    named = spec.get("nodeName") if found["kind"] != "Pod" else None
    if named and named != node["metadata"]["name"]:
        return False
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    terms = required.get("nodeSelectorTerms") or []
    return not terms or any(_fits(term, labels) for term in terms)


def _fits(term: Json, labels: Json) -> bool:
    """Greater and less are not looked at: they count as met."""
    return all(_meets(each, labels) for each in term.get("matchExpressions") or [])


def _meets(expression: Json, labels: Json) -> bool:
    has, values = labels.get(expression["key"]), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return has in values
        case "NotIn":
            return has not in values
        case "Exists":
            return has is not None
        case "DoesNotExist":
            return has is None
    return True
