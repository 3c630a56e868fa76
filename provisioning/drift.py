"""Whether a host still has a virtual cluster as it is wanted: the condition InSync. Nothing is changed by itself."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from clusters.models import Condition, Operation, Placement, VirtualCluster, VirtualClusterPhase, condition_set
from clusters.services.operations import subject_lock
from provisioning.drivers.kinds import LIMIT_RANGE, NAMESPACE, NETWORK_POLICY, RESOURCE_QUOTA, SECRET, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.quantities import millicores
from provisioning.flows.phases import IN_SYNC
from provisioning.inventory import chart_version_of
from provisioning.sleeping import falls_asleep, wakes
from provisioning.steps.guardrails import guardrail_manifests, own_selector
from provisioning.steps.names import owner_labels
from provisioning.steps.namespaces import POD_SECURITY_LABEL, POD_SECURITY_LEVEL, STRICTER_LEVEL
from provisioning.steps.release import awake, paused, workload_of

VANISHED = "Vanished"
STOPPED_OUTSIDE = "StoppedOutside"
RESUMED_OUTSIDE = "ResumedOutside"
UPGRADED_OUTSIDE = "UpgradedOutside"
CHANGED_OUTSIDE = "ChangedOutside"
GUARDRAILS_CHANGED = "GuardrailsChanged"
REASONS = (VANISHED, STOPPED_OUTSIDE, RESUMED_OUTSIDE, UPGRADED_OUTSIDE, CHANGED_OUTSIDE, GUARDRAILS_CHANGED)
"""The gravest first: the condition takes the first that is found, its message tells all."""

LOOKED_AT = (VirtualClusterPhase.READY, VirtualClusterPhase.ASLEEP)
OUTSIDE = "somebody on its host"
"""Who put a cluster to sleep that was paused by upstream's command, or woke it."""

Finding = tuple[str, str]
"""A reason, and a sentence that names the object."""


def drift_note(*, placement: Placement, kube: KubeClient, now: datetime, answers: Callable[[], bool]) -> None:
    """Compares the active placement of a cluster that is Ready or Asleep with its host, and writes what it found.

    One that was paused or resumed by upstream's command is Asleep or Ready from then on; `answers` asks its API, where
    that makes the difference. An operation of the cluster makes both differ for a while, so what was read while one was
    at work counts for nothing. Raises StepErrors where the host cannot be asked; then nothing is written.
    """
    before = _last_operation(placement)
    if before is not None and before[1] is None:
        return
    found = list(_findings(placement, kube))
    changed = _sleep_changed(placement, kube, answers)
    with transaction.atomic():
        subject_lock(placement.virtual_cluster)
        if _last_operation(placement) != before:
            return
        cluster = VirtualCluster.objects.get(pk=placement.virtual_cluster_id)
        if cluster.phase not in LOOKED_AT:
            return
        if changed is not None and changed != cluster.sleeping:
            _sleep_note(cluster, now, asleep=changed)
        condition = _condition(cluster, placement, found)
        if condition is None:
            return
        conditions = condition_set(cluster.conditions, condition, now=now)
        if not all(each in cluster.conditions for each in conditions):
            VirtualCluster.objects.filter(pk=cluster.pk).update(conditions=conditions)


def _sleep_changed(placement: Placement, kube: KubeClient, answers: Callable[[], bool]) -> bool | None:
    """Whether it sleeps now, by upstream's command; None where that cannot be told, or is as Marina knows it."""
    workload = workload_of(kube, placement)
    if workload is None:
        return None
    if not placement.virtual_cluster.sleeping:
        return True if paused(workload) else None
    return False if awake(workload) and answers() else None


def _sleep_note(cluster: VirtualCluster, now: datetime, *, asleep: bool) -> None:
    if asleep:
        falls_asleep(cluster, now, by=OUTSIDE, why="It was paused by upstream's command.")
    else:
        wakes(cluster, now)


def _last_operation(placement: Placement) -> tuple[UUID, datetime | None] | None:
    """One of those that change the cluster: at work or waiting its turn (it has no end), else the last that ended."""
    operations = Operation.objects.filter(virtual_cluster=placement.virtual_cluster_id, lock_key__isnull=False)
    return operations.order_by(F("finished_at").desc(nulls_first=True)).values_list("pk", "finished_at").first()


