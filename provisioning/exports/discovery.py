"""Which kinds an API server serves: each once, in the version that the server prefers."""

from collections.abc import Iterator
from dataclasses import dataclass

from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import TemporaryError

STALE = "Stale"
NEEDED = frozenset({"list", "create"})
"""What cannot be listed cannot be exported, and what cannot be created was not made by a user."""
API_SERVICE = Kind("apiregistration.k8s.io/v1", "APIService", "apiservices", namespaced=False)


@dataclass(frozen=True)
class Served:
    """`kinds` by group and name. `silent`: versions of groups whose own API server does not answer at the moment."""

    kinds: tuple[Kind, ...]
    silent: tuple[str, ...]


def kinds_served(kube: KubeClient) -> Served:
    """All that can be listed and created, of resource definitions and aggregated API servers too.

    TemporaryError where the server does not tell what it serves itself at the moment.
    """
    found: dict[tuple[str, str], Kind] = {}
    silent = []
    for version, resources in _versions(kube):
        if resources is None:
            _elsewhere_check(kube, version)
            silent.append(version)
        for resource in resources or []:
            if set(resource["verbs"]) >= NEEDED:
                kind = Kind(version, resource["kind"], resource["plural"], namespaced=resource["namespaced"])
                found.setdefault((kind.group, kind.plural), kind)
    return Served(tuple(found[key] for key in sorted(found)), tuple(sorted(silent)))


def still_served(kube: KubeClient, kind: Kind) -> bool:
    """Whether a kind is there still, of which a list was not: its definition may have been deleted meanwhile.

    What stands in front of a server that starts again says not-found as well; so does a server of a new definition.
    """
    return kind in kinds_served(kube).kinds


def _elsewhere_check(kube: KubeClient, version: str) -> None:
    """Lets pass what a server of its own serves, by its registration. What the API server serves itself it has to tell:

    its objects would be missing, and nobody would know.
    """
    group, _, short = version.rpartition("/")
    registered = kube.get(API_SERVICE, f"{short}.{group}") if group else None
    if registered is None or not (registered.get("spec") or {}).get("service"):
        message = f"What {kube.target} serves in {version} cannot be learnt at the moment."
        raise TemporaryError(message, code="server-error")


def _versions(kube: KubeClient) -> Iterator[tuple[str, list[Json] | None]]:
    """Each version with its resources, a group's preferred one first; None where they could not be learnt."""
    for path in ("/api", "/apis"):
        answer = kube.discovery(path)
        if "items" in answer:
            yield from _aggregated(answer)
        else:
            for version in _named(answer):
                yield version, _asked(kube, version)


def _aggregated(answer: Json) -> Iterator[tuple[str, list[Json] | None]]:
    for group in answer["items"]:
        for version in group.get("versions") or []:
            name = _join(group.get("metadata", {}).get("name", ""), version["version"])
            stale = version.get("freshness") == STALE
            yield name, None if stale else [_of_aggregated(each) for each in version.get("resources") or []]


def _of_aggregated(resource: Json) -> Json:
    return {
        "plural": resource["resource"],
        "kind": (resource.get("responseKind") or {}).get("kind", ""),
        "namespaced": resource.get("scope") == "Namespaced",
        "verbs": resource.get("verbs") or [],
    }


def _named(answer: Json) -> list[str]:
    """Of /api or /apis, as servers answer that do not aggregate."""
    named = [str(version) for version in answer.get("versions") or []]
    for group in answer.get("groups") or []:
        versions = [str(version["groupVersion"]) for version in group.get("versions") or []]
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        named += sorted(versions, key=lambda version: version != preferred)
    return named


def _asked(kube: KubeClient, version: str) -> list[Json] | None:
    try:
        answer = kube.discovery(f"/apis/{version}" if "/" in version else f"/api/{version}")
    except TemporaryError as error:
        if error.code in ("server-error", "not-found"):
            return None
        raise
    return [
        {"plural": each["name"], **{key: each.get(key) for key in ("kind", "namespaced")}, "verbs": each["verbs"]}
        for each in answer.get("resources") or []
        if "/" not in each["name"]
    ]


def _join(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version
