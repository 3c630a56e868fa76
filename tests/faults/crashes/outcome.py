"""What there is after an operation has ended, written so that two runs of the same scenario can be compared.

Left aside is what differs between any two undisturbed runs (ids, times, ports, tokens) and what only counts how often
something was done: revisions of objects and of releases, the credential's generation, attempts, events, and the notes
of steps ("It is installed already").
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from nacl.public import SealedBox

from clusters.encryption import connection_decrypt
from clusters.exports.container import ExportReader
from clusters.exports.secrets import key_of, spec_of
from clusters.exports.storage import export_opened, exports_storage
from clusters.models import (
    Export,
    ExportState,
    HostCluster,
    HostCredential,
    HostSlot,
    KubeconfigGrant,
    Operation,
    OperationKind,
    Placement,
)
from clusters.moving import COUNTS, FREEZE, MEASURED, REVISIONS
from clusters.preflight import REPORT
from clusters.restoration import PROGRESS
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import ENDPOINTS, EVENT, KINDS, NAMESPACE, NODE, POD_METRICS, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.exports.digests import object_key
from provisioning.steps.names import SYNCED_BY
from tests.fakes.releases import PENDING, release_decoded
from tests.faults.crashes.scenarios import RECIPIENT
from tests.faults.crashes.stage import Stage

_PATTERNS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC"), "<time>"),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"written to for \d+\.\d s"), "written to for <seconds>"),
    (re.compile(r"certificate-authority-data: [\w+/]+=*"), "certificate-authority-data: <authority>"),
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-<drawn>"),
    (re.compile(r'"controller-revision-hash": "[^"]+", '), ""),
)
_ASIDE: dict[type[Model], set[str]] = {
    Operation: {"attempt", "lease_token", "published_at", "run_after", "created_at", "sealed_result"},
    HostCredential: {"generation", "ciphertext", "issued_at", "expires_at"},
    Placement: {"revision", "foreign_revision", "first_revision", "why"},  # which names the hosts of other cases
    Export: {"key", "spec", "size", "digest", "storage_name", "expires_at"},
    HostCluster: {"breaker_since", "answered_at", "probed_at", "surveyed_at"},
}
_COUNTED = (REVISIONS, COUNTS, FREEZE, MEASURED)
"""In an operation's params: versions of objects, and how long something took."""
_MADE_BY = ("marina", "helm")
"""Field managers whose fields are compared; others come and go with a server's own controllers."""
_CHOSEN = ("Pod", "Service", "PersistentVolumeClaim", "Secret")
"""Real servers choose addresses, nodes, volumes and keys for these; what Marina and helm set is in managedFields."""


@dataclass(frozen=True)
class Outcome:
    """Rows, objects on the host, objects in the virtual cluster; each by a name, all comparable."""

    rows: Json
    host: Json
    inside: Json

    def differences(self, other: "Outcome") -> list[str]:
        """What `other` has otherwise, a line each."""
        found: list[str] = []
        for part in ("rows", "host", "inside"):
            _compare(getattr(self, part), getattr(other, part), part, found)
        return found


def outcome_of(stage: Stage, operation_id: Any) -> Outcome:
    """Looks at rows, host and virtual cluster."""
    operation = Operation.objects.select_related("host", "virtual_cluster").get(pk=operation_id)
    placements = list(Placement.objects.filter(virtual_cluster=operation.virtual_cluster_id).order_by("role"))
    placement = placements[0] if placements else None
    host = HostCluster.objects.get(name=stage.name)
    names = {
        stage.admin.token: "<token>",
        stage.name: "<name>",
        stage.given_namespace: "<given>",
        operation.pk.hex[-10:]: "<operation>",
    }
    if operation.virtual_cluster:
        names[operation.virtual_cluster.pk.hex[-10:]] = "<cluster>"
    return Outcome(
        rows=_plain(_rows(operation, host, placements, real=stage.fake is None), names),
        host=_plain(_on_host(stage, placements), names),
        inside=_plain(_inside(stage, placement), names),
    )


# Rows


def _rows(operation: Operation, host: HostCluster, placements: list[Placement], *, real: bool) -> Json:
    steps = [[step["key"], step["name"], step["state"]] for step in operation.steps]
    credential = HostCredential.objects.get(host=host)
    return {
        "operation": {**_row(operation), "steps": steps},
        "sealed": _unsealed(operation),
        "host": _row(host),
        "credential": {**_row(credential), "holds": _holds(credential)},
        "virtual_cluster": _row(operation.virtual_cluster) if operation.virtual_cluster else None,
        "placements": [_row(placement) for placement in placements],
        "kubeconfigs": _kubeconfigs(operation),
        "exports": _exports(operation, real=real),
        "slots taken": list(HostSlot.objects.filter(host=host, operation__isnull=False).values_list("number")),
    }


def _kubeconfigs(operation: Operation) -> list[tuple[str, bool]]:
    """Of each that was given out, oldest first, whether it counts as ended."""
    grants = KubeconfigGrant.objects.filter(virtual_cluster=operation.virtual_cluster_id).order_by("id")
    return [(grant.level, grant.revoked_at is not None) for grant in grants]


def _exports(operation: Operation, *, real: bool) -> list[Json]:
    """With what can be read of each, and how many files there are: an attempt that ended early leaves none.

    How much of a real cluster's own is left out changes from moment to moment.
    """
    found = []
    for export in Export.objects.filter(virtual_cluster=operation.virtual_cluster_id).order_by("id"):
        if export.state != ExportState.COMPLETE:
            found.append(_row(export))
            continue
        with export_opened(export.storage_name) as file:
            reader = ExportReader(file, key_of(export))
            objects = sorted(object_key(each) for each in reader.objects())
        files = exports_storage().listdir(export.folder)[1]
        row = {name: value for name, value in _row(export).items() if not (real and name == "left_out")}
        found.append({**row, "objects": objects, "files": len(files), "spec of": spec_of(export)["name"]})
    return found


