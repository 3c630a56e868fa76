"""A real Marina with one worker and one local host, for the measurements that need a virtual cluster."""

import base64
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.waiting import wait_until
from localkube import LocalHost, ensure_tools
from tests.bench.creating import MarinaItself, settings_take
from tests.bench.hosts import SETTINGS, local_host
from tests.bench.setup import FOLDER, Bench


@dataclass(frozen=True)
class Place:
    """Where it is measured. `kubectl` has the host's administrator's rights."""

    marina: MarinaItself
    host: LocalHost
    kubectl: Path

    def on_host(self, *arguments: str) -> str:
        """kubectl on the host."""
        return _run([str(self.kubectl), "--kubeconfig", str(self.host.kubeconfig), *arguments])

    def inside(self, name: str) -> Callable[..., str]:
        """kubectl in a virtual cluster, at its published address."""
        where = placement_of(name)
        secret = ("get", "secret", f"vc-{where.release}", "-n", where.namespace, "-o", "jsonpath={.data.config}")
        file = FOLDER / f"{name}.yaml"
        file.write_bytes(base64.b64decode(self.on_host(*secret)))
        file.chmod(0o600)
        base = [str(self.kubectl), "--kubeconfig", str(file), "--server", where.endpoint]
        return lambda *arguments, stdin="": _run([*base, *arguments], stdin)


def placement_of(name: str) -> Any:
    """The row of where a cluster runs."""
    from clusters.models import Placement

    return Placement.objects.get(virtual_cluster__name=name, role="active")


@contextmanager
def place(bench: Bench) -> Iterator[Place]:
    """Lives as long as the block."""
    tools = ensure_tools(print)
    settings = {**SETTINGS, "HELM_BINARY": str(tools.helm)}
    settings_take(settings)
    from provisioning.heartbeat import workers_alive

    bench.worker("worker", app="controlplane", queues="operations", threads=10, **settings)
    wait_until(lambda: bool(workers_alive("operations")), seconds=60, what="the worker did not report")
    with local_host(FOLDER / "localkube") as host:
        marina = MarinaItself()
        marina.connect(host)
        yield Place(marina, host, tools.kubectl)


def seconds(work: Callable[[], object]) -> float:
    """How long it took."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def _run(command: list[str], stdin: str = "") -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(FOLDER)}
    done = subprocess.run(command, env=environment, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
