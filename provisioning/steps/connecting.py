"""Proving a host's credential, its permissions, and what the host offers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from django.conf import settings

from clusters.host_roles import Permission as Needed
from clusters.host_roles import permissions_missing, permissions_needed
from clusters.host_rules import SERVICE_ACCOUNT, SYSTEM_NAMESPACE, TENANT_ROLE
from clusters.models import HostCluster, HostMode, Operation
from clusters.services.hosts import credential_store
from provisioning.capacity import nodes_sum
from provisioning.charts import chart_fetch
from provisioning.drivers.clients import candidate_connection
from provisioning.drivers.kinds import CLUSTER_ROLE, INGRESS_CLASS, NAMESPACE, NODE, STORAGE_CLASS, Json
from provisioning.drivers.kube import KubeClient, Permission
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Skip, StepResult, Wait, step
from provisioning.steps.names import MANAGED_BY, MARINA
from provisioning.steps.namespaces import BINDING_SECONDS, bind_tenant_role, pod_security_labels
from provisioning.steps.timing import seconds_in_step

TRIES = 3
"""Attempts at a host that does not answer, before its administrator is told so."""
WELL_KNOWN_NAMESPACE = "kube-system"
"""Every cluster has it, and never makes it anew."""
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
MARINA_ACCOUNT = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{SERVICE_ACCOUNT}"


@step("Reach the host cluster")
def reach_host(context: StepContext) -> StepResult:
    """Version and identity. A host that does not answer fails the operation after three tries, with why."""
    try:
        with context.candidate() as kube:
            version = str(kube.version().get("gitVersion", ""))
            kube.self_subject()
    except TemporaryError as error:
        if context.operation.attempt + 1 < TRIES:
            raise
        raise PermanentError(error.message, code=error.code, hint=_unreachable_hint(context.host)) from error
    context.write(context.host, kubernetes_version=version.removeprefix("v"))
    return None


def _unreachable_hint(host: HostCluster) -> str:
    return (
        f"Check that {host.server} can be reached from where Marina's workers run; then give the host a credential "
        f"again (marina host renew {host.name}) or forget it (marina host disconnect {host.name})."
    )


@step("Check which cluster it is")
def check_identity(context: StepContext) -> StepResult:
    """A credential of another cluster is refused while the host holds placements: they would be cut off and lost."""
    host = context.host
    names = host.namespaces if host.mode == HostMode.NAMESPACES else [WELL_KNOWN_NAMESPACE]
    with context.candidate() as kube:
        found = {name: kube.get(NAMESPACE, name) for name in names}
    uids = {name: namespace["metadata"]["uid"] for name, namespace in found.items() if namespace}
    if host.identity and host.placements.exists() and not uids.items() & host.identity.items():
        raise PermanentError(
            f"This credential is for another cluster than the one {host.name} was connected to.",
            code="wrong-cluster",
            hint="Connect the other cluster as a host of its own, or give this one a credential of the right cluster.",
        )
    context.write(host, identity=uids)
    return None


@step("Check Marina's permissions on the host")
def check_permissions(context: StepContext) -> StepResult:
    """Asks the host about each permission (SelfSubjectAccessReview), first those for the host as a whole."""
    host = context.host
    missing: list[Needed] = []
    with context.candidate() as kube:
        for permission in permissions_needed(_mode(host)).host:
            missing += [] if kube.access_review(_review(permission)) else [permission]
        for namespace in host.namespaces:
            needed = permissions_needed(_mode(host), namespace=namespace).namespace
            missing += [permission for permission in needed if not kube.access_review(_review(permission, namespace))]
    _missing_refuse(context.host, missing)
    return None


@step("Try a namespace with Marina's tenant role")
def check_tenant_role(context: StepContext) -> StepResult:
    """Makes a namespace as for a virtual cluster, binds marina-tenant there, asks what that allows, and removes it."""
    if context.host.mode == HostMode.NAMESPACES:
        return Skip("Marina makes no namespaces on this host.")
    name = preflight_name(context.operation)
    with context.candidate() as kube, _preflight_namespace(kube, name):
        bind_tenant_role(kube, name)
        needed = permissions_needed("cluster").namespace
        missing = [permission for permission in needed if not kube.access_review(_review(permission, name))]
        if missing and _role_holds(kube, missing) and seconds_in_step(context) < BINDING_SECONDS:
            return Wait(0.3, "Waiting for the host to apply Marina's role.")
        kube.delete(NAMESPACE, name)
    _missing_refuse(context.host, missing)
    return None


def preflight_name(operation: Operation) -> str:
    """Of the namespace in which an operation tries Marina's role."""
    return f"marina-preflight-{operation.pk.hex[-10:]}"


