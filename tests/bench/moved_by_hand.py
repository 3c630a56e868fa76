"""Moving a virtual cluster as people do it by hand: helm, kubectl, and a filter for fields that a copy may not have.

As fast as that can honestly be made: all kinds are read by one command, written by three (server-side apply asks once
an object), and what waits looks ten times a second. JSON in place of YAML saves kubectl and the filter some time. It
copies less than Marina: no status, no owners, nothing that was written meanwhile, and it compares nothing.
"""

import json
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.hosts import CHART
from tests.bench.setup import FOLDER
from tests.bench.two_hosts import TwoHosts, placement_of
from tests.commands import Kubectl

Json = dict[str, Any]

NOT_COPIED = frozenset(
    {
        *("events", "events.events.k8s.io", "endpoints", "leases.coordination.k8s.io", "nodes", "persistentvolumes"),
        *("replicasets.apps", "controllerrevisions.apps", "apiservices.apiregistration.k8s.io"),
        *("flowschemas.flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"),
        *("certificatesigningrequests.certificates.k8s.io", "csinodes.storage.k8s.io", "csidrivers.storage.k8s.io"),
        *("volumeattachments.storage.k8s.io", "csistoragecapacities.storage.k8s.io"),
        *("ipaddresses.networking.k8s.io", "servicecidrs.networking.k8s.io"),
    }
)
"""What the cluster makes itself."""
OWN_NAMES = frozenset({"kube-root-ca.crt", "kubernetes", "default"})
OWN_SPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "marina-access"})
LEANED_ON = frozenset({"CustomResourceDefinition", "Namespace"})
LAST = frozenset({"ResourceQuota", "Pod", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"})
SCALED = frozenset({"Deployment", "StatefulSet"})
_META = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "ownerReferences", "selfLink")
_LOOK = 0.1
_TRIES = 5


@dataclass(frozen=True)
class Running:
    """A workload that has replicas."""

    kind: str
    namespace: str
    name: str
    replicas: int


class ByHand:
    """Moves one cluster, which Marina made, without Marina."""

    def __init__(self, where: TwoHosts, name: str) -> None:
        self._where = where
        placement = placement_of(name)
        self.namespace, self.release = placement.namespace, placement.release
        self._took: dict[str, float] = {}
        self._values = FOLDER / f"{name}.values.json"
        given = self._helm(where.here, "get", "values", self.release, "-o", "json")
        self._values.write_text(given)

    def move(self) -> None:
        """Until what ran here runs there, and nothing of it here."""
        here = self._where.inside_release(self._where.here, self.namespace, self.release)
        there = self._timed("install", self._installed)
        objects = self._timed("read", partial(_read, here))
        running = [each for obj in objects if (each := _running(obj))]
        self._timed("write", partial(_write, there, [_held(_cleaned(obj)) for obj in objects]))
        self._timed("change places", partial(_places_changed, here, there, running))
        _resumed(there, objects)
        self._timed("put to rest", self._at_rest)

    def told(self) -> str:
        """What took how long."""
        return ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self._took.items())

    def _timed(self, what: str, do: Callable[[], Any]) -> Any:
        begun = time.monotonic()
        done = do()
        self._took[what] = time.monotonic() - begun
        return done

    def remove(self) -> None:
        """From where it went."""
        self._helm(self._where.there, "uninstall", self.release)
        self._where.on(self._where.there)("delete", "namespace", self.namespace, "--wait")

    def upgrade(self, version: str) -> None:
        """To this Kubernetes version; until its API says so."""
        newer = f"controlPlane.distro.k8s.image.tag=v{version}"
        values = ("-f", str(self._values), "--set-string", newer)
        self._helm(self._where.here, "upgrade", self.release, str(CHART), *values)
        inside = partial(self._where.inside_release, self._where.here, self.namespace, self.release)
        _until(lambda: _says(inside(), version))

    def _installed(self) -> Kubectl:
        on_host = self._where.on(self._where.there)
        on_host("create", "namespace", self.namespace)
        self._helm(self._where.there, "upgrade", "--install", self.release, str(CHART), "-f", str(self._values))
        inside = partial(self._where.inside_release, self._where.there, self.namespace, self.release)
        _until(lambda: inside()("get", "--raw", "/readyz").stdout == "ok")
        return inside()

    def _at_rest(self) -> None:
        on_host, at = self._where.on(self._where.here), ("-n", self.namespace)
        on_host("scale", f"statefulset/{self.release}", "--replicas=0", *at)
        on_host("wait", "--for=delete", f"pod/{self.release}-0", *at, "--timeout=60s")

    def _helm(self, host: str, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(FOLDER),
            "KUBECONFIG": str(self._where.hosts[host].kubeconfig),
        }
        command = [self._where.tools.helm, *arguments, "-n", self.namespace]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if holds():
                return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOOK)


def _says(inside: Kubectl, version: str) -> bool:
    told = json.loads(inside("get", "--raw", "/version").stdout)["gitVersion"]
    return told == f"v{version}" and inside("get", "--raw", "/readyz").stdout == "ok"


