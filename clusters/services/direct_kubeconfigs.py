"""Direct kubeconfigs go past the gateway: only where the project's admins want that."""

from django.conf import settings

from accounts.errors import NotAllowed
from clusters.models import VirtualCluster


def direct_check(cluster: VirtualCluster) -> None:
    """Raises NotAllowed where the project gives out none, and says who can change that and what to take instead."""
    project = cluster.project
    if project.direct_kubeconfigs:
        return
    instead = (
        f"`marina kubeconfig {cluster.name}` gives one that goes through the gateway. "
        if settings.GATEWAY_URL or settings.GATEWAY_URLS
        else ""
    )
    raise NotAllowed(
        f"{project} gives out no direct kubeconfigs (direct_kubeconfigs is off): they go past the gateway, without its "
        "audit and its quick revocation.",
        hint=f"{instead}An admin of {project} can allow direct ones: "
        f"`marina project set {project} --direct-kubeconfigs on`.",
        code="direct-kubeconfigs-off",
    )
