"""What the two charts of the tests render to, in Python: the fake helm has no templates.

A chart's folder is read for its name, version, values and schema, so that these are the real ones.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from clusters.chart_values import values_merge
from provisioning.drivers.kinds import Json
from tests.fakes.cluster import encoded

Values = Mapping[str, Any]


@dataclass(frozen=True)
class FakeChart:
    """One chart, read."""

    name: str
    version: str
    app_version: str
    defaults: Json
    schema: Json

    def faults(self, values: Values) -> list[str]:
        """What the schema refuses, in helm's words."""
        found = Draft7Validator(self.schema).iter_errors(values_merge(self.defaults, values))
        return [f"- at '/{'/'.join(map(str, fault.path))}': {_said(fault)}".replace("'/'", "''") for fault in found]

    def rendered(self, release: str, namespace: str, values: Values) -> list[Json]:
        """Its objects, in the order in which helm makes them."""
        return _RENDERED[self.name](self, release, namespace, values_merge(self.defaults, values))


def _said(fault: Any) -> str:
    if fault.validator == "additionalProperties":
        unknown = [key for key in fault.instance if key not in fault.schema.get("properties", {})]
        return f"additional properties {', '.join(repr(key) for key in unknown)} not allowed"
    return str(fault.message)


@functools.cache
def chart_read(folder: str) -> FakeChart:
    """FileNotFoundError where there is none."""
    path = Path(folder)
    about = yaml.safe_load((path / "Chart.yaml").read_text())
    schema = json.loads((path / "values.schema.json").read_text())
    defaults = yaml.safe_load((path / "values.yaml").read_text()) or {}
    return FakeChart(about["name"], about["version"], str(about["appVersion"]), defaults, schema)


def _pebble(chart: FakeChart, release: str, namespace: str, values: Values) -> list[Json]:
    """Of tests/provisioning/drivers/chart."""
    pod = {
        "metadata": {"labels": {"app": release}},
        "spec": {"containers": [{"name": "main", "image": "pebble:1"}]},
    }
    hooks = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation"}
    rendered = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": release},
            "data": {"greeting": values["greeting"]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": release},
            "spec": {
                "replicas": values["replicas"],
                "selector": {"matchLabels": {"app": release}},
                "template": pod,
            },
        },
    ]
    if values["hook"]:
        meta = {"name": f"{release}-hook", "annotations": hooks}
        rendered.append({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"suspend": True}})
    return rendered


def _vcluster(chart: FakeChart, release: str, namespace: str, values: Values) -> list[Json]:
    """Of localkube/charts/vcluster, without what only a syncer would read."""
    labels = {"app": "vcluster", "chart": f"vcluster-{chart.version}", "release": release, "heritage": "Helm"}
    own = {"app": "vcluster", "release": release}
    config = encoded(json.dumps(values, sort_keys=True))
    service = dict(values["controlPlane"]["service"]["spec"])
    ports = [{"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"}]
    rbac = "rbac.authorization.k8s.io"

    def made(version: str, kind: str, name: str, **parts: Any) -> Json:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}, **parts}

    return [
        made("v1", "ServiceAccount", f"vc-{release}"),
        made("v1", "ServiceAccount", f"vc-workload-{release}"),
        made("v1", "Secret", f"vc-config-{release}", type="Opaque", data={"config.yaml": config}),
        made(f"{rbac}/v1", "Role", f"vc-{release}", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]),
        made(
            f"{rbac}/v1",
            "RoleBinding",
            f"vc-{release}",
            roleRef={"apiGroup": rbac, "kind": "Role", "name": f"vc-{release}"},
            subjects=[{"kind": "ServiceAccount", "name": f"vc-{release}", "namespace": namespace}],
        ),
        made("v1", "Service", release, spec={**service, "ports": ports, "selector": own}),
        made("v1", "Service", f"{release}-headless", spec={"clusterIP": "None", "ports": ports, "selector": own}),
        made("apps/v1", "StatefulSet", release, spec=_control_plane(chart, release, values, own)),
    ]


def _control_plane(chart: FakeChart, release: str, values: Values, own: dict[str, str]) -> Json:
    plane = values["controlPlane"]
    stateful, k8s = plane["statefulSet"], plane["distro"]["k8s"]
    claim = stateful["persistence"]["volumeClaim"]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    requests = {"requests": {"storage": claim["size"]}}
    return {
        "replicas": stateful["highAvailability"]["replicas"],
        "serviceName": f"{release}-headless",
        "selector": {"matchLabels": own},
        "template": {
            "metadata": {"labels": own, "annotations": {"vClusterConfigHash": digest}},
            "spec": {
                "serviceAccountName": f"vc-{release}",
                "initContainers": [{"name": "kubernetes", "image": _image(k8s["image"], k8s.get("version", ""))}],
                "containers": [
                    {
                        "name": "syncer",
                        "image": _image(stateful["image"], chart.version),
                        "resources": stateful["resources"],
                    }
                ],
            },
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"resources": requests}}],
    }


def _image(image: Values, tag: str) -> str:
    registry = f"{image['registry']}/" if image.get("registry") else ""
    return f"{registry}{image['repository']}:{image.get('tag') or tag}"


_RENDERED: dict[str, Callable[[FakeChart, str, str, Values], list[Json]]] = {"pebble": _pebble, "vcluster": _vcluster}