def _read(inside: Kubectl) -> list[Json]:
    kinds = inside("api-resources", "--verbs=list,create", "-o", "name").stdout.split()
    found = inside.get(",".join(kind for kind in kinds if kind not in NOT_COPIED), "-A")
    return [obj for obj in found if _users(obj)]


def _users(obj: Json) -> bool:
    """Somebody made it by hand, and nothing makes it again."""
    meta, labels = obj["metadata"], obj["metadata"].get("labels") or {}
    if meta.get("namespace") in OWN_SPACES or (obj["kind"] == "Namespace" and meta["name"] in OWN_SPACES):
        return False
    if meta["name"] in OWN_NAMES or meta["name"].startswith(("system:", "system-", "marina")):
        return False
    controlled = obj["kind"] in ("Pod", "Job") and meta.get("ownerReferences")
    managed = "endpointslice.kubernetes.io/managed-by" in labels
    return not (controlled or managed or "kubernetes.io/bootstrapping" in labels)


def _cleaned(obj: Json) -> Json:
    bare = {key: value for key, value in obj.items() if key != "status"}
    bare["metadata"] = {key: value for key, value in obj["metadata"].items() if key not in _META}
    spec = {**obj["spec"]} if isinstance(obj.get("spec"), dict) else None
    if spec is not None:
        for field in _SPEC.get(obj["kind"], ()):
            spec.pop(field, None)
        if obj["kind"] == "Job":
            spec["template"] = _unlabelled(spec["template"])
        if obj["kind"] == "Service" and obj["spec"].get("clusterIP") == "None":
            spec["clusterIP"] = "None"
        bare["spec"] = spec
    return bare


def _unlabelled(template: Json) -> Json:
    labels = {key: value for key, value in (template["metadata"].get("labels") or {}).items() if key not in _OF_JOBS}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


_OF_JOBS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
_SPEC = {
    "Job": ("selector",),
    "Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
    "PersistentVolumeClaim": ("volumeName",),
    "Pod": ("nodeName", "serviceAccount", "serviceAccountName", "priority", "preemptionPolicy", "tolerations"),
}


def _held(obj: Json) -> Json:
    if obj["kind"] in SCALED:
        return {**obj, "spec": {**obj["spec"], "replicas": 0}}
    return {**obj, "spec": {**obj["spec"], "suspend": True}} if obj["kind"] == "CronJob" else obj


def _running(obj: Json) -> Running | None:
    replicas = (obj.get("spec") or {}).get("replicas") if obj["kind"] in SCALED else 0
    meta = obj["metadata"]
    return Running(obj["kind"].lower(), meta["namespace"], meta["name"], replicas) if replicas else None


def _write(there: Kubectl, objects: list[Json]) -> None:
    first = [obj for obj in objects if obj["kind"] in LEANED_ON]
    last = [obj for obj in objects if obj["kind"] in LAST]
    rest = [obj for obj in objects if obj["kind"] not in LEANED_ON | LAST]
    _applied(there, first)
    there("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    _applied(there, rest)
    _applied(there, last)


def _applied(there: Kubectl, objects: list[Json]) -> None:
    """What was not taken at first, a quota's objects before it was counted, is told again."""
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    for _ in range(_TRIES):
        said = there("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest, exit_code=None)
        if said.exit_code == 0:
            return
        time.sleep(_LOOK)
    raise AssertionError(said.stderr)


def _places_changed(here: Kubectl, there: Kubectl, running: list[Running]) -> None:
    _scaled(here, [(each, 0) for each in running])
    _ended(here, running)
    _scaled(there, [(each, each.replicas) for each in running])
    _ready(there, running)


def _scaled(inside: Kubectl, wanted: Iterable[tuple[Running, int]]) -> None:
    """One command for all of a namespace that get the same number."""
    together: dict[tuple[str, int], list[str]] = defaultdict(list)
    for each, replicas in wanted:
        together[each.namespace, replicas].append(f"{each.kind}/{each.name}")
    for (namespace, replicas), names in together.items():
        inside("scale", *names, "-n", namespace, f"--replicas={replicas}")


def _ended(inside: Kubectl, running: list[Running]) -> None:
    for namespace in sorted({each.namespace for each in running}):
        inside("wait", "--for=delete", "pods", "-l", "busy=yes", "-n", namespace, "--timeout=120s")


def _ready(inside: Kubectl, running: list[Running]) -> None:
    for each in running:
        inside("rollout", "status", f"{each.kind}/{each.name}", "-n", each.namespace, "--timeout=120s")


def _resumed(inside: Kubectl, objects: list[Json]) -> None:
    for obj in objects:
        if obj["kind"] == "CronJob" and not obj["spec"].get("suspend"):
            meta = obj["metadata"]
            patch = '{"spec": {"suspend": false}}'
            inside("patch", "cronjob", meta["name"], "-n", meta["namespace"], "--type", "merge", "-p", patch)
