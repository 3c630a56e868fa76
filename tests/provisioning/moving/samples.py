"""Objects of a virtual cluster as its API gives them, as small as they can be."""

from typing import Any

Found = dict[str, Any]
RBAC = "rbac.authorization.k8s.io/v1"
VERSIONS = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps/v1"),
    **dict.fromkeys(("Job", "CronJob"), "batch/v1"),
    **dict.fromkeys(("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"), RBAC),
    "Lease": "coordination.k8s.io/v1",
}


def of(kind: str, name: str, *, namespace: str = "shop", owner: Found | None = None, **more: Any) -> Found:
    meta: Found = {"name": name, "managedFields": [{"manager": "kubectl"}], **more.pop("meta", {})}
    if namespace:
        meta["namespace"] = namespace
    if owner is not None:
        reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
        meta["ownerReferences"] = [{**reference, "uid": "1", "controller": True}]
    return {"apiVersion": more.pop("version", VERSIONS.get(kind, "v1")), "kind": kind, "metadata": meta, **more}


def workload(kind: str, name: str, *, replicas: int = 1, pods: Found | None = None, **more: Any) -> Found:
    spec = {"replicas": replicas, "template": {"spec": pods or {}}, **more.pop("spec", {})}
    return of(kind, name, spec=spec, **more)


def claiming(*claims: str) -> Found:
    return {"volumes": [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims]}


def role(name: str, *rules: tuple[str, str, str], namespace: str = "") -> Found:
    """Each rule as group, resource, verb."""
    given = [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for group, resource, verb in rules]
    return of("Role" if namespace else "ClusterRole", name, namespace=namespace, rules=given)


def binding(to: Found, *subjects: tuple[str, str], namespace: str = "", name: str = "bound") -> Found:
    """Each subject as kind and name, a ServiceAccount's as NAMESPACE/NAME."""
    listed = []
    for kind, who in subjects:
        where, _, account = who.rpartition("/")
        listed.append({"kind": kind, "name": account, "namespace": where} if where else {"kind": kind, "name": who})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": to["kind"], "name": to["metadata"]["name"]}
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return of(kind, name, namespace=namespace, roleRef=ref, subjects=listed)
