"""The admin site's pages for hosts, virtual clusters and operations. Whatever changes rows there goes through services.

What workers observe is shown and cannot be edited; no page shows a credential or a sealed result.
"""

from django.contrib import admin

from clusters.admin.books import ClusterUseAdmin, GatewayRequestAdmin
from clusters.admin.discovered import DiscoveredClusterAdmin
from clusters.admin.exports import ExportAdmin
from clusters.admin.hosts import HostClusterAdmin
from clusters.admin.idle import IdleSignalAdmin, KnownWriterAdmin
from clusters.admin.lifecycle import (
    CleanupItemAdmin,
    CleanupRunAdmin,
    CleanupSwitchAdmin,
    LifecyclePolicyAdmin,
    SleepScheduleAdmin,
)
from clusters.admin.operations import OperationAdmin
from clusters.admin.records import ChartAdmin, HostCredentialAdmin, KubeconfigGrantAdmin, PlacementAdmin
from clusters.admin.region_offers import RegionOfferAdmin
from clusters.admin.rollouts import RolloutAdmin
from clusters.admin.upgrade_policies import UpgradePolicyAdmin
from clusters.admin.virtual_clusters import VirtualClusterAdmin
from clusters.models import (
    Chart,
    CleanupItem,
    CleanupRun,
    CleanupSwitch,
    ClusterUse,
    DiscoveredCluster,
    Export,
    GatewayRequest,
    HostCluster,
    HostCredential,
    IdleSignal,
    KnownWriter,
    KubeconfigGrant,
    LifecyclePolicy,
    Operation,
    Placement,
    RegionOffer,
    Rollout,
    SleepSchedule,
    UpgradePolicy,
    VirtualCluster,
)

admin.site.register(HostCluster, HostClusterAdmin)
admin.site.register(RegionOffer, RegionOfferAdmin)
admin.site.register(HostCredential, HostCredentialAdmin)
admin.site.register(VirtualCluster, VirtualClusterAdmin)
admin.site.register(Placement, PlacementAdmin)
admin.site.register(KubeconfigGrant, KubeconfigGrantAdmin)
admin.site.register(DiscoveredCluster, DiscoveredClusterAdmin)
admin.site.register(Operation, OperationAdmin)
admin.site.register(Export, ExportAdmin)
admin.site.register(Chart, ChartAdmin)
admin.site.register(ClusterUse, ClusterUseAdmin)
admin.site.register(GatewayRequest, GatewayRequestAdmin)
admin.site.register(IdleSignal, IdleSignalAdmin)
admin.site.register(KnownWriter, KnownWriterAdmin)
admin.site.register(SleepSchedule, SleepScheduleAdmin)
admin.site.register(LifecyclePolicy, LifecyclePolicyAdmin)
admin.site.register(Rollout, RolloutAdmin)
admin.site.register(UpgradePolicy, UpgradePolicyAdmin)
admin.site.register(CleanupRun, CleanupRunAdmin)
admin.site.register(CleanupItem, CleanupItemAdmin)
admin.site.register(CleanupSwitch, CleanupSwitchAdmin)
