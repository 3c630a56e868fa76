"""Taking over the care of a release that somebody else installed. Nothing of the release is changed."""

from dataclasses import replace
from typing import Any

from accounts.errors import InvalidInput
from clusters.adoption import Adoption, backing_store_of, image_values_of
from clusters.chart_values import not_synced
from clusters.models import Exposure, HostMode, Placement, VirtualCluster
from clusters.sizes import SIZES, Size
from clusters.versions import KubernetesVersion
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.helm_looks import ReleaseStatus
from provisioning.drivers.kinds import NAMESPACE, SECRET, SERVICE, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.quantities import millicores, units
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Skip, StepResult, Wait, step
from provisioning.inventory import workload_told
from provisioning.steps.endpoint import address_of
from provisioning.steps.names import owner_labels
from provisioning.steps.namespaces import BINDING_SECONDS, bind_tenant_role, namespace_note, others_refuse
from provisioning.steps.release import syncs, workload_of
from provisioning.steps.timing import seconds_in_step

ANSWER_SECONDS = 20.0
"""So long its API may take to answer before it is adopted as one that does not."""
MIB = 1024 * 1024


def adoption_of(placement: Placement) -> Adoption:
    """How it was found. ValueError for a placement that Marina made."""
    adoption = Adoption.of_json(placement.adopted)
    if adoption is None:
        raise ValueError(f"{placement} was not adopted")
    return adoption


@step("Mark its namespace as Marina's")
def mark_namespace(context: StepContext) -> StepResult:
    """Labels that say whose it is, and the right to act there. No guardrail yet: what runs there goes on as it is."""
    placement, kube = context.placement, context.kube()
    found = kube.get(NAMESPACE, placement.namespace)
    if found is None:
        raise PermanentError(f"The namespace {placement.namespace} is gone from {context.host.name}.", code="vanished")
    others_refuse(found, placement)
    namespace_note(context, found)
    patch = {"metadata": {"labels": owner_labels(context.virtual_cluster)}}
    kube.patch_merge(NAMESPACE, placement.namespace, None, patch)
    if placement.host.mode == HostMode.CLUSTER:
        bind_tenant_role(kube, placement.namespace)
    return None


@step("Read the release as it is")
def import_release(context: StepContext) -> StepResult:
    """Its own values, chart version, images, Kubernetes version and backing store become what is wanted."""
    placement, kube = context.placement, context.kube()
    if not _may_read(kube, placement):
        if seconds_in_step(context) > BINDING_SECONDS:
            raise PermanentError(
                f"Marina may not read secrets in {placement.namespace}, in which helm keeps its releases.",
                code="permissions",
                hint="Apply the manifest of `marina host connect` on the host again; then retry.",
            )
        return Wait(0.3, "Waiting for the host to apply Marina's role.")
    workload = workload_of(kube, placement)
    if workload is None:
        raise PermanentError(f"The control plane {placement.release} is gone from the host.", code="vanished")
    helm, revision = context.helm(), _deployed(context).revision
    own = helm.values(placement.release, placement.namespace, revision=revision)
    computed = helm.values(placement.release, placement.namespace, revision=revision, everything=True)
    told = workload_told(workload)
    adoption = Adoption(
        workload=told["workload"],
        uid=told["uid"],
        image=told["image"],
        revision=revision,
        image_values=image_values_of(computed),
        paused=told["paused"] or not workload["spec"].get("replicas", 1),
    )
    _import_write(context, told, adoption, own, computed)
    return None


def _may_read(kube: KubeClient, placement: Placement) -> bool:
    try:
        kube.list(SECRET, placement.namespace, label_selector="owner=helm", metadata_only=True)
    except ForbiddenError:
        return False
    return True


