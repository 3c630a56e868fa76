"""Releases as helm keeps them: one Secret a revision, its status in a label."""

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from provisioning.drivers.kinds import SECRET, Json
from tests.fakes.answers import Refusal
from tests.fakes.store import now_text

Ask = Callable[..., Json]
"""`ask(method, path, body, **query)`: a request as the user who runs helm."""
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass
class Revision:
    """One revision of a release."""

    name: str
    namespace: str
    version: int
    status: str
    chart: Json
    config: Json
    manifest: list[Json]
    description: str = ""
    defaults: Json = field(default_factory=dict)
    """The chart's own values, which helm keeps with it."""

    @property
    def secret(self) -> str:
        return f"sh.helm.release.v1.{self.name}.v{self.version}"

    def as_json(self) -> Json:
        """As helm writes it, and as `--output json` shows it."""
        info = {"status": self.status, "description": self.description, "last_deployed": now_text()}
        return {
            "name": self.name,
            "namespace": self.namespace,
            "version": self.version,
            "info": info,
            "chart": {"metadata": self.chart, "values": self.defaults},
            "config": self.config,
            "manifest": "".join(f"---\n{json.dumps(each)}\n" for each in self.manifest),
        }

    def row(self) -> Json:
        """As `helm history` shows it."""
        return {
            "revision": self.version,
            "updated": now_text(),
            "status": self.status,
            "chart": f"{self.chart['name']}-{self.chart['version']}",
            "app_version": self.chart["appVersion"],
            "description": self.description,
        }


def release_decoded(secret: Json) -> Any:
    """What a release's Secret holds."""
    return json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))


class Releases:
    """The revisions of one release."""

    def __init__(self, ask: Ask, name: str, namespace: str) -> None:
        self._ask = ask
        self._name = name
        self._namespace = namespace
        self._path = SECRET.path(namespace=namespace)

    def all(self) -> list[Revision]:
        """Oldest first."""
        found = self._ask("GET", self._path, labelSelector=f"owner=helm,name={self._name}")["items"]
        return sorted((_revision(secret) for secret in found), key=lambda revision: revision.version)

    def create(self, revision: Revision) -> None:
        self._ask("POST", self._path, {**_secret(revision), "apiVersion": "v1", "kind": "Secret"})

    def write(self, revision: Revision, status: str, description: str) -> None:
        revision.status, revision.description = status, description
        self._ask("PATCH", f"{self._path}/{revision.secret}", _secret(revision))

    def remove(self, revision: Revision) -> None:
        try:
            self._ask("DELETE", f"{self._path}/{revision.secret}")
        except Refusal as refusal:
            if refusal.status != 404:
                raise


def _secret(revision: Revision) -> Json:
    packed = base64.b64encode(gzip.compress(json.dumps(revision.as_json()).encode(), compresslevel=1))
    labels = {"owner": "helm", "name": revision.name, "status": revision.status, "version": str(revision.version)}
    return {
        "metadata": {"name": revision.secret, "namespace": revision.namespace, "labels": labels},
        "type": "helm.sh/release.v1",
        "data": {"release": base64.b64encode(packed).decode()},
    }


def _revision(secret: Json) -> Revision:
    told = release_decoded(secret)
    documents = [json.loads(text) for text in told["manifest"].split("---\n") if text.strip()]
    info, chart = told["info"], told["chart"]["metadata"]
    return Revision(
        name=told["name"],
        namespace=told["namespace"],
        version=told["version"],
        status=info["status"],
        chart=chart,
        config=told["config"],
        manifest=documents,
        description=info["description"],
        defaults=told["chart"].get("values", {}),
    )
