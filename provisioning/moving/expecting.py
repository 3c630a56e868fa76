"""How long nobody will be able to write, and each workload be down, as far as that can be known before. In seconds."""

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Final

from clusters.models import Operation, OperationKind, OperationState, UsualDuration
from clusters.moving import MEASURED
from provisioning.moving.workloads import Order, Workload

FREEZE: Final = "freeze_seconds"
"""Of what was measured: from the first refused to the first accepted write."""
NEWEST: Final = 20
GUESSED_FREEZE: Final = 8.0
"""Where none was measured yet: the policy takes some seconds to hold, then the changes are copied and compared."""
STARTING: Final = "starting_seconds"
"""Of what was measured: from when the first workload may run where it goes until the last of them is ready."""
GUESSED_STARTING: Final = 6.0
"""Where none was measured yet: until a pod runs whose image is there already (1 to 6 s)."""


def measured(what: str) -> float | None:
    """The median of the newest moves, of whichever clusters; None while there is none. `what`: FREEZE or STARTING."""
    moves = Operation.objects.filter(kind=OperationKind.MIGRATE, state=OperationState.SUCCEEDED)
    newest = moves.filter(params__has_key=MEASURED).order_by("-finished_at").values_list("params", flat=True)[:NEWEST]
    taken = [each[MEASURED].get(what) for each in newest]
    known = [float(each) for each in taken if isinstance(each, int | float)]
    return median(known) if known else None


def usual_move() -> float | None:
    """How long a move usually takes in all."""
    found = UsualDuration.objects.filter(kind=OperationKind.MIGRATE).values_list("seconds", flat=True).first()
    return None if found is None else float(found)


def expected(
    workloads: Iterable[Workload], *, freeze: float | None, starting: float | None, whole: float | None
) -> Mapping[str, float]:
    """By what it is of. What was measured counts before what is guessed; pods may use up their grace periods.

    Workloads of which nothing runs, and those that start first, are down for no time. What starts first stops once it
    runs where it goes, and all are frozen until it has.
    """
    running = [each for each in workloads if each.replicas and each.key.kind != "CronJob"]
    last = [each for each in running if each.order is Order.START_FIRST]
    stopping = [each for each in running if each.order is not Order.START_FIRST]
    usual = GUESSED_FREEZE if freeze is None else freeze
    graces = sum(max((each.grace for each in some), default=0.0) for some in (stopping, last))
    found = {"write freeze": usual, "write freeze with full grace periods": usual + graces}
    found |= {} if whole is None else {"whole move": whole}
    starts = GUESSED_STARTING if starting is None else starting
    return found | {f"downtime with its full grace period of {each.key}": each.grace + starts for each in stopping}
