"""Where a virtual cluster is reached through the gateway, and which CA that address has."""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:  # the settings are checked before there are models
    from clusters.models import VirtualCluster


def gateway_url_of(cluster: "VirtualCluster") -> str:
    """The cluster's stable address; empty where there is no gateway for its region.

    Of clusters that were read with `active_placements` (clusters/selectors.py) it costs no query.
    """
    base = gateway_base(_region(cluster))
    return f"{base}/v1/clusters/{cluster.pk}" if base else ""


def gateway_base(region: str) -> str:
    """The gateway for hosts of this region."""
    own = gateway_urls().get(region, "")
    return str(own or settings.GATEWAY_URL).rstrip("/")


def gateway_ca_pem() -> str:
    """The CA that kubeconfigs carry; empty where the certificate is one that every machine trusts."""
    return _file(settings.GATEWAY_CA_FILE) if settings.GATEWAY_CA_FILE else ""


def gateway_urls() -> dict[str, str]:
    """Gateways of regions that have their own. Raises ValueError for a setting that cannot be read."""
    return _regions(settings.GATEWAY_URLS)


def _region(cluster: "VirtualCluster") -> str:
    placements = getattr(cluster, "active_placements", None)
    if placements is None:
        placements = cluster.placements.filter(role="active").select_related("host")[:1]
    return next((placement.host.region for placement in placements), cluster.wanted_region)


@lru_cache(maxsize=4)
def _regions(text: str) -> dict[str, str]:
    found = json.loads(text or "{}")
    if not isinstance(found, dict) or not all(isinstance(url, str) for url in found.values()):
        raise ValueError("It is no JSON object of regions and addresses.")
    return found


@lru_cache(maxsize=4)
def _file(path: str) -> str:
    return Path(path).read_text(encoding="ascii")
