"""Choosing where a virtual cluster goes."""

from typing import Any, Final

from django.db import IntegrityError, connection

from clusters.host_loss import given_up
from clusters.models import HostCluster, HostMode, OperationEvent, Placement, PlacementRole, VirtualCluster
from clusters.names import namespace_for, release_for
from clusters.offering import who_can_offer
from clusters.placement_wish import wish_of
from clusters.placing import HostChoice, hosts_choose, namespaces_free
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Done, Skip, StepResult, step

CHOOSING: Final = 0x6D6172696E61  # "marina"
"""The advisory lock of the database under which a host is chosen."""


@step("Choose a host cluster", on_host=False)
def choose_host(context: StepContext) -> StepResult:
    """Writes the placement before anything is on the host, so that whatever follows is known to belong to it."""
    cluster = context.virtual_cluster
    if lost := given_up(cluster):
        raise PermanentError(
            f"It was lost with its host {lost.host.name}, and is not made again yet.",
            code="lost",
            hint=f"Who looks after that host begins it anew: marina host lost {lost.host.name}.",
        )
    chosen = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).first()
    if chosen is not None:
        return Done(chosen.why) if chosen.why else Skip("A host was chosen already.")
    with context.fenced():
        one_at_a_time()
        choice = hosts_choose(project=cluster.project, wish=wish_of(cluster, host=cluster.wanted_host))
        if not choice.candidates:
            raise PermanentError(
                f"No host cluster can take it. {choice.explain()}",
                code="no-host",
                hint=f"{who_can_offer(cluster.project)} Then retry.",
            )
        placement = placement_create(cluster, choice.fitting[0], why=choice.why())
        _tell_all(context, choice, told=placement.why)
    return Done(placement.why)


def one_at_a_time() -> None:
    """Until the transaction ends: workers that choose at the same moment would all take the host that is emptiest."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHOOSING])


def placement_create(
    cluster: VirtualCluster,
    host: HostCluster,
    *,
    why: str,
    role: PlacementRole = PlacementRole.ACTIVE,
    adopted: dict[str, Any] | None = None,
) -> Placement:
    """TemporaryError where a namespace of the host was taken at the same moment."""
    given = host.mode == HostMode.NAMESPACES
    try:
        return Placement.objects.create(
            virtual_cluster=cluster,
            host=host,
            namespace=_namespace_given(host) if given else namespace_for(cluster.name, cluster.pk),
            namespace_created=not given,
            release=release_for(cluster.name),
            role=role,
            adopted=adopted,
            why=why,
        )
    except IntegrityError:
        raise _taken(host) from None


def _namespace_given(host: HostCluster) -> str:
    free = namespaces_free(host, taken=set(host.placements.values_list("namespace", flat=True)))
    if not free:
        raise _taken(host)
    return free[0]


def _taken(host: HostCluster) -> TemporaryError:
    """By an adoption, which does not choose."""
    return TemporaryError(f"A namespace of {host.name} was taken at the same moment.", code="conflict")


def _tell_all(context: StepContext, choice: HostChoice, *, told: str) -> None:
    """Where a fleet is too large for a sentence, the operation's events have the reason of each host."""
    full = choice.why(most=len(choice.candidates) + len(choice.refused))
    if full != told:
        OperationEvent.objects.create(
            operation=context.operation, time=context.now, step=choose_host.key, level="info", text=full
        )
