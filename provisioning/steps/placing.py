"""Choosing where a virtual cluster goes."""

from django.db import IntegrityError, transaction

from clusters.models import HostCluster, HostMode, Placement, PlacementRole, VirtualCluster
from clusters.names import namespace_for, release_for
from clusters.placing import hosts_choose, namespaces_free
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Skip, StepResult, step


@step("Choose a host cluster", on_host=False)
def choose_host(context: StepContext) -> StepResult:
    """Writes the placement before anything is on the host, so that whatever follows is known to belong to it."""
    cluster = context.virtual_cluster
    if Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).exists():
        return Skip("A host was chosen already.")
    choice = hosts_choose(
        project=cluster.project,
        kubernetes_version=cluster.kubernetes_version,
        exposure=cluster.exposure,
        wanted=cluster.wanted_host,
    )
    if not choice.fitting:
        raise PermanentError(
            f"No host cluster can take it. {choice.explain()}",
            code="no-host",
            hint="Ask for another Kubernetes version or host, or have one offered to the project; then retry.",
        )
    host = choice.fitting[0]
    try:
        with context.fenced(), transaction.atomic():
            _placement_create(cluster, host)
    except IntegrityError:
        raise TemporaryError(f"A namespace of {host.name} was taken at the same moment.", code="conflict") from None
    return None


def _placement_create(cluster: VirtualCluster, host: HostCluster) -> Placement:
    given = host.mode == HostMode.NAMESPACES
    return Placement.objects.create(
        virtual_cluster=cluster,
        host=host,
        namespace=namespaces_free(host)[0] if given else namespace_for(cluster.name, cluster.pk),
        namespace_created=not given,
        release=release_for(cluster.name),
    )
