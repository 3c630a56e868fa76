"""A Celery app for a worker that is measured: Marina's own, with a flow of three steps that each ask the host."""

from celery.signals import worker_init

from controlplane.celery import app

KIND = "configure"

__all__ = ["app"]


@worker_init.connect
def _three_steps_that_ask(**_: object) -> None:
    from clusters.models import OperationKind
    from provisioning.engine.context import StepContext
    from provisioning.engine.flow import Flow, Step
    from provisioning.worker import worker

    def ask(context: StepContext) -> None:
        context.kube().version()

    steps = tuple(Step(key=name, name=f"Do {name}", run=ask) for name in ("one", "two", "three"))
    worker().runner.flows = {OperationKind(KIND): Flow(kind=OperationKind(KIND), steps=steps)}
