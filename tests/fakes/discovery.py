"""What a fake API server says about the kinds it serves: all at once, or one after the other as older ones do."""

from collections.abc import Iterable
from itertools import groupby

from provisioning.drivers.kinds import Json, Kind

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
REVIEWS = (
    Kind("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False),
    Kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False),
)
"""Which can be asked and not listed."""


def discovery(parts: list[str], kinds: Iterable[Kind], *, aggregated: bool) -> Json | None:
    """The answer to /api, /apis or a version below; None where the path is none of these."""
    core = parts[0] == "api"
    served = [kind for kind in (*kinds, *REVIEWS) if (not kind.group) == core]
    if len(parts) == 1:
        return _aggregated(served) if aggregated else _named(served, core=core)
    version = "/".join(parts[1:])
    found = [kind for kind in served if kind.api_version == version]
    return _resources(version, found) if found and len(parts) == (2 if core else 3) else None


def _named(served: list[Kind], *, core: bool) -> Json:
    if core:
        return {"kind": "APIVersions", "versions": sorted({kind.api_version for kind in served})}
    versions = sorted({kind.api_version for kind in served})
    groups = [
        {"name": group, "versions": [{"groupVersion": each} for each in each_group]}
        for group, each_group in groupby(versions, lambda version: version.partition("/")[0])
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _resources(version: str, kinds: list[Kind]) -> Json:
    listed = [
        {"name": kind.plural, "namespaced": kind.namespaced, "kind": kind.kind, "verbs": _verbs(kind)} for kind in kinds
    ]
    status = [{**each, "name": f"{each['name']}/status", "verbs": ["get", "patch", "update"]} for each in listed]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [*listed, *status]}


def _aggregated(served: list[Kind]) -> Json:
    versions = sorted({kind.api_version for kind in served})
    items = []
    for version in versions:
        kinds = [kind for kind in served if kind.api_version == version]
        group, _, short = version.rpartition("/")
        resources = [
            {
                "resource": kind.plural,
                "responseKind": {"group": group, "version": short, "kind": kind.kind},
                "scope": "Namespaced" if kind.namespaced else "Cluster",
                "verbs": _verbs(kind),
            }
            for kind in kinds
        ]
        listed = [{"version": short, "freshness": "Current", "resources": resources}]
        items.append({"metadata": {"name": group} if group else {}, "versions": listed})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}


def _verbs(kind: Kind) -> list[str]:
    return ["create"] if kind in REVIEWS else VERBS
