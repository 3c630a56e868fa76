"""What Marina asks of helm that changes nothing, and how helm is run."""

import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusters.connection import HostConnection, kubeconfig_render
from provisioning.drivers import helm_errors
from provisioning.drivers.calls import no_effect_check
from provisioning.drivers.child import SILENCE_SECONDS, Finished, child_run, still_wanted
from provisioning.drivers.memory_file import memory_file, memory_file_path
from provisioning.engine.errors import TemporaryError

LOOK_SECONDS = 30.0


@dataclass(frozen=True)
class ReleaseStatus:
    """One revision of a release. `status` in helm's words: deployed, failed, superseded, pending-upgrade ..."""

    revision: int
    status: str
    chart: str = ""
    description: str = ""


class HelmLooks:
    """Helm for one host. `folder` (private, one for each host) keeps what helm caches; no credential is written there.

    `before_effect` runs before each call that changes something and may raise to forbid it. `keep_alive` runs while
    helm does: what it raises ends helm. Should this process die or freeze for `silence` seconds, helm is killed.
    `name` is what messages call the host.
    """

    def __init__(
        self,
        binary: str | Path,
        connection: HostConnection,
        folder: Path,
        *,
        before_effect: Callable[[], None] = no_effect_check,
        keep_alive: Callable[[], None] = still_wanted,
        silence: float = SILENCE_SECONDS,
        name: str = "",
    ) -> None:
        self._binary = str(binary)
        self._target = f"host {name or connection.server}"
        self._connection = connection
        self._folder = folder
        self._before_effect = before_effect
        self._keep_alive = keep_alive
        self._silence = silence

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._connection.server}>"

    def history(self, release: str, namespace: str, *, most: int = 256) -> list[ReleaseStatus]:
        """The kept revisions, newest first; none if there is no such release."""
        arguments = ["history", release, "--namespace", namespace, "--max", str(most), "--output", "json"]
        doing = f"Looking at release {release} in namespace {namespace} on {self._target}"
        finished = self._run(arguments, LOOK_SECONDS)
        if finished.code and helm_errors.NOT_FOUND in finished.errors:
            return []
        if finished.code:
            raise helm_errors.helm_error(doing, finished, *self._secrets())
        rows = sorted(helm_said(doing, finished.output), key=lambda row: int(row["revision"]), reverse=True)
        return [
            ReleaseStatus(int(row["revision"]), row["status"], row.get("chart", ""), row.get("description", ""))
            for row in rows
        ]

    def status(self, release: str, namespace: str) -> ReleaseStatus | None:
        """The newest revision, None if there is no such release."""
        return next(iter(self.history(release, namespace, most=1)), None)

    def values(self, release: str, namespace: str, *, revision: int, everything: bool = False) -> dict[str, Any]:
        """The values that a revision was given; with `everything` merged with the defaults of its chart."""
        options = ["--all"] if everything else []
        doing = f"Reading the values of release {release} in namespace {namespace} on {self._target}"
        found = helm_said(
            doing, self._get(doing, "values", release, namespace, revision, [*options, "--output", "json"])
        )
        return found if isinstance(found, dict) else {}

    def manifest(self, release: str, namespace: str, *, revision: int) -> str:
        """The objects that a revision made, as YAML (helm has no other form)."""
        doing = f"Reading the manifest of release {release} in namespace {namespace} on {self._target}"
        return self._get(doing, "manifest", release, namespace, revision, []).decode("utf-8", "replace")

    def _get(self, doing: str, what: str, release: str, namespace: str, revision: int, options: list[str]) -> bytes:
        arguments = ["get", what, release, "--namespace", namespace, "--revision", str(revision), *options]
        return self._look(doing, arguments)

    def render(
        self, release: str, chart: Path, namespace: str, values: Mapping[str, Any], *, kubernetes_version: str
    ) -> str:
        """What an upgrade with this chart and these values would make, as YAML. The host is not asked."""
        doing = f"Rendering the chart for release {release}"
        with memory_file(json.dumps(values)) as file:
            options = ["--values", memory_file_path(file), "--is-upgrade", "--kube-version", kubernetes_version]
            arguments = ["template", release, str(chart.absolute()), "--namespace", namespace, *options]
            return self._look(doing, arguments, file).decode("utf-8", "replace")

    def _look(self, doing: str, arguments: list[str], *files: int) -> bytes:
        finished = self._run(arguments, LOOK_SECONDS, *files)
        if finished.code or finished.timed_out:
            raise helm_errors.helm_error(doing, finished, *self._secrets())
        return finished.output

    def _run(self, arguments: list[str], seconds: float, *files: int) -> Finished:
        with ExitStack() as stack:
            kubeconfig = stack.enter_context(memory_file(kubeconfig_render(self._connection)))
            return child_run(
                [self._binary, *arguments, "--kubeconfig", memory_file_path(kubeconfig)],
                environment=helm_environment(self._folder),
                descriptors=[kubeconfig, *files],
                seconds=seconds,
                silence=self._silence,
                keep_alive=self._keep_alive,
            )

    def _secrets(self) -> tuple[str, ...]:
        return self._connection.token, self._connection.proxy_url


@functools.cache
def helm_major(binary: str) -> int:
    """3 or 4. Asked once of each program."""
    asked = subprocess.run([binary, "version", "--short"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"v?(\d+)\.\d+", asked.stdout)
    if asked.returncode or not found:
        raise TemporaryError(f"{binary} does not tell its version; is it helm?", code="helm")
    return int(found[1])


def helm_environment(folder: Path, *passed_on: str) -> dict[str, str]:
    """All that a helm child sees: folders of its own, no proxy or kubeconfig of this machine unless passed on."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = ("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", *passed_on)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    home = {f"HELM_{part}_HOME": str(folder / part.lower()) for part in ("CACHE", "CONFIG", "DATA")}
    return {**kept, **home, "HOME": str(folder), "KUBECACHEDIR": str(folder / "kube")}


def helm_said(doing: str, output: bytes) -> Any:
    """Helm's answer, which was asked for as JSON."""
    try:
        return json.loads(output)
    except ValueError:
        raise TemporaryError(f"{doing}: helm answered with something that is no JSON.", code="helm") from None
