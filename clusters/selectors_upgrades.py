"""Reading what an upgrade wants to know of the past."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from clusters.models import GatewayRequest, HostCluster, Placement, VirtualCluster
from clusters.models.gateway_request import first_id_at

ASKED_SINCE: Final = timedelta(days=7)
ASKERS_MOST: Final = 20


def askers_of(cluster: VirtualCluster, *, group: str, version: str, resource: str) -> list[str]:
    """Who asked through the gateway for this version of an API lately, with what program.

    Nobody where the cluster's project keeps no record of requests.
    """
    rows = GatewayRequest.objects.filter(
        cluster_id=cluster.pk,
        id__gte=first_id_at(timezone.now() - ASKED_SINCE),
        group=group,
        version=version,
        resource=resource,
    )
    found = rows.order_by("user", "user_agent").values_list("user", "user_agent").distinct()[:ASKERS_MOST]
    return [f"{user} ({agent})" if agent else user for user, agent in found]


def host_has_run(host: HostCluster, kubernetes_version: str) -> bool:
    """Whether a virtual cluster there was seen to run this version: then the host can pull its image."""
    return Placement.objects.filter(host=host, kubernetes_version__startswith=kubernetes_version).exists()
