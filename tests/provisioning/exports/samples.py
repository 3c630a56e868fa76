"""Objects of many kinds, as a real API server gives them back."""

from typing import Any

from provisioning.drivers.kinds import Json

NOISE = {
    "uid": "11111111-1111-4111-8111-111111111111",
    "resourceVersion": "815",
    "generation": 3,
    "creationTimestamp": "2026-11-01T10:00:00Z",
    "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1"}],
}
"""What a server writes into every object's metadata."""


def obj(api_version: str, kind: str, name: str, namespace: str = "", **parts: Any) -> Json:
    """One object; `meta` is added to its metadata."""
    meta = {"name": name, **NOISE, **({"namespace": namespace} if namespace else {}), **parts.pop("meta", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def owner(kind: str, name: str, uid: str, api_version: str = "v1", **more: Any) -> Json:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, **more}


_CONTAINER = {"name": "web", "image": "nginx:1", "env": [{"name": "A", "value": "b"}], "resources": {}}
_TEMPLATE: Json = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [_CONTAINER]}}
_SELECTOR = {"matchLabels": {"app": "web"}}
_JOB_UID = {"batch.kubernetes.io/controller-uid": "u-1", "controller-uid": "u-1", "job-name": "once"}
_CLIENT = {"service": {"name": "hook", "namespace": "shop", "path": "/x", "port": 443}, "caBundle": "Q0E="}
_HOOK = {
    "name": "hook.example.com",
    "clientConfig": _CLIENT,
    "rules": [
        {"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["gadgets"]}
    ],
    "failurePolicy": "Fail",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
_ADMISSION = "admissionregistration.k8s.io/v1"
_RBAC = "rbac.authorization.k8s.io"

SAMPLES: tuple[Json, ...] = (
    obj("v1", "Namespace", "shop", spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"}),
    obj("v1", "ConfigMap", "settings", "shop", data={"a": "1", "b.yaml": "x: 1"}, immutable=True),
    obj(
        "v1",
        "Secret",
        "person",
        "shop",
        data={"kind": "aHVtYW4=", "name": "QWRh", "uid": "MTAwMQ=="},
        meta={"labels": {"kind": "human", "name": "ada", "uid": "1001"}},
    ),
    obj(
        "v1", "Secret", "login", "shop", type="kubernetes.io/basic-auth", data={"username": "YQ==", "password": "Yg=="}
    ),
    obj("v1", "ServiceAccount", "robot", "shop", secrets=[{"name": "robot-token-x"}], imagePullSecrets=[{"name": "r"}]),
    obj(
        "v1",
        "Service",
        "web",
        "shop",
        spec={
            "type": "LoadBalancer",
            "clusterIP": "10.0.0.7",
            "clusterIPs": ["10.0.0.7"],
            "healthCheckNodePort": 31000,
            "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP", "nodePort": 30080}],
            "selector": {"app": "web"},
            "sessionAffinity": "None",
        },
        status={"loadBalancer": {}},
    ),
    obj("v1", "Service", "peers", "shop", spec={"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 1}]}),
    obj(
        "v1",
        "PersistentVolumeClaim",
        "data",
        "shop",
        meta={
            "annotations": {
                "pv.kubernetes.io/bind-completed": "yes",
                "pv.kubernetes.io/bound-by-controller": "yes",
                "volume.kubernetes.io/storage-provisioner": "rancher.io/local-path",
            },
            "finalizers": ["kubernetes.io/pvc-protection"],
        },
        spec={"accessModes": ["ReadWriteOnce"], "volumeName": "pvc-1", "volumeMode": "Filesystem"},
        status={"phase": "Bound"},
    ),
    obj(
        "v1",
        "Pod",
        "lonely",
        "shop",
        spec={
            "nodeName": "node-1",
            "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
            "containers": [_CONTAINER],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        },
        status={"phase": "Running"},
    ),
    obj(
        "apps/v1",
        "Deployment",
        "web",
        "shop",
        meta={"annotations": {"deployment.kubernetes.io/revision": "7", "team": "blue"}, "labels": {"app": "web"}},
        spec={"replicas": 2, "selector": _SELECTOR, "template": _TEMPLATE, "strategy": {"type": "Recreate"}},
        status={"readyReplicas": 2},
    ),
    obj(
        "apps/v1",
        "StatefulSet",
        "store",
        "shop",
        spec={
            "serviceName": "peers",
            "selector": _SELECTOR,
            "template": _TEMPLATE,
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        },
    ),
    obj(
        "apps/v1",
        "DaemonSet",
        "agent",
        "shop",
        meta={"annotations": {"deprecated.daemonset.template.generation": "4"}},
        spec={"selector": _SELECTOR, "template": _TEMPLATE},
    ),
    obj(
        "batch/v1",
        "Job",
        "once",
        "shop",
        meta={"labels": {**_JOB_UID}},
        spec={
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}},
            "template": {"metadata": {"labels": {**_JOB_UID}}, "spec": {"containers": [_CONTAINER]}},
            "podReplacementPolicy": "TerminatingOrFailed",
        },
        status={"active": 1},
    ),
    obj("batch/v1", "CronJob", "nightly", "shop", spec={"schedule": "0 3 * * *"}, status={"lastScheduleTime": "x"}),
    obj(
        f"{_RBAC}/v1",
        "ClusterRole",
        "collected",
        aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"to": "it"}}]},
        rules=[{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}],
    ),
    obj(f"{_RBAC}/v1", "ClusterRole", "plain", rules=[{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]),
    obj(
        f"{_RBAC}/v1",
        "RoleBinding",
        "robots",
        "shop",
        roleRef={"apiGroup": _RBAC, "kind": "ClusterRole", "name": "plain"},
        subjects=[{"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}],
    ),
    obj("scheduling.k8s.io/v1", "PriorityClass", "high", value=1000, globalDefault=False),
    obj(
        "networking.k8s.io/v1", "NetworkPolicy", "closed", "shop", spec={"podSelector": {}, "policyTypes": ["Ingress"]}
    ),
    obj("v1", "ResourceQuota", "most", "shop", spec={"hard": {"pods": "5"}}, status={"used": {"pods": "1"}}),
    obj(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "gadgets.example.com",
        spec={
            "group": "example.com",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}],
            "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": _CLIENT}},
        },
        status={"conditions": [{"type": "Established", "status": "True"}]},
    ),
    obj(
        "example.com/v1",
        "Gadget",
        "first",
        "shop",
        meta={"ownerReferences": [owner("ConfigMap", "settings", "old-uid", controller=True)], "finalizers": ["a/b"]},
        spec={"target": {"kind": "Secret", "name": "login", "uid": "old"}, "size": 3},
        status={
            "phase": "Done",
            "observedGeneration": 3,
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}],
        },
    ),
    obj(_ADMISSION, "ValidatingWebhookConfiguration", "checks", webhooks=[_HOOK]),
    obj(_ADMISSION, "MutatingWebhookConfiguration", "mends", webhooks=[_HOOK]),
    obj(
        "apiregistration.k8s.io/v1",
        "APIService",
        "v1.far.example.com",
        spec={"group": "far.example.com", "version": "v1", "caBundle": "Q0E=", "groupPriorityMinimum": 100},
    ),
    obj(
        "v1",
        "PersistentVolume",
        "disk",
        spec={
            "capacity": {"storage": "1Gi"},
            "claimRef": {**owner("PersistentVolumeClaim", "data", "old"), "namespace": "shop", "resourceVersion": "9"},
        },
        status={"phase": "Bound"},
    ),
    obj(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "by-hand",
        "shop",
        addressType="IPv4",
        endpoints=[{"addresses": ["10.1.1.1"], "targetRef": {"kind": "Pod", "name": "lonely", "uid": "old"}}],
    ),
)
