"""What the values of one release follow from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clusters.sizes import Size
from clusters.versions import KubernetesVersion


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """Where the images come from. An empty text leaves the chart's own default."""

    vcluster_registry: str = ""
    vcluster_repository: str = "loft-sh/vcluster-oss"
    """The open-source image; the chart's own default is the commercial one."""
    vcluster_tag: str = ""
    """Empty: the chart's version."""
    kubernetes_registry: str = ""
    kubernetes_repository: str = "loft-sh/kubernetes"
    coredns: str = ""
    default_registry: str = ""
    """Replaces every registry, for a mirror."""


@dataclass(frozen=True, kw_only=True)
class HostCapabilities:
    """What a host serves that a virtual cluster can have synced to it."""

    ingresses: bool = False
    network_policies: bool = False
    disruption_budgets: bool = False

    @classmethod
    def from_api_groups(cls, groups: Iterable[str]) -> "HostCapabilities":
        """From what the host's API serves, as GROUP/VERSION."""
        served = set(groups)
        networking = "networking.k8s.io/v1" in served
        return cls(ingresses=networking, network_policies=networking, disruption_budgets="policy/v1" in served)

    @classmethod
    def of_host(cls, groups: Iterable[str], values: Mapping[str, Any]) -> "HostCapabilities":
        """What it serves, less what the host's own chart values switch off for all of its virtual clusters."""
        to_host = values.get("sync", {}).get("toHost", {})
        served = cls.from_api_groups(groups)
        return cls(
            ingresses=served.ingresses and _allowed(to_host, "ingresses"),
            network_policies=served.network_policies and _allowed(to_host, "networkPolicies"),
            disruption_budgets=served.disruption_budgets and _allowed(to_host, "podDisruptionBudgets"),
        )

    def synced(self) -> dict[str, bool]:
        """By the chart's names below `sync.toHost`."""
        return {
            "ingresses": self.ingresses,
            "networkPolicies": self.network_policies,
            "podDisruptionBudgets": self.disruption_budgets,
        }


def _allowed(to_host: Mapping[str, Any], kind: str) -> bool:
    return to_host.get(kind, {}).get("enabled") is not False


@dataclass(frozen=True, kw_only=True)
class ReleaseWish:
    """What Marina's own values of one release follow from."""

    kubernetes_version: KubernetesVersion
    chart_version: str
    size: Size
    replicas: int = 1
    """0 keeps it asleep."""
    load_balancer: bool = False
    extra_sans: tuple[str, ...] = ()
    """Further names for the API's certificate, for an endpoint that is none of the release's own names."""
