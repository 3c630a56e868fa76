"""A Celery app for a worker that is measured: Marina's own, with a flow of three steps that do nothing."""

from celery import shared_task
from celery.signals import worker_init

from controlplane.celery import app

KIND = "configure"
NO_OP = "bench.no_op"

__all__ = ["app"]


@shared_task(name=NO_OP)
def no_op() -> None:
    """What a bare Celery task costs."""


@worker_init.connect
def _three_steps_that_do_nothing(**_: object) -> None:
    from clusters.models import OperationKind
    from provisioning.engine.flow import Flow, Step
    from provisioning.worker import worker

    def nothing(context: object) -> None:
        return None

    names = ("one", "two", "three")
    steps = tuple(Step(key=name, name=f"Do {name}", run=nothing, on_host=False) for name in names)
    worker().runner.flows = {OperationKind(KIND): Flow(kind=OperationKind(KIND), steps=steps)}
