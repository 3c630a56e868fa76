"""Gives steps their clients: one cached connection a host and credential, one port-forward a use of a virtual API."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

from clusters.connection import HostConnection
from clusters.encryption import connection_decrypt
from clusters.models import HostCluster, Placement
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kinds import DEPLOYMENT, POD, SECRET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.road import Road
from provisioning.drivers.route import Timeouts
from provisioning.drivers.transport import ApiConnection, HostTransport, connection_open, virtual_transport
from provisioning.engine.errors import PermanentError, TemporaryError

BeforeEffect = Callable[[], None]

SHORT = Timeouts(connect=2.0, read=3.0)
"""For asking whether a host is there: one that answers later than that is as good as gone."""


class Clients:
    """Thread-safe; one a worker process."""

    def __init__(self, transport: HostTransport | None = None) -> None:
        self._transport = transport or HostTransport(timeouts=_timeouts())

    def kube(self, host: HostCluster, before_effect: BeforeEffect) -> KubeClient:
        """The host's API. PermanentError where its credential was erased."""
        return KubeClient(self._api(host), before_effect=before_effect)

    def _api(self, host: HostCluster) -> ApiConnection:
        return self._transport.client(
            host_id=str(host.pk),
            generation=host.credential.generation,
            connection=host_connection(host),
            name=host.name,
        )

    @contextmanager
    def candidate(self, host: HostCluster, before_effect: BeforeEffect) -> Iterator[KubeClient]:
        """The host's API by the credential that is still to be proved."""
        with connection_open(candidate_connection(host), target=f"host {host.name}", timeouts=_timeouts()) as api:
            yield KubeClient(api, before_effect=before_effect)

    def ask_shortly(self, host: HostCluster) -> None:
        """Whether the host is there at all, over a connection of its own. StepError where it does not answer soon."""
        with connection_open(host_connection(host), target=f"host {host.name}", timeouts=SHORT) as api:
            KubeClient(api).version()

    @contextmanager
    def virtual(self, placement: Placement, before_effect: BeforeEffect) -> Iterator[KubeClient]:
        """The virtual cluster's API, by port-forward through its host's. TemporaryError until it is up."""
        kube = self.kube(placement.host, before_effect)
        connection = virtual_connection(kube, placement)
        pod = control_plane_pod(kube, placement)
        with virtual_transport(
            self._api(placement.host), placement.namespace, pod, connection=connection, name=placement.release
        ) as api:
            yield KubeClient(api, before_effect=before_effect)

    def road(self, placement: Placement) -> Road:
        """The way to the virtual cluster's API, for who dials it by itself. Blocks; TemporaryError until it is up."""
        host = self._api(placement.host)
        kube = KubeClient(host)
        return Road(
            host=host.route,
            namespace=placement.namespace,
            pod=control_plane_pod(kube, placement),
            connection=virtual_connection(kube, placement),
            name=placement.release,
        )

    def helm(self, host: HostCluster, before_effect: BeforeEffect) -> HelmClient:
        """Helm on the host. A helm that is at work is ended when `before_effect` begins to raise."""
        return HelmClient(
            settings.HELM_BINARY,
            host_connection(host),
            settings.STATE_FOLDER / "helm" / str(host.pk),
            before_effect=before_effect,
            keep_alive=before_effect,
            silence=_helm_silence(),
            name=host.name,
        )


def _helm_silence() -> float:
    """Seconds after which a frozen worker's helm is ended: before its lease can be another's."""
    return float((settings.LEASE_SECONDS - settings.HEARTBEAT_SECONDS) * 0.75)


def _timeouts() -> Timeouts:
    return Timeouts(connect=settings.HOST_CONNECT_TIMEOUT_SECONDS, read=settings.HOST_READ_TIMEOUT_SECONDS)


def host_connection(host: HostCluster) -> HostConnection:
    """The credential in use. PermanentError where there is none."""
    credential = getattr(host, "credential", None)
    if credential is None or credential.ciphertext is None:
        raise PermanentError(
            f"Marina holds no credential for {host.name}.", code="unauthorized", hint="Connect the host anew."
        )
    return connection_decrypt(credential.ciphertext)


def candidate_connection(host: HostCluster) -> HostConnection:
    """The credential to be proved; the one in use where there is no candidate."""
    credential = getattr(host, "credential", None)
    if credential is not None and credential.candidate is not None:
        return connection_decrypt(credential.candidate)
    return host_connection(host)


def control_plane_pod(kube: KubeClient, placement: Placement) -> str:
    """The pod in which the virtual API listens. TemporaryError while there is none.

    A StatefulSet names it beforehand; an adopted cluster without a volume is a Deployment, which does not.
    """
    if (placement.adopted or {}).get("workload") != DEPLOYMENT.kind:
        return f"{placement.release}-0"
    selector = f"app=vcluster,release={placement.release},!vcluster.loft.sh/managed-by"
    found = kube.list(POD, placement.namespace, label_selector=selector, field_selector="status.phase=Running")
    if not found:
        raise TemporaryError("The control plane has no pod that runs.", code="not-ready")
    return str(max(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))["metadata"]["name"])


def virtual_connection(kube: KubeClient, placement: Placement) -> HostConnection:
    """The identity vcluster wrote into the secret vc-NAME: it stays in the worker. TemporaryError until it is there."""
    secret = kube.get(SECRET, f"vc-{placement.release}", placement.namespace)
    if secret is None:
        raise TemporaryError("The control plane has not written its certificate yet.", code="not-ready")
    data = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
    return HostConnection(
        server="https://localhost:8443",
        ca_pem=data["certificate-authority"],
        client_certificate_pem=data["client-certificate"],
        client_key_pem=data["client-key"],
    )
