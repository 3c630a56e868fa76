"""/projects"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import NameField, OrganizationField
from accounts.api.filters import ProjectFilters
from accounts.api.idempotency import idempotent
from accounts.api.references import OrganizationReference, UserReference
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.api.strict import StrictSerializer
from accounts.models import KubeconfigCeiling, Project, RequestAudit
from accounts.selectors import project_tombstones, projects_visible_to
from accounts.services.projects import project_create, project_delete, project_update


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A project."""

    organization = OrganizationReference(read_only=True)
    created_by = UserReference(read_only=True, allow_null=True)
    personal_of = UserReference(read_only=True, allow_null=True)

    class Meta:
        model = Project
        fields = (
            "id",
            "name",
            "display_name",
            "organization",
            "created_by",
            "personal_of",
            "cluster_limit",
            "cluster_lifetime_days",
            "kubeconfig_ceiling",
            "direct_kubeconfigs",
            "request_audit",
            "created_at",
        )
        read_only_fields = fields


class ProjectNames(StrictSerializer):
    """What a project is called."""

    name = NameField()
    display_name = serializers.CharField(max_length=150, allow_blank=True, required=False)


class ProjectUpdate(ProjectNames):
    """What can be changed of a project; its limits by admins of the organization."""

    kubeconfig_ceiling = serializers.ChoiceField(choices=KubeconfigCeiling.choices, required=False)
    direct_kubeconfigs = serializers.BooleanField(
        required=False,
        help_text="Whether kubeconfigs that go past the gateway are given out. Off ends those there are.",
    )
    request_audit = serializers.ChoiceField(
        choices=RequestAudit.choices,
        required=False,
        help_text="Which requests to its virtual clusters through the gateway are written down one by one.",
    )
    cluster_limit = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=100_000, help_text="Null: any number."
    )
    cluster_lifetime_days = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=3650, help_text="Null: no end."
    )


class ProjectCreate(ProjectNames):
    """A new project."""

    organization = OrganizationField(help_text="Id or name.")


class ProjectResource(ListedResource[Project]):
    """Projects that a role of yours shows."""

    serializer_class = ProjectSerializer
    filterset_class = ProjectFilters
    search_fields = ("name", "display_name", "organization__name")
    ordering_fields = ("name", "created_at")
    changes = Changes(kind="project", told=project_tombstones, also=("organization",), filters=("organization",))

    def visible(self) -> QuerySet[Project]:
        return projects_visible_to(self.user)

    @extend_schema(request=ProjectCreate, responses={201: ProjectSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes a project in an organization. A member, who may make a few, becomes its admin."""
        return self.created(project_create(actor=self.actor, **self.body(ProjectCreate)))

    @extend_schema(request=ProjectUpdate, responses=ProjectSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes a project."""
        project, body = self.get_object(), self.body(ProjectUpdate)
        return Response(self.shown(project_update(actor=self.actor, project=project, **body)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes an empty project."""
        project = self.get_object()
        self.no_body()
        project_delete(actor=self.actor, project=project)
        return Response(status=204)
