"""What helm does for each of its verbs, as the real one does it, against a fake cluster.

Every effect is asked for first, so that a helm that was killed leaves its release as it was at that moment.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from clusters.chart_values import values_merge
from provisioning.drivers.kinds import KINDS, Json, Kind
from tests.fakes.answers import Refusal
from tests.fakes.charts import FakeChart, chart_read
from tests.fakes.cluster import FakeCluster, Request
from tests.fakes.releases import PENDING, Releases, Revision

IN_PROGRESS = "another operation (install/upgrade/rollback) is in progress"
_OWNER = {"release-name": "meta.helm.sh/release-name", "release-namespace": "meta.helm.sh/release-namespace"}
_HOOK_POLL_SECONDS = 0.02


class HelmError(Exception):
    """Ends helm with code 1 and these words."""


class HelmRun:
    """One call of helm. `alive` returns while its process lives, and raises when it does not."""

    def __init__(self, cluster: FakeCluster, asked: Request, alive: Callable[[], None]) -> None:
        self._cluster = cluster
        self._asked = asked
        self._alive = alive
        self._options = _options(asked.body["arguments"])
        self._values: Json = json.loads(asked.body["values"])
        release, namespace = self._options.release, self._options.namespace
        self._releases = Releases(self._ask, release, namespace)

    def run(self) -> Json:
        """Exit code, output and errors."""
        try:
            output = getattr(self, f"_{self._options.verb}")()
        except HelmError as error:
            return {"code": 1, "output": "", "errors": f"Error: {error}\n"}
        except Refusal as refusal:
            return {"code": 1, "output": "", "errors": f"Error: {refusal.message}\n"}
        return {"code": 0, "output": output, "errors": ""}

    def _ask(self, method: str, path: str, body: Any = None, **query: str) -> Json:
        apply = "application/apply-patch+yaml" if query.get("force") else "application/merge-patch+json"
        request = Request(
            method,
            path,
            self._asked.user,
            query={"fieldManager": "helm", **query},
            body=body,
            content_type=apply,
            agent=self._asked.agent,
        )
        if request.changes:
            self._alive()
        answer = self._cluster.handle(request)
        assert isinstance(answer, dict)
        return answer

    # Verbs

    def _history(self) -> str:
        found = self._releases.all()
        if not found:
            raise HelmError("release: not found")
        return json.dumps([revision.row() for revision in found[-int(self._options.max) :]])

    def _get(self) -> str:
        found = [r for r in self._releases.all() if self._options.revision in (0, r.version)]
        if not found:
            raise HelmError("release: not found")
        wanted = found[-1]
        if self._options.what == "values":
            return json.dumps(values_merge(wanted.defaults, wanted.config) if self._options.all else wanted.config)
        return str(wanted.as_json()["manifest"])

    def _template(self) -> str:
        manifest = self._rendered(self._chart())
        return "".join(f"---\n{json.dumps(each)}\n" for each in manifest)

    def _upgrade(self) -> str:
        chart = self._chart()
        before = self._releases.all()
        current = self._current(before) if before else None
        manifest = self._rendered(chart)
        revision = Revision(
            name=self._options.release,
            namespace=self._options.namespace,
            version=before[-1].version + 1 if before else 1,
            status="pending-upgrade" if before else "pending-install",
            chart={"name": chart.name, "version": chart.version, "appVersion": chart.app_version},
            config=self._values,
            manifest=[each for each in manifest if not _is_hook(each)],
            description="Preparing upgrade" if before else "Initial install underway",
            defaults=chart.defaults,
        )
        if self._options.dry_run:
            return json.dumps(revision.as_json())
        self._releases.create(revision)
        verb = "UPGRADE" if before else "INSTALLATION"
        try:
            self._hooks([each for each in manifest if _is_hook(each)])
            self._bring(revision, current)
        except (Refusal, HelmError) as error:
            why = getattr(error, "message", str(error))
            self._releases.write(revision, "failed", why)
            raise HelmError(f"{verb} FAILED: {why}") from None
        for other in before:
            if other.status == "deployed":
                self._releases.write(other, "superseded", other.description)
        self._releases.write(revision, "deployed", "Upgrade complete" if before else "Install complete")
        for old in [*before, revision][: -self._options.history_max]:
            self._releases.remove(old)
        return json.dumps(revision.as_json())

    def _current(self, before: list[Revision]) -> Revision:
        last = before[-1]
        if last.status in PENDING:
            raise HelmError(f"UPGRADE FAILED: {IN_PROGRESS}")
        deployed = [revision for revision in before if revision.status == "deployed"]
        if not deployed and last.status not in ("failed", "superseded"):
            raise HelmError(f'UPGRADE FAILED: "{last.name}" has no deployed releases')
        return deployed[-1] if deployed else last

    def _uninstall(self) -> str:
        found = self._releases.all()
        if not found and not self._options.ignore_not_found:
            raise HelmError(f"uninstall: Release not loaded: {self._options.release}: release: not found")
        if found:
            self._releases.write(found[-1], "uninstalling", "Deletion in progress (or silently failed)")
            for each in reversed(found[-1].manifest):
                self._delete(each)
            for revision in found:
                self._releases.remove(revision)
        return ""

    # Objects

    def _chart(self) -> FakeChart:
        try:
            chart = chart_read(self._options.chart)
        except FileNotFoundError:
            raise HelmError(f'path "{self._options.chart}" not found') from None
        if faults := chart.faults(self._values):
            said = "values don't meet the specifications of the schema(s) in the following chart(s)"
            raise HelmError(f"{said}:\n{chart.name}:\n" + "\n".join(faults))
        return chart

    def _rendered(self, chart: FakeChart) -> list[Json]:
        namespace = self._options.namespace
        return [
            {**each, "metadata": {**each["metadata"], "namespace": namespace}}
            for each in chart.rendered(self._options.release, namespace, self._values)
        ]

    def _bring(self, revision: Revision, current: Revision | None) -> None:
        """Makes and changes what is in the manifest, removes what only the one before had."""
        wanted = {_path(each) for each in revision.manifest}
        had = {_path(each) for each in current.manifest} if current else set()
        for each in revision.manifest:
            if _path(each) not in had:
                self._refuse_others(each)
            self._ask("PATCH", _path(each), self._owned(each), force="true")
        for each in current.manifest if current else []:
            if _path(each) not in wanted:
                self._delete(each)

    def _owned(self, manifest: Json) -> Json:
        meta = manifest["metadata"]
        labels = {**meta.get("labels", {}), "app.kubernetes.io/managed-by": "Helm"}
        owner = {
            _OWNER["release-name"]: self._options.release,
            _OWNER["release-namespace"]: self._options.namespace,
        }
        annotations = {**meta.get("annotations", {}), **owner}
        return {**manifest, "metadata": {**meta, "labels": labels, "annotations": annotations}}

    def _refuse_others(self, manifest: Json) -> None:
        """What is there already has to be of a release of this name, as after a killed install."""
        try:
            found = self._ask("GET", _path(manifest))
        except Refusal as refusal:
            if refusal.status == 404:
                return
            raise
        if found["metadata"].get("annotations", {}).get(_OWNER["release-name"]) != self._options.release:
            kind, name = manifest["kind"], manifest["metadata"]["name"]
            message = f'{kind} "{name}" in namespace "{self._options.namespace}" exists and cannot be imported into '
            raise HelmError(f"unable to continue with install: {message}the current release")

    def _delete(self, manifest: Json) -> None:
        try:
            self._ask("DELETE", _path(manifest), {"propagationPolicy": "Background"})
        except Refusal as refusal:
            if refusal.status != 404:
                raise

    def _hooks(self, hooks: list[Json]) -> None:
        """Made anew, then waited for."""
        ends = time.monotonic() + self._options.timeout
        for each in hooks:
            self._delete(each)
            self._ask("POST", _path(each, named=False), each)
            while not self._ask("GET", _path(each)).get("status", {}).get("succeeded"):
                self._alive()
                time.sleep(_HOOK_POLL_SECONDS)
                if time.monotonic() > ends:
                    raise HelmError("failed pre-install: 1 error occurred:\n\t* timed out waiting for the condition")


def _is_hook(manifest: Json) -> bool:
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def _path(manifest: Json, *, named: bool = True) -> str:
    kind: Kind = KINDS[manifest["apiVersion"], manifest["kind"]]
    meta = manifest["metadata"]
    return kind.path(namespace=meta["namespace"] if kind.namespaced else None, name=meta["name"] if named else None)


def _options(arguments: list[str]) -> argparse.Namespace:
    """The options that the driver uses. A call with another one fails, so that it is not silently ignored."""
    common = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    common.add_argument("release")
    common.add_argument("--namespace", "-n", required=True)
    common.add_argument("--kubeconfig")
    common.add_argument("--output", "-o", default="table")
    common.add_argument("--timeout", type=_seconds, default=300.0)
    parser = argparse.ArgumentParser(exit_on_error=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    history = verbs.add_parser("history", parents=[common])
    history.add_argument("--max", type=int, default=256)
    uninstall = verbs.add_parser("uninstall", parents=[common])
    uninstall.add_argument("--ignore-not-found", action="store_true")
    get = verbs.add_parser("get")
    whats = get.add_subparsers(dest="what", required=True)
    for what in ("values", "manifest"):
        one = whats.add_parser(what, parents=[common])
        one.add_argument("--revision", type=int, default=0)
        one.add_argument("--all", action="store_true")
    for verb in ("upgrade", "template"):
        one = verbs.add_parser(verb, parents=[common])
        one.add_argument("chart")
        one.add_argument("--values", "-f")
        one.add_argument("--install", action="store_true")
        one.add_argument("--reset-values", action="store_true")
        one.add_argument("--history-max", type=int, default=10)
        one.add_argument("--server-side")
        one.add_argument("--force-conflicts", action="store_true")
        one.add_argument("--is-upgrade", action="store_true")
        one.add_argument("--kube-version")
        one.add_argument("--dry-run", nargs="?", const="client", default="")
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))
