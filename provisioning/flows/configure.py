"""How a virtual cluster is brought to what is wanted of it, whatever was done to it on its host."""

from dataclasses import replace
from datetime import datetime

from clusters.adoption import Adoption
from clusters.models import Operation, OperationKind, Placement, PlacementRole, VirtualClusterPhase
from provisioning.engine.flow import Flow
from provisioning.flows.phases import cluster_of, not_configured, settled, work_begins
from provisioning.left_behind import of_bringing
from provisioning.steps.access import access_put_right
from provisioning.steps.api_ready import prepare_inside, wait_for_rollout
from provisioning.steps.comparing import compare_adopted
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.guardrails import apply_guardrails
from provisioning.steps.moving_undo import free_left
from provisioning.steps.namespaces import create_namespace
from provisioning.steps.placing import choose_host
from provisioning.steps.release import update_release


def configured(operation: Operation, now: datetime) -> None:
    """As it is wanted; one that was adopted has been taken over with that."""
    settled(operation, now)
    cluster = cluster_of(operation)
    placement = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).first()
    adoption = Adoption.of_json(placement.adopted) if placement else None
    if placement and adoption and not adoption.taken_over:
        awake = not cluster.sleeping
        taken = replace(adoption, taken_over=now.isoformat(), paused=not awake, answers=awake)
        Placement.objects.filter(pk=placement.pk).update(adopted=taken.as_json())


CONFIGURE = Flow(
    kind=OperationKind.CONFIGURE,
    steps=(
        choose_host,
        compare_adopted,
        create_namespace,
        apply_guardrails,
        update_release,
        wait_for_rollout,
        prepare_inside,
        free_left,
        publish_endpoint,
        access_put_right,
    ),
    on_start=work_begins(VirtualClusterPhase.UPDATING),
    on_success=configured,
    on_failure=not_configured,
    on_abort=not_configured,
    left_behind=of_bringing,
)
