"""The application of workers that drill: `celery -A tests.faults.drill worker`.

Everything is Marina's own but the steps of `provision`: after the real choice of a host each makes one ConfigMap there,
by the real driver. Three effects an operation, and a wait between them, is what a hundred operations can afford.
"""

import os
from collections.abc import MutableMapping
from dataclasses import replace
from typing import cast

import django

from controlplane.celery import app

django.setup()

from clusters.models import OperationKind  # noqa: E402  (models need Django)
from provisioning.drivers.kinds import CONFIG_MAP  # noqa: E402
from provisioning.engine.context import StepContext  # noqa: E402
from provisioning.engine.flow import Flow, Step, StepResult, Wait  # noqa: E402
from provisioning.flows import FLOWS  # noqa: E402
from provisioning.flows.provision import PROVISION  # noqa: E402
from provisioning.steps.placing import choose_host  # noqa: E402
from provisioning.steps.timing import seconds_in_step  # noqa: E402
from tests.faults.drill_names import EFFECTS, NAMESPACE, PAUSE_SECONDS, effect_name  # noqa: E402

__all__ = ["app"]


def effect(key: str) -> Step:
    """Looks, then makes. Says who made it: the token of the lease, and the process."""

    def run(context: StepContext) -> StepResult:
        name = effect_name(str(context.operation.pk), key)
        kube = context.kube()
        if kube.get(CONFIG_MAP, name, NAMESPACE) is None:
            data = {"token": str(context.lease.token), "pid": str(os.getpid())}
            metadata = {"name": name, "namespace": NAMESPACE}
            kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        return None

    return Step(key=key, name=f"Do the {key} thing", run=run)


def pause(context: StepContext) -> StepResult:
    """Waits once, so that the waker has to bring the operation back."""
    return None if seconds_in_step(context) >= PAUSE_SECONDS else Wait(PAUSE_SECONDS, "Waiting for nothing.")


first, second, third = (effect(key) for key in EFFECTS)
DRILL: Flow = replace(
    PROVISION, steps=(choose_host, first, Step(key="pause", name="Wait a moment", run=pause), second, third)
)
cast(MutableMapping[OperationKind, Flow], FLOWS)[OperationKind.PROVISION] = DRILL
