"""Freezing what users write in a virtual cluster, by an admission policy inside it, and seeing that it holds.

A policy of Kubernetes binds even system:masters, so it exempts by name whoever keeps the cluster alive: vcluster's
syncer (and Marina, which acts by the same certificate), Kubernetes' own components and controllers. Policies do not
guard themselves: a cluster-admin can delete them. So whoever leans on a freeze asks whether it `holds` that it put
there itself.
"""

from dataclasses import dataclass
from typing import Any, Final

from provisioning.drivers.kinds import (
    CLUSTER_ROLE_BINDING,
    SERVICE_ACCOUNT,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    Json,
)
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import PermanentError
from provisioning.exports.discovery import kind_served
from provisioning.exports.left_out import CONTROLLERS
from provisioning.exports.merging import merge_patch
from provisioning.moving.holding import is_held, let_go, shut
from provisioning.steps.names import ACCESS_NAMESPACE, MANAGED_BY, MARINA

NAME: Final = "marina-move"
"""Of the policy and of its binding."""
ORDINARY_USER: Final = "marina:freeze-probe"
"""In whose name it is tried whether the freeze holds: somebody who may do everything and is exempt from nothing."""
EXEMPT: Final = ("kubernetes-super-admin", "system:apiserver")
EXEMPT_PREFIXES: Final = ("system:kube-", "system:node:")
NOT_FROZEN: Final = ("coordination.k8s.io", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io")
"""Groups whose objects do not move (Leases, Events) or are questions (reviews)."""


@dataclass(frozen=True)
class Freeze:
    """One freeze: who and which version its two objects are. Another pair, or a changed one, is another freeze.

    `since` is when it was put there by the clock of the cluster itself, in ISO 8601.
    """

    policy: str
    binding: str
    since: str

    def as_json(self) -> dict[str, str]:
        """To be kept."""
        return {"policy": self.policy, "binding": self.binding, "since": self.since}


def freeze_supported(virtual: KubeClient) -> bool:
    """Whether it knows admission policies at all (from Kubernetes 1.30 on)."""
    # its group and version are older, there are webhooks in them: where these cannot be learnt that is an error
    return kind_served(virtual, VALIDATING_ADMISSION_POLICY)


def freeze_put(virtual: KubeClient, sentence: str) -> Freeze:
    """Puts it there, whatever is left of an earlier one. It takes effect some seconds later: see `freeze_refuses`."""
    return _freeze(virtual.apply(_policy(sentence)), virtual.apply(_binding()))


def freeze_holds(virtual: KubeClient, freeze: dict[str, str]) -> bool:
    """Whether both objects are still the very ones that were put there, unchanged."""
    policy = virtual.get(VALIDATING_ADMISSION_POLICY, NAME)
    binding = virtual.get(VALIDATING_ADMISSION_POLICY_BINDING, NAME)
    if policy is None or binding is None:
        return False
    return _freeze(policy, binding).as_json() == freeze


def freeze_refuses(virtual: KubeClient) -> bool:
    """Whether a write of an ordinary user, who may do everything, is refused by this policy; nothing is written."""
    probe = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{NAME}-probe", "namespace": ACCESS_NAMESPACE},
    }
    try:
        virtual.try_as(ORDINARY_USER, "system:masters", probe)
    except PermanentError as error:
        return f"'{NAME}'" in error.message
    return False


def freeze_take_away(virtual: KubeClient) -> None:
    """Both objects; nothing where they are gone."""
    virtual.delete(VALIDATING_ADMISSION_POLICY_BINDING, NAME)
    virtual.delete(VALIDATING_ADMISSION_POLICY, NAME)


def access_suspend(virtual: KubeClient) -> None:
    """The accounts that Marina made for people may do nothing until `access_resume`."""
    for binding in _bindings(virtual):
        _changed(virtual, binding, shut(binding))


def access_resume(virtual: KubeClient) -> None:
    """They may do again what they might before."""
    for binding in _bindings(virtual):
        if is_held(binding):
            _changed(virtual, binding, let_go(binding))


def access_forget(virtual: KubeClient) -> None:
    """Ends what is left of access that was given to people before the cluster moved away from there.

    Who lost a role meanwhile was taken it where the cluster was then; so nothing of it may come back.
    """
    for binding in _bindings(virtual):
        virtual.delete(CLUSTER_ROLE_BINDING, binding["metadata"]["name"])
    for account in virtual.list(SERVICE_ACCOUNT, ACCESS_NAMESPACE, label_selector=f"{MANAGED_BY}={MARINA}"):
        virtual.delete(SERVICE_ACCOUNT, account["metadata"]["name"], ACCESS_NAMESPACE)


def _bindings(virtual: KubeClient) -> list[Json]:
    found = virtual.list(CLUSTER_ROLE_BINDING, label_selector=f"{MANAGED_BY}={MARINA}")
    return [each for each in found if each["metadata"]["name"].startswith("marina:")]


def _changed(virtual: KubeClient, before: Json, after: Json) -> None:
    if patch := merge_patch(before, after):
        virtual.patch_merge(CLUSTER_ROLE_BINDING, before["metadata"]["name"], None, patch)


def _freeze(policy: Json, binding: Json) -> Freeze:
    return Freeze(_version(policy), _version(binding), str(policy["metadata"]["creationTimestamp"]))


def _version(obj: Json) -> str:
    meta = obj["metadata"]
    return f"{meta['uid']}/{meta.get('generation', 1)}"


def _policy(sentence: str) -> Json:
    every = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE", "DELETE"], "scope": "*"}
    core = {"apiGroups": [""], "apiVersions": ["*"], "operations": ["*"], "scope": "*"}
    return {
        "apiVersion": VALIDATING_ADMISSION_POLICY.api_version,
        "kind": VALIDATING_ADMISSION_POLICY.kind,
        "metadata": {"name": NAME, "labels": {MANAGED_BY: MARINA}},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                # "*" would leave out subresources: a scale would go through
                "resourceRules": [{**every, "resources": ["*/*"]}],
                "excludeResourceRules": [
                    {**core, "resources": ["events"]},
                    *({**core, "apiGroups": [group], "resources": ["*/*"]} for group in NOT_FROZEN),
                ],
            },
            "matchConditions": [{"name": "not-exempt", "expression": f"!({_exempt()})"}],
            "validations": [{"expression": "false", "message": sentence, "reason": "Forbidden"}],
        },
    }


def _exempt() -> str:
    """In CEL. Of the accounts in kube-system only those of Kubernetes' own controllers: tenants may run there too."""
    user = "request.userInfo.username"
    controllers = [f"system:serviceaccount:kube-system:{name}" for name in sorted(CONTROLLERS)]
    names = ", ".join(f"'{name}'" for name in (*EXEMPT, *controllers))
    return " || ".join([f"{user} in [{names}]", *(f"{user}.startsWith('{prefix}')" for prefix in EXEMPT_PREFIXES)])


def _binding() -> Json:
    spec: dict[str, Any] = {"policyName": NAME, "validationActions": ["Deny"]}
    return {
        "apiVersion": VALIDATING_ADMISSION_POLICY_BINDING.api_version,
        "kind": VALIDATING_ADMISSION_POLICY_BINDING.kind,
        "metadata": {"name": NAME, "labels": {MANAGED_BY: MARINA}},
        "spec": spec,
    }
