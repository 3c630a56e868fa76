"""A host cluster in memory, with the virtual clusters that run on it."""

import contextlib
import socket
import ssl
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from clusters.connection import HostConnection
from localkube.pki import Authority
from provisioning.drivers.kinds import (
    INGRESS_CLASS,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
    Json,
    Kind,
)
from tests.fakes import forwarding
from tests.fakes.access import MASTERS, Wish
from tests.fakes.answers import not_found
from tests.fakes.cluster import FakeCluster, Request, Target, encoded, to_bytes
from tests.fakes.controllers import FIRST_CONSUMER, is_ready
from tests.fakes.exposition import Expositions
from tests.fakes.helm_verbs import HelmRun
from tests.fakes.server import Handler, Server, Upgrade
from tests.fakes.store import Stored

HELM = Path(__file__).with_name("helm")
ENDPOINT = "localkube.marina.dev/endpoint"
API_PORT = 8443


class Certificates:
    """One authority for hosts and one for the virtual clusters on them: made once, for all fakes of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def host(self) -> Authority:
        return Authority(self._folder / "host", "fake hosts")

    @cached_property
    def virtual(self) -> Authority:
        return Authority(self._folder / "virtual", "fake virtual clusters")

    @cached_property
    def host_context(self) -> ssl.SSLContext:
        return _context(self.host)

    @cached_property
    def virtual_context(self) -> ssl.SSLContext:
        return _context(self.virtual)

    @cached_property
    def vcluster_secret(self) -> dict[str, str]:
        """What vcluster writes into the secret vc-NAME."""
        identity = self.virtual.issue("kubernetes-super-admin", groups=[MASTERS])
        return {
            "certificate-authority": encoded(self.virtual.certificate.decode()),
            "client-certificate": encoded(identity.certificate.decode()),
            "client-key": encoded(identity.key.decode()),
            "config": encoded("of no use to Marina"),
            "token": "",
        }


def _context(authority: Authority) -> ssl.SSLContext:
    certificate, key = authority.issue_files("server", "kube-apiserver", hosts=["127.0.0.1", "localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority.certificate_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


class FakeHost:
    """A context manager: its servers run inside. `cluster` is its state, `virtual` that of its virtual clusters.

    A virtual cluster's state belongs to its claim: it goes when the claim goes, and a new release over a claim that
    stayed revives it. A control plane starts after somebody looked for its secret in vain or at its StatefulSet, so
    that flows have to wait. One with a version in `missing`, of Kubernetes or of vcluster, never starts, as that image
    is nowhere; one of a Kubernetes version in `ailing` starts and never gets ready. None serves the kinds in `unknown`.
    """

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self.cluster = FakeCluster()
        self.missing: set[str] = set()
        self.ailing: set[str] = set()
        self.unknown: set[Kind] = set()
        self.expositions = Expositions(self.cluster)
        self._inner: dict[str, tuple[FakeCluster, Server]] = {}
        self._forwards: defaultdict[str, set[socket.socket]] = defaultdict(set)
        self.cluster.missed.append(self._looked_in_vain)
        self.cluster.found.append(self._looked)
        self.cluster.store.watchers.append(self._changed)
        self._furnish()

    def _furnish(self) -> None:
        default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
        self.cluster.make(STORAGE_CLASS, "standard", metadata=default, provisioner="kubernetes.io/no-provisioner")
        late = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
        self.cluster.make(STORAGE_CLASS, FIRST_CONSUMER, **late)
        self.cluster.make(INGRESS_CLASS, "nginx", spec={"controller": "fakes.marina.dev/none"})
        allocatable = {"allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"}}
        self.cluster.make(NODE, "node-1", status=allocatable)

    def __enter__(self) -> Self:
        self.server = self._serve(port=0)
        return self

    def _serve(self, *, port: int) -> Server:
        upgrades: dict[str, Upgrade] = {
            "portforward": self._port_forward,
            "helm": self._helm,
            "metrics": self.expositions.answer,
        }
        return Server(self.cluster, self._certificates.host_context, upgrades, port)

    def go_down(self) -> None:
        """Nobody listens any more, and every connection is cut; its state stays."""
        self.server.close()

    def come_back(self) -> None:
        """At the same address."""
        self.server = self._serve(port=self.server.port)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.close()
        for _, server in self._inner.values():
            server.close()

    @property
    def connection(self) -> HostConnection:
        """The administrator's."""
        return HostConnection(
            server=self.server.url,
            ca_pem=self._certificates.host.certificate.decode(),
            token=self.cluster.access.admin_token,
        )

    def restart(self, namespace: str, pod: str) -> None:
        """Its set makes another in its place, as after a node was drained."""
        with self.cluster.lock:
            self.cluster.store.delete(self.cluster.store.get(POD, pod, namespace))

    # Virtual clusters

    def virtual(self, namespace: str, pod: str) -> FakeCluster | None:
        """The state of the virtual cluster that a pod serves; None where it has not started."""
        with self.cluster.lock:
            found = self.cluster.store.find(POD, pod, namespace)
            inner = self._inner.get(self._volume(found)) if found and is_ready(found) else None
        return inner[0] if inner else None

    def _volume(self, pod: Stored) -> str:
        """The uid of what holds the pod's data."""
        for volume in pod.value["spec"].get("volumes") or []:
            if claim := volume.get("persistentVolumeClaim"):
                name = claim["claimName"]
                return str(self.cluster.store.get(PERSISTENT_VOLUME_CLAIM, name, pod.meta["namespace"]).meta["uid"])
        return str(pod.meta["uid"])

    def _looked_in_vain(self, target: Target) -> None:
        if target.kind == SECRET and target.name.startswith("vc-"):
            for pod in self.cluster.store.each(POD, target.namespace):
                if _release_of(pod) == target.name.removeprefix("vc-"):
                    self._start(pod)

    def _looked(self, target: Target) -> None:
        if target.kind == STATEFUL_SET:
            for pod in self.cluster.store.each(POD, target.namespace):
                status = pod.value.get("status", {})
                # what a test says of it stays
                told = status.get("containerStatuses") or status.get("initContainerStatuses")
                if _release_of(pod) == target.name and not is_ready(pod) and not told:
                    self._start(pod)

    def _changed(self, what: str, stored: Stored) -> None:
        if stored.kind == PERSISTENT_VOLUME_CLAIM and what == "DELETED":
            if inner := self._inner.pop(stored.meta["uid"], None):
                inner[1].close()
        elif stored.kind == POD and what == "DELETED":
            for connection in self._forwards.pop(stored.meta["uid"], set()):
                with contextlib.suppress(OSError):  # it may have ended already
                    connection.shutdown(socket.SHUT_RDWR)
        elif stored.kind == POD and what == "ADDED" and self._succeeds(stored):
            self._start(stored)

    def _succeeds(self, pod: Stored) -> bool:
        """A successor needs nobody to look: the secret of its predecessor is there."""
        release = _release_of(pod)
        return bool(release and self.cluster.store.find(SECRET, f"vc-{release}", pod.meta["namespace"]))

    def _start(self, pod: Stored) -> None:
        nowhere = [each for each in _containers(pod) if _tag(each) in self.missing]
        if nowhere or _version(pod) in self.ailing:
            status = _never_pulled(nowhere[0]) if nowhere else _NEVER_READY
            self.cluster.store.write(pod, {**pod.value, "metadata": dict(pod.meta), "status": status})
            return
        volume = self._volume(pod)
        if volume not in self._inner:
            cluster = FakeCluster(version=_version(pod))
            cluster.unknown = self.unknown
            self._inner[volume] = cluster, Server(cluster, self._certificates.virtual_context, {})
        self._inner[volume][0].version = _version(pod)
        self._publish(pod, self._inner[volume][1])
        ready = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "Ready")]
        status = {"phase": "Running", "conditions": ready}
        self.cluster.store.write(pod, {**pod.value, "metadata": dict(pod.meta), "status": status})

    def _publish(self, pod: Stored, server: Server) -> None:
        store, namespace, release = self.cluster.store, pod.meta["namespace"], _release_of(pod)
        service = store.find(SERVICE, release, namespace)
        if service is None:
            return
        store.patch(service, {"metadata": {"annotations": {ENDPOINT: server.url}}}, manager="localkube")
        owner = {"apiVersion": "v1", "kind": "Service", "name": release, "uid": service.meta["uid"]}
        secret: Json = {
            "metadata": {"name": f"vc-{release}", "namespace": namespace, "ownerReferences": [owner]},
            "data": self._certificates.vcluster_secret,
        }
        store.apply(SECRET, secret, manager="vcluster", force=True)

    # What takes a connection over

    def _port_forward(self, handler: Handler, request: Request) -> None:
        parts = request.path.split("/")
        namespace, name, port = parts[4], parts[6], int(request.query.get("ports", 0))
        with self.cluster.lock:
            self._may_forward(request, namespace, name)
            pod = self.cluster.store.find(POD, name, namespace)
            inner = self._inner.get(self._volume(pod)) if pod and is_ready(pod) else None
        if pod is None:
            raise not_found(POD, name)
        forwarding.accept(handler)
        forwarding.greet(handler, port)
        if inner is None or port != API_PORT:
            forwarding.refuse(handler, f"connecting to port {port} of pod {namespace}/{name}: connection refused")
            return
        forwarding.forward(handler, inner[1].port, self._forwards[pod.meta["uid"]].add)

    def _may_forward(self, request: Request, namespace: str, name: str) -> None:
        for verb in ("get", "create"):
            self.cluster.access.require(request.user, Wish(verb, "", "pods/portforward", namespace, name), POD)

    def _helm(self, handler: Handler, request: Request) -> None:
        def alive() -> None:
            handler.wfile.write(b"?\n")
            handler.wfile.flush()
            if handler.rfile.readline() != b".\n":
                raise ConnectionResetError("helm was killed")

        told = HelmRun(self.cluster, request, alive).run()
        handler.wfile.write(to_bytes(told) + b"\n")
        handler.wfile.flush()


