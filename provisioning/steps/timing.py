"""How long a step has been at work: what it may still wait for depends on it."""

from provisioning.engine.context import StepContext


def seconds_in_step(context: StepContext) -> float:
    """Since the step was begun, waits and earlier attempts included."""
    now = context.now
    return (now - (context.operation.step_started_at or now)).total_seconds()
