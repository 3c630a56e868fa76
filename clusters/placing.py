"""On which host a virtual cluster is placed: among those offered to its project, by rules that are told to people."""

from dataclasses import dataclass

from accounts.errors import InvalidInput
from accounts.models import Project
from clusters.access import hosts_offered
from clusters.models import HostCluster, HostMode, HostPhase
from clusters.versions import KubernetesVersion, check_host_can_run


@dataclass(frozen=True)
class HostChoice:
    """The hosts that fit, best first, and for each other one the sentence why not."""

    fitting: tuple[HostCluster, ...]
    left_out: dict[str, str]

    def explain(self) -> str:
        """Why no host fits, in words."""
        if not self.left_out:
            return "No host cluster is offered to this project."
        return " ".join(f"{name}: {why}" for name, why in sorted(self.left_out.items()))


def hosts_choose(*, project: Project, kubernetes_version: str, wanted: HostCluster | None = None) -> HostChoice:
    """Weighs the offered hosts (only `wanted`, where one is named). The emptiest comes first, then by name."""
    offered = hosts_offered(project)
    if wanted is not None:
        offered = offered.filter(pk=wanted.pk)
    fitting: list[tuple[int, str, HostCluster]] = []
    left_out: dict[str, str] = {}
    for host in offered.prefetch_related("placements"):
        taken = len(host.placements.all())
        why_not = host_refuses(host, kubernetes_version=kubernetes_version)
        if why_not:
            left_out[host.name] = why_not
        else:
            fitting.append((taken, host.name, host))
    return HostChoice(fitting=tuple(host for *_, host in sorted(fitting, key=lambda f: f[:2])), left_out=left_out)


def host_refuses(host: HostCluster, *, kubernetes_version: str) -> str | None:
    """Why a virtual cluster of this version cannot be placed on the host; None when it can."""
    if host.phase != HostPhase.CONNECTED:
        return f"It is not connected ({host.phase})."
    if host.cordoned:
        return "It is cordoned: it takes nothing new."
    if host.mode == HostMode.NAMESPACES and not namespaces_free(host):
        return f"All of its {len(host.namespaces)} namespaces are taken."
    try:
        version = KubernetesVersion.parse(host.kubernetes_version)
    except InvalidInput:
        return "It did not tell its Kubernetes version yet."
    return check_host_can_run(KubernetesVersion.parse(kubernetes_version), version)


def namespaces_free(host: HostCluster) -> list[str]:
    """Mode namespaces: those of the list that hold no placement, in the list's order."""
    taken = {placement.namespace for placement in host.placements.all()}
    return [namespace for namespace in host.namespaces if namespace not in taken]