def _deployed(context: StepContext) -> ReleaseStatus:
    placement = context.placement
    found = context.helm().status(placement.release, placement.namespace)
    if found is None:
        raise PermanentError(
            f"{placement.release} in {placement.namespace} was not installed by helm, or its record is gone.",
            code="no-release",
            hint="Install it with helm over what is there, or leave it to whoever installed it.",
        )
    if found.status != "deployed":
        raise PermanentError(
            f"The newest revision of the Helm release {placement.release} is {found.status}, not deployed.",
            code="not-deployed",
            hint="Bring the release to an end with helm; then retry.",
        )
    return found


def _import_write(
    context: StepContext, told: dict[str, Any], adoption: Adoption, own: dict[str, Any], computed: dict[str, Any]
) -> None:
    cluster, placement = context.virtual_cluster, context.placement
    plane = computed.get("controlPlane", {})
    wanted = {
        "values": own,
        "chart_version": told["chart_version"],
        "kubernetes_version": _version(told["kubernetes_version"]),
        "size": _size(plane.get("statefulSet", {}).get("resources", {})).name,
        "exposure": _exposure(plane.get("service", {}), placement),
        "replicas": max(1, int(plane.get("statefulSet", {}).get("highAvailability", {}).get("replicas", 1))),
        "backing_store": backing_store_of(computed),
    }
    observed = {
        "adopted": adoption.as_json(),
        "chart_version": told["chart_version"],
        "kubernetes_version": told["kubernetes_version"],
        "revision": adoption.revision,
        "not_synced": [{"kind": each.kind, "reason": each.reason} for each in not_synced(computed)],
        "syncs_priority_classes": syncs(computed, "priorityClasses"),
    }
    with context.fenced():  # both or neither
        VirtualCluster.objects.filter(pk=cluster.pk).update(**wanted)
        Placement.objects.filter(pk=placement.pk).update(**observed)
    for row, fields in ((cluster, wanted), (placement, observed)):
        for name, value in fields.items():
            setattr(row, name, value)


def _version(text: str) -> str:
    try:
        return str(KubernetesVersion.parse(text))
    except InvalidInput:
        raise PermanentError(
            f"Its Kubernetes version cannot be read off its image ({text or 'no tag'}).",
            code="version",
            hint="Marina adopts clusters whose control plane names its version, such as v1.36.3, in the image's tag.",
        ) from None


def _size(resources: Json) -> Size:
    """The smallest that gives its control plane as much as it has; the largest where none does."""
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for size in SIZES.values():
        has = size.control_plane
        if (
            millicores(requests.get("cpu")) <= has.cpu
            and units(requests.get("memory")) <= has.memory * MIB
            and units(limits.get("memory")) <= has.memory_limit * MIB
        ):
            return size
    return list(SIZES.values())[-1]


def _exposure(service: Json, placement: Placement) -> str:
    """As the host has it where that is how it is published; else not at all."""
    published = (service.get("spec") or {}).get("type") == "LoadBalancer"
    by_host = placement.host.exposure == Exposure.LOAD_BALANCER
    return "" if published == by_host else Exposure.NONE


@step("See whether its API answers")
def look_at_api(context: StepContext) -> StepResult:
    """Notes its address and whether it is at work. One that sleeps, or does not answer, is adopted all the same."""
    placement, adoption = context.placement, adoption_of(context.placement)
    service = context.kube().get(SERVICE, placement.release, placement.namespace)
    exposure = Exposure(context.virtual_cluster.exposure or placement.host.exposure)
    endpoint = address_of(service, exposure) if service and exposure != Exposure.NONE else ""
    if adoption.paused:
        context.write(placement, endpoint=endpoint)
        return Skip("It is paused.")
    try:
        with context.virtual() as virtual:
            answers = virtual.readyz()
    except TemporaryError:
        answers = False
    if not answers and seconds_in_step(context) < ANSWER_SECONDS:
        return Wait(1.0, "Waiting for its API to answer.")
    context.write(placement, endpoint=endpoint, adopted=replace(adoption, answers=answers).as_json())
    return None if answers else Skip("It does not answer.")
