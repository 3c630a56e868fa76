"""Helm, as a child process, for one host. Versions 3 and 4 both do.

Flags it uses: `upgrade --install --reset-values --values --history-max --timeout --output json`, `uninstall
--ignore-not-found`, `history --max --output json`, `get values --all --revision --output json`, `get manifest
--revision`, `template --values --is-upgrade --kube-version`, `pull --repo --version --destination`. With Helm 4 also
`--server-side=true --force-conflicts`, because fields that Marina patched (replicas of a sleeping cluster) would
otherwise be refused as another manager's. Never `--wait` (Marina waits by looking), never `--create-namespace` (it
takes a right on the whole cluster).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioning.drivers import helm_errors
from provisioning.drivers.helm_looks import HelmLooks, ReleaseStatus, helm_environment, helm_major, helm_said
from provisioning.drivers.kinds import SECRET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.memory_file import memory_file, memory_file_path
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import StepError
from provisioning.failpoints import failpoint, failpoint_register

__all__ = ["HelmClient", "ReleaseStatus", "helm_environment", "helm_major"]

HISTORY_KEPT = 5
UNINSTALL_SECONDS = 120.0
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")

failpoint_register("helm.upgrade_install", "helm.uninstall", "helm.repair")


class HelmClient(HelmLooks):
    """Helm for one host, with what changes something there."""

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
            doing = f"Installing release {release} in namespace {namespace} on {self._target}"
            output = self._effect("helm.upgrade_install", doing, arguments, timeout, file)
        said = helm_said(doing, output)
        return ReleaseStatus(int(said["version"]), str(said["info"]["status"]), description=_description(said))

    def uninstall(self, release: str, namespace: str, *, timeout: float = UNINSTALL_SECONDS) -> None:
        """Remove the release, in whatever state; nothing to do if there is none. What it made may still be going."""
        arguments = ["uninstall", release, "--namespace", namespace, "--ignore-not-found"]
        doing = f"Removing release {release} from namespace {namespace} on {self._target}"
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
        with connection_open(self._connection, target=self._target) as api:
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


def _description(said: dict[str, Any]) -> str:
    return str(said["info"].get("description", ""))
