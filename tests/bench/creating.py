"""Create-to-ready by Marina against `helm install` and a shell loop that polls; then 30 of each, 8 alive at a time."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dev.waiting import wait_until
from localkube import LocalHost, Tools, ensure_tools
from tests.bench.figures import Figure, tell
from tests.bench.hosts import CHART, SETTINGS, local_host
from tests.bench.setup import FOLDER, LOOK_SECONDS, Bench

PAIRS = 5
AT_ONCE = 30
ALIVE = 8
PATIENCE_SECONDS = 300
SHARED_SECONDS = 0.5
"""So much longer a single creation may take besides a tenth: rows, messages, and what a guarded namespace needs."""

_READY = """
until endpoint=$(kubectl -n "$1" get service "$1" -o \
    'jsonpath={.metadata.annotations.localkube\\.marina\\.dev/endpoint}' 2>/dev/null) && [ -n "$endpoint" ] \
    && [ "$(curl -sk --max-time 2 "$endpoint/readyz")" = ok ]; do sleep 0.2; done
"""
CREATE = (
    """set -e
kubectl create namespace "$1" >/dev/null
helm upgrade --install "$1" "$CHART" -n "$1" -f "$VALUES" >/dev/null
"""
    + _READY
)
DELETE = """set -e
helm uninstall "$1" -n "$1" >/dev/null
kubectl delete namespace "$1" --wait >/dev/null
"""


@dataclass(frozen=True)
class Shell:
    """The same by hand."""

    environment: Mapping[str, str]

    def create(self, name: str) -> None:
        self._run(CREATE, name)

    def delete(self, name: str) -> None:
        self._run(DELETE, name)

    def many(self, count: int) -> None:
        """Created and deleted, ALIVE of them at a time."""
        each = f"sh -c '{self._quoted(CREATE + DELETE)}' sh bulk-{{}}"
        command = ["sh", "-c", f"seq {count} | xargs -P {ALIVE} -I{{}} {each}"]
        subprocess.run(command, env=dict(self.environment), check=True)

    def _run(self, script: str, name: str) -> None:
        subprocess.run(["sh", "-c", script, "sh", name], env=dict(self.environment), check=True)

    @staticmethod
    def _quoted(script: str) -> str:
        return script.replace("'", "'\\''")


class MarinaItself:
    """By the services the API calls, with the worker of a real Marina."""

    def __init__(self) -> None:
        from tests.accounts.conftest import world_make

        self._world = world_make()

    def connect(self, host: LocalHost) -> None:
        from django.utils import timezone

        from clusters.models import Exposure
        from clusters.services.hosts import HostSettings, host_connect
        from tests.accounts.conftest import MARINA

        how = HostSettings(name=host.name, exposure=Exposure.LOCAL, offered_to_all=True)
        kubeconfig = host.kubeconfig.read_text()
        self._ended(host_connect(settings=how, kubeconfig=kubeconfig, actor=MARINA, now=timezone.now()).operation)

    def create(self, name: str, *, exposure: str = "") -> None:
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create

        made = virtual_cluster_create(
            project=self._world.payments,
            name=name,
            spec=VirtualClusterSpec(exposure=exposure),
            actor=Actor(user=self._world.olivia),
            now=timezone.now(),
        )
        self._ended(made.operation)

    def token(self) -> str:
        """Of who makes the clusters."""
        from django.utils import timezone

        from accounts.services.audit import Actor
        from accounts.services.tokens import token_create

        olivia = self._world.olivia
        made = token_create(actor=Actor(user=olivia), user=olivia, name="bench", expires_in=None, now=timezone.now())
        return made.text

    def delete(self, name: str) -> None:
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.models import VirtualCluster
        from clusters.services.virtual_clusters import virtual_cluster_delete

        cluster = VirtualCluster.objects.exclude(phase="Deleted").get(name=name)
        actor = Actor(user=self._world.olivia)
        self._ended(virtual_cluster_delete(virtual_cluster=cluster, actor=actor, now=timezone.now()).operation)

    def sleep(self, name: str) -> None:
        from clusters.services.sleeping import virtual_cluster_sleep

        self._work(virtual_cluster_sleep, name)

    def wake(self, name: str) -> Callable[[], None]:
        """Until its API answers and it is open to people; what is given waits for its workloads too."""
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.models import VirtualCluster
        from clusters.services.sleeping import virtual_cluster_wake

        ready = VirtualCluster.objects.filter(name=name, phase="Ready")
        cluster, actor = VirtualCluster.objects.get(name=name), Actor(user=self._world.olivia)
        begun = virtual_cluster_wake(virtual_cluster=cluster, actor=actor, now=timezone.now())
        wait_until(ready.exists, seconds=PATIENCE_SECONDS, what="it did not wake", every=LOOK_SECONDS)
        return partial(self._ended, begun.operation)

    def export(self, name: str) -> None:
        from clusters.services.exports import export_start

        self._work(export_start, name)

    def restore(self, name: str, new: str) -> None:
        """Makes `new` from the last export of the other."""
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.models import Export
        from clusters.services.restoring import restore_as_new

        export = Export.objects.filter(virtual_cluster__name=name).latest("created_at")
        actor = Actor(user=self._world.olivia)
        self._ended(restore_as_new(export=export, actor=actor, now=timezone.now(), name=new).operation)

    def _work(self, do: Callable[..., Any], name: str) -> None:
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.models import VirtualCluster

        cluster = VirtualCluster.objects.exclude(phase="Deleted").get(name=name)
        self._ended(do(virtual_cluster=cluster, actor=Actor(user=self._world.olivia), now=timezone.now()).operation)

    def many(self, count: int) -> None:
        """Created and deleted, ALIVE of them at a time."""
        with ThreadPoolExecutor(ALIVE) as pool:
            list(pool.map(self._there_and_gone, range(count)))

    def _there_and_gone(self, number: int) -> None:
        from django.db import connection

        try:
            self.create(f"bulk-{number}")
            self.delete(f"bulk-{number}")
        finally:
            connection.close()

    def _ended(self, operation: Any) -> None:
        from clusters.models import Operation

        rows = Operation.objects.filter(pk=operation.pk, finished_at__isnull=False)
        wait_until(rows.exists, seconds=PATIENCE_SECONDS, what=f"{operation.kind} did not end", every=LOOK_SECONDS)
        row = Operation.objects.get(pk=operation.pk)
        assert row.state == "Succeeded", f"{row.kind}: {row.message}"


def figures(bench: Bench) -> Iterator[Figure]:
    """One after the other in turns, so that both meet the same machine."""
    tools = ensure_tools(print)
    settings = {**SETTINGS, "HELM_BINARY": str(tools.helm)}
    settings_take(settings)
    from provisioning.heartbeat import workers_alive

    bench.worker("worker", app="controlplane", queues="operations", threads=10, **settings)
    wait_until(lambda: bool(workers_alive("operations")), seconds=60, what="the worker did not report")
    with local_host(FOLDER / "localkube") as host:
        marina = MarinaItself()
        marina.connect(host)
        shell = _shell(marina, host, tools)
        yield _one_by_one(marina, shell)
        yield _many(marina, shell)


def settings_take(settings: Mapping[str, str]) -> None:
    """For the checks that the services make in this process."""
    from django.conf import settings as ours

    os.environ.update(settings)
    ours.CHART_FOLDER = settings["CHART_FOLDER"]
    ours.KUBERNETES_VERSIONS = settings["KUBERNETES_VERSIONS"].split(",")


def _shell(marina: MarinaItself, host: LocalHost, tools: Tools) -> Shell:
    """With the very values that Marina gives its releases."""
    environment = {
        "PATH": os.pathsep.join([str(tools.helm.parent), str(tools.kubectl.parent), os.environ["PATH"]]),
        "HOME": str(FOLDER),
        "KUBECONFIG": str(host.kubeconfig),
        "CHART": str(CHART),
        "VALUES": str(FOLDER / "values.json"),
    }
    marina.create("first")
    run = partial(subprocess.run, env=environment, check=True, capture_output=True, text=True)
    releases = json.loads(run(["helm", "list", "-A", "-o", "json"]).stdout)
    found = next(release for release in releases if release["name"] == "first")
    values = run(["helm", "get", "values", "first", "-n", found["namespace"], "-o", "json"]).stdout
    Path(environment["VALUES"]).write_text(values)
    marina.delete("first")
    return Shell(environment)


def _one_by_one(marina: MarinaItself, shell: Shell) -> Figure:
    times: dict[str, list[float]] = {"marina": [], "shell": []}
    for number in range(PAIRS):
        for name, way in (("marina", marina), ("shell", shell)):
            times[name].append(_seconds(partial(way.create, f"one-{number}")))
            way.delete(f"one-{number}")
    ours, theirs = statistics.median(times["marina"]), statistics.median(times["shell"])
    said = (
        f"Marina {ours:.2f} s, helm and a loop {theirs:.2f} s, medians of {PAIRS}; {SHARED_SECONDS} s of ours left out"
    )
    return tell(Figure("create_to_ready_ratio", (ours - SHARED_SECONDS) / theirs, 1.10, at_most=True, said=said))


def _many(marina: MarinaItself, shell: Shell) -> Figure:
    theirs = _seconds(partial(shell.many, AT_ONCE))
    ours = _seconds(partial(marina.many, AT_ONCE))
    said = f"{AT_ONCE} created and deleted, {ALIVE} at a time: Marina {ours:.0f} s, xargs -P {ALIVE} {theirs:.0f} s"
    return tell(Figure("throughput_ratio", theirs / ours, 0.9, at_most=False, said=said))


def _seconds(do: Callable[[], object]) -> float:
    begun = time.monotonic()
    do()
    return time.monotonic() - begun
