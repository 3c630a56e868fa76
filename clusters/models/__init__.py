"""The models of this app, one family a file."""

from clusters.models.chart import Chart
from clusters.models.conditions import Condition, condition_set
from clusters.models.host import Exposure, HostCluster, HostCredential, HostMode, HostPhase, HostScope
from clusters.models.operation import ACTIVE_STATES, Operation, OperationEvent, OperationKind, OperationState
from clusters.models.placement import Placement, PlacementRole
from clusters.models.virtual_cluster import VirtualCluster, VirtualClusterPhase

__all__ = [
    "ACTIVE_STATES",
    "Chart",
    "Condition",
    "Exposure",
    "HostCluster",
    "HostCredential",
    "HostMode",
    "HostPhase",
    "HostScope",
    "Operation",
    "OperationEvent",
    "OperationKind",
    "OperationState",
    "Placement",
    "PlacementRole",
    "VirtualCluster",
    "VirtualClusterPhase",
    "condition_set",
]
