"""A real Marina with one worker and two local hosts, for the measurements of what moves and what is upgraded."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dev.waiting import wait_until
from localkube import LocalHost, LocalKube, Tools, ensure_tools
from tests.bench.creating import MarinaItself, settings_take
from tests.bench.hosts import SETTINGS
from tests.bench.setup import FOLDER, Bench
from tests.chosen import CHOSEN
from tests.commands import Kubectl
from tests.e2e.belongings import Json

NAMES = ("harbor-east", "harbor-west")
_ADDRESS = r"jsonpath={.metadata.annotations.localkube\.marina\.dev/endpoint}"


class Mover(MarinaItself):
    """By the services the API calls, with the worker of a real Marina. Gives each operation as it ended."""

    def make(self, name: str, *, host: str, version: str = "1.36.3") -> None:
        """On that host."""
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.models import HostCluster
        from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create

        made = virtual_cluster_create(
            project=self._world.payments,
            name=name,
            spec=VirtualClusterSpec(kubernetes_version=version),
            actor=Actor(user=self._world.olivia),
            now=timezone.now(),
            host=HostCluster.objects.get(name=host),
        )
        self._ended(made.operation)

    def move(self, name: str, *, to: str = "") -> Any:
        """To that host, or back where none is named."""
        from clusters.models import HostCluster
        from clusters.move_wish import MoveWish
        from clusters.services.migrating import virtual_cluster_migrate

        wish = MoveWish(to=HostCluster.objects.get(name=to) if to else None, back=not to, choices=CHOSEN)
        return self._done(virtual_cluster_migrate, name, move=wish)

    def upgrade(self, name: str, *, to: str) -> Any:
        """To this version of Kubernetes."""
        from clusters.services.upgrading import VersionChange, virtual_cluster_upgrade

        return self._done(virtual_cluster_upgrade, name, change=VersionChange(kubernetes_version=to))

    def purge(self, name: str) -> None:
        """Whatever state it is in."""
        from clusters.services.virtual_clusters import virtual_cluster_delete

        self._done(virtual_cluster_delete, name, purge=True)

    def _done(self, do: Any, name: str, **asked: Any) -> Any:
        from django.utils import timezone

        from accounts.services.audit import Actor
        from clusters.models import Operation, VirtualCluster

        cluster = VirtualCluster.objects.exclude(phase="Deleted").get(name=name)
        actor = Actor(user=self._world.olivia)
        begun = do(virtual_cluster=cluster, actor=actor, now=timezone.now(), **asked).operation
        self._ended(begun)
        return Operation.objects.get(pk=begun.pk)


@dataclass(frozen=True)
class TwoHosts:
    """Where it is measured: clusters are made on `here` and go to `there`."""

    marina: Mover
    tools: Tools
    hosts: Mapping[str, LocalHost]

    here: str = NAMES[0]
    there: str = NAMES[1]

    def on(self, host: str) -> Kubectl:
        """kubectl on a host, as its administrator."""
        return Kubectl(self.tools.kubectl, self.hosts[host].kubeconfig)

    def inside(self, name: str) -> Kubectl:
        """kubectl in a virtual cluster where it is now, at its published address."""
        where = placement_of(name)
        return self.inside_release(where.host.name, where.namespace, where.release)

    def inside_release(self, host: str, namespace: str, release: str) -> Kubectl:
        """The same of any release that answers."""
        on_host = self.on(host)
        at = ("-n", namespace, "-o")
        config = on_host("get", "secret", f"vc-{release}", *at, "jsonpath={.data.config}").stdout
        server = on_host("get", "service", release, *at, _ADDRESS).stdout
        plain, file = FOLDER / f"{release}.given.yaml", FOLDER / f"{host}-{release}.yaml"
        plain.write_bytes(base64.b64decode(config))
        plain.chmod(0o600)
        plain.replace(file)
        kubectl = Kubectl(self.tools.kubectl, file)
        cluster = kubectl("config", "view", "-o", "jsonpath={.clusters[0].name}").stdout
        kubectl("config", "set-cluster", cluster, f"--server={server}")
        return kubectl


def placement_of(name: str) -> Any:
    """The row of where a cluster runs."""
    from clusters.models import Placement

    clusters = Placement.objects.select_related("host__credential").exclude(virtual_cluster__phase="Deleted")
    return clusters.get(virtual_cluster__name=name, role="active")


def made_with(where: TwoHosts, name: str, owned: list[Json], **how: str) -> None:
    """A cluster on `here` that has all of that in it."""
    from provisioning.drivers.clients import Clients
    from tests.e2e.owning import Owning

    where.marina.make(name, host=where.here, **how)
    with Clients().virtual(placement_of(name), lambda: None) as kube:
        Owning(kube).make(owned)


def seconds_of(operation: Any, *, without: tuple[str, ...] = ()) -> float:
    """From when it was asked for to its end, less these of its steps."""
    taken = [_between(step["started_at"], step["finished_at"]) for step in operation.steps if step["key"] in without]
    return float((operation.finished_at - operation.created_at).total_seconds() - sum(taken))


def steps_told(operation: Any, most: int = 4) -> str:
    """Its longest steps."""
    known = [step for step in operation.steps if step.get("started_at") and step.get("finished_at")]
    taken = sorted(((_between(step["started_at"], step["finished_at"]), step["key"]) for step in known), reverse=True)
    return ", ".join(f"{key} {seconds:.1f} s" for seconds, key in taken[:most])


def _between(begun: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()


@contextmanager
def two_hosts(bench: Bench) -> Iterator[TwoHosts]:
    """Lives as long as the block."""
    tools = ensure_tools(print)
    settings = {**SETTINGS, "HELM_BINARY": str(tools.helm)}
    settings_take(settings)
    from provisioning.heartbeat import workers_alive

    bench.worker("worker", app="controlplane", queues="operations", threads=10, **settings)
    wait_until(lambda: bool(workers_alive("operations")), seconds=60, what="the worker did not report")
    with LocalKube(folder=FOLDER / "localkube", tools=tools) as local:
        hosts = {host.name: host for host in local.start_all(NAMES)}
        marina = Mover()
        for host in hosts.values():
            marina.connect(host)
        yield TwoHosts(marina, tools, hosts)
