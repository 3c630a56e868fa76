"""What is on a host, asked of the host itself by its administrator."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.errors import DevError
from localkube.lifetime import dies_with_parent

KINDS = (
    "namespaces",
    "persistentvolumeclaims",
    "persistentvolumes",
    "priorityclasses",
    "clusterroles",
    "clusterrolebindings",
    "statefulsets",
    "pods",
)
_HELM_SECRETS = ("secrets", "--field-selector=type=helm.sh/release.v1")


@dataclass(frozen=True)
class SoakHost:
    """A host that virtual clusters come and go on."""

    name: str
    kubeconfig: Path
    kubectl: Path

    def inventory(self) -> frozenset[str]:
        """Everything that a virtual cluster could leave, as KIND NAMESPACE/NAME."""
        found = [*self._get(",".join(KINDS)), *self._get(*_HELM_SECRETS)]
        return frozenset(_named(item) for item in found)

    def _get(self, *what: str) -> Sequence[dict[str, Any]]:
        command: list[str | Path] = [
            self.kubectl,
            "--kubeconfig",
            self.kubeconfig,
            "get",
            *what,
            "--all-namespaces",
            "--output=json",
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, preexec_fn=dies_with_parent(), check=False
        )
        if done.returncode:
            raise DevError(f"What is on host {self.name} cannot be told: {done.stderr.strip()}")
        items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return items


def _named(item: dict[str, Any]) -> str:
    meta = item["metadata"]
    return f"{item['kind']} {meta.get('namespace', '-')}/{meta['name']}"
