"""A host's RBAC as a manifest, which its administrator reads and applies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from accounts.errors import InvalidInput
from clusters.host_permissions import (
    Mode,
    Permission,
    PermissionsNeeded,
    permissions_missing,
    permissions_needed,
    permissions_of,
)
from clusters.host_rules import (
    HOST_ROLE,
    HOST_RULES,
    LONG_LIVED,
    METRICS_RULES,
    NAMESPACE_ROLE,
    RENEWAL_ROLE,
    RENEWAL_RULES,
    SERVICE_ACCOUNT,
    SYSTEM_NAMESPACE,
    TENANT_ROLE,
    TENANT_RULES,
    TRAFFIC_ROLE,
    Rule,
    namespace_rules,
    traffic_rules,
)
from clusters.lifecycle.ingress_metrics import IngressMetrics
from clusters.names import NAMESPACE_MAX, name_validate

__all__ = [
    "Mode",
    "Permission",
    "PermissionsNeeded",
    "manifest_render",
    "namespaces_check",
    "permissions_missing",
    "permissions_needed",
    "permissions_of",
    "tenant_binding",
]

LABELS = {"app.kubernetes.io/managed-by": "marina"}
RBAC_GROUP = "rbac.authorization.k8s.io"
RBAC_VERSION = f"{RBAC_GROUP}/v1"

SYSTEMS_OWN = ("default", "kube-node-lease", "kube-public", "kube-system", SYSTEM_NAMESPACE)
"""Namespaces that cannot be given for a virtual cluster: Marina empties those that it gives back."""


def manifest_render(
    *, mode: Mode, namespaces: Sequence[str] = (), long_lived: bool = False, traffic: IngressMetrics | None = None
) -> str:
    """What `kubectl apply` makes on the host: a service account for Marina with the least rights, each one explained.

    `long_lived` adds a token that does not expire; else Marina gets the right to renew its own. `traffic` adds the
    right to read one ingress controller's counters. Raises InvalidInput for a list of namespaces that does not fit the
    mode.
    """
    namespaces_check(mode, namespaces)
    documents = [*_account_documents()]
    if mode == "cluster":
        documents += _cluster_documents()
    for namespace in namespaces:
        documents += _namespace_documents(namespace)
    documents += _long_token_documents() if long_lived else _token_documents()
    if traffic is not None:
        documents += _traffic_documents(traffic)
    return _HEAD.format(mode=mode) + "".join(f"---\n{document}" for document in documents)


_HEAD = """\
# What Marina needs on this cluster (mode {mode}). Marina itself runs elsewhere and uses the service account below.
# To take everything back: kubectl delete -f this-file (virtual clusters that still exist here stay as they are).
"""


def namespaces_check(mode: Mode, namespaces: Sequence[str]) -> None:
    """Whether the list fits the mode and holds only names that may be given to Marina; raises InvalidInput if not."""
    if mode == "cluster" and namespaces:
        message = "In mode cluster Marina makes the namespaces itself."
        raise InvalidInput(message, field="namespaces", accepted="none")
    if mode == "namespaces" and not namespaces:
        message = "In mode namespaces Marina uses only those that are listed, and none is."
        raise InvalidInput(message, field="namespaces", accepted="one or more existing namespaces")
    if len(set(namespaces)) != len(namespaces):
        raise InvalidInput("A namespace is listed twice.", field="namespaces", accepted="each namespace once")
    for number, namespace in enumerate(namespaces):
        name_validate(namespace, f"namespaces[{number}]", length_max=NAMESPACE_MAX)
        if namespace in SYSTEMS_OWN:
            message = f"The namespace {namespace} belongs to the system, and Marina empties those it was given."
            raise InvalidInput(message, field=f"namespaces[{number}]", accepted="a namespace of your own")


def _account_documents() -> Iterable[str]:
    yield _document(
        "The namespace of Marina's service account. Nothing runs in it.", "v1", "Namespace", SYSTEM_NAMESPACE
    )
    yield _document(
        "Whom Marina is on this cluster.",
        "v1",
        "ServiceAccount",
        SERVICE_ACCOUNT,
        namespace=SYSTEM_NAMESPACE,
        # no pod is meant to run as Marina
        automountServiceAccountToken=False,
    )


def _cluster_documents() -> Iterable[str]:
    yield _role("What Marina may do in the whole cluster.", "ClusterRole", HOST_ROLE, HOST_RULES)
    yield _role(
        "What Marina may do in the namespace of a virtual cluster. It holds only where Marina binds it.",
        "ClusterRole",
        TENANT_ROLE,
        (*TENANT_RULES, *METRICS_RULES),
    )
    yield _binding("Gives the first of these two to Marina.", "ClusterRoleBinding", HOST_ROLE, role_kind="ClusterRole")


def _namespace_documents(namespace: str) -> Iterable[str]:
    for purpose, name, rules in (
        (f"What Marina may do with the namespace {namespace} itself.", NAMESPACE_ROLE, namespace_rules(namespace)),
        (f"What Marina may do in the namespace {namespace}.", TENANT_ROLE, (*TENANT_RULES, *METRICS_RULES)),
    ):
        yield _role(purpose, "Role", name, rules, namespace=namespace)
        yield _binding("Gives it to Marina.", "RoleBinding", name, role_kind="Role", namespace=namespace)


def _token_documents() -> Iterable[str]:
    purpose = "Lets Marina renew its own token, and no other."
    yield _role(purpose, "Role", RENEWAL_ROLE, RENEWAL_RULES, namespace=SYSTEM_NAMESPACE)
    yield _binding("Gives it to Marina.", "RoleBinding", RENEWAL_ROLE, role_kind="Role", namespace=SYSTEM_NAMESPACE)


def _traffic_documents(traffic: IngressMetrics) -> Iterable[str]:
    purpose = f"Lets Marina read how many requests came, from {traffic.service} and nothing else there."
    yield _role(purpose, "Role", TRAFFIC_ROLE, traffic_rules(traffic), namespace=traffic.namespace)
    yield _binding("Gives it to Marina.", "RoleBinding", TRAFFIC_ROLE, role_kind="Role", namespace=traffic.namespace)


def _long_token_documents() -> Iterable[str]:
    yield _document(
        "A token that does not expire. Delete this secret to take it back.",
        "v1",
        "Secret",
        LONG_LIVED,
        namespace=SYSTEM_NAMESPACE,
        annotations={"kubernetes.io/service-account.name": SERVICE_ACCOUNT},
        type="kubernetes.io/service-account-token",
    )


def _role(purpose: str, kind: str, name: str, rules: Iterable[Rule], *, namespace: str = "") -> str:
    explained = "".join(
        f"  # {rule.needed_for}\n" + _indented(yaml.safe_dump([rule.as_manifest()], default_flow_style=None))
        for rule in rules
    )
    return _document(purpose, RBAC_VERSION, kind, name, namespace=namespace) + f"rules:\n{explained}"


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def _binding(purpose: str, kind: str, name: str, *, role_kind: str, namespace: str = "") -> str:
    return _document(
        purpose,
        RBAC_VERSION,
        kind,
        name,
        namespace=namespace,
        roleRef={"apiGroup": RBAC_GROUP, "kind": role_kind, "name": name},
        subjects=[{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": SYSTEM_NAMESPACE}],
    )


def _document(
    purpose: str,
    api_version: str,
    kind: str,
    name: str,
    *,
    namespace: str = "",
    annotations: Mapping[str, str] | None = None,
    **rest: Any,
) -> str:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": LABELS}
    if annotations:
        metadata["annotations"] = dict(annotations)
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
    return f"# {purpose}\n" + yaml.dump(body, Dumper=_WithoutAliases, sort_keys=False)


class _WithoutAliases(yaml.SafeDumper):
    """Writes the labels out each time, where PyYAML would refer back to the first."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def tenant_binding(namespace: str, *, subject: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The RoleBinding that Marina makes in a namespace of its own (mode `cluster`), by default for its account."""
    own = {"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": SYSTEM_NAMESPACE}
    return {
        "apiVersion": RBAC_VERSION,
        "kind": "RoleBinding",
        "metadata": {"name": TENANT_ROLE, "namespace": namespace, "labels": dict(LABELS)},
        "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": TENANT_ROLE},
        "subjects": [dict(subject or own)],
    }