def _condition(cluster: VirtualCluster, placement: Placement, found: list[Finding]) -> Condition | None:
    """What is to be written; None where that says nothing new of a cluster whose last operation told something else."""
    if found:
        reasons = [reason for reason, _ in found]
        sentences = " ".join(sentence for _, sentence in found)
        return Condition(
            type=IN_SYNC,
            status="False",
            reason=min(reasons, key=REASONS.index),
            message=f"{sentences} Bring it back with `marina configure {cluster.name}`.",
        )
    last = next((each for each in cluster.conditions if each["type"] == IN_SYNC), None)
    mended = last is not None and last["reason"] in REASONS
    if mended or (last is None and cluster.observed_generation == cluster.generation):
        return Condition(type=IN_SYNC, status="True", reason="AsWanted", message="Its host has it as it is wanted.")
    return None


def _findings(placement: Placement, kube: KubeClient) -> Iterator[Finding]:
    namespace = kube.get(NAMESPACE, placement.namespace)
    if namespace is None:
        yield VANISHED, f"The namespace {placement.namespace} is gone from {placement.host.name}."
        return
    yield from _of_release(placement, kube)
    # before the first `configure` an adopted one has no guardrails of Marina's yet
    if placement.adopted is None or placement.adopted.get("taken_over"):
        yield from _of_guardrails(placement, kube, namespace)


def _of_release(placement: Placement, kube: KubeClient) -> Iterator[Finding]:
    workload = workload_of(kube, placement)
    if workload is None:
        yield VANISHED, f"The control plane {placement.release} is gone from namespace {placement.namespace}."
        return
    name = f"{workload['kind']} {placement.release}"
    asleep = placement.virtual_cluster.sleeping
    if not asleep and not paused(workload) and not awake(workload):
        yield STOPPED_OUTSIDE, f"Somebody took the replicas of {name} away on the host, or left it marked as paused."
    if asleep and not paused(workload) and not awake(workload):
        yield RESUMED_OUTSIDE, f"{name} is neither asleep nor awake on the host: marks and replicas do not agree."
    chart = chart_version_of(workload)
    if chart != placement.chart_version:
        yield (
            UPGRADED_OUTSIDE,
            f"{name} is of chart {chart or 'unknown'}, and Marina installed {placement.chart_version}.",
        )
    revision = _newest_revision(placement, kube)
    if revision != placement.revision:
        told = f"is at revision {revision}" if revision else "has no record on the host"
        yield (
            CHANGED_OUTSIDE,
            f"Helm release {placement.release} {told}, and Marina's newest is {placement.revision}.",
        )


def _newest_revision(placement: Placement, kube: KubeClient) -> int:
    """By the labels of the secrets in which helm keeps its revisions; 0 where there is none."""
    selector = f"owner=helm,name={placement.release}"
    found = kube.list(SECRET, placement.namespace, label_selector=selector, metadata_only=True)
    return max((int(each["metadata"]["labels"]["version"]) for each in found), default=0)


def _of_guardrails(placement: Placement, kube: KubeClient, namespace: Json) -> Iterator[Finding]:
    cluster, selector = placement.virtual_cluster, own_selector(placement)
    labels = namespace["metadata"].get("labels") or {}
    wrong = [
        *([] if labels.get(POD_SECURITY_LABEL) in (POD_SECURITY_LEVEL, STRICTER_LEVEL) else [POD_SECURITY_LABEL]),
        *(name for name, value in owner_labels(cluster).items() if labels.get(name) != value),
    ]
    if wrong:
        yield GUARDRAILS_CHANGED, f"Namespace {placement.namespace} does not bear the labels {', '.join(wrong)}."
    there = {
        (each["kind"], each["metadata"]["name"]): each["spec"]
        for kind in (LIMIT_RANGE, RESOURCE_QUOTA, NETWORK_POLICY)
        for each in kube.list(kind, placement.namespace, label_selector=selector)
    }
    for wanted in guardrail_manifests(placement, cluster):
        key = wanted["kind"], wanted["metadata"]["name"]
        if key not in there:
            yield GUARDRAILS_CHANGED, f"{' '.join(key)} is gone."
        elif not _same(wanted["spec"], there[key], exactly=key[0] == NETWORK_POLICY.kind):
            yield GUARDRAILS_CHANGED, f"{' '.join(key)} was changed."


def _same(wanted: Any, found: Any, *, exactly: bool) -> bool:
    """Quantities by what they mean, as the host writes them in its own way; in quotas others may have added keys."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if exactly and wanted.keys() != found.keys():
            return False
        return all(key in found and _same(value, found[key], exactly=exactly) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        pairs = zip(wanted, found, strict=False)
        return len(wanted) == len(found) and all(_same(one, other, exactly=exactly) for one, other in pairs)
    if wanted == found:
        return True
    both_texts = isinstance(wanted, str) and isinstance(found, str) and not exactly
    return both_texts and 0 < millicores(wanted) == millicores(found)
