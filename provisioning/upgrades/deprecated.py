"""Who uses what a newer Kubernetes serves no more: clients by the API server's own metrics, objects as they are stored.

The metrics tell which versions were asked for since the API server started. Of a stored object its managed fields tell
in which version each manager wrote it, and kubectl's annotation what was applied: the manifest that somebody will
apply again.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clusters.removed_apis import RemovedApi, kinds_of, removed_of
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import kinds_served

METRIC: Final = "apiserver_requested_deprecated_apis"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
DEFINITION: Final = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
_LINE: Final = re.compile(METRIC + r"\{([^}]*)\} +([0-9.e+]+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MINOR: Final = re.compile(r"([0-9]+)\.([0-9]+)")
_OF_THE_SERVER: Final = ("kube-apiserver", "api-priority-and-fairness-config-consumer-v1", "vcluster")


@dataclass(frozen=True, order=True)
class Requested:
    """A version of an API that somebody asked for since the API server started."""

    group: str
    version: str
    resource: str
    removed_release: str

    def __str__(self) -> str:
        return f"{self.resource} of {self.group}/{self.version}" if self.group else f"{self.resource} of {self.version}"


@dataclass(frozen=True)
class Written:
    """An object that was written in a version that will be gone, and by whom."""

    kind: str
    name: str
    namespace: str
    removed: RemovedApi
    managers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def requested_of(metrics: str, *, gone_by: tuple[int, int]) -> list[Requested]:
    """From the metrics' text: those that a Kubernetes of this minor serves no more."""
    found = set()
    for labels, value in _LINE.findall(metrics):
        told = dict(_LABEL.findall(labels))
        minor = _MINOR.fullmatch(told.get("removed_release", ""))
        if minor and (int(minor[1]), int(minor[2])) <= gone_by and float(value) > 0:
            found.add(Requested(told["group"], told["version"], told["resource"], told["removed_release"]))
    return sorted(found)


def written_in(kube: KubeClient, removed: tuple[RemovedApi, ...]) -> Iterator[Written]:
    """Objects of the kinds that these are of; asks nothing where there are none."""
    if not removed:
        return
    wanted = set(kinds_of(removed))
    for kind in kinds_served(kube).kinds:
        if (kind.group, kind.kind) in wanted:
            yield from _of_kind(kube, kind, removed)


def _of_kind(kube: KubeClient, kind: Kind, removed: tuple[RemovedApi, ...]) -> Iterator[Written]:
    try:
        items = kube.list(kind, metadata_only=True)
    except NotFound:
        return
    for item in items:
        meta = item["metadata"]
        by_version: dict[str, list[str]] = {}
        for version, manager in _versions(meta):
            by_version.setdefault(version, []).append(manager)
        for version, managers in sorted(by_version.items()):
            if found := removed_of(removed, version, kind.kind):
                names = tuple(dict.fromkeys(managers))
                yield Written(kind.kind, meta["name"], meta.get("namespace", ""), found, names)


def _versions(meta: Json) -> Iterator[tuple[str, str]]:
    """In which version it was written, and by whom."""
    for entry in meta.get("managedFields") or []:
        if entry.get("manager") not in _OF_THE_SERVER:
            yield str(entry.get("apiVersion", "")), str(entry.get("manager", ""))
    try:
        applied = json.loads((meta.get("annotations") or {}).get(LAST_APPLIED, "null"))
    except ValueError:
        return
    if isinstance(applied, dict):
        yield str(applied.get("apiVersion", "")), "kubectl apply"


def definitions_unserved(kube: KubeClient) -> list[tuple[str, list[str]]]:
    """Resource definitions of which objects may be stored in versions that they do not serve, with those versions."""
    found = []
    try:
        definitions = kube.list(DEFINITION)
    except NotFound:
        return []
    for each in definitions:
        served = {version["name"] for version in each["spec"].get("versions") or [] if version.get("served")}
        stored = [version for version in each.get("status", {}).get("storedVersions") or [] if version not in served]
        if stored:
            found.append((each["metadata"]["name"], stored))
    return found
