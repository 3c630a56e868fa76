"""A whole Marina in one process, step by step: two fake hosts, real rows, real messages, and time that a test moves.

What people do goes through the services, what workers do through the real Runner. Nothing happens by itself: a message
is delivered, time passes, a host is probed only when the test says so, so that what failed can be done again.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.dispatch import operation_wake
from clusters.encryption import connection_encrypt
from clusters.models import (
    Export,
    Exposure,
    HostCluster,
    HostCredential,
    HostPhase,
    HostSlot,
    Operation,
    OperationEvent,
    OperationState,
    Placement,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.virtual_clusters import ClusterWork, VirtualClusterSpec, virtual_cluster_create
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import EVENT
from provisioning.engine.lease import LeaseKeeper
from provisioning.engine.runner import Runner
from provisioning.engine.slots import slots_tidy
from provisioning.engine.waker import Waker
from provisioning.failpoints import ANY, VARIABLE, FailpointReached, passages_forget
from provisioning.flows import FLOWS
from provisioning.probes import Prober
from tests.accounts.conftest import World
from tests.fakes.host import Certificates, FakeHost
from tests.faults.servers import QUEUE

CONCURRENCY = (1, 2)
"""How many operations may work on the first host at once, and on the second."""
_ROWS = (OperationEvent, HostSlot, Placement, Export, Operation, VirtualCluster, HostCredential, HostCluster)
_PASSING = """UPDATE clusters_operation SET run_after = run_after - %(by)s * interval '1 second',
  lease_expires_at = lease_expires_at - %(by)s * interval '1 second',
  published_at = published_at - %(by)s * interval '1 second',
  step_started_at = step_started_at - %(by)s * interval '1 second'"""


@dataclass
class Harbor:
    """A host and its row. `untouched` is what is there while nothing of Marina's is."""

    fake: FakeHost
    row: HostCluster
    untouched: frozenset[str]
    up: bool = True

    def go_down(self) -> None:
        if self.up:
            self.fake.go_down()
        self.up = False

    def come_back(self) -> None:
        if not self.up:
            self.fake.come_back()
        self.up = True

    def left(self) -> frozenset[str]:
        """What is there and was not before any virtual cluster was."""
        return objects_of(self.fake) - self.untouched


def objects_of(fake: FakeHost) -> frozenset[str]:
    """Every object by kind, namespace and name; not the host's own notes of what happened."""
    with fake.cluster.lock:
        fake.cluster.controllers.settle()
        keys = list(fake.cluster.store.objects)
    return frozenset(f"{kind.kind} {space}/{name}" for kind, space, name in keys if kind != EVENT)


class SmallMarina:
    """Clean when it is opened, whatever was there before."""

    def __init__(self, world: World, harbors: list[Harbor]) -> None:
        self.world = world
        self.harbors = harbors
        self._broker: Any = redis.Redis.from_url(settings.CELERY_BROKER_URL)
        self._broker.delete(QUEUE)
        self._stopping = False
        self._runner = Runner(
            flows=FLOWS,
            clients=Clients(),
            keeper=LeaseKeeper(every=60),
            owner="small-marina",
            clock=timezone.now,
            random=random.Random(1),
            stopping=lambda: self._stopping,
        )
        self._waker = Waker(publish=operation_wake, clock=timezone.now)
        self._prober = Prober(threads=2)

    def close(self) -> None:
        self._prober.close()
        self._broker.close()

    # people

    def create(self, name: str, host: HostCluster | None, *, foreign: bool) -> ClusterWork:
        """Asked for by an admin of one of the two organizations."""
        return virtual_cluster_create(
            project=self.world.foreign if foreign else self.world.payments,
            name=name,
            spec=VirtualClusterSpec(kubernetes_version="1.36.3"),
            actor=Actor(user=self.world.greta if foreign else self.world.olivia),
            now=timezone.now(),
            host=host,
        )

    # workers

    def deliver(self) -> bool:
        """One message reaches a worker, which does what it can now. False where there is none."""
        if self._broker.rpop(QUEUE) is None:
            return False
        self._runner.run_next()
        return True

    def deliver_and_kill(self, passages: int) -> bool:
        """The worker dies at that passage of any failpoint, if it comes so far. Whether it did."""
        passages_forget()
        os.environ[VARIABLE] = f"{ANY}:raise:{passages}"
        try:
            self.deliver()
        except FailpointReached:
            return True
        finally:
            del os.environ[VARIABLE]
        return False

    def deliver_while_stopping(self) -> None:
        """To a worker that was told to end: it hands back what it takes."""
        self._stopping = True
        try:
            self.deliver()
        finally:
            self._stopping = False

    def lose_message(self) -> bool:
        return self._broker.rpop(QUEUE) is not None

    def tick(self) -> None:
        """A round of the waker, with its safety net."""
        self._waker.publish_due()
        slots_tidy()

    def time_passes(self, seconds: float) -> None:
        """For everything that the database compares with its clock: it all happened so much longer ago."""
        with connection.cursor() as cursor:
            cursor.execute(_PASSING, {"by": seconds})
            cursor.execute(
                "UPDATE clusters_hostcluster SET probed_at = probed_at - %s * interval '1 second'", [seconds]
            )

    def probe(self) -> None:
        """Every host is asked, whenever it was asked last."""
        HostCluster.objects.update(probed_at=None)
        self._prober.round()

    def work_for_a_while(self, *, seconds: float, messages: int) -> None:
        """Time passes, the waker looks, and workers take what is there."""
        self.time_passes(seconds)
        self.tick()
        for _ in range(messages):
            if not self.deliver():
                break

    # what there is

    def unfinished(self) -> list[Operation]:
        final = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED)
        return list(Operation.objects.exclude(state__in=final).order_by("id"))

    def clusters(self) -> list[VirtualCluster]:
        """Those that are there."""
        return list(VirtualCluster.objects.exclude(phase=VirtualClusterPhase.DELETED).order_by("id"))


@contextmanager
def small_marina(world: World, certificates: Certificates) -> Iterator[SmallMarina]:
    """Opened anew for each example."""
    for model in _ROWS:
        model._default_manager.all().delete()
    with ExitStack() as stack:
        fakes = [stack.enter_context(FakeHost(certificates)) for _ in CONCURRENCY]
        harbors = [
            _harbor(f"harbor-{number}", fake, most)
            for number, (fake, most) in enumerate(zip(fakes, CONCURRENCY, strict=True))
        ]
        marina = SmallMarina(world, harbors)
        stack.callback(marina.close)
        yield marina


def _harbor(name: str, fake: FakeHost, concurrency: int) -> Harbor:
    """As the flow `connect` leaves it."""
    row = HostCluster.objects.create(
        name=name,
        phase=HostPhase.CONNECTED,
        exposure=Exposure.LOCAL,
        offered_to_all=True,
        server=fake.connection.server,
        kubernetes_version="1.36.3",
        api_groups=["networking.k8s.io/v1", "policy/v1"],
        concurrency=concurrency,
    )
    ciphertext = connection_encrypt(fake.connection)
    HostCredential.objects.create(host=row, ciphertext=ciphertext, issued_at=timezone.now())
    return Harbor(fake, row, objects_of(fake))
