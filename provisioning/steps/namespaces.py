"""The namespace of a virtual cluster on its host: made, or taken as given; told apart from everybody else's."""

from clusters.host_roles import tenant_binding
from clusters.host_rules import TENANT_ROLE
from clusters.models import HostMode, Placement, VirtualCluster
from provisioning.drivers.errors import ConflictError, ForbiddenError
from provisioning.drivers.kinds import NAMESPACE, Json
from provisioning.drivers.kube import KubeClient, Permission
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import StepResult, Wait, step
from provisioning.steps.names import CLUSTER_ID_LABEL, owner_labels
from provisioning.steps.timing import seconds_in_step

POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
POD_SECURITY_LEVEL = "baseline"
STRICTER_LEVEL = "restricted"
BINDING_SECONDS = 5.0
"""A role binding takes effect within moments; what is still missing after this is missing."""


@step("Prepare the namespace on the host")
def create_namespace(context: StepContext) -> StepResult:
    """Makes the namespace, or takes the given one, with Pod Security and the owner's labels on it."""
    placement, kube = context.placement, context.kube()
    found = kube.get(NAMESPACE, placement.namespace)
    others_refuse(found, placement)
    if placement.namespace_created:
        kube.apply(namespace_manifest(placement.namespace, context.virtual_cluster))
        bind_tenant_role(kube, placement.namespace)
        if not role_holds(kube, placement.namespace) and seconds_in_step(context) < BINDING_SECONDS:
            return Wait(0.2, "Waiting for the host to apply Marina's role.")
    elif found is None:
        raise PermanentError(
            f"The namespace {placement.namespace}, which Marina was given on {placement.host.name}, is not there.",
            code="namespace-missing",
            hint="Make it on the host, or take it out of the host's list; then retry.",
        )
    else:
        _take_given(context, kube, found)
    return None


def namespace_of(kube: KubeClient, placement: Placement) -> Json | None:
    """The cluster's namespace as the host has it; None where it is gone, or is not (or not yet) this cluster's."""
    found = kube.get(NAMESPACE, placement.namespace)
    return found if found and _owner(found) == str(placement.virtual_cluster_id) else None


def _owner(namespace: Json) -> str:
    return str((namespace["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL, ""))


def others_refuse(found: Json | None, placement: Placement) -> None:
    """Marina takes over no namespace that somebody else made, nor one that holds another cluster of its own."""
    if found is None:
        return
    owner = _owner(found)
    if owner != str(placement.virtual_cluster_id) and (owner or placement.namespace_created):
        raise PermanentError(
            f"The host's namespace {placement.namespace} belongs to somebody else or to another virtual cluster.",
            code="namespace-taken",
            hint="Free it on the host, or take it out of the host's list; then retry.",
        )
    if found["status"].get("phase") == "Terminating":
        raise TemporaryError(f"The namespace {placement.namespace} is still being deleted.", code="conflict")


def _take_given(context: StepContext, kube: KubeClient, found: Json) -> None:
    """Labels it, so that it can be given back as it was. A stricter Pod Security stays."""
    placement, wanted = context.placement, _labels(context.virtual_cluster)
    namespace_note(context, found)
    if placement.namespace_labels.get(POD_SECURITY_LABEL) == STRICTER_LEVEL:
        wanted |= dict.fromkeys(pod_security_labels(), STRICTER_LEVEL)
    kube.patch_merge(NAMESPACE, placement.namespace, None, {"metadata": {"labels": wanted}})
    if placement.host.mode == HostMode.CLUSTER:  # it was adopted
        bind_tenant_role(kube, placement.namespace)


def namespace_note(context: StepContext, found: Json) -> None:
    """Keeps the labels that a given namespace had before it bore Marina's."""
    if not _owner(found):
        had = found["metadata"].get("labels") or {}
        context.write(
            context.placement, namespace_labels={name: had.get(name) for name in _labels(context.virtual_cluster)}
        )


def give_back(kube: KubeClient, placement: Placement) -> None:
    """Puts the labels of a given namespace back as they were. Nothing to do where it is not the cluster's any more."""
    if namespace_of(kube, placement) is None:
        return
    labels = {name: placement.namespace_labels.get(name) for name in _labels(placement.virtual_cluster)}
    kube.patch_merge(NAMESPACE, placement.namespace, None, {"metadata": {"labels": labels}})


def pod_security_labels() -> dict[str, str]:
    """Pods that could reach the host itself are refused by the host."""
    return {POD_SECURITY_LABEL: POD_SECURITY_LEVEL, "pod-security.kubernetes.io/warn": POD_SECURITY_LEVEL}


def _labels(cluster: VirtualCluster) -> dict[str, str]:
    return {**owner_labels(cluster), **pod_security_labels()}


def namespace_manifest(name: str, cluster: VirtualCluster) -> Json:
    """The host namespace of a virtual cluster."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _labels(cluster)}}


def bind_tenant_role(kube: KubeClient, namespace: str) -> None:
    """Gives Marina the role of its ClusterRole marina-tenant in a namespace that it made.

    Where the credential may do everything anyway and the host has no such role, the binding does no harm.
    """
    try:
        kube.apply(tenant_binding(namespace, subject=_rbac_subject(kube.self_subject().username)))
    except ForbiddenError as error:
        raise PermanentError(
            f"Marina may not give itself the role {TENANT_ROLE} in {namespace}: {error.message}",
            code="permissions",
            hint="Apply the manifest of `marina host connect` on the host again.",
        ) from error
    except ConflictError:
        raise TemporaryError(
            f"The binding of {TENANT_ROLE} is being changed by somebody else.", code="conflict"
        ) from None


def role_holds(kube: KubeClient, namespace: str) -> bool:
    """By one of its rights, the first that is used: an API server takes a new binding in as a whole, a little later."""
    return kube.access_review(Permission("patch", "limitranges", namespace=namespace))


def _rbac_subject(username: str) -> dict[str, str]:
    prefix = "system:serviceaccount:"
    if username.startswith(prefix):
        namespace, name = username.removeprefix(prefix).split(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": username}
