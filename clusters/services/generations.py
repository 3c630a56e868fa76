"""Changes of a virtual cluster that no worker has to follow."""

from clusters.kinds import GENERATION
from clusters.models import Operation, VirtualCluster

GENERATION_FIELDS = ("generation", "observed_generation")


def generation_pass(locked: VirtualCluster) -> None:
    """Moves the generation on, in the caller's transaction with the row locked; the row's save is the caller's.

    What was observed, or is worked on, is as current as before.
    """
    locked.observed_generation += locked.observed_generation == locked.generation
    for operation in Operation.objects.filter(virtual_cluster=locked, finished_at=None).select_for_update():
        if operation.params.get(GENERATION) == locked.generation:
            operation.params[GENERATION] += 1
            operation.save(update_fields=["params"])
    locked.generation += 1
