"""Waiting until a virtual cluster's API answers, and making it ready for people."""

from collections.abc import Callable

from django.conf import settings

from provisioning.drivers.kinds import INGRESS_CLASS, NAMESPACE, Json
from provisioning.drivers.trouble import Trouble, why_not_ready
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Skip, StepResult, Wait, step
from provisioning.steps.names import ACCESS_NAMESPACE, MANAGED_BY, MARINA
from provisioning.steps.release import workload_of
from provisioning.steps.timing import seconds_in_step

ASLEEP = Skip("It is asleep; this is done when it wakes.")
EVENTS_AFTER_SECONDS = 2.0
"""Until then a control plane that does not answer is just starting, and the host is not asked why."""


@step("Wait for the virtual cluster's API")
def wait_for_api(context: StepContext) -> StepResult:
    """Looks at /readyz through the host's API; tells the host's own reason for as long as it does not answer."""
    return _wait(context, "Waiting for the API server.", ready=_answers, waited=seconds_in_step(context))


@step("Wait for the virtual cluster's API")
def wait_for_rollout(context: StepContext) -> StepResult:
    """As for a new cluster, but not before the host has replaced a control plane that was as it was wanted before."""
    if context.virtual_cluster.sleeping:
        return ASLEEP
    return rollout_wait(context, waited=seconds_in_step(context))


def rollout_wait(context: StepContext, *, waited: float, give_up: bool = True) -> StepResult:
    """The answer of a step that waits for it and began to `waited` seconds ago.

    PermanentError where waiting alone cannot help, unless `give_up` is False.
    """
    return _wait(
        context,
        "Waiting for the host to replace the control plane.",
        ready=lambda context: rolled_out(workload_of(context.kube(), context.placement)) and _answers(context),
        waited=waited,
        give_up=give_up,
    )


def rolled_out(workload: Json | None) -> bool:
    """Whether every pod of the workload is of its newest revision, and ready."""
    if workload is None:
        return False
    wanted, status = workload["spec"].get("replicas", 1), workload.get("status", {})
    seen = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    # a StatefulSet whose update is over has one revision; a Deployment has no such field
    over = status.get("currentRevision") == status.get("updateRevision")
    ready = wanted == status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) == status.get("replicas", 0)
    return bool(seen and over and ready)


def _answers(context: StepContext) -> bool:
    with context.virtual() as virtual:
        if not virtual.readyz():
            return False
        version = _version(virtual.version())
    context.write(context.placement, kubernetes_version=version)
    return True


def _wait(
    context: StepContext, why: str, *, ready: Callable[[StepContext], bool], waited: float, give_up: bool = True
) -> StepResult:
    try:
        if ready(context):
            return None
    except TemporaryError:
        pass  # no pod, no certificate, no listener yet: what the host says of it is told below
    trouble = _trouble(context) if waited > EVENTS_AFTER_SECONDS else None
    if trouble and trouble.permanent and give_up and waited > settings.IMAGE_PULL_PATIENCE_SECONDS:
        raise PermanentError(
            trouble.message,
            code=trouble.reason,
            hint="Mend its cause, then retry; or delete the cluster: nothing of it stays.",
        )
    return Wait(_pause(waited), trouble.message if trouble else why)


def _trouble(context: StepContext) -> Trouble | None:
    return why_not_ready(context.kube(), context.placement.namespace, context.placement.release)


def _pause(waited: float) -> float:
    """Often while it usually gets ready, rarely when it takes long."""
    return 0.2 if waited < 10 else 1.0 if waited < 60 else 3.0


def _version(version: Json) -> str:
    return str(version.get("gitVersion", "")).removeprefix("v")


@step("Prepare access inside the virtual cluster")
def prepare_inside(context: StepContext) -> StepResult:
    """Makes Marina's own namespace there, and shows the host's ingress classes.

    The classes are copied because the chart's own sync of them would need a ClusterRole on the host, which Marina's
    least privilege does not hold.
    """
    if context.virtual_cluster.sleeping:
        return ASLEEP
    labels = {MANAGED_BY: MARINA}
    with context.virtual() as virtual:
        virtual.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ACCESS_NAMESPACE, "labels": labels}}
        )
        for found in context.placement.host.ingress_classes:
            virtual.apply(
                {
                    "apiVersion": INGRESS_CLASS.api_version,
                    "kind": INGRESS_CLASS.kind,
                    "metadata": {"name": found["name"], "labels": labels},
                    "spec": {"controller": found["controller"]},
                }
            )
        if virtual.get(NAMESPACE, ACCESS_NAMESPACE) is None:
            raise TemporaryError(f"The namespace {ACCESS_NAMESPACE} is not there yet.", code="not-ready")
    return None
