"""What an upgrade is about: the versions that a cluster has, what there is to go to, and the ground that it is on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from accounts.errors import InvalidInput
from clusters.versions import ChartSupport, KubernetesVersion, kubernetes_versions_order

KUBERNETES_FIELD: Final = "kubernetes_version"
CHART_FIELD: Final = "chart_version"

Chart = KubernetesVersion
"""A version of the chart has three numbers too, and is compared in the same way."""


@dataclass(frozen=True, kw_only=True)
class Versions:
    """What a virtual cluster runs, or is to run."""

    kubernetes: KubernetesVersion
    chart: Chart

    @classmethod
    def parse(cls, kubernetes: str, chart: str) -> Self:
        """InvalidInput for what is no version."""
        return cls(kubernetes=KubernetesVersion.parse(kubernetes, field=KUBERNETES_FIELD), chart=chart_parse(chart))

    @classmethod
    def of_json(cls, found: Mapping[str, str]) -> Self:
        """From an operation's params."""
        return cls.parse(found["kubernetes"], found["chart"])

    def as_json(self) -> dict[str, str]:
        """For an operation's params."""
        return {"kubernetes": str(self.kubernetes), "chart": f"{self.chart}{self.chart.addition}"}

    def told_after(self, before: "Versions") -> str:
        """What is new in it, in words: "Kubernetes 1.36.3"."""
        new = [f"Kubernetes {self.kubernetes}"] if self.kubernetes != before.kubernetes else []
        new += [f"chart {self.chart}"] if self.chart != before.chart else []
        return " and ".join(new)


def chart_parse(text: str, *, field: str = CHART_FIELD) -> Chart:
    """InvalidInput for what is no version."""
    try:
        return Chart.parse(text, field=field)
    except InvalidInput:
        raise InvalidInput("This is no version of the chart.", field=field, accepted="a version like 0.36.1") from None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What there is to upgrade to. `support` tells of a chart's version what it runs, as far as anybody has said."""

    kubernetes: tuple[KubernetesVersion, ...]
    charts: tuple[Chart, ...]
    support: Mapping[Chart, ChartSupport] = field(default_factory=dict)

    @classmethod
    def of(cls, kubernetes: list[str], charts: list[str], support: Mapping[str, ChartSupport]) -> Self:
        """From what settings and the database name. Charts that bear no version of three numbers are left out."""
        parsed = dict(_charts_parsed(charts))
        return cls(
            kubernetes=kubernetes_versions_order(kubernetes),
            charts=tuple(sorted(set(parsed.values()), reverse=True)),
            support={chart_parse(text): said for text, said in support.items()},
        )


def _charts_parsed(charts: list[str]) -> Iterator[tuple[str, Chart]]:
    for text in charts:
        try:
            yield text, chart_parse(text)
        except InvalidInput:
            continue


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What else decides about the way: the host's version (None: it has no host yet), and an old k3s distribution."""

    host: KubernetesVersion | None = None
    host_name: str = ""
    k3s: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why there is no way. `accepted` is the next step that there is; `field` what of the wish is in the way."""

    message: str
    field: str
    accepted: str
    code: str

    def as_error(self) -> InvalidInput:
        """To be raised."""
        return InvalidInput(self.message, field=self.field, accepted=self.accepted, hint="")


@dataclass(frozen=True)
class Way:
    """The hops, none where it has these versions already; or why there is no way."""

    hops: tuple[Versions, ...] = ()
    refusal: Refusal | None = None


def k3s_of(values: Mapping[str, Any]) -> bool:
    """Whether these chart values ask for the distribution k3s, which older charts had."""
    distro = (values.get("controlPlane") or {}).get("distro") or {}
    k3s = distro.get("k3s") if isinstance(distro, Mapping) else None
    return bool(isinstance(k3s, Mapping) and k3s.get("enabled"))
