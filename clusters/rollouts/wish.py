"""What a rollout does to each cluster, and by what these are chosen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class RolloutWish:
    """Of an upgrade the versions (empty: as it is); of a move the host's id (empty: Marina chooses for each).

    `choices`: what was chosen where a preflight asks, by the name of the choice.
    """

    kubernetes_version: str = ""
    chart_version: str = ""
    to: str = ""
    to_name: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """As it was kept."""
        return cls(**kept)

    def __str__(self) -> str:
        if self.kubernetes_version or self.chart_version:
            chart = f"chart {self.chart_version}" if self.chart_version else ""
            return " with ".join(
                filter(None, (self.kubernetes_version and f"Kubernetes {self.kubernetes_version}", chart))
            )
        return self.to_name or "a host that Marina chooses"


@dataclass(frozen=True, kw_only=True)
class ClusterSelector:
    """Which clusters: what is given must all fit. `kubernetes_version` is one version, or a minor such as 1.35."""

    labels: Mapping[str, str] = field(default_factory=dict)
    kubernetes_version: str = ""
    host: str = ""
    host_name: str = ""
    project: str = ""
    project_name: str = ""

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """As it was kept."""
        return cls(**kept)

    def __str__(self) -> str:
        told = [f"{key}={value}" for key, value in sorted(self.labels.items())]
        told += [f"version {self.kubernetes_version}"] if self.kubernetes_version else []
        told += [f"on host {self.host_name}"] if self.host_name else []
        told += [f"in {self.project_name}"] if self.project_name else []
        return ", ".join(told) or "all"
