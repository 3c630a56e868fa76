"""/join-requests, /projects/{id}/join-requests and /projects/joinable"""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import UNSEEN
from accounts.api.fields import RoleNameField
from accounts.api.filters import JoinRequestFilters, ProjectFilters
from accounts.api.idempotency import idempotent
from accounts.api.references import OrganizationReference, ProjectReference, UserReference
from accounts.api.resources import ListedResource, Resource
from accounts.api.strict import StrictSerializer
from accounts.errors import NotFound
from accounts.models import JoinRequest, Project
from accounts.selectors import join_requests_visible_to, projects_joinable_by, projects_visible_to
from accounts.services.join_requests import (
    DEFAULT_ROLE,
    join_request_accept,
    join_request_create,
    join_request_decline,
    join_request_withdraw,
)


class JoinableProject(serializers.ModelSerializer[Project]):
    """A project that one may ask to join: its name and no more."""

    organization = OrganizationReference(read_only=True)

    class Meta:
        model = Project
        fields = ("id", "name", "organization")
        read_only_fields = fields


class JoinableProjectResource(ListedResource[Project]):
    """Projects of your organizations in which you have no role."""

    serializer_class = JoinableProject
    filterset_class = ProjectFilters
    search_fields = ("name", "organization__name")
    ordering_fields = ("name",)

    def visible(self) -> QuerySet[Project]:
        return projects_joinable_by(self.user)

    @extend_schema(operation_id="projects_joinable_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Projects of your organizations that you may ask to join."""
        return super().list(request, *args, **kwargs)


class JoinRequestSerializer(serializers.ModelSerializer[JoinRequest]):
    """A request to join a project."""

    project = ProjectReference(read_only=True)
    user = UserReference(read_only=True)
    decided_by = UserReference(read_only=True, allow_null=True)

    class Meta:
        model = JoinRequest
        fields = ("id", "project", "user", "message", "state", "role", "decided_by", "decided_at", "created_at")
        read_only_fields = fields


class JoinRequestCreate(StrictSerializer):
    """Asks to join a project."""

    message = serializers.CharField(max_length=500, allow_blank=True, required=False)


class JoinRequestAccept(StrictSerializer):
    """The role that is given."""

    role = RoleNameField(required=False, help_text=f"Else {DEFAULT_ROLE}.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class JoinRequestResource(ListedResource[JoinRequest]):
    """Requests to join: yours, and those for the projects that you are admin of."""

    serializer_class = JoinRequestSerializer
    filterset_class = JoinRequestFilters
    search_fields = ("project__name", "user__handle")

    def visible(self) -> QuerySet[JoinRequest]:
        return join_requests_visible_to(self.user)

    @extend_schema(request=JoinRequestAccept, responses=JoinRequestSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def accept(self, request: Request, pk: UUID) -> Response:
        """Takes the person in, as developer unless another role is named."""
        asked, body = self.get_object(), self.body(JoinRequestAccept)
        join_request_accept(actor=self.actor, join_request=asked, now=timezone.now(), **body)
        return Response(self.shown(asked))

    @extend_schema(request=None, responses=JoinRequestSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def decline(self, request: Request, pk: UUID) -> Response:
        """Declines a request to join."""
        asked = self.get_object()
        self.no_body()
        join_request_decline(actor=self.actor, join_request=asked, now=timezone.now())
        return Response(self.shown(asked))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes one's own open request back."""
        asked = self.get_object()
        self.no_body()
        join_request_withdraw(actor=self.actor, join_request=asked, now=timezone.now())
        return Response(status=204)


class ProjectJoinRequests(Resource[JoinRequest]):
    """Requests to join one project."""

    serializer_class = JoinRequestSerializer

    def visible(self) -> QuerySet[JoinRequest]:
        return join_requests_visible_to(self.user)

    @extend_schema(
        operation_id="projects_join_requests_create",
        request=JoinRequestCreate,
        responses={201: JoinRequestSerializer},
    )
    @idempotent
    def create(self, request: Request, project: UUID) -> Response:
        """Asks to join a project of your organization; its admins are told."""
        body = self.body(JoinRequestCreate)
        asked = join_request_create(actor=self.actor, project=self._project(project), now=timezone.now(), **body)
        headers = {"Location": f"/api/v1/join-requests/{asked.pk}"}
        return Response(self.shown(asked), status=HTTP_201_CREATED, headers=headers)

    def _project(self, key: UUID) -> Project:
        found = projects_joinable_by(self.user).filter(pk=key).first()
        found = found or projects_visible_to(self.user).filter(pk=key).first()
        if found is None:
            raise NotFound(UNSEEN)
        return found
