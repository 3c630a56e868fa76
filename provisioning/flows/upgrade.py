"""How a virtual cluster is upgraded: one minor after the other, and back where that is safe."""

from datetime import datetime
from typing import Any, Final

from clusters.models import Condition, ExportCause, Operation, OperationKind, OperationState, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.services.export_writing import export_of_operation_fail
from clusters.upgrade_choices import DIFFERENCES
from clusters.upgrade_offer import HAS
from clusters.upgrade_versions import Versions
from provisioning.engine.flow import Flow
from provisioning.flows.phases import (
    ABORTED,
    IN_SYNC,
    as_before,
    cluster_locked,
    conditions_add,
    generation_seen_through,
    step_done,
    work_begins,
)
from provisioning.steps.access import access_put_right
from provisioning.steps.api_ready import prepare_inside
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.exporting import export_before
from provisioning.steps.upgrade_undoing import put_release_back, put_versions_back, see_it_answer
from provisioning.steps.upgrading import (
    change_versions,
    compare_with_before,
    look_before_upgrading,
    note_before,
)
from provisioning.upgrades.likeness import BEFORE
from provisioning.upgrades.progress import WAY, Progress, PutBack

UPGRADED: Final = "Upgraded"
"""The condition that tells what came of the last upgrade."""


def upgraded(operation: Operation, now: datetime) -> None:
    """It has the new versions. What is no longer as it was before is told, and fails nothing."""
    params = _params(operation)
    cluster = cluster_locked(operation)
    has = Versions.of_json(params[HAS])
    told = f"From Kubernetes {has.kubernetes} and chart {has.chart} to {cluster.kubernetes_version} and "
    told += f"{cluster.chart_version}."
    found = params.get(DIFFERENCES) or []
    if cluster.sleeping:
        told += " It was upgraded asleep, so its API and workloads were not compared with before."
    reason = "Differs" if found else "Upgraded"
    told = " ".join([told, *found]) if found else told
    _settle(operation, cluster, now)
    conditions_add(cluster, now, Condition(type=UPGRADED, status="True", reason=reason, message=told))
    _save(cluster)
    _keep(operation, {WAY: None, BEFORE: None})


def not_upgraded(operation: Operation, now: datetime) -> None:
    """As before where nothing was changed or it was put back; else with what it has, and whether that answers."""
    export_of_operation_fail(operation, now)
    progress = Progress.of(_params(operation))
    why = operation.message or ABORTED
    cluster = cluster_locked(operation)
    if step_done(operation, change_versions.key):
        _settle(operation, cluster, now)
        message = f"It has its new versions, but what follows was not done: {why}"
        _tell(cluster, now, operation, "NotFinished", message)
    elif progress is None or not progress.began or progress.over:
        as_before(operation)
        cluster = cluster_locked(operation)
        _tell(cluster, now, operation, "NotBegun", f"Nothing was changed: {why}")
    elif not step_done(operation, see_it_answer.key):
        _lost(cluster, now, f"{why} It could not be put back.")
        _tell(cluster, now, operation, "NotPutBack", why)
    elif progress.put_back == PutBack.BACK:
        _settle(operation, cluster, now)
        message = f"{why} It was put back: it has Kubernetes {cluster.kubernetes_version} and chart "
        _tell(cluster, now, operation, "PutBack", f"{message}{cluster.chart_version}.")
    else:
        _stays(operation, cluster, now, why, answers=not progress.silent)
    _save(cluster)
    if progress:
        _keep(operation, {WAY: progress.with_(since=0.0).as_json()})


def _stays(operation: Operation, cluster: VirtualCluster, now: datetime, why: str, *, answers: bool) -> None:
    """A newer minor has run, so nothing is put back blindly."""
    advice = (
        "It was not put back, as its newer version has run and the older one could not read what that stored. "
        f"If it stays broken, make it again from the export from before: marina restore {cluster.name} "
        f"--as {cluster.name}-2."
    )
    if answers:
        _settle(operation, cluster, now)
    else:
        _lost(cluster, now, why)
    _tell(cluster, now, operation, "Stays", f"{why} {advice}")


def _settle(operation: Operation, cluster: VirtualCluster, now: datetime) -> None:
    """Its host has it as it is wanted, asleep or awake."""
    cluster.phase = Phase.ASLEEP if cluster.sleeping else Phase.READY
    cluster.observed_generation = generation_seen_through(operation)
    message = "Its host has it as it is wanted."
    conditions_add(cluster, now, Condition(type=IN_SYNC, status="True", reason="Upgraded", message=message))
    if not cluster.sleeping:
        conditions_add(
            cluster, now, Condition(type="Ready", status="True", reason="Upgraded", message="Its API answers.")
        )


def _lost(cluster: VirtualCluster, now: datetime, why: str) -> None:
    """Nobody knows that it answers."""
    cluster.phase = Phase.ASLEEP if cluster.sleeping else Phase.FAILED
    if not cluster.sleeping:
        conditions_add(cluster, now, Condition(type="Ready", status="False", reason="UpgradeFailed", message=why))
    message = f"It may differ from what is wanted: {why} Bring it back with `marina configure {cluster.name}`."
    conditions_add(cluster, now, Condition(type=IN_SYNC, status="False", reason="UpgradeFailed", message=message))


def _tell(cluster: VirtualCluster, now: datetime, operation: Operation, reason: str, message: str) -> None:
    reason = f"Aborted{reason}" if operation.state == OperationState.ABORTED else reason
    conditions_add(cluster, now, Condition(type=UPGRADED, status="False", reason=reason, message=message))


def _save(cluster: VirtualCluster) -> None:
    cluster.save(update_fields=["phase", "observed_generation", "conditions"])


def _params(operation: Operation) -> dict[str, Any]:
    """As the database has them."""
    params: dict[str, Any] = Operation.objects.values_list("params", flat=True).get(pk=operation.pk)
    return params


def _keep(operation: Operation, changes: dict[str, Any]) -> None:
    """Of what the steps kept: None takes it away."""
    kept = {name: value for name, value in {**_params(operation), **changes}.items() if value is not None}
    Operation.objects.filter(pk=operation.pk).update(params=kept)
    operation.params = kept


UPGRADE = Flow(
    kind=OperationKind.UPGRADE,
    steps=(
        look_before_upgrading,
        export_before(ExportCause.UPGRADE),
        note_before,
        change_versions,
        prepare_inside,
        publish_endpoint,
        access_put_right,
        compare_with_before,
    ),
    undo=(put_versions_back, put_release_back, see_it_answer),
    final=change_versions.key,
    on_start=work_begins(Phase.UPGRADING),
    on_success=upgraded,
    on_failure=not_upgraded,
    on_abort=not_upgraded,
)
