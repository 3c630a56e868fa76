"""How a virtual cluster that somebody else made comes under Marina's care, unchanged."""

from dataclasses import replace
from datetime import datetime

from clusters.models import Condition, Operation, OperationKind, Placement, PlacementRole
from clusters.models import VirtualClusterPhase as Phase
from provisioning.engine.flow import Flow
from provisioning.flows.phases import (
    IN_SYNC,
    aborted,
    cluster_locked,
    cluster_of,
    conditions_add,
    failed,
    generation_seen_through,
    work_begins,
)
from provisioning.left_behind import of_adopting
from provisioning.sleeping import falls_asleep
from provisioning.steps.access import access_put_right
from provisioning.steps.adopting import adoption_of, import_release, look_at_api, mark_namespace

AWAKE = Condition(type="Ready", status="True", reason="Adopted", message="Its API answers.")
PAUSED_BEFORE = "It was paused when it was adopted."
SILENT = Condition(type="Ready", status="False", reason="NotAnswering", message="Its API did not answer on adoption.")


def adopted(operation: Operation, now: datetime) -> None:
    """It is Marina's from now on; what is wanted of it is what was found."""
    placement = Placement.objects.get(virtual_cluster=cluster_of(operation), role=PlacementRole.ACTIVE)
    adoption = replace(adoption_of(placement), complete=True)
    Placement.objects.filter(pk=placement.pk).update(adopted=adoption.as_json())
    cluster = cluster_locked(operation)
    if adoption.paused:
        falls_asleep(cluster, now, by="", why=PAUSED_BEFORE)
    else:
        cluster.phase, ready = (Phase.READY, AWAKE) if adoption.answers else (Phase.FAILED, SILENT)
        conditions_add(cluster, now, ready)
    cluster.observed_generation = generation_seen_through(operation)
    message = f"It is as it was found. `marina configure {cluster.name}` tells what differs from what is wanted."
    compared = Condition(type=IN_SYNC, status="Unknown", reason="Adopted", message=message)
    conditions_add(cluster, now, compared)
    cluster.save(update_fields=["phase", "observed_generation", "conditions"])


ADOPT = Flow(
    kind=OperationKind.ADOPT,
    steps=(mark_namespace, import_release, look_at_api, access_put_right),
    on_start=work_begins(Phase.PROVISIONING),
    on_success=adopted,
    on_failure=failed,
    on_abort=aborted,
    left_behind=of_adopting,
)
