"""What somebody owns in a cluster: objects of 28 kinds that lean on each other, as many as a test wants."""

import base64
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

GROUP = "belongings.example.com"
FINALIZER = f"{GROUP}/kept"
SECRETS: dict[str, dict[str, str]] = {
    "Opaque": {"anything": "goes"},
    "kubernetes.io/basic-auth": {"username": "robot", "password": "pa55"},
    "kubernetes.io/ssh-auth": {"ssh-privatekey": "a key"},
    "kubernetes.io/dockercfg": {".dockercfg": "{}"},
    "kubernetes.io/dockerconfigjson": {".dockerconfigjson": '{"auths": {}}'},
    "kubernetes.io/tls": {"tls.crt": "", "tls.key": ""},
    "bootstrap.kubernetes.io/token": {"token-id": "abcdef", "token-secret": "0123456789abcdef"},
    f"{GROUP}/own": {"of": "their own"},
}
"""Every type but service account tokens, which are bound to what they were made for."""


def obj(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> Json:
    """One manifest. `owner` names what owns it, as KIND/NAME of its own namespace or of none."""
    meta = {"name": name, **({"namespace": namespace} if namespace else {}), **parts.pop("meta", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def belongings(*, namespaces: int = 3, filling: int = 0, name: str = "shop") -> list[Json]:
    """In an order in which they can be made; `filling`: so many ConfigMaps more in each namespace.

    What is owned says so by the annotation `owner`; see `with_owner`.
    """
    spaces = [f"{name}-{number}" for number in range(1, namespaces + 1)]
    return [
        *_definitions(name),
        *(obj("v1", "Namespace", space, meta={"labels": {"team": "blue"}}) for space in spaces),
        *_everywhere(name, spaces[0]),
        *(each for space in spaces for each in _inside(space)),
        *(each for space in spaces for each in _filling(space, filling)),
        *_full(spaces[0]),
        *_last(name, spaces[0]),
    ]


def owner_named(manifest: Json) -> str:
    """What owns it, as KIND/NAME; empty for nothing."""
    return str((manifest["metadata"].get("annotations") or {}).get("owner", ""))


def with_owner(manifest: Json, api_version: str, uid: str) -> Json:
    """The manifest with the reference to its owner, which has this uid."""
    kind, _, name = owner_named(manifest).partition("/")
    reference = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [reference]}}


def _owned(by: str) -> Json:
    return {"annotations": {"owner": by}}


def _definitions(name: str) -> Iterator[Json]:
    for kind, scope, status in (
        ("Gadget", "Namespaced", True),
        ("Plain", "Namespaced", False),
        ("Fleet", "Cluster", True),
    ):
        plural = f"{kind.lower()}s"
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        version = {"name": "v1", "served": True, "storage": True, "schema": schema}
        yield obj(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            f"{plural}.{name}.{GROUP}",
            spec={
                "group": f"{name}.{GROUP}",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
                "scope": scope,
                "versions": [{**version, **({"subresources": {"status": {}}} if status else {})}],
            },
        )


def _everywhere(name: str, space: str) -> Iterator[Json]:
    """What lives in no namespace."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    rbac = "rbac.authorization.k8s.io"
    yield obj("scheduling.k8s.io/v1", "PriorityClass", f"{name}-high", value=1000, description="for the shop")
    yield obj("storage.k8s.io/v1", "StorageClass", f"{name}-disk", provisioner="example.com/none")
    yield obj("node.k8s.io/v1", "RuntimeClass", f"{name}-runtime", handler="none")
    yield obj("networking.k8s.io/v1", "IngressClass", f"{name}-door", spec={"controller": "example.com/door"})
    yield obj(f"{rbac}/v1", "ClusterRole", f"{name}-reader", rules=rules, meta={"labels": {f"{name}-to": "all"}})
    selectors = [{"matchLabels": {f"{name}-to": "all"}}]
    yield obj(f"{rbac}/v1", "ClusterRole", f"{name}-all", aggregationRule={"clusterRoleSelectors": selectors})
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": f"{name}-reader"}
    subjects = [{"kind": "ServiceAccount", "name": "robot", "namespace": space}]
    yield obj(f"{rbac}/v1", "ClusterRoleBinding", f"{name}-reads", roleRef=role, subjects=subjects)
    yield obj(f"{name}.{GROUP}/v1", "Fleet", "all", spec={"size": 3}, status={"ships": 2})


def _inside(space: str) -> Iterator[Json]:
    """A little of everything that people put into a namespace."""
    rbac, group = "rbac.authorization.k8s.io", f"{space.rpartition('-')[0]}.{GROUP}"
    yield obj("v1", "ConfigMap", "settings", space, data={"a": "1"}, meta={"finalizers": [FINALIZER]})
    yield obj("v1", "ConfigMap", "derived", space, data={"b": "2"}, meta=_owned("ConfigMap/settings"))
    yield obj("v1", "Secret", "login", space, type="Opaque", data={"p": _encoded("word")})
    yield obj("v1", "ServiceAccount", "robot", space, imagePullSecrets=[{"name": "login"}])
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    yield obj(f"{rbac}/v1", "Role", "looks", space, rules=rules)
    role = {"apiGroup": rbac, "kind": "Role", "name": "looks"}
    yield obj(f"{rbac}/v1", "RoleBinding", "looks", space, roleRef=role, subjects=[{"kind": "User", "name": "eve"}])
    yield obj("v1", "Service", "web", space, spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    yield obj(f"{group}/v1", "Gadget", "first", space, spec={"colour": "red"}, status={"phase": "Done"})
    yield obj(f"{group}/v1", "Plain", "second", space, spec={"a": [1, {"b": None}]}, status={"phase": "Kept"})
    yield obj("v1", "ConfigMap", "of-a-gadget", space, data={"c": "3"}, meta=_owned("Gadget/first"))
    yield obj(f"{group}/v1", "Gadget", "of-the-fleet", space, spec={}, meta=_owned("Fleet/all"))


def _filling(space: str, count: int) -> Iterator[Json]:
    return (obj("v1", "ConfigMap", f"filling-{number:04d}", space, data={"n": str(number)}) for number in range(count))


_SELECTOR = {"matchLabels": {"app": "web"}}


def _template(**spec: Any) -> Json:
    containers = [{"name": "web", "image": "registry.example.com/none:1", "env": [{"name": "A", "value": "b"}]}]
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers, **spec}}


def _full(space: str) -> Iterator[Json]:
    """What one namespace has beside that: secrets of each type, claims, all workloads. Nothing of it runs for long."""
    for number, (kind, texts) in enumerate(SECRETS.items()):
        yield obj(
            "v1", "Secret", f"of-type-{number}", space, type=kind, data={k: _encoded(v) for k, v in texts.items()}
        )
    yield obj(
        "v1",
        "LimitRange",
        "small",
        space,
        spec={"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "9Gi"}}]},
    )
    yield obj("v1", "ResourceQuota", "most", space, spec={"hard": {"count/configmaps": "5000"}})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "storageClassName": ""}
    yield obj("v1", "PersistentVolumeClaim", "data", space, spec=claim)
    yield obj(
        "v1", "Service", "peers", space, spec={"clusterIP": "None", "ports": [{"port": 1}], "selector": {"a": "b"}}
    )
    yield obj("v1", "Service", "open", space, spec={"type": "NodePort", "ports": [{"port": 2}], "selector": {"a": "b"}})
    yield obj("v1", "Service", "by-hand", space, spec={"ports": [{"port": 3}]})
    yield obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "by-hand-1",
        space,
        meta={"labels": {"kubernetes.io/service-name": "by-hand"}},
        addressType="IPv4",
        endpoints=[{"addresses": ["192.0.2.7"]}],
        ports=[{"port": 3, "name": ""}],
    )
    workload = {"replicas": 0, "selector": _SELECTOR, "template": _template()}
    yield obj("apps/v1", "Deployment", "web", space, spec=workload)
    yield obj("apps/v1", "StatefulSet", "store", space, spec={**workload, "serviceName": "peers"})
    nowhere = _template(nodeSelector={"there": "is-none"})
    yield obj("apps/v1", "DaemonSet", "agent", space, spec={"selector": _SELECTOR, "template": nowhere})
    job = {"metadata": {}, "spec": {**nowhere["spec"], "restartPolicy": "Never"}}
    yield obj("batch/v1", "Job", "once", space, spec={"suspend": True, "template": job})
    yield obj(
        "batch/v1",
        "CronJob",
        "yearly",
        space,
        spec={"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": job}}},
    )
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    yield obj(
        "autoscaling/v2", "HorizontalPodAutoscaler", "web", space, spec={"scaleTargetRef": target, "maxReplicas": 2}
    )
    yield obj("policy/v1", "PodDisruptionBudget", "web", space, spec={"minAvailable": 1, "selector": _SELECTOR})
    yield obj(
        "networking.k8s.io/v1", "NetworkPolicy", "closed", space, spec={"podSelector": {}, "policyTypes": ["Ingress"]}
    )
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    yield obj("networking.k8s.io/v1", "Ingress", "web", space, spec={"defaultBackend": backend})
    yield obj(
        "v1", "Pod", "lonely", space, spec={**nowhere["spec"], "priorityClassName": f"{space.rpartition('-')[0]}-high"}
    )


def _last(name: str, space: str) -> Iterator[Json]:
    """What is asked before anything of the shop's kinds is written, and would refuse it: nothing answers there."""
    rules = [{"apiGroups": [f"{name}.{GROUP}"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"]}]
    hook = {
        "name": f"hook.{GROUP}",
        "rules": rules,
        "clientConfig": {"service": {"name": "web", "namespace": space, "path": "/check"}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 1,
    }
    admission = "admissionregistration.k8s.io/v1"
    yield obj(admission, "ValidatingWebhookConfiguration", f"{name}-checks", webhooks=[hook])
    yield obj(admission, "MutatingWebhookConfiguration", f"{name}-mends", webhooks=[hook])
    yield obj(
        admission,
        "ValidatingAdmissionPolicy",
        f"{name}-policy",
        spec={
            "matchConstraints": {"resourceRules": [{**rules[0], "operations": ["DELETE"]}]},
            "validations": [{"expression": "true"}],
        },
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
