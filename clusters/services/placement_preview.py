"""Where a virtual cluster would go, told without making one."""

from accounts.access import actor_require
from accounts.models import Project
from accounts.services.audit import Actor
from clusters.models import HostCluster
from clusters.placing import HostChoice
from clusters.services.virtual_clusters import VirtualClusterSpec, host_choice, spec_check


def placement_preview(
    *, project: Project, spec: VirtualClusterSpec, actor: Actor, host: HostCluster | None = None
) -> HostChoice:
    """The hosts offered to the project, weighed as when one is created now. For those who may create one there.

    Raises InvalidInput for what is wrong with the wish itself, and for a host that is not offered.
    """
    actor_require(actor, "virtualcluster.create", project)
    wanted = spec.with_defaults()
    spec_check(wanted)
    return host_choice(project=project, spec=wanted, host=host)
