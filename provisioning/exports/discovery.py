"""Which kinds an API server serves, each once: in the version that the server prefers, or in that which it stores."""

from collections.abc import Iterator
from dataclasses import dataclass

from provisioning.drivers.kinds import API_SERVICE, CUSTOM_RESOURCE_DEFINITION, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import TemporaryError

STALE = "Stale"
NEEDED = frozenset({"list", "create"})
"""What cannot be listed cannot be exported, and what cannot be created was not made by a user."""


@dataclass(frozen=True)
class Served:
    """`kinds` by group and name. `silent`: versions of groups whose own API server does not answer at the moment."""

    kinds: tuple[Kind, ...]
    silent: tuple[str, ...]


def kinds_served(kube: KubeClient) -> Served:
    """All that can be listed and created, of resource definitions and aggregated API servers too.

    In the version that is preferred; where a program of the cluster's own converts between versions, in the one that
    is stored: that can be read, and made elsewhere, while this program is not there.

    TemporaryError where the server does not tell what it serves itself at the moment.
    """
    found: dict[tuple[str, str], list[Kind]] = {}
    silent = []
    for version, resources in _versions(kube):
        if resources is None:
            _elsewhere_check(kube, version)
            silent.append(version)
        for resource in resources or []:
            if set(resource["verbs"]) >= NEEDED:
                kind = Kind(version, resource["kind"], resource["plural"], namespaced=resource["namespaced"])
                found.setdefault((kind.group, kind.plural), []).append(kind)
    return Served(tuple(_version_chosen(kube, found[key]) for key in sorted(found)), tuple(sorted(silent)))


def _version_chosen(kube: KubeClient, versions: list[Kind]) -> Kind:
    """Of one kind's versions, the preferred one first."""
    preferred = versions[0]
    if len(versions) == 1 or "." not in preferred.group:  # groups of definitions have a dot
        return preferred
    definition = kube.get(CUSTOM_RESOURCE_DEFINITION, f"{preferred.plural}.{preferred.group}")
    stored = stored_version(definition) if definition and converts_by_webhook(definition) else ""
    return next((each for each in versions if each.api_version == f"{each.group}/{stored}"), preferred)


def converts_by_webhook(definition: Json) -> bool:
    """Whether objects of a resource definition are converted between its versions by a program outside of the API."""
    return (definition["spec"].get("conversion") or {}).get("strategy") == "Webhook"


def served_versions(definition: Json) -> list[str]:
    """In which versions a resource definition's objects can be read and written."""
    return [str(each["name"]) for each in definition["spec"]["versions"] if each.get("served")]


def stored_version(definition: Json) -> str:
    """In which version a resource definition has objects stored that are written now."""
    return str(next(each["name"] for each in definition["spec"]["versions"] if each.get("storage")))


def kind_served(kube: KubeClient, kind: Kind) -> bool:
    """Whether one kind is served in just its version, by one call that asks for no other group.

    TemporaryError as of `kinds_served`; also where the server has no such version of the group at all.
    """
    resources = _asked(kube, kind.api_version)
    if resources is None:
        _elsewhere_check(kube, kind.api_version)
    return any(each["kind"] == kind.kind and set(each["verbs"]) >= NEEDED for each in resources or [])


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
