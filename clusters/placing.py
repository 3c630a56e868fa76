"""On which host a virtual cluster is placed: among those offered to its project, by rules that are told to people."""

from dataclasses import dataclass

from accounts.errors import InvalidInput
from accounts.models import Project
from clusters.access import hosts_offered
from clusters.models import Breaker, Exposure, HostCluster, HostMode, HostPhase
from clusters.versions import KubernetesVersion, check_host_can_run


@dataclass(frozen=True)
class HostChoice:
    """The hosts that fit, best first, and for each other one the sentence why not."""

    fitting: tuple[HostCluster, ...]
    left_out: dict[str, str]
    fields: frozenset[str] = frozenset()
    """Which fields of the wish the others were left out for."""

    def explain(self) -> str:
        """Why no host fits, in words."""
        if not self.left_out:
            return "No host cluster is offered to this project."
        return " ".join(f"{name}: {why}" for name, why in sorted(self.left_out.items()))


def hosts_choose(
    *, project: Project, kubernetes_version: str, exposure: str = "", wanted: HostCluster | None = None
) -> HostChoice:
    """Weighs the offered hosts (only `wanted`, where one is named).

    Those that can take it now come first, as work for a host that does not answer waits; of them those that publish an
    address, as a cluster without one helps nobody by itself; then the emptiest.
    """
    offered = hosts_offered(project)
    if wanted is not None:
        offered = offered.filter(pk=wanted.pk)
    fitting: list[tuple[bool, bool, int, str, HostCluster]] = []
    refusals: dict[str, Refusal] = {}
    for host in offered.prefetch_related("placements"):
        refusal = host_refuses(host, kubernetes_version=kubernetes_version, exposure=exposure)
        if refusal:
            refusals[host.name] = refusal
        else:
            hidden = host.exposure == Exposure.NONE and exposure != Exposure.NONE
            fitting.append((_away(host), hidden, len(host.placements.all()), host.name, host))
    return HostChoice(
        fitting=tuple(host for *_, host in sorted(fitting, key=lambda f: f[:4])),
        left_out={name: refusal.why for name, refusal in refusals.items()},
        fields=frozenset(refusal.field for refusal in refusals.values()),
    )


def _away(host: HostCluster) -> bool:
    """Whether nothing can be placed there now: it is silent, or the last probe found that it refuses or has no node."""
    if host.breaker == Breaker.OPEN:
        return True
    said = next((each for each in host.conditions if each["type"] == "Schedulable"), None)
    return said is not None and said["status"] == "False" and said["reason"] != "Cordoned"


@dataclass(frozen=True)
class Refusal:
    """Why a host takes a cluster not, and which field of the wish that hangs on."""

    why: str
    field: str = "host"


def host_refuses(host: HostCluster, *, kubernetes_version: str, exposure: str = "") -> Refusal | None:
    """Why such a virtual cluster cannot be placed on the host; None when it can."""
    if host.phase != HostPhase.CONNECTED:
        return Refusal(f"It is not connected ({host.phase}).")
    if host.cordoned:
        return Refusal("It is cordoned: it takes nothing new.")
    if host.mode == HostMode.NAMESPACES and not namespaces_free(host):
        return Refusal(f"All of its {len(host.namespaces)} namespaces are taken.")
    if exposure not in ("", Exposure.NONE, host.exposure):
        return Refusal(f"It publishes APIs by exposure {host.exposure}, not {exposure}.", field="spec.exposure")
    try:
        version = KubernetesVersion.parse(host.kubernetes_version)
    except InvalidInput:
        return Refusal("It did not tell its Kubernetes version yet.")
    why_not = check_host_can_run(KubernetesVersion.parse(kubernetes_version), version)
    return Refusal(why_not, field="spec.kubernetes_version") if why_not else None


def namespaces_free(host: HostCluster) -> list[str]:
    """Mode namespaces: those of the list that hold no placement, in the list's order."""
    taken = {placement.namespace for placement in host.placements.all()}
    return [namespace for namespace in host.namespaces if namespace not in taken]
