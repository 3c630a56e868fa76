"""An export as a tar.gz of YAML files that `kubectl apply --recursive -f` takes, in the order in which it reads them.

What belongs to the cluster that the objects come from is left out, or another one would refuse them or take them away
again: uids and versions, owners by their uid, addresses and volumes that were given to them.
"""

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Any, Final, cast

import yaml

from clusters.exports.container import Json

FILE_OBJECTS: Final = 200
"""So many objects a file: a list of them is held in memory."""
FILE_BYTES: Final = 8 * 1024 * 1024
"""Nor more than about so much of them, but for a single one that is larger."""
_ORDER: Final[tuple[tuple[str, ...], ...]] = (
    ("CustomResourceDefinition",),
    ("Namespace",),
    ("ClusterRole", "Role", "ServiceAccount", "PriorityClass", "StorageClass", "IngressClass", "RuntimeClass"),
    ("ClusterRoleBinding", "RoleBinding", "ResourceQuota", "LimitRange", "NetworkPolicy"),
    ("ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim"),
    ("Service", "Endpoints", "EndpointSlice"),
    ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"),
)
_LAST: Final = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService")
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9.-]|\.(?=\.)")
"""An API server inside a cluster may call its kinds as it likes."""
_OF_THE_SERVER: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "ownerReferences", "selfLink")
_BINDING: Final = ("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller")
_JOB_UIDS: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
_GIVEN: Final = {
    "Service": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
    "PersistentVolumeClaim": ("volumeName",),
    "PersistentVolume": ("claimRef",),
    "Pod": ("nodeName",),
}
_NOTE: Final = """{count} objects of {name}, as they were on {when}.

    kubectl apply --recursive -f .

They are numbered in the order in which they depend on each other. What Marina's own restore does beyond that, it does
not do: owners and status are not in these files, and volumes hold no data. There are Secrets among them.
manifest.txt says what was left out and why.
"""


def archive(objects: Iterable[Json], manifest: Json, *, folder: str, name: str, when: datetime) -> Iterator[bytes]:
    """The bytes of the tar.gz, as they come."""
    pipe = _Pipe()
    with (
        gzip.GzipFile(fileobj=cast(IO[bytes], pipe), mode="wb", compresslevel=6, mtime=when.timestamp()) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        note = _NOTE.format(count=sum(manifest["counts"].values()), name=name, when=f"{when:%Y-%m-%d at %H:%M} UTC")
        _put(tar, f"{folder}/README.txt", note.encode(), when)
        _put(tar, f"{folder}/manifest.txt", json.dumps(manifest, indent=2).encode(), when)
        for file, items in _files(objects):
            _put(tar, f"{folder}/{file}", _list(items), when)
            yield pipe.taken()
    yield pipe.taken()


class _Pipe(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept += data
        return len(data)

    def taken(self) -> bytes:
        kept = bytes(self._kept)
        self._kept.clear()
        return kept


def _put(tar: tarfile.TarFile, name: str, content: bytes, when: datetime) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(when.timestamp()), 0o600
    tar.addfile(entry, io.BytesIO(content))


def _files(objects: Iterable[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Objects of one kind, at most so many, with the name of their file; kinds come one after the other."""
    waiting: list[Json] = []
    kind, numbers, size = "", dict[str, int](), 0
    for item in objects:
        its = _kind(item)
        if waiting and (its != kind or len(waiting) == FILE_OBJECTS or size > FILE_BYTES):
            yield _file_name(waiting[0], kind, numbers), waiting
            waiting, size = [], 0
        kind = its
        size += len(json.dumps(item))
        waiting.append(as_applied(item))
    if waiting:
        yield _file_name(waiting[0], kind, numbers), waiting


def _kind(item: Json) -> str:
    group = str(item["apiVersion"]).rpartition("/")[0]
    return f"{item['kind']}.{group}" if group else str(item["kind"])


def _file_name(item: Json, kind: str, numbers: dict[str, int]) -> str:
    numbers[kind] = numbers.get(kind, 0) + 1
    return f"{_rank(item['kind'])}-{_NOT_IN_A_NAME.sub('_', kind)}-{numbers[kind]:03d}.yaml"


def _rank(kind: str) -> int:
    """Two digits. Own kinds come behind what they may need, and before what may need them."""
    if kind in _LAST:
        return 90
    return next((10 * (at + 1) for at, kinds in enumerate(_ORDER) if kind in kinds), 65)


def as_applied(item: Json) -> Json:
    """The object as somebody would have written it."""
    meta = {key: value for key, value in item["metadata"].items() if key not in _OF_THE_SERVER}
    if annotations := {
        key: value for key, value in (meta.pop("annotations", None) or {}).items() if key not in _BINDING
    }:
        meta["annotations"] = annotations
    kept = {**item, "metadata": meta}
    kept.pop("status", None)
    if isinstance(spec := kept.get("spec"), dict):
        given = _GIVEN.get(item["kind"], ()) if _core(item) and spec.get("clusterIP") != "None" else ()
        kept["spec"] = {key: value for key, value in spec.items() if key not in given}
        if _core(item) and item["kind"] == "Service" and spec.get("ports"):
            kept["spec"]["ports"] = [_without(port, ("nodePort",)) for port in spec["ports"]]
    return _job_anew(kept) if _kind(item) == "Job.batch" else kept


def _without(found: Json, names: tuple[str, ...]) -> Json:
    return {key: value for key, value in found.items() if key not in names}


def _job_anew(job: Json) -> Json:
    """Its controller selects its pods by its own uid, which another cluster refuses."""
    spec = dict(job.get("spec") or {})
    selected = (spec.get("selector") or {}).get("matchLabels") or {}
    if selected and not _without(selected, _JOB_UIDS):
        del spec["selector"]
    template = spec.get("template") or {}
    if template.get("metadata"):
        spec["template"] = {**template, "metadata": _labels_without(template["metadata"])}
    return {**job, "metadata": _labels_without(job["metadata"]), "spec": spec}


def _labels_without(meta: Json) -> Json:
    labels = _without(meta.get("labels") or {}, _JOB_UIDS)
    return {**_without(meta, ("labels",)), **({"labels": labels} if labels else {})}


def _core(item: Json) -> bool:
    return "/" not in str(item["apiVersion"])


def _list(items: list[Json]) -> bytes:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(
        {"apiVersion": "v1", "kind": "List", "items": items}, Dumper=dumper, sort_keys=False, allow_unicode=True
    )
    return str(text).encode()
