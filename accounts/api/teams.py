"""/teams"""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require
from accounts.api.fields import NameField, OrganizationField
from accounts.api.filters import TeamFilters
from accounts.api.idempotency import idempotent
from accounts.api.people import users_given
from accounts.api.references import OrganizationReference, UserReference
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from accounts.api.strict import StrictSerializer
from accounts.models import Team
from accounts.selectors import organization_tombstones, teams_visible_to
from accounts.services.teams import team_create, team_delete, team_update


class TeamSerializer(serializers.ModelSerializer[Team]):
    """A team with its members."""

    organization = OrganizationReference(read_only=True)
    members = UserReference(many=True, read_only=True)

    class Meta:
        model = Team
        fields = ("id", "name", "organization", "members", "created_at")
        read_only_fields = fields


class TeamUpdate(StrictSerializer):
    """What can be changed of a team."""

    name = NameField()
    members = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        max_length=1000,
        help_text="Handles or ids of all members.",
    )


class TeamCreate(TeamUpdate):
    """A new team."""

    organization = OrganizationField(help_text="Id or name.")


class TeamResource(ListedResource[Team]):
    """Teams of your organizations."""

    serializer_class = TeamSerializer
    filterset_class = TeamFilters
    search_fields = ("name",)
    ordering_fields = ("name", "created_at")
    changes = Changes(kind="team", told=organization_tombstones, also=("organization",), filters=("organization",))

    def visible(self) -> QuerySet[Team]:
        return teams_visible_to(self.user)

    @extend_schema(request=TeamCreate, responses={201: TeamSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes a team. It has no role until it is given one."""
        body = self.body(TeamCreate)
        require(self.user, "team.manage", body["organization"])
        body["members"] = users_given(body.get("members", []), "members")
        return self.created(team_create(actor=self.actor, **body))

    @extend_schema(request=TeamUpdate, responses=TeamSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes a team; `members` replaces all of them."""
        team, body = self.get_object(), self.body(TeamUpdate)
        require(self.user, "team.manage", team.organization, seen=True)
        if "members" in body:
            body["members"] = users_given(body["members"], "members")
        return Response(self.shown(team_update(actor=self.actor, team=team, **body)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes a team, and with it what it was given."""
        team = self.get_object()
        self.no_body()
        require(self.user, "team.manage", team.organization, seen=True)
        team_delete(actor=self.actor, team=team)
        return Response(status=204)
