"""/group-mappings"""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require
from accounts.api.fields import OrganizationField, ProjectField, RoleNameField
from accounts.api.filters import ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.people import team_given
from accounts.api.references import OrganizationReference, ProjectReference, TeamReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.models import GroupMapping
from accounts.selectors import group_mappings_visible_to
from accounts.services.group_mappings import group_mapping_create, group_mapping_delete, group_mapping_update


class GroupMappingSerializer(serializers.ModelSerializer[GroupMapping]):
    """What a group of an issuer gives: a team, or a role in a project or (without one) in the organization."""

    organization = OrganizationReference(read_only=True)
    team = TeamReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    role = serializers.CharField(read_only=True, help_text="Empty where it gives a team.")
    people = serializers.IntegerField(read_only=True, help_text="To how many it gives that now.")

    class Meta:
        model = GroupMapping
        fields = ("id", "organization", "issuer", "group", "team", "role", "project", "people", "created_at")
        read_only_fields = fields


class GroupMappingUpdate(StrictSerializer):
    """What can be changed of a mapping."""

    group = serializers.CharField(max_length=255, help_text="As the issuer writes it.")


class GroupMappingCreate(GroupMappingUpdate):
    """A new mapping: exactly one of `team` and `role`."""

    organization = OrganizationField(help_text="Id or name.")
    issuer = serializers.CharField(
        required=False, max_length=255, help_text="Its id or address; may be left out where there is only one."
    )
    team = serializers.CharField(required=False, max_length=40, help_text="Name or id.")
    role = RoleNameField(required=False, help_text="A built-in role, or one of the organization's own.")
    project = ProjectField(required=False, help_text="Id, or organization/name; the role is of the project then.")


class GroupMappingFilters(django_filters.FilterSet):
    """Of /group-mappings."""

    organization = ReferenceFilter(by_name="organization__name")
    group = django_filters.CharFilter()

    class Meta:
        model = GroupMapping
        fields = ("organization", "group")


class GroupMappingResource(ListedResource[GroupMapping]):
    """What groups of OpenID Connect issuers give in the organizations that you administer."""

    serializer_class = GroupMappingSerializer
    filterset_class = GroupMappingFilters
    search_fields = ("group", "team__name", "project__name")

    def visible(self) -> QuerySet[GroupMapping]:
        return group_mappings_visible_to(self.user)

    @extend_schema(request=GroupMappingCreate, responses={201: GroupMappingSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes a mapping. It gives at the next sign-in of each person of the group."""
        body = self.body(GroupMappingCreate)
        organization = body["organization"]
        require(self.user, "organization.members", organization)
        if "team" in body:
            body["team"] = team_given(organization, body["team"], "team")
        return self.created(group_mapping_create(actor=self.actor, **body))

    @extend_schema(request=GroupMappingUpdate, responses=GroupMappingSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Lets another group give the same. What the former group gave is taken at once."""
        mapping, body = self.get_object(), self.body(GroupMappingUpdate)
        if "group" in body:
            mapping = group_mapping_update(actor=self.actor, mapping=mapping, group=body["group"], now=timezone.now())
        return Response(self.shown(mapping))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes a mapping, and takes what it gave."""
        mapping = self.get_object()
        self.no_body()
        group_mapping_delete(actor=self.actor, mapping=mapping, now=timezone.now())
        return Response(status=204)
