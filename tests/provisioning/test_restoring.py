"""The flow `restore` on a fake host: what it does while much is refused for now."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Operation, Placement
from clusters.services.operations import operation_abort
from clusters.services.restoring import restore_into
from provisioning.drivers.clients import Clients
from provisioning.drivers.kube import KubeClient
from provisioning.engine.lease import LeaseKeeper
from provisioning.engine.runner import Runner
from provisioning.flows import FLOWS
from tests.accounts.conftest import MARINA
from tests.clusters.exported import export_of
from tests.provisioning.shops import Shop

MANY = 120


class Aborting(Clients):
    """Somebody aborts the operation as it is about to write for the `at`-th time."""

    def __init__(self, operation: Operation, *, at: int) -> None:
        super().__init__()
        self._operation, self._at, self.tried = operation, at, 0

    @contextmanager
    def virtual(self, placement: Placement, before_effect: Callable[[], None]) -> Iterator[KubeClient]:
        def noted() -> None:
            self.tried += 1
            if self.tried == self._at:
                operation_abort(operation=self._operation, actor=MARINA, now=timezone.now())
            before_effect()

        with super().virtual(placement, noted) as kube:
            yield kube


def lost(number: int) -> dict[str, object]:
    """One whose namespace is not there."""
    meta = {"name": f"map-{number}", "namespace": "gone", "uid": f"uid-{number}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}}


def test_an_abort_ends_a_restore_also_while_it_tries_many_objects_once_more(shop: Shop):
    export = export_of(shop.cluster, [lost(number) for number in range(MANY)])
    actor = Actor(user=shop.world.olivia)
    operation = restore_into(export=export, virtual_cluster=shop.cluster, actor=actor, now=timezone.now()).operation
    clients, keeper = Aborting(operation, at=MANY + 10), LeaseKeeper(every=60)
    runner = Runner(
        flows=FLOWS, clients=clients, keeper=keeper, owner="test", clock=timezone.now, random=random.Random(1)
    )
    for _ in range(20):
        runner.run(operation.pk)
    operation.refresh_from_db()
    assert (operation.state, MANY + 10 <= clients.tried < MANY + 60) == ("Aborted", True)
