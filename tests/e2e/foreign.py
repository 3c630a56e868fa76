"""What somebody beside Marina does on a host: helm and upstream's pause, with the administrator's own credential."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.environment import of_the_machine
from localkube import Tools
from tests.commands import Answer, Kubectl, program_run
from tests.conftest import LOCAL_CHART, TestHost
from tests.e2e.api import Json


@dataclass(frozen=True)
class Helm:
    """The `helm` command with one kubeconfig."""

    program: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str = "", exit_code: int | None = 0) -> Answer:
        """Runs it. Fails the test, with all it said, on another exit code."""
        command: Sequence[str | Path] = [self.program, "--kubeconfig", self.kubeconfig, *arguments]
        return program_run(command, {**of_the_machine(), "PATH": os.environ["PATH"]}, stdin, exit_code)

    def install(self, release: str, namespace: str, values: Json, chart: Path = LOCAL_CHART) -> None:
        """Installs or upgrades, with the chart of local hosts unless another is given."""
        options = ["--namespace", namespace, "--reset-values", "--values", "-"]
        self("upgrade", "--install", release, str(chart), *options, stdin=json.dumps(values))

    def revisions(self, release: str, namespace: str) -> list[Json]:
        """All that are kept, oldest first."""
        found: list[Json] = self("history", release, "-n", namespace, "-o", "json").json
        return found

    def revisions_if_any(self, release: str, namespace: str) -> list[Json]:
        """None where there is no such release."""
        asked = self("history", release, "-n", namespace, "-o", "json", exit_code=None)
        found: list[Json] = asked.json if asked.exit_code == 0 else []
        return found

    def deployed(self, release: str, namespace: str) -> list[Json]:
        """Those that count as deployed: one, or something is wrong."""
        return [each for each in self.revisions(release, namespace) if each["status"] == "deployed"]

    def values(self, release: str, namespace: str) -> Any:
        """Those it was given."""
        return self("get", "values", release, "-n", namespace, "-o", "json").json


def helm_of(tools: Tools, host: TestHost) -> Helm:
    """As the host's administrator."""
    return Helm(tools.helm, host.kubeconfig)


def pause(kubectl: Kubectl, placement: Json) -> None:
    """What upstream's `vcluster pause` does (vcluster.md, "Pause and resume")."""
    name, where = f"statefulset/{placement['release']}", ("-n", placement["namespace"])
    marks = ("loft.sh/paused=true", "loft.sh/paused-replicas=1", "loft.sh/paused-date=2026-11-23T10:00:00Z")
    kubectl("annotate", name, *marks, *where)
    kubectl("scale", name, "--replicas=0", *where)
    kubectl("wait", "--for=delete", f"pod/{placement['release']}-0", *where, "--timeout=60s")