_NEVER_READY: Json = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "False"}],
    "containerStatuses": [{"name": "syncer", "state": {"running": {}}}],
}


def _never_pulled(container: Json) -> Json:
    image, name = container["image"], container["name"]
    waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}": {image}: not found'}
    if name == "syncer":
        return {"phase": "Pending", "containerStatuses": [{"name": name, "state": {"waiting": waiting}}]}
    return {
        "phase": "Pending",
        "initContainerStatuses": [{"name": name, "state": {"waiting": waiting}}],
        "containerStatuses": [{"name": "syncer", "state": {"waiting": {"reason": "PodInitializing"}}}],
    }


def _release_of(pod: Stored) -> str:
    """ "" for a pod that is no control plane."""
    labels = pod.meta.get("labels", {})
    owners = {owner["kind"] for owner in pod.meta.get("ownerReferences") or []}
    ours = labels.get("app") == "vcluster" and STATEFUL_SET.kind in owners
    return str(labels.get("release", "")) if ours else ""


def _version(pod: Stored) -> str:
    """From the tag of the init container that brings the API server."""
    tags = [_tag(each) for each in _containers(pod) if each["name"] == "kubernetes"]
    return tags[0] if tags else "1.36.3"


def _containers(pod: Stored) -> list[Json]:
    return [*(pod.value["spec"].get("initContainers") or []), *pod.value["spec"]["containers"]]


def _tag(container: Json) -> str:
    return str(container["image"].rpartition(":")[2].removeprefix("v"))
