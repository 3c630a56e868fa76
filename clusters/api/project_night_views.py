"""Not tonight, for a whole project: /projects/{id}/sleep-skip and /sleep-postponement"""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import UNSEEN, projects_where
from accounts.api.idempotency import idempotent
from accounts.api.references import ProjectReference
from accounts.api.resources import Resource
from accounts.errors import NotFound
from accounts.models import Project
from clusters.api.shown import schedule_shown
from clusters.api.sleep_schedule_views import PostponeRequest
from clusters.api.virtual_cluster_serializers import ScheduleShownSerializer
from clusters.models import VirtualCluster
from clusters.services.project_nights import ProjectNight, project_sleep_postpone, project_sleep_skip


class NightOfClusterSerializer(serializers.ModelSerializer[VirtualCluster]):
    """A virtual cluster of the project that a schedule puts to sleep."""

    schedule = serializers.SerializerMethodField()

    class Meta:
        model = VirtualCluster
        fields: ClassVar[list[str]] = ["id", "name", "schedule"]

    @extend_schema_field(ScheduleShownSerializer)
    def get_schedule(self, cluster: VirtualCluster) -> dict[str, Any]:
        return schedule_shown(cluster)


class ProjectNightSerializer(serializers.Serializer[ProjectNight]):
    """When each of a project's clusters sleeps next. One that somebody put off by itself stays as they said."""

    project = ProjectReference()
    virtual_clusters = NightOfClusterSerializer(many=True, source="clusters")


class ProjectNightResource(Resource[Project]):
    """The next time at which schedules would put the clusters of one project to sleep."""

    serializer_class = ProjectReference

    def visible(self) -> QuerySet[Project]:
        return projects_where(self.user, "project.view").select_related("organization")

    def _project(self) -> Project:
        found = self.visible().filter(pk=self.kwargs["project"]).first()
        if found is None:
            raise NotFound(UNSEEN)
        self.looked_at = found
        return found

    @extend_schema(operation_id="projects_sleep_skip", request=None, responses={200: ProjectNightSerializer})
    @idempotent
    def skip(self, request: Request, project: UUID) -> Response:
        """Not tonight: the next time to sleep of each of its clusters is left out. Asked twice, it is left out once."""
        self.no_body()
        return self._answer(project_sleep_skip(project=self._project(), actor=self.actor, now=timezone.now()))

    @extend_schema(
        operation_id="projects_sleep_postpone", request=PostponeRequest, responses={200: ProjectNightSerializer}
    )
    @idempotent
    def postpone(self, request: Request, project: UUID) -> Response:
        """Moves the next time to sleep of each of its clusters by a span, once."""
        body = self.body(PostponeRequest)
        found = self._project()
        night = project_sleep_postpone(project=found, seconds=body["by"], actor=self.actor, now=timezone.now())
        return self._answer(night)

    def _answer(self, night: ProjectNight) -> Response:
        return Response(ProjectNightSerializer(night).data)
