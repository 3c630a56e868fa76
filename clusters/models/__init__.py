"""The models of this app, one family a file."""

from clusters.models.chart import Chart
from clusters.models.cleanup import CleanupAction, CleanupItem, CleanupRun, CleanupRunState, CleanupSwitch
from clusters.models.cluster_use import ClusterUse
from clusters.models.conditions import Condition, condition_set
from clusters.models.discovered import DiscoveredCluster
from clusters.models.duration import UsualDuration
from clusters.models.export import Export, ExportCause, ExportState
from clusters.models.gateway_request import GatewayRequest
from clusters.models.gateway_token import GatewayToken
from clusters.models.host import Breaker, Exposure, HostCluster, HostCredential, HostMode, HostPhase, HostScope
from clusters.models.idle_signal import IdleSignal, SignalSource
from clusters.models.known_writer import KnownWriter, Verdict
from clusters.models.kubeconfig_grant import KubeconfigGrant
from clusters.models.lifecycle_columns import CLEANUP_COLUMNS, CleanupCause, CleanupState
from clusters.models.lifecycle_policy import LifecyclePolicy
from clusters.models.operation import (
    ACTIVE_STATES,
    PLATFORM,
    UNANNOUNCED,
    Operation,
    OperationEvent,
    OperationKind,
    OperationState,
)
from clusters.models.placement import Placement, PlacementRole
from clusters.models.region_offer import RegionOffer
from clusters.models.rollout import (
    ENDED_ROLLOUTS,
    OPEN_MEMBERS,
    WORKING_MEMBERS,
    Rollout,
    RolloutAction,
    RolloutMember,
    RolloutMemberState,
    RolloutState,
)
from clusters.models.schedule import Schedule
from clusters.models.sleep_schedule import SleepSchedule
from clusters.models.slot import HostSlot
from clusters.models.traffic_reading import TrafficReading
from clusters.models.upgrade_columns import UPGRADE_COLUMNS, Upgradable, UpgradeCause
from clusters.models.upgrade_policy import UpgradeChannel, UpgradePolicy
from clusters.models.virtual_cluster import VirtualCluster, VirtualClusterPhase

__all__ = [
    "ACTIVE_STATES",
    "CLEANUP_COLUMNS",
    "ENDED_ROLLOUTS",
    "OPEN_MEMBERS",
    "PLATFORM",
    "UNANNOUNCED",
    "UPGRADE_COLUMNS",
    "WORKING_MEMBERS",
    "Breaker",
    "Chart",
    "CleanupAction",
    "CleanupCause",
    "CleanupItem",
    "CleanupRun",
    "CleanupRunState",
    "CleanupState",
    "CleanupSwitch",
    "ClusterUse",
    "Condition",
    "DiscoveredCluster",
    "Export",
    "ExportCause",
    "ExportState",
    "Exposure",
    "GatewayRequest",
    "GatewayToken",
    "HostCluster",
    "HostCredential",
    "HostMode",
    "HostPhase",
    "HostScope",
    "HostSlot",
    "IdleSignal",
    "KnownWriter",
    "KubeconfigGrant",
    "LifecyclePolicy",
    "Operation",
    "OperationEvent",
    "OperationKind",
    "OperationState",
    "Placement",
    "PlacementRole",
    "RegionOffer",
    "Rollout",
    "RolloutAction",
    "RolloutMember",
    "RolloutMemberState",
    "RolloutState",
    "Schedule",
    "SignalSource",
    "SleepSchedule",
    "TrafficReading",
    "Upgradable",
    "UpgradeCause",
    "UpgradeChannel",
    "UpgradePolicy",
    "UsualDuration",
    "Verdict",
    "VirtualCluster",
    "VirtualClusterPhase",
    "condition_set",
]
