"""The addresses of clusters and operations, below /api/v1/."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from clusters.api.batch_views import BatchResource
from clusters.api.break_glass_views import BreakGlassResource
from clusters.api.cleanup_views import (
    CleanupItemResource,
    CleanupRunResource,
    CleanupSwitchResource,
    ClusterCleanupResource,
    PreviewResource,
)
from clusters.api.discovered_views import DiscoveredClusterViewSet
from clusters.api.export_views import ClusterExportResource, ExportResource
from clusters.api.gateway_request_views import GatewayRequestResource
from clusters.api.gateway_token_views import GatewayTokenResource, GatewayTokenRevocation
from clusters.api.gateway_views import GatewayResource
from clusters.api.host_loss_views import HostLossResource
from clusters.api.host_views import HostClusterViewSet
from clusters.api.idle_views import KnownWriterResource, SignalResource
from clusters.api.lifecycle_policy_views import LifecyclePolicyViewSet
from clusters.api.move_views import MoveResource
from clusters.api.operation_views import OperationViewSet
from clusters.api.option_views import OptionsView
from clusters.api.project_night_views import ProjectNightResource
from clusters.api.region_offer_views import RegionOfferViewSet
from clusters.api.restore_views import RestoreResource
from clusters.api.retained_views import HostRetainedResource, RetainedResource
from clusters.api.rollout_views import RolloutMemberResource, RolloutViewSet
from clusters.api.sharing_views import ShareResource
from clusters.api.sleep_schedule_views import NotTonightResource, SleepScheduleViewSet
from clusters.api.transfer_views import TransferResource
from clusters.api.upgrade_policy_views import UpgradePolicyViewSet
from clusters.api.use_views import ClusterUseResource
from clusters.api.virtual_cluster_views import VirtualClusterViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("host-clusters", HostClusterViewSet, basename="host-cluster")
router.register("virtual-clusters", VirtualClusterViewSet, basename="virtual-cluster")
router.register("discovered-clusters", DiscoveredClusterViewSet, basename="discovered-cluster")
router.register("region-offers", RegionOfferViewSet, basename="region-offer")
router.register("sleep-schedules", SleepScheduleViewSet, basename="sleep-schedule")
router.register("lifecycle-policies", LifecyclePolicyViewSet, basename="lifecycle-policy")
router.register("upgrade-policies", UpgradePolicyViewSet, basename="upgrade-policy")
router.register("rollouts", RolloutViewSet, basename="rollout")
router.register("operations", OperationViewSet, basename="operation")
router.register("exports", ExportResource, basename="export")
router.register("gateway-requests", GatewayRequestResource, basename="gateway-request")

ONE = "virtual-clusters/<uuid:cluster>"
urlpatterns = [
    path("options", OptionsView.as_view(), name="options"),
    path("virtual-clusters/batch-create", BatchResource.as_view({"post": "batch_create"})),
    path("virtual-clusters/batch-delete", BatchResource.as_view({"post": "batch_delete"})),
    path("virtual-clusters/<uuid:pk>/transfer", TransferResource.as_view({"post": "transfer"})),
    path("virtual-clusters/<uuid:pk>/migrate", MoveResource.as_view({"post": "migrate"})),
    path("virtual-clusters/<uuid:pk>/migrate-preflight", MoveResource.as_view({"post": "preflight"})),
    path("virtual-clusters/<uuid:pk>/forget-retained", RetainedResource.as_view({"post": "forget"})),
    path("host-clusters/<uuid:pk>/forget-retained", HostRetainedResource.as_view({"post": "forget"})),
    path("host-clusters/<uuid:pk>/lost", HostLossResource.as_view({"post": "lost"})),
    path("host-clusters/<uuid:pk>/found", HostLossResource.as_view({"post": "found"})),
    path("host-clusters/<uuid:pk>/evacuate", HostLossResource.as_view({"post": "evacuate"})),
    path(f"{ONE}/kubeconfig", GatewayResource.as_view({"get": "kubeconfig"})),
    path(f"{ONE}/gateway-credentials", GatewayResource.as_view({"post": "create"})),
    path(f"{ONE}/gateway-tokens", GatewayTokenResource.as_view({"get": "list", "post": "create"})),
    path(f"{ONE}/gateway-tokens/<uuid:token>", GatewayTokenResource.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{ONE}/gateway-tokens/<uuid:token>/rotate", GatewayTokenResource.as_view({"post": "rotate"})),
    path("gateway-tokens/revoke", GatewayTokenRevocation.as_view({"post": "create"})),
    path(f"{ONE}/shares", ShareResource.as_view({"get": "list", "post": "create"})),
    path(f"{ONE}/shares/<uuid:share>", ShareResource.as_view({"delete": "destroy"})),
    path(f"{ONE}/break-glass", BreakGlassResource.as_view({"get": "list", "post": "create"})),
    path(f"{ONE}/break-glass/<uuid:grant>", BreakGlassResource.as_view({"delete": "destroy"})),
    path("exports/<uuid:pk>/restore", RestoreResource.as_view({"post": "restore"})),
    path(f"{ONE}/exports", ClusterExportResource.as_view({"get": "list", "post": "create"})),
    path(f"{ONE}/signals", SignalResource.as_view({"get": "signals"})),
    path(f"{ONE}/writers", KnownWriterResource.as_view({"get": "list"})),
    path(f"{ONE}/writers/<uuid:writer>", KnownWriterResource.as_view({"get": "retrieve", "patch": "partial_update"})),
    path(f"{ONE}/uses", ClusterUseResource.as_view({"get": "list"})),
    path(f"{ONE}/sleep-skip", NotTonightResource.as_view({"post": "skip"})),
    path(f"{ONE}/sleep-postponement", NotTonightResource.as_view({"post": "postpone"})),
    path("projects/<uuid:project>/sleep-skip", ProjectNightResource.as_view({"post": "skip"})),
    path("projects/<uuid:project>/sleep-postponement", ProjectNightResource.as_view({"post": "postpone"})),
    path(f"{ONE}/cleanup", ClusterCleanupResource.as_view({"get": "outlook"})),
    path(f"{ONE}/extension", ClusterCleanupResource.as_view({"post": "extend"})),
    path(f"{ONE}/cleanup-consent", ClusterCleanupResource.as_view({"post": "consent"})),
    path("rollouts/<uuid:rollout>/members", RolloutMemberResource.as_view({"get": "list"})),
    path("cleanup/preview", PreviewResource.as_view({"get": "preview"})),
    path("cleanup/runs", CleanupRunResource.as_view({"get": "list"})),
    path("cleanup/runs/<uuid:pk>", CleanupRunResource.as_view({"get": "retrieve"})),
    path("cleanup/items", CleanupItemResource.as_view({"get": "list"})),
    path("cleanup/switch", CleanupSwitchResource.as_view({"get": "read", "put": "change"})),
    *router.urls,
]
