"""Taking a virtual cluster away, until the host was seen to be free of it.

Helm's uninstall leaves the claims of the StatefulSet, and installing the same name over them would revive the old
state; so they go too, with the namespace where Marina made it, one by one where it was given.
"""

from contextlib import suppress
from dataclasses import replace

from clusters.adoption import Adoption
from clusters.chart_wish import HostCapabilities
from clusters.host_rules import TENANT_ROLE
from clusters.models import HostMode, Placement
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.kinds import (
    CONFIG_MAP,
    INGRESS,
    LIMIT_RANGE,
    NAMESPACE,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    PRIORITY_CLASS,
    RESOURCE_QUOTA,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Skip, StepResult, Wait, step
from provisioning.steps.names import CLUSTER_ID_LABEL, MANAGED_BY, MARINA, SYNCED_BY
from provisioning.steps.namespaces import BINDING_SECONDS, bind_tenant_role, give_back, namespace_of, role_holds
from provisioning.steps.timing import seconds_in_step

NOT_PLACED = Skip("Nothing of it was ever on a host.")
NOT_THERE = Skip("Nothing of it is on the host.")
NOT_OURS = Skip("It was not adopted in the end: its release stays as it was found.")
EMPTYING_SECONDS = 45.0
"""So long its pods and claims may take to go before a namespace is deleted all the same (helm's uninstall: 45 s)."""
GUARDRAIL_KINDS = (NETWORK_POLICY, RESOURCE_QUOTA, LIMIT_RANGE)
RELEASE_KINDS = (STATEFUL_SET, SERVICE, PERSISTENT_VOLUME_CLAIM)
SYNCED_KINDS = (POD, SERVICE, PERSISTENT_VOLUME_CLAIM, CONFIG_MAP, SECRET)


def placed(context: StepContext) -> Placement | None:
    """Where it is; None where no host was chosen yet."""
    return context.placed()


def not_ours(placement: Placement) -> bool:
    """Whether its release belongs to somebody else: Marina was told to adopt it, and did not get so far."""
    adoption = Adoption.of_json(placement.adopted)
    return adoption is not None and not adoption.complete


@step("Remove the virtual cluster's release")
def uninstall_release(context: StepContext) -> StepResult:
    """Helm's uninstall; what was synced to the host goes by its owner references."""
    placement = placed(context)
    if placement is None:
        return NOT_PLACED
    if not_ours(placement):
        return NOT_OURS
    kube = context.kube()
    if namespace_of(kube, placement) is None:
        return NOT_THERE
    if placement.namespace_created and not role_holds(kube, placement.namespace):
        # whoever made it ended before Marina had any right in it
        bind_tenant_role(kube, placement.namespace)
        if seconds_in_step(context) < BINDING_SECONDS:
            return Wait(0.2, "Waiting for the host to apply Marina's role.")
    context.helm().uninstall(placement.release, placement.namespace)
    return None


@step("Remove what belongs to it outside its namespace")
def remove_priority_classes(context: StepContext) -> StepResult:
    """Host PriorityClasses, where their sync was switched on: they are the whole host's and outlive the release."""
    placement = placed(context)
    if placement is None:
        return NOT_PLACED
    if not_ours(placement):
        return NOT_OURS
    if not placement.syncs_priority_classes:
        return Skip("It synced nothing outside its namespace.")
    kube = context.kube()
    owner = f"{placement.namespace}-x-{placement.release}"
    for found in kube.list(PRIORITY_CLASS, label_selector=f"{SYNCED_BY}={owner}"):
        kube.delete(PRIORITY_CLASS, found["metadata"]["name"], uid=found["metadata"]["uid"])
    return None


@step("Remove its namespace")
def remove_namespace(context: StepContext) -> StepResult:
    """Deletes the namespace that Marina made; empties the one it was given."""
    placement = placed(context)
    if placement is None:
        return NOT_PLACED
    if not_ours(placement):
        return NOT_OURS
    kube = context.kube()
    if placement.namespace_created:
        return _delete_own(kube, placement, context)
    return _empty_given(kube, placement)


def _delete_own(kube: KubeClient, placement: Placement, context: StepContext) -> StepResult:
    """Its pods and claims first: what is slow to go makes the host look at a namespace again only 8 s later or more."""
    found = namespace_of(kube, placement)
    if found is None:
        return None
    if found["metadata"].get("deletionTimestamp"):
        return Wait(0.5, _still_there(found))
    left = _deleted(kube, placement.namespace, [(PERSISTENT_VOLUME_CLAIM, "")])
    left += [f"Pod {pod['metadata']['name']}" for pod in kube.list(POD, placement.namespace)]
    if left and seconds_in_step(context) < EMPTYING_SECONDS:
        return Wait(0.3, _waiting_for(left))
    kube.delete(NAMESPACE, placement.namespace, uid=found["metadata"]["uid"])
    return Wait(0.3, _still_there(found))


def _still_there(namespace: dict[str, object]) -> str:
    """The host's own words on why a namespace stays."""
    status = namespace.get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    said = [str(c["message"]) for c in conditions if c.get("status") == "True" and "Remaining" in str(c.get("type"))]
    return " ".join(["Waiting for the host to remove the namespace.", *said])


def _empty_given(kube: KubeClient, placement: Placement) -> StepResult:
    """Only what carries the cluster's own labels: other things there are not Marina's. Isolation goes last."""
    if namespace_of(kube, placement) is None:
        return NOT_THERE
    for selectors in (_selectors(placement), _guardrails(placement)):
        left = _deleted(kube, placement.namespace, selectors)
        if left:
            return Wait(0.5, _waiting_for(left))
    return None


def _deleted(kube: KubeClient, namespace: str, what: list[tuple[Kind, str]]) -> list[str]:
    """Asks for the deletion of these, by kind and label selector; which of them were still there, by kind and name."""
    left = []
    for kind, selector in what:
        for found in kube.list(kind, namespace, label_selector=selector):
            left.append(f"{kind.kind} {found['metadata']['name']}")
            if not found["metadata"].get("deletionTimestamp"):
                kube.delete(kind, found["metadata"]["name"], namespace, uid=found["metadata"]["uid"])
    return left


def _waiting_for(left: list[str]) -> str:
    return f"Waiting for the host to remove {', '.join(left[:5])}{' and more' if len(left) > 5 else ''}."


def _selectors(placement: Placement) -> list[tuple[Kind, str]]:
    """What the release, its syncer and its workloads leave in a namespace that stays."""
    serves = HostCapabilities.from_api_groups(placement.host.api_groups)
    kinds = [*SYNCED_KINDS]
    kinds += [INGRESS] if serves.ingresses else []
    kinds += [NETWORK_POLICY] if serves.network_policies else []
    kinds += [POD_DISRUPTION_BUDGET] if serves.disruption_budgets else []
    synced = [(kind, f"{SYNCED_BY}={placement.release}") for kind in kinds]
    release = [(kind, f"app=vcluster,release={placement.release}") for kind in RELEASE_KINDS]
    written = [(kind, f"vcluster.loft.sh/vcluster-name={placement.release}") for kind in (CONFIG_MAP, SECRET)]
    return [*release, *synced, *written]


def _guardrails(placement: Placement) -> list[tuple[Kind, str]]:
    selector = f"{MANAGED_BY}={MARINA},{CLUSTER_ID_LABEL}={placement.virtual_cluster_id}"
    return [(kind, selector) for kind in GUARDRAIL_KINDS]


@step("Check that nothing is left of it")
def verify_absence(context: StepContext) -> StepResult:
    """Looks once more, at the host itself, before Marina forgets where it was."""
    placement = placed(context)
    if placement is None:
        return NOT_PLACED
    kube = context.kube()
    if namespace_of(kube, placement) is None:
        return None
    if placement.namespace_created:
        return Wait(0.5, "The namespace is there again.")
    adoption = Adoption.of_json(placement.adopted)
    if not not_ours(placement) and not (adoption and adoption.given_back):
        everything = [*_selectors(placement), *_guardrails(placement)]
        left = [k.kind for k, selector in everything if kube.list(k, placement.namespace, label_selector=selector)]
        if left:
            return Wait(0.5, f"Still there: {', '.join(left)}.")
    if adoption:
        _unbind(context, kube, placement, adoption)
    give_back(kube, placement)
    return None


def _unbind(context: StepContext, kube: KubeClient, placement: Placement, adoption: Adoption) -> None:
    """Takes back the right that Marina gave itself in an adopted namespace; with it goes the right to look there."""
    context.write(placement, adopted=replace(adoption, given_back=True).as_json())
    if placement.host.mode == HostMode.NAMESPACES:
        return  # there the host's administrator gave it
    with suppress(ForbiddenError):  # taken back already
        kube.delete(ROLE_BINDING, TENANT_ROLE, placement.namespace)
