"""How it is found out what an upgrade or a move would meet. It changes nothing, so it waits for nobody."""

from clusters.models import OperationKind
from provisioning.engine.flow import Flow
from provisioning.steps.preflight import look_ahead

PREFLIGHT = Flow(kind=OperationKind.PREFLIGHT, steps=(look_ahead,))