def _row(row: Model) -> Json:
    """All columns, so that a new one is compared by itself; of times only whether there is one."""
    aside = _ASIDE.get(type(row), set()) | {"changed_in"}
    fields = [field for field in row._meta.concrete_fields if field.attname not in aside]
    shown = {field.attname: getattr(row, field.attname) for field in fields}
    if isinstance(row, Operation):
        left_out = {*_COUNTED, PROGRESS, REPORT} if row.kind == OperationKind.MIGRATE else {*_COUNTED}
        shown["params"] = {key: value for key, value in row.params.items() if key not in left_out}
    return shown


def _holds(credential: HostCredential) -> Json:
    """The connection in use."""
    if credential.ciphertext is None:
        return {}
    held: Json = json.loads(connection_decrypt(bytes(credential.ciphertext)).to_json())
    return held


def _unsealed(operation: Operation) -> str:
    return SealedBox(RECIPIENT).decrypt(bytes(operation.sealed_result)).decode() if operation.sealed_result else ""


# Objects


def _on_host(stage: Stage, placements: list[Placement]) -> Json:
    """On a fake everything there is; on a real host, which others use too, what is in the case's own namespaces.

    With a second host what is on either, by host.
    """
    if stage.beside:
        return {"from": _on(stage, placements), "to": _on(stage.beside, placements)}
    return _on(stage, placements)


def _on(stage: Stage, placements: list[Placement]) -> Json:
    if stage.fake:
        return _objects(stage.kube, "")
    found: Json = {}
    for namespace in {stage.given_namespace, *(placement.namespace for placement in placements)}:
        found |= _objects(stage.kube, namespace)
    return {name: _settled(each) for name, each in found.items() if not _synced(each)}


def _synced(each: Json) -> bool:
    """What the syncer puts on the host comes and goes by itself."""
    return SYNCED_BY in (each.get("metadata", {}).get("labels") or {})


def _settled(each: Json) -> Json:
    """Of an object on a real server what does not depend on the moment and on its controllers' choice."""
    kept = {key: value for key, value in each.items() if key != "status"}
    if each.get("kind") in _CHOSEN:
        kept = {key: value for key, value in kept.items() if key not in ("spec", "data")}
    return kept


def _inside(stage: Stage, placement: Placement | None) -> Json:
    if placement is None:
        return {}
    try:
        with Clients().virtual(placement, lambda: None) as virtual:
            found = _objects(virtual, "")
    except StepError as error:
        return {"not reached": error.code}
    if stage.fake:
        return found
    # a real one makes many objects of its own, and its controllers say how those of others are at the moment
    made = {name: each for name, each in found.items() if _marinas(each.get("metadata", {}))}
    return {name: {key: value for key, value in each.items() if key != "status"} for name, each in made.items()}


def _marinas(meta: Json) -> bool:
    """A ReplicaSet that its Deployment makes bears a field of Marina's or not, as it was there in time to be held."""
    of_controller = any(owner.get("controller") for owner in meta.get("ownerReferences") or [])
    return "marina" in meta.get("managedFields", {}) and not of_controller


def _objects(kube: KubeClient, namespace: str) -> Json:
    """By kind, namespace and name; each once, or the key would be there twice."""
    found: Json = {}
    for kind in KINDS.values():
        if kind in (ENDPOINTS, EVENT, NODE, POD_METRICS) or (namespace and not kind.namespaced):
            continue
        for each in kube.list(kind, namespace or None):
            found.update(_object(kind, each))
    if namespace and (home := kube.get(NAMESPACE, namespace)):
        found.update(_object(NAMESPACE, home))
    return found


def _object(kind: Kind, each: Json) -> Json:
    meta = each["metadata"]
    name = f"{kind.kind} {meta.get('namespace', '-')}/{meta['name']}"
    if each.get("type") == "helm.sh/release.v1":
        return _revision(name, each)
    for key in ("uid", "resourceVersion", "creationTimestamp"):
        meta.pop(key, None)
    entries = meta.pop("managedFields", None) or []
    meta["managedFields"] = {e["manager"]: e["fieldsV1"] for e in entries if e["manager"] in _MADE_BY}
    return {name: each}


def _revision(name: str, secret: Json) -> Json:
    """The deployed revision of a release, without its number. Superseded ones are only counted by helm."""
    told = release_decoded(secret)
    status = secret["metadata"]["labels"]["status"]
    if status == "superseded":
        return {}
    assert status not in PENDING, f"{name} was left {status}"
    short = name.rpartition(".v")[0]
    return {f"{short} {status}": {"chart": told["chart"]["metadata"], "config": told["config"], "of": told["manifest"]}}


# Comparing


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    """As JSON, with what differs between any two runs replaced."""
    text = json.dumps(value, sort_keys=True, default=_texted)
    for pattern, stands_for in _PATTERNS:
        text = pattern.sub(stands_for, text)
    for name, stands_for in names.items():
        text = text.replace(name, stands_for)
    return json.loads(text)


def _texted(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def _compare(wanted: Any, got: Any, at: str, found: list[str]) -> None:
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted({*wanted, *got}):
            if key not in wanted:
                found.append(f"{at}: {key} is there and should not be")
            elif key not in got:
                found.append(f"{at}: {key} is missing")
            else:
                _compare(wanted[key], got[key], f"{at}: {key}" if at.count(":") < 2 else f"{at}.{key}", found)
    elif wanted != got:
        found.append(f"{at}: {json.dumps(wanted)[:300]} became {json.dumps(got)[:300]}")
