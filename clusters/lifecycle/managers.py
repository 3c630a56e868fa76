"""Field managers: whose they are. Two tables, and what is learnt of the others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clusters.lifecycle.steadiness import steady
from clusters.models.cluster_use import CLIENT_LENGTH
from clusters.models.known_writer import Verdict


@dataclass(frozen=True)
class Managers:
    """Field managers whose whole name fits, and why they are what they are."""

    names: re.Pattern[str]
    reason: str


def _managers(names: str, reason: str) -> Managers:
    return Managers(re.compile(names, re.IGNORECASE), reason)


SYSTEM: Final = (
    _managers(r"marina.*", "Marina itself: its operations, its restores, its access."),
    _managers(r"vcluster|syncer", "vcluster's syncer, which acts as an administrator of the virtual cluster."),
    # by the name of the program, which may bear its version
    _managers(
        r"(kube-(apiserver|controller-manager|scheduler|proxy|probe)|kubelet|apiserver)(-v?\d[\d.]*)?",
        "Kubernetes itself.",
    ),
    _managers(
        r"clusterrole-aggregation-controller|before-first-apply|api-priority-and-fairness-config-(producer|consumer)-v\d+",
        "Kubernetes itself.",
    ),
    _managers(r"cloud-controller-manager|k3s|kubeadm|deploy@.*|coredns", "What comes with a distribution."),
    _managers(r"kwok", "What plays the kubelet on local hosts."),
)
"""Never use, and not to be corrected."""

PEOPLES_TOOLS: Final = (
    _managers(r"kubectl.*|oc(-.*)?|kustomize|kapp|kubecfg", "Command lines that apply manifests."),
    _managers(r"helm|helmfile|werf|garden|okteto|skaffold|tilt|devspace|telepresence.*", "What developers deploy by."),
    _managers(r"terraform.*|hashicorp|opentofu.*|pulumi.*|ansible.*", "Infrastructure as code."),
    _managers(
        r"k9s.*|lens|openlens|freelens|headlamp.*|octant|dashboard|kubernetes-dashboard.*", "Where people click."
    ),
    _managers(r"node-fetch|mozilla|curl|wget|httpie|insomnia.*|postman.*", "What Lens and people at a prompt use."),
    _managers(r"openapi-generator|python-.*|okhttp.*|fabric8.*|go-http-client", "Scripts with a client library."),
    _managers(r"istioctl|linkerd|cilium|flux|argocd|velero|kubeseal|cmctl|step|virtctl|crossplane", "CLIs of add-ons."),
)
"""Use, unless they write at a steady interval or people say otherwise."""

UNKNOWN_REASON: Final = "Neither a tool of people nor seen at the gateway: something that runs inside."


def told_of(manager: str, table: Sequence[Managers]) -> str:
    """The reason by which a manager is in the table; empty where it is not."""
    return next((each.reason for each in table if each.names.fullmatch(manager)), "")


def verdict_learnt(
    manager: str, *, times: Sequence[float] = (), clients: Mapping[str, Verdict] | None = None
) -> Verdict:
    """Whose this manager is.

    `times`: when its bursts of writes began, ascending. `clients`: kinds of clients seen at the gateway in this
    cluster, with who used them. A client's field manager is by default the first word of its User-Agent.
    """
    if told_of(manager, SYSTEM):
        return Verdict.SYSTEM
    if steady(times):
        return Verdict.STEADY
    seen = (clients or {}).get(client_of_manager(manager))
    if told_of(manager, PEOPLES_TOOLS):
        return seen or Verdict.PERSON
    return seen or Verdict.INSIDE


def client_of_manager(manager: str) -> str:
    """What the gateway calls the client behind it: kubectl for kubectl-annotate and kubectl-client-side-apply."""
    name = manager.lower()[:CLIENT_LENGTH]
    return "kubectl" if name.startswith("kubectl-") else name
