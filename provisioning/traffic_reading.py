"""Traffic through a host's ingresses: the counters of its ingress controller, read through the host's own API."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import structlog

from clusters.lifecycle.ingress_metrics import IngressMetrics, ingress_metrics_of
from clusters.models import HostCluster, Placement
from clusters.services.traffic import beside_note, placements_watched, traffic_due, traffic_unread, traffic_write
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.kinds import INGRESS, SERVICE, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.steps.names import SYNCED_BY
from provisioning.traffic_counters import Counted, NotCounters, Scrape, scrape_read, scrapes_merge

log = structlog.get_logger(__name__)

READS_FOR_EACH: Final = 8
"""Times that a Service is read for each of several pods behind it: the API server picks one at random each time."""
REPLICAS_MOST: Final = 20
_INSTEAD: Final = "name the Service of a Prometheus that has their counters, with the path /federate?match[]=METRIC."
_PUBLISHED: Final = ("LoadBalancer", "NodePort")


def traffic_note(host: HostCluster, *, kube: KubeClient, now: datetime) -> None:
    """Reads the counters where it is time and notes what they say of each virtual cluster there. Raises nothing."""
    metrics = ingress_metrics_of(host.ingress_metrics)
    if metrics is None:
        return
    placements = placements_watched(host)
    if not traffic_due(placements.values(), now=now):
        return
    try:
        counted = traffic_read(metrics, kube, namespaces=frozenset(placements))
    except (StepError, NotCounters) as error:
        log.info("the traffic of a host could not be read", host=host.name, reason=str(error))
        traffic_unread(clusters=[each.virtual_cluster_id for each in placements.values()], reason=_reason(error))
        return
    traffic_write(placements=list(placements.values()), counted=counted, now=now)


def _reason(error: Exception) -> str:
    if isinstance(error, ForbiddenError):
        return f"{error} Apply the manifest of its permissions anew, with the ingress controller in it."
    return str(error)


def traffic_read(metrics: IngressMetrics, kube: KubeClient, *, namespaces: frozenset[str]) -> Counted:
    """What all who count have counted; StepError or NotCounters where one of them could not be read."""
    replicas = kube.endpoints_ready(metrics.service_name, metrics.namespace)
    if not replicas:
        raise NotCounters(f"No pod behind {metrics.service} is ready.")
    if replicas > REPLICAS_MOST:
        raise NotCounters(f"{replicas} pods are behind {metrics.service}: {_INSTEAD}")
    scrapes: dict[str, Scrape] = {}
    for _ in range(1 if replicas == 1 else replicas * READS_FOR_EACH):
        scrape = _scrape(metrics, kube, namespaces)
        if not scrape.of and replicas > 1:
            raise NotCounters(f"The {replicas} pods behind {metrics.service} cannot be told apart: {_INSTEAD}")
        scrapes[scrape.of] = scrape
        if len(scrapes) == replicas:
            return scrapes_merge(scrapes, metrics)
    raise NotCounters(f"Of {replicas} pods behind {metrics.service} only {len(scrapes)} could be read.")


def _scrape(metrics: IngressMetrics, kube: KubeClient, namespaces: frozenset[str]) -> Scrape:
    text = kube.service_read(metrics.service_port, metrics.namespace, metrics.path)
    return scrape_read(text, metrics, namespaces=namespaces)


# --- what the ingress controller does not see -------------------------------------------------------------------------


def beside_read(placement: Placement, *, kube: KubeClient) -> None:
    """Notes the ways to a cluster's workloads beside the host's ingress controller, where that one is read.

    Raises nothing: where they cannot be seen, what was noted before stays.
    """
    metrics = ingress_metrics_of(placement.host.ingress_metrics)
    if metrics is None:
        return
    try:
        beside_note(placement=placement, beside=sorted(_beside(placement, metrics.ingress_class, kube)))
    except StepError as error:
        log.info("the ways to a cluster's workloads could not be seen", placement=str(placement.pk), reason=str(error))


def _beside(placement: Placement, ingress_class: str, kube: KubeClient) -> Iterator[str]:
    selector = f"{SYNCED_BY}={placement.release}"
    for service in kube.list(SERVICE, placement.namespace, label_selector=selector):
        if _published(service):
            yield f"the Service {_name(service)}"
    if ingress_class:
        for ingress in kube.list(INGRESS, placement.namespace, label_selector=selector):
            if _class(ingress) != ingress_class:
                yield f"the Ingress {_name(ingress)}"


def _published(service: Json) -> bool:
    spec = service.get("spec") or {}
    return spec.get("type") in _PUBLISHED or bool(spec.get("externalIPs"))


def _class(ingress: Json) -> str:
    """As the controller reads it; without one it is whichever is the host's default."""
    told = (ingress.get("spec") or {}).get("ingressClassName")
    return str(told or ingress["metadata"].get("annotations", {}).get("kubernetes.io/ingress.class", ""))


def _name(each: Json) -> str:
    """As it is called inside, where it says so."""
    meta = each["metadata"]
    annotations = meta.get("annotations") or {}
    return str(annotations.get("vcluster.loft.sh/object-name") or meta["name"])