def _role_holds(kube: KubeClient, permissions: list[Needed]) -> bool:
    """Whether the host's own marina-tenant grants them, so that its binding has only to take effect."""
    role = kube.get(CLUSTER_ROLE, TENANT_ROLE)
    return role is not None and not permissions_missing(permissions, rules=role.get("rules") or [])


def _mode(host: HostCluster) -> Literal["cluster", "namespaces"]:
    return "namespaces" if host.mode == HostMode.NAMESPACES else "cluster"


def _review(permission: Needed, namespace: str = "") -> Permission:
    """What a rule asks for, as a question to the host."""
    return Permission(
        verb=permission.verb,
        group=permission.group,
        resource=permission.resource,
        subresource=permission.subresource,
        name=permission.name,
        namespace=namespace,
    )


@contextmanager
def _preflight_namespace(kube: KubeClient, name: str) -> Iterator[None]:
    """Makes it; where something in it is refused for good it is removed again before that is told."""
    labels = {MANAGED_BY: MARINA, **pod_security_labels()}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        yield
    except PermanentError:
        kube.delete(NAMESPACE, name)
        raise


def _missing_refuse(host: HostCluster, missing: list[Needed]) -> None:
    if not missing:
        return
    listed = "; ".join(sorted({str(permission) for permission in missing}))
    raise PermanentError(
        f"The credential lacks {len(missing)} permissions on {host.name}: {listed}.",
        code="permissions",
        hint="As an administrator of the host apply the manifest that `marina host connect` shows; then connect again.",
    )


@step("Read what the host offers")
def survey_host(context: StepContext) -> StepResult:
    """API groups, storage class, ingress classes and capacity; in mode namespaces only the first: no object."""
    with context.candidate() as kube:
        context.write(context.host, api_groups=kube.api_groups())
        if context.host.mode == HostMode.NAMESPACES:
            return Skip("Marina reads no object outside its namespaces on this host.")
        context.write(
            context.host,
            storage_class=_default_class(kube),
            ingress_classes=[_ingress_class(found) for found in kube.list(INGRESS_CLASS)],
            capacity=nodes_sum(kube.list(NODE)),
        )
    return None


def _default_class(kube: KubeClient) -> str:
    classes = kube.list(STORAGE_CLASS)
    default = [c for c in classes if c["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true"]
    return str(default[0]["metadata"]["name"]) if default else ""


def _ingress_class(found: Json) -> dict[str, str]:
    return {"name": found["metadata"]["name"], "controller": found.get("spec", {}).get("controller", "")}


@step("Fetch vcluster's chart")
def fetch_chart(context: StepContext) -> StepResult:
    """So that values can be checked against its schema before anything is placed."""
    about = chart_fetch(settings.CHART_VERSION)
    return Skip(f"vcluster {about.version} ({about.digest[:19]}).")


@step("Keep the credential")
def accept_credential(context: StepContext) -> StepResult:
    """The proved candidate takes the place of the credential in use."""
    host = context.host
    with context.candidate() as kube:
        renewable = kube.self_subject().username == MARINA_ACCOUNT and _renewal_allowed(kube)
    connection = candidate_connection(host)
    with context.fenced():
        credential_store(host=host, connection=connection, now=context.now, renewable=renewable)
    return None


def _renewal_allowed(kube: KubeClient) -> bool:
    needed = permissions_needed("cluster").renewal
    return all(kube.access_review(_review(permission, SYSTEM_NAMESPACE)) for permission in needed)
