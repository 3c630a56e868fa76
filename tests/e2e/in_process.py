"""Operations worked on in the test's own process and transaction, where a whole stack would tell nothing more."""

import random
from collections.abc import Mapping

from django.utils import timezone

from clusters.models import Operation, OperationKind
from dev.waiting import wait_until
from provisioning.drivers.clients import Clients
from provisioning.engine.flow import Flow
from provisioning.engine.lease import LeaseKeeper
from provisioning.engine.runner import Runner
from provisioning.flows import FLOWS


def runner_here(flows: Mapping[OperationKind, Flow] = FLOWS) -> Runner:
    """Works when it is told to."""
    # the keeper's thread is not started: it would look for the lease outside of the test's transaction
    return Runner(
        flows=flows,
        clients=Clients(),
        keeper=LeaseKeeper(every=60),
        owner="test",
        clock=timezone.now,
        random=random.Random(1),
    )


def operation_finish(operation: Operation, *, flows: Mapping[OperationKind, Flow] = FLOWS) -> Operation:
    """Works on it until it has ended; as it is then."""
    runner = runner_here(flows)

    def ended() -> bool:
        runner.run(operation.pk)
        operation.refresh_from_db()
        return operation.finished

    wait_until(ended, seconds=30, what=f"{operation} did not end")
    return operation
