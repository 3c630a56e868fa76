"""Helm, as a child process, for one host. Versions 3 and 4 both do.

Flags it uses: `upgrade --install --reset-values --values --history-max --timeout --output json`, `uninstall
--ignore-not-found`, `history --max --output json`, `pull --repo --version --destination`. With Helm 4 also
`--server-side=true --force-conflicts`, because fields that Marina patched (replicas of a sleeping cluster) would
otherwise be refused as another manager's. Never `--wait` (Marina waits by looking), never `--create-namespace` (it
takes a right on the whole cluster).
"""

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
from provisioning.drivers.kinds import SECRET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.memory_file import memory_file, memory_file_path
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import StepError, TemporaryError
from provisioning.failpoints import failpoint, failpoint_register

HISTORY_KEPT = 5
LOOK_SECONDS = 30.0
UNINSTALL_SECONDS = 120.0
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")

failpoint_register("helm.upgrade_install", "helm.uninstall", "helm.repair")


@dataclass(frozen=True)
class ReleaseStatus:
    """One revision of a release. `status` in helm's words: deployed, failed, superseded, pending-upgrade ..."""

    revision: int
    status: str
    chart: str = ""
    description: str = ""


class HelmClient:
    """Helm for one host. `folder` (private, one for each host) keeps what helm caches; no credential is written there.

    `before_effect` runs before each call that changes something and may raise to forbid it. `keep_alive` runs while
    helm does: what it raises ends helm. Should this process die or freeze for `silence` seconds, helm is killed.
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
    ) -> None:
        self._binary = str(binary)
        self._connection = connection
        self._folder = folder
        self._before_effect = before_effect
        self._keep_alive = keep_alive
        self._silence = silence

    def __repr__(self) -> str:
        return f"<HelmClient of {self._connection.server}>"

    def upgrade_install(
        self, release: str, chart: Path, namespace: str, values: Mapping[str, Any], timeout: float
    ) -> ReleaseStatus:
        """Install the release, or bring it to exactly this chart and these values (nothing of earlier ones is kept).

        A release that a killed helm left pending is repaired first. `timeout` is in seconds, for all of it.
        PermanentError with code `values` when the chart's schema refuses the values.
        """
        try:
            return self._upgrade_install(release, chart, namespace, values, timeout)
        except StepError as error:
            stuck = helm_errors.IN_PROGRESS in error.message or helm_errors.NO_DEPLOYED in error.message
            if not stuck or not self.repair(release, namespace):
                raise
        return self._upgrade_install(release, chart, namespace, values, timeout)

    def _upgrade_install(
        self, release: str, chart: Path, namespace: str, values: Mapping[str, Any], timeout: float
    ) -> ReleaseStatus:
        with memory_file(json.dumps(values)) as file:
            options = ["--install", "--reset-values", "--values", memory_file_path(file), "--output", "json"]
            options += ["--history-max", str(HISTORY_KEPT), "--timeout", f"{max(1, int(timeout * 0.9))}s"]
            if helm_major(self._binary) >= 4:
                options += ["--server-side=true", "--force-conflicts"]
            arguments = ["upgrade", release, str(chart.absolute()), "--namespace", namespace, *options]
            doing = f"Installing release {release} in namespace {namespace}"
            output = self._effect("helm.upgrade_install", doing, arguments, timeout, file)
        said = _parsed(doing, output)
        return ReleaseStatus(int(said["version"]), str(said["info"]["status"]), description=_description(said))

    def history(self, release: str, namespace: str, *, most: int = 256) -> list[ReleaseStatus]:
        """The kept revisions, newest first; none if there is no such release."""
        arguments = ["history", release, "--namespace", namespace, "--max", str(most), "--output", "json"]
        doing = f"Looking at release {release} in namespace {namespace}"
        finished = self._run(arguments, LOOK_SECONDS)
        if finished.code and helm_errors.NOT_FOUND in finished.errors:
            return []
        if finished.code:
            raise helm_errors.helm_error(doing, finished, *self._secrets())
        rows = sorted(_parsed(doing, finished.output), key=lambda row: int(row["revision"]), reverse=True)
        return [
            ReleaseStatus(int(row["revision"]), row["status"], row.get("chart", ""), row.get("description", ""))
            for row in rows
        ]

    def status(self, release: str, namespace: str) -> ReleaseStatus | None:
        """The newest revision, None if there is no such release."""
        return next(iter(self.history(release, namespace, most=1)), None)

    def uninstall(self, release: str, namespace: str, *, timeout: float = UNINSTALL_SECONDS) -> None:
        """Remove the release, in whatever state; nothing to do if there is none. What it made may still be going."""
        arguments = ["uninstall", release, "--namespace", namespace, "--ignore-not-found"]
        doing = f"Removing release {release} from namespace {namespace}"
        self._effect("helm.uninstall", doing, [*arguments, "--timeout", f"{max(1, int(timeout * 0.9))}s"], timeout)

    def repair(self, release: str, namespace: str) -> bool:
        """Make a release usable again that a killed helm left half done; False if it was not.

        A pending revision's record is removed: the revision before counts again, nothing that runs is touched, and
        the next upgrade takes over every object the killed one made. A half-done removal is completed.
        """
        revisions = self.history(release, namespace)
        if revisions and revisions[0].status == "uninstalling":
            self.uninstall(release, namespace)
            return True
        pending = [revision for revision in revisions if revision.status in PENDING]
        if not pending:
            return False
        with connection_open(self._connection, target=f"host {self._connection.server}") as api:
            kube = KubeClient(api, before_effect=self._before_effect)
            for revision in pending:
                kube.delete(SECRET, f"sh.helm.release.v1.{release}.v{revision.revision}", namespace)
                failpoint("helm.repair")
        return True

    def _effect(self, name: str, doing: str, arguments: list[str], seconds: float, *files: int) -> bytes:
        self._before_effect()
        finished = self._run(arguments, seconds, *files)
        if finished.code or finished.timed_out:
            raise helm_errors.helm_error(doing, finished, *self._secrets())
        failpoint(name)
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


def _parsed(doing: str, output: bytes) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        raise TemporaryError(f"{doing}: helm answered with something that is no JSON.", code="helm") from None


def _description(said: dict[str, Any]) -> str:
    return str(said["info"].get("description", ""))
