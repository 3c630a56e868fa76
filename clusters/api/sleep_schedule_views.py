"""/sleep-schedules, and not tonight: /virtual-clusters/{id}/sleep-skip and /sleep-postponement"""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import ProjectFilter
from accounts.api.idempotency import idempotent
from accounts.api.references import ProjectReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from clusters.api.gateway_views import OfOneCluster
from clusters.api.glass_noting import GlassNoted
from clusters.api.scoped import ClusterReference, OfProjectOrCluster
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import SleepSchedule, VirtualCluster
from clusters.selectors import virtual_clusters_list
from clusters.selectors_lifecycle import sleep_schedules_list
from clusters.services.sleep_putting_off import sleep_postpone, sleep_skip
from clusters.services.sleep_schedules import sleep_schedule_create, sleep_schedule_delete, sleep_schedule_update


class SleepScheduleSerializer(serializers.ModelSerializer[SleepSchedule]):
    """At what times clusters sleep, wake and are exported. One of a cluster takes the place of its project's."""

    project = ProjectReference(read_only=True, allow_null=True)
    virtual_cluster = ClusterReference(read_only=True, allow_null=True)

    class Meta:
        model = SleepSchedule
        fields = (
            *("id", "project", "virtual_cluster", "sleep_cron", "wake_cron", "export_cron"),
            *("time_zone", "enabled", "created_at", "changed_at"),
        )
        read_only_fields = fields


class SleepScheduleChange(StrictSerializer):
    """Cron has five fields: minute, hour, day of month, month, day of week. Empty: never."""

    sleep_cron = serializers.CharField(required=False, allow_blank=True, max_length=100, help_text="0 20 * * MON-FRI")
    wake_cron = serializers.CharField(required=False, allow_blank=True, max_length=100, help_text="0 7 * * MON-FRI")
    export_cron = serializers.CharField(required=False, allow_blank=True, max_length=100, help_text="0 3 * * *")
    time_zone = serializers.CharField(required=False, max_length=60, help_text="Such as Europe/Berlin; UTC else.")
    enabled = serializers.BooleanField(
        required=False, help_text="One of a cluster that is off keeps its project's away from it."
    )


class SleepScheduleCreate(OfProjectOrCluster, SleepScheduleChange):
    """Whose schedule, and its times."""


class PostponeRequest(StrictSerializer):
    """By how much."""

    by = serializers.IntegerField(help_text="Seconds.")


class SleepScheduleFilter(filters.FilterSet):
    """By what it is of."""

    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")
    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster")

    class Meta:
        model = SleepSchedule
        fields: ClassVar[list[str]] = []


class SleepScheduleViewSet(GlassNoted, ListedResource[SleepSchedule]):
    """When clusters of a project, or one cluster, sleep, wake and are exported."""

    serializer_class = SleepScheduleSerializer
    filterset_class = SleepScheduleFilter

    def visible(self) -> QuerySet[SleepSchedule]:
        return sleep_schedules_list(self.user)

    @extend_schema(request=SleepScheduleCreate, responses={201: SleepScheduleSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Gives a project or a cluster a schedule. A project's takes an admin of it."""
        body = self.body(SleepScheduleCreate)
        scope = body.pop("scope")
        made = sleep_schedule_create(scope=scope, actor=self.actor, now=timezone.now(), wanted=body)
        return self.created(made)

    @extend_schema(request=SleepScheduleChange, responses={200: SleepScheduleSerializer})
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes what is sent. A time that was skipped or postponed is forgotten."""
        schedule = self.get_object()
        wanted = self.body(SleepScheduleChange)
        changed = sleep_schedule_update(schedule=schedule, actor=self.actor, now=timezone.now(), wanted=wanted)
        return Response(self.shown(changed))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes it away. Clusters stay as they are."""
        schedule = self.get_object()
        self.no_body()
        sleep_schedule_delete(schedule=schedule, actor=self.actor, now=timezone.now())
        return Response(status=204)


class NotTonightResource(OfOneCluster):
    """The next time at which a schedule would put one cluster to sleep."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    @extend_schema(operation_id="virtual_clusters_sleep_skip", request=None, responses={200: VirtualClusterSerializer})
    @idempotent
    def skip(self, request: Request, cluster: UUID) -> Response:
        """Not tonight: its next time to sleep is left out. Asked twice, it is left out once."""
        self.no_body()
        return Response(self.shown(sleep_skip(virtual_cluster=self.cluster(), actor=self.actor, now=timezone.now())))

    @extend_schema(
        operation_id="virtual_clusters_sleep_postpone",
        request=PostponeRequest,
        responses={200: VirtualClusterSerializer},
    )
    @idempotent
    def postpone(self, request: Request, cluster: UUID) -> Response:
        """Moves its next time to sleep by a span, once."""
        body = self.body(PostponeRequest)
        found = self.cluster()
        done = sleep_postpone(virtual_cluster=found, seconds=body["by"], actor=self.actor, now=timezone.now())
        return Response(self.shown(done))
