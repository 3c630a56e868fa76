"""Choosing where a virtual cluster goes, and making its namespace there."""

from django.db import IntegrityError, transaction

from clusters.host_roles import tenant_binding
from clusters.host_rules import TENANT_ROLE
from clusters.models import HostCluster, HostMode, Placement, PlacementRole, VirtualCluster
from clusters.names import namespace_for, release_for
from clusters.placing import hosts_choose, namespaces_free
from provisioning.drivers.errors import ConflictError, ForbiddenError
from provisioning.drivers.kinds import NAMESPACE, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.steps.names import CLUSTER_ID_LABEL, owner_labels

POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
POD_SECURITY_LEVEL = "baseline"


@step("Choose a host cluster")
def choose_host(context: StepContext) -> StepResult:
    """Writes the placement before anything is on the host, so that whatever follows is known to belong to it."""
    cluster = context.virtual_cluster
    if Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).exists():
        return Skip("A host was chosen already.")
    choice = hosts_choose(
        project=cluster.project, kubernetes_version=cluster.kubernetes_version, wanted=cluster.wanted_host
    )
    if not choice.fitting:
        raise PermanentError(
            f"No host cluster can take it. {choice.explain()}",
            code="no-host",
            hint="Ask for another Kubernetes version or host, or have one offered to the project; then retry.",
        )
    host = choice.fitting[0]
    try:
        with context.fenced(), transaction.atomic():
            _placement_create(cluster, host)
    except IntegrityError:
        raise TemporaryError(f"A namespace of {host.name} was taken at the same moment.", code="conflict") from None
    return None


def _placement_create(cluster: VirtualCluster, host: HostCluster) -> Placement:
    given = host.mode == HostMode.NAMESPACES
    return Placement.objects.create(
        virtual_cluster=cluster,
        host=host,
        namespace=namespaces_free(host)[0] if given else namespace_for(cluster.name, cluster.pk),
        namespace_created=not given,
        release=release_for(cluster.name),
    )


@step("Prepare the namespace on the host")
def create_namespace(context: StepContext) -> StepResult:
    """Makes the namespace, or takes the given one, with Pod Security and the owner's labels on it."""
    placement, kube = context.placement, context.kube()
    if placement.namespace_created:
        _ours_or_absent(kube, placement)
        kube.apply(namespace_manifest(placement.namespace, context.virtual_cluster))
        bind_tenant_role(kube, placement.namespace)
        return None
    if kube.get(NAMESPACE, placement.namespace) is None:
        raise PermanentError(
            f"The namespace {placement.namespace}, which Marina was given on {placement.host.name}, is not there.",
            code="namespace-missing",
            hint="Make it on the host, or take it out of the host's list; then retry.",
        )
    kube.patch_merge(NAMESPACE, placement.namespace, None, {"metadata": {"labels": _labels(context.virtual_cluster)}})
    return None


def _ours_or_absent(kube: KubeClient, placement: Placement) -> None:
    """Marina takes over no namespace that somebody else made."""
    found = kube.get(NAMESPACE, placement.namespace)
    if found is None:
        return
    if found["metadata"].get("labels", {}).get(CLUSTER_ID_LABEL) != str(placement.virtual_cluster_id):
        raise PermanentError(
            f"The host already has a namespace {placement.namespace} that Marina did not make for this cluster.",
            code="namespace-taken",
            hint="Remove or rename it on the host, then retry.",
        )
    if found["status"].get("phase") == "Terminating":
        raise TemporaryError(f"The namespace {placement.namespace} is still being deleted.", code="conflict")


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


def _rbac_subject(username: str) -> dict[str, str]:
    prefix = "system:serviceaccount:"
    if username.startswith(prefix):
        namespace, name = username.removeprefix(prefix).split(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": username}
