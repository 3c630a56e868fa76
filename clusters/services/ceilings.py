"""The most that a kubeconfig gives inside a virtual cluster: the lower of its project's ceiling and its own."""

from typing import Final

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput, NotAllowed
from accounts.models import KubeconfigCeiling
from accounts.services.audit import Actor
from clusters.models import VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.generations import GENERATION_FIELDS, generation_pass

_ORDER: Final = (KubeconfigCeiling.NONE, KubeconfigCeiling.VIEW, KubeconfigCeiling.ADMIN)


def within_ceiling(level: str, cluster: VirtualCluster) -> bool:
    """Whether a kubeconfig of this level (view or admin) may be given out."""
    return _rank(level) <= min(_rank(cluster.kubeconfig_ceiling), _rank(cluster.project.kubeconfig_ceiling))


def ceiling_check(level: str, cluster: VirtualCluster) -> None:
    """Raises NotAllowed where a ceiling stands against it, and says whose."""
    if within_ceiling(level, cluster):
        return
    own, project = _rank(cluster.kubeconfig_ceiling), _rank(cluster.project.kubeconfig_ceiling)
    whose, ceiling = (cluster, own) if own < project else (cluster.project, project)
    gives = "no kubeconfig is given out" if ceiling == 0 else f"kubeconfigs give {_ORDER[ceiling]} and no more"
    by = f"marina ceiling {cluster.name}" if whose is cluster else f"marina project set {cluster.project}"
    raise NotAllowed(
        f"The ceiling of {whose} is {_ORDER[ceiling]}: {gives}, whatever your role.",
        hint=f"An admin of {cluster.project} can raise it ({by}).",
        code="kubeconfig-ceiling",
    )


@transaction.atomic
def kubeconfig_ceiling_set(*, virtual_cluster: VirtualCluster, ceiling: str, actor: Actor) -> VirtualCluster:
    """Sets the cluster's own ceiling. Kubeconfigs that give more end with it, as with a role."""
    actor_require(actor, "virtualcluster.ceiling", virtual_cluster)
    if ceiling not in KubeconfigCeiling.values:
        raise InvalidInput(
            f"There is no ceiling {ceiling[:20]!r}.",
            field="kubeconfig_ceiling",
            accepted=f"one of: {', '.join(KubeconfigCeiling.values)}",
        )
    locked = VirtualCluster.objects.select_for_update(of=("self",)).select_related("project").get(pk=virtual_cluster.pk)
    if locked.phase == VirtualClusterPhase.DELETED:
        raise Conflict(f"{locked} was deleted; nothing of it can be changed.")
    before, locked.kubeconfig_ceiling = locked.kubeconfig_ceiling, ceiling
    if before != ceiling:
        generation_pass(locked)
        locked.save(update_fields=["kubeconfig_ceiling", *GENERATION_FIELDS])
        virtual_cluster_audit(
            actor,
            "virtualcluster.ceiling",
            locked,
            before={"kubeconfig_ceiling": before},
            after={"kubeconfig_ceiling": ceiling},
        )
    return locked


def _rank(ceiling: str) -> int:
    return _ORDER.index(KubeconfigCeiling(ceiling))
