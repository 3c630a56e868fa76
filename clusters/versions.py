"""Which Kubernetes version may run where."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from accounts.errors import InvalidInput

_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})([-+][0-9A-Za-z.+_-]{1,64})?")
_MINOR = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})")

FIELD = "spec.kubernetes_version"


@dataclass(frozen=True, order=True)
class KubernetesVersion:
    """A version of Kubernetes, ordered by its three numbers.

    A distribution's addition (`+k3s1`) is kept but not compared.
    """

    major: int
    minor: int
    patch: int
    addition: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str, *, field: str = FIELD) -> Self:
        """From `1.36.3`, `v1.36.3` or what a host reports (`v1.36.3+k3s1`). Raises InvalidInput for anything else."""
        match = _VERSION.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidInput("This is no Kubernetes version.", field=field, accepted="a version like 1.36.3")
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4] or "")

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """As the images of the virtual control plane are tagged: `v1.36.3`."""
        return f"v{self}"

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor: what compatibility is a matter of."""
        return self.major, self.minor


@dataclass(frozen=True, kw_only=True)
class ChartSupport:
    """One version of vcluster's chart and the Kubernetes versions that it can run, oldest and newest (major, minor)."""

    chart_version: str
    oldest: tuple[int, int]
    newest: tuple[int, int]


def chart_support(chart_version: str, versions: str) -> ChartSupport:
    """From a setting like `1.32-1.36`. Raises ValueError for anything else."""
    found = re.fullmatch(r"([0-9]+)\.([0-9]+)-([0-9]+)\.([0-9]+)", versions)
    if found is None:
        raise ValueError(f"{versions!r} is no range of Kubernetes minors; write it like 1.32-1.36.")
    numbers = [int(number) for number in found.groups()]
    return ChartSupport(chart_version=chart_version, oldest=(numbers[0], numbers[1]), newest=(numbers[2], numbers[3]))


def kubernetes_versions_order(versions: Iterable[str]) -> tuple[KubernetesVersion, ...]:
    """Each version once, the newest first."""
    return tuple(sorted({KubernetesVersion.parse(version) for version in versions}, reverse=True))


def kubernetes_version_resolve(wanted: str, *, supported: Sequence[str], field: str = FIELD) -> KubernetesVersion:
    """The supported version that is meant: itself, the newest patch of `1.36`, the newest of all for "".

    Raises InvalidInput that lists the supported ones.
    """
    known = kubernetes_versions_order(supported)
    minor = _MINOR.fullmatch(wanted)
    line = (int(minor[1]), int(minor[2])) if minor else None
    for version in known:
        if wanted.removeprefix("v") in ("", str(version)) or version.line == line:
            return version
    accepted = "one of " + ", ".join(str(version) for version in known)
    raise InvalidInput("Marina does not offer this Kubernetes version.", field=field, accepted=accepted)


def check_host_can_run(virtual: KubernetesVersion, host: KubernetesVersion) -> str | None:
    """Why a virtual cluster of this version cannot run well on that host; None when it can.

    Two rules. Virtual <= 1.33 on hosts >= 1.34: the host's kubelet writes fields into a pod's status that the older API
    server drops, and pods never became Ready (loft-sh/vcluster issue 3578). Virtual more than one minor newer than the
    host: our own caution. Upstream names no limit (its issue 1188), but the pods run on the host's kubelets, which do
    not know what is newer than they are.
    """
    if virtual.line <= (1, 33) and host.line >= (1, 34):
        return (
            f"Kubernetes {virtual} cannot run on this host, which has {host}: from 1.34 on, hosts leave the pods of "
            "virtual clusters of 1.33 and older unready."
        )
    if virtual.line > (host.major, host.minor + 1):
        newest = f"{host.major}.{host.minor + 1}"
        return f"Kubernetes {virtual} is too new for this host, which has {host}: it takes up to {newest}."
    return None


def check_chart_can_run(virtual: KubernetesVersion, chart: ChartSupport) -> str | None:
    """Why this version of the chart cannot run that Kubernetes version; None when it can."""
    if chart.oldest <= virtual.line <= chart.newest:
        return None
    oldest, newest = (f"{major}.{minor}" for major, minor in (chart.oldest, chart.newest))
    return f"vcluster's chart {chart.chart_version} runs Kubernetes {oldest} to {newest}, and this is {virtual}."
