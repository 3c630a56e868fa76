"""What an operation that failed or was aborted left on hosts: told from the rows, as its host may not even answer.

A step that was begun may have made what it makes, so that is listed; whoever looks finds all of it or less.
"""

from collections.abc import Iterable

from clusters.adoption import Adoption
from clusters.host_rules import TENANT_ROLE
from clusters.models import HostMode, Placement
from clusters.services.kubeconfig_grants import access_to_end
from provisioning.drivers.kinds import NAMESPACE, POD, ROLE_BINDING
from provisioning.engine.context import StepContext
from provisioning.steps.connecting import preflight_name
from provisioning.steps.deleting import not_ours, placed
from provisioning.steps.guardrails import guardrail_manifests
from provisioning.steps.kubeconfig import account_manifests, account_name

Left = list[dict[str, str]]

RELEASE = "Helm release"
LABELS = "Namespace labels"
"""Of a namespace that Marina did not make: whose it is, and its Pod Security."""


def of_bringing(context: StepContext) -> Left:
    """Of `provision` and `configure`: what their begun steps make."""
    placement, begun = placed(context), _begun(context)
    if placement is None:
        return []
    left = []
    if "create-namespace" in begun:
        kind = NAMESPACE.kind if placement.namespace_created else LABELS
        left.append(_at(placement, kind, placement.namespace, namespace=""))
    if "apply-guardrails" in begun:
        left += _guardrails(placement)
    if begun & {"install-release", "update-release"}:
        left.append(_at(placement, RELEASE, placement.release))
    return left


def of_moving(context: StepContext) -> Left:
    """Of `migrate`: what is where it would have gone, until an operation of its own has removed it."""
    target, begun = context.on_target().placed(), _begun(context)
    if target is None or "target-create-namespace" not in begun:
        return []
    left = [_at(target, NAMESPACE.kind, target.namespace, namespace="")] if target.namespace_created else _marks(target)
    return left + ([_at(target, RELEASE, target.release)] if "target-install-release" in begun else [])


def of_deleting(context: StepContext) -> Left:
    """Of `delete`: what was not seen to be gone yet."""
    placement, done = placed(context), _done(context)
    if placement is None:
        return []
    if not_ours(placement):
        return _marks(placement)
    left = []
    if "uninstall-release" not in done:
        left.append(_at(placement, RELEASE, placement.release))
    if "remove-priority-classes" not in done and placement.syncs_priority_classes:
        left.append(_at(placement, "PriorityClass", f"*-x-{placement.release}", namespace=""))
    if "remove-namespace" not in done and not placement.namespace_created:
        left += _guardrails(placement)
    if placement.namespace_created:
        left.append(_at(placement, NAMESPACE.kind, placement.namespace, namespace=""))
    else:
        left += _marks(placement)
    return left


def of_adopting(context: StepContext) -> Left:
    """Of `adopt`: Marina's own marks on the namespace. The release is as it was found."""
    placement = placed(context)
    return _marks(placement) if placement and "mark-namespace" in _begun(context) else []


def of_connecting(context: StepContext) -> Left:
    """Of `connect`: the namespace in which it tries its role, where it ended in the middle of that."""
    if "check-tenant-role" not in _begun(context) - _done(context) or context.host.mode == HostMode.NAMESPACES:
        return []
    name = preflight_name(context.operation)
    return [{"kind": NAMESPACE.kind, "name": name, "namespace": "", "host": context.host.name}]


def of_sleeping(context: StepContext) -> Left:
    """Of `sleep`: the pods that it did not see ended."""
    placement = placed(context)
    if placement is None or "stop-workloads" not in _begun(context) - _done(context):
        return []
    return [_at(placement, POD.kind, f"*-x-{placement.release}")]


def of_issuing(context: StepContext) -> Left:
    """Of `issue-kubeconfig`: the account inside the virtual cluster, which the next one for this person uses again."""
    if "issue-kubeconfig" not in _begun(context) or context.operation.requested_by is None:
        return []
    level = str(context.params.get("level"))
    return _account(context, account_name(context.operation.requested_by.pk, level), level)


def of_revoking(context: StepContext) -> Left:
    """Of `revoke-access`: the accounts inside the virtual cluster that should be gone."""
    ending = access_to_end(virtual_cluster=context.virtual_cluster, now=context.now)
    return [each for user, level in ending.accounts for each in _account(context, account_name(user, level), level)]


def _account(context: StepContext, name: str, level: str) -> Left:
    inside = f"inside {context.virtual_cluster.name}"
    return [
        {
            "kind": each["kind"],
            "name": each["metadata"]["name"],
            "namespace": each["metadata"].get("namespace", ""),
            "host": inside,
        }
        for each in account_manifests(name, level, {}, handle="")
    ]


def _marks(placement: Placement) -> Left:
    """What Marina puts on a namespace that it did not make."""
    marks = [_at(placement, LABELS, placement.namespace, namespace="")]
    adoption = Adoption.of_json(placement.adopted)
    if adoption and placement.host.mode == HostMode.CLUSTER:
        marks.append(_at(placement, ROLE_BINDING.kind, TENANT_ROLE))
    return marks


def _guardrails(placement: Placement) -> Left:
    manifests = guardrail_manifests(placement, placement.virtual_cluster)
    return [_at(placement, each["kind"], each["metadata"]["name"]) for each in manifests]


def _at(placement: Placement, kind: str, name: str, *, namespace: str | None = None) -> dict[str, str]:
    where = placement.namespace if namespace is None else namespace
    return {"kind": kind, "name": name, "namespace": where, "host": placement.host.name}


def _begun(context: StepContext) -> set[str]:
    return _in_states(context, ("current", "done", "failed"))


def _done(context: StepContext) -> set[str]:
    return _in_states(context, ("done",))


def _in_states(context: StepContext, states: Iterable[str]) -> set[str]:
    return {step["key"] for step in context.operation.steps if step["state"] in states}
