"""An operator that makes one outside thing for each object, wherever its pod runs at the moment."""

import base64
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from kubernetes import client
from urllib3.exceptions import HTTPError

from clusters.connection import HostConnection
from provisioning.drivers.kinds import POD, SECRET, SERVICE, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import StepError
from tests.e2e.beside import beside

GADGET = Kind("things.example.com/v1", "Gadget", "gadgets", namespaced=True)
SPACE = "operated"
BETWEEN_GADGETS = 0.2
"""Seconds: often enough that some are made just before it is frozen, and noted by nobody then."""
LABELS = {"app": "operator"}
WRITES = {"apiGroups": ["things.example.com"], "resources": ["gadgets", "gadgets/status"], "verbs": ["*"]}


def operator_manifests(count: int) -> list[Json]:
    """The operator's Deployment with what it may do, its definition, and as many gadgets."""
    rbac = "rbac.authorization.k8s.io"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"}
    account = {"kind": "ServiceAccount", "name": "operator", "namespace": SPACE}
    pod = {"serviceAccountName": "operator", "containers": [{"name": "operator", "image": "operator:1"}]}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}},
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "gadgets.things.example.com"},
            "spec": {"group": "things.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator", "namespace": SPACE}},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "operator"}, "rules": [WRITES]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "operator"},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "operator"},
            "subjects": [account],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "operator", "namespace": SPACE},
            "spec": {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template},
        },
        *(
            {
                "apiVersion": "things.example.com/v1",
                "kind": "Gadget",
                "metadata": {"name": f"gadget-{number}", "namespace": SPACE},
                "spec": {"size": number},
            }
            for number in range(count)
        ),
    ]


@dataclass
class Place:
    """Where a cluster may run: its host's API, and the namespace and release there."""

    host: KubeClient
    namespace: str
    release: str

    def runs(self) -> bool:
        """Whether a pod of the operator runs there, as its host has it."""
        found = self.host.list(POD, self.namespace, label_selector="app=operator")
        running = [pod for pod in found if (pod.get("status") or {}).get("phase") == "Running"]
        return any("deletionTimestamp" not in pod["metadata"] for pod in running)

    @contextmanager
    def as_operator(self) -> Iterator[KubeClient]:
        """The virtual API there, by a token of the operator's own account."""
        secret = self.host.get(SECRET, f"vc-{self.release}", self.namespace)
        service = self.host.get(SERVICE, self.release, self.namespace)
        assert secret
        assert service
        data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        trusted = HostConnection(
            server=service["metadata"]["annotations"]["localkube.marina.dev/endpoint"],
            ca_pem=data["certificate-authority"],
            tls_server_name="localhost",
        )
        admin = replace(trusted, client_certificate_pem=data["client-certificate"], client_key_pem=data["client-key"])
        with connection_open(admin, target="the virtual cluster") as api:
            token, _ = KubeClient(api).token_request(SPACE, "operator", 3600)
        with connection_open(replace(trusted, token=token), target="the virtual cluster") as api:
            yield KubeClient(api)


@dataclass
class Operator:
    """Acts in each place where a pod of it runs. `made` counts the outside things by object."""

    places: Mapping[str, Place]
    made: Counter[str] = field(default_factory=Counter)
    ran_in: set[str] = field(default_factory=set)
    at_once: list[tuple[str, ...]] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def operating(self) -> Iterator["Operator"]:
        """Until the block is left."""
        with beside(self._run, self.over):
            yield self

    def _run(self) -> None:
        while not self.over.is_set():
            running = [name for name, place in self.places.items() if place.runs()]
            self.ran_in |= set(running)
            if len(running) > 1:
                self.at_once.append(tuple(running))
            for name in running:
                with suppress(StepError):
                    self._act(self.places[name])
            self.over.wait(0.05)

    def _act(self, place: Place) -> None:
        """Notes on the object that it makes it, then makes it: where the note is refused it makes nothing yet.

        Where a note does not come along to where the cluster goes, it makes the thing a second time there.
        """
        with place.as_operator() as kube:
            for gadget in kube.list(GADGET, SPACE):
                name = gadget["metadata"]["name"]
                if "outside" not in (gadget.get("status") or {}):
                    self.begun.add(name)
                    kube.patch_merge(GADGET, name, SPACE, {"status": {"outside": name}}, subresource="status")
                if name in self.begun:  # also of a note whose answer was lost
                    self.begun.discard(name)
                    self.made[name] += 1


@dataclass
class Customer:
    """Asks for one gadget after the other through the gateway. `got` those that were acknowledged.

    Of a name in `unknown` nobody can tell: the answer never came.
    """

    api: client.CustomObjectsApi
    prefix: str
    got: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator["Customer"]:
        """Until the block is left."""
        with beside(self._run, self.over):
            yield self

    def _run(self) -> None:
        number = 0
        while not self.over.wait(BETWEEN_GADGETS):
            number += 1
            name = f"{self.prefix}-{number}"
            body = {"apiVersion": GADGET.api_version, "kind": GADGET.kind, "metadata": {"name": name}}
            try:
                self.api.create_namespaced_custom_object(GADGET.group, "v1", SPACE, GADGET.plural, body)
                self.got.append(name)
            except client.ApiException as error:
                (self.refused if error.status == 503 else self.strange).append(name)
            except HTTPError:
                self.unknown.append(name)
